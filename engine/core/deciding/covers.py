"""Steps that a gate covers: they run with exactly the arguments that were approved, or not at all.

The one rule: what was approved is what the gate's request or its last edit has; a step that would run with anything
else fails before it is begun, whatever changed in between.
"""

from __future__ import annotations

from engine.core import paths
from engine.core.deciding.correcting import arguments_of
from engine.core.deciding.draft import Draft
from engine.core.expressions import ExpressionError
from engine.core.failures import Failure, FailureClass
from engine.core.words import listed


def unapproved(draft: Draft, path: str) -> Failure | None:
    """Why the step may not start: a gate that covers it did not let it, or its arguments are others than approved.

    An operator who goes on without a decision has taken it upon themselves, by name; nothing was approved then.
    """
    group = paths.group_of(path)
    if group not in draft.state.groups or paths.undone_by(path) is not None or paths.corrected_by(path) is not None:
        return None
    planned = draft.state.plan.node(path)
    for id_ in draft.state.plan.group(group).gates:
        gate = draft.state.step(paths.in_group(group, id_)).gate
        if gate is None or gate.decision is None or planned.id not in gate.inputs:
            continue
        if not gate.decision.lets_through:
            return _refused(f"it was not approved at {id_}, and runs as approved or not at all")
        approved = gate.inputs[planned.id]
        try:
            given = arguments_of(draft, path)
        except ExpressionError as error:
            return _refused(f"what it would run with cannot be compared with what was approved at {id_}: {error}")
        if given != approved:
            differing = sorted(name for name in given.keys() | approved.keys() if given.get(name) != approved.get(name))
            return _refused(
                f"its arguments are not those that were approved at {id_}: {listed(differing)} changed since; it runs "
                "with exactly what was approved or not at all"
            )
    return None


def _refused(message: str) -> Failure:
    return Failure(cls=FailureClass.PERMISSION, message=message, known=True)
