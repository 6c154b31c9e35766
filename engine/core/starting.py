"""What a run is started with besides its input, as its definition says; and what a fork takes over.

The one rule: all of it follows from the definition and what is on record, so that whoever starts the run, or starts it
again after a crash, starts the same one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from pydantic import JsonValue

from engine.core import events as e
from engine.core.definition import Workflow
from engine.core.errors import InvalidInput
from engine.core.estimate import Estimate
from engine.core.expressions import ExpressionError, Template
from engine.core.graph import Plan, PlannedStep
from engine.core.state import RunState, StepStatus
from engine.core.values import Held

LONGEST_LABEL = 200
LONGEST_KEY = 500

_REUSED: Mapping[StepStatus, Literal["completed", "skipped", "failed"]] = {
    StepStatus.COMPLETED: "completed",
    StepStatus.SKIPPED: "skipped",
    StepStatus.FAILED: "failed",
}


class Terms(NamedTuple):
    """How a run is found, how urgent it is, and which line it waits in, if any. ``priority`` is 0 (low) to 2 (high)."""

    labels: dict[str, str]
    priority: int
    concurrency: e.InLine | None


def terms(workflow: Workflow, values: Mapping[str, JsonValue]) -> Terms:
    """The terms on which a run of ``workflow`` with these inputs starts.

    Labels are cut to 200 characters. Raises ``ExpressionError`` where one of the expressions has no value, or where the
    concurrency key has more than 500 characters.
    """
    scope = {"input": values}
    labels = {
        name: _storable(Template.parse(text).render_text(scope))[:LONGEST_LABEL]
        for name, text in workflow.labels.items()
    }
    return Terms(labels, workflow.priority.rank, _line(workflow, scope))


def started_of(workspace: str, workflow: Workflow, values: dict[str, JsonValue], by: e.Actor) -> e.RunStarted:
    """The first event of a run of ``workflow`` with checked inputs. ``InvalidInput`` where its terms have no value."""
    try:
        labels, priority, line = terms(workflow, values)
    except ExpressionError as error:
        # Said at one of the inputs, of which all of it is made.
        raise InvalidInput(workflow.name, {next(iter(workflow.input), ""): str(error)}) from None
    return e.RunStarted(
        workspace=workspace,
        workflow=workflow.name,
        definition=workflow.hash,
        input=values,
        by=by,
        labels=labels,
        priority=priority,
        concurrency=line,
    )


def estimated(found: Estimate) -> e.Estimated:
    """What is kept of an estimate, to be held against what the run has cost in the end."""
    return e.Estimated(**found.cost._asdict(), unpriced=found.unpriced)


def _line(workflow: Workflow, scope: Mapping[str, Mapping[str, JsonValue]]) -> e.InLine | None:
    wanted = workflow.concurrency
    if wanted is None:
        return None
    key = _storable(Template.parse(wanted.key).render_text(scope))
    if len(key) > LONGEST_KEY:
        raise ExpressionError(
            wanted.key, f"the concurrency key has {len(key):,} characters, and {LONGEST_KEY} are the most"
        )
    return e.InLine(key=key, limit=wanted.limit, on_limit=wanted.on_limit.value)


def _storable(text: str) -> str:
    """No database's text holds NUL."""
    return text.replace("\0", "\ufffd")


class Reusable(NamedTuple):
    """What a fork takes over of one step; ``output`` may be held by its place in the run that is forked."""

    step: str
    status: Literal["completed", "skipped", "failed"]
    output: Held


def reusable(state: RunState, plan: Plan, step: str) -> list[Reusable]:
    """The results of ``state`` with which a fork of it on ``plan`` begins that does ``step``, and what follows, anew.

    Those are the steps of the workflow that have ended, as has everything that they need, and that both definitions
    have; one that failed only if the workflow goes on in spite of it. A gate that covers a step that is done anew asks
    anew: what was approved in one run is not what another one does.
    """
    anew = set(downstream(plan, step))
    found: dict[str, Reusable] = {}
    for id_, needs in in_order(plan):
        known, planned = state.step(id_), plan.steps[id_]
        if id_ in anew or not _may_be_reused(state, planned):
            continue
        covers = planned.gate.approval.covers if planned.gate is not None else ()
        if any(one in anew or not _may_be_reused(state, plan.steps[one]) for one in covers):
            continue
        if all(need in found for need in needs):
            found[id_] = Reusable(id_, _REUSED[known.status], known.output)
    return list(found.values())


def _may_be_reused(state: RunState, planned: PlannedStep) -> bool:
    known = state.step(planned.id)
    failed = known.status is StepStatus.FAILED and not planned.step.continue_on_error
    return planned.id in state.plan.steps and not failed and known.status in _REUSED


def downstream(plan: Plan, step: str) -> list[str]:
    """The step and all that follow from it, in the order of the definition."""
    found = {step}
    for id_, needs in in_order(plan):
        if any(need in found for need in needs):
            found.add(id_)
    return [id_ for id_ in plan.steps if id_ in found]


def in_order(plan: Plan) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The workflow's own steps with their needs, each behind all that it needs."""
    left = {id_: node.needs for id_, node in plan.steps.items()}
    done: set[str] = set()
    while left:
        ready = [id_ for id_, needs in left.items() if done.issuperset(needs)]
        for id_ in ready:
            yield id_, left.pop(id_)
        done.update(ready)
