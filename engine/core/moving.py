"""A run that follows another definition from now on, with what it has done so far.

The one rule: what has ended stays ended, what is at work stays at work; only what has not begun is planned anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from immutables import Map

from engine.core import events as e
from engine.core import paths
from engine.core.gates import Gate
from engine.core.graph import Plan
from engine.core.state import ENDED_STEP, GroupState, RunState, StepState, StepStatus
from engine.core.transitions import begin, may_begin, reopen
from engine.core.words import did_you_mean

_FIRST = re.compile(r"^[^\[#/!]+")


def misfits(state: RunState, plan: Plan, renamed: Mapping[str, str]) -> Iterator[str]:
    """Why the run cannot move to ``plan``, in sentences: above all, open steps that have no place there."""
    for old, new in renamed.items():
        if old not in state.plan.steps:
            yield f"{old} is no step of the run; {did_you_mean(old, list(state.plan.steps))}"
        elif new not in plan.steps:
            yield f"{new} is no step of the other definition; {did_you_mean(new, list(plan.steps))}"
    begun = {found[0] for path in state.steps if (found := _FIRST.match(path))}
    for old in sorted(begun & renamed.keys()):
        if any(other != old and renamed.get(other, other) == renamed[old] for other in begun):
            yield f"two steps of the run would be {renamed[old]}; give each a name of its own"
    for path in state.open:
        new = new_path(path, renamed)
        found = plan.nodes.get(paths.template_of(new))
        if found is None or found.kind is not state.plan.node(path).kind:
            yield f"{path} is open, and the other definition has no such step of that kind; map it to one that has"
        elif new != path and state.steps[path].status is StepStatus.RUNNING:
            yield f"{path} is at work under its name; pause the run, and move it once the step has ended"


def moved(state: RunState, event: e.RunMoved, plan: Plan) -> RunState:
    """The state on the new plan. Steps that it does not have are forgotten, new ones are ready where they may be."""
    names = event.renamed
    steps = {new_path(path, names): _renamed(path, step, names) for path, step in state.steps.items()}
    kept = {path: _unbegun(path, step) for path, step in steps.items() if paths.template_of(path) in plan.nodes}
    undoable = (new_path(path, names) for path in state.undoable)
    state = state._replace(
        plan=plan,
        definition=event.definition,
        steps=Map(kept),
        groups=Map(_groups(state, plan, kept, names)),
        undoable=tuple(path for path in undoable if path in kept and plan.node(path).compensation is not None),
        deadline=_deadline(state, plan),
    )
    return _ready_again(reopen(state))


def _renamed(path: str, step: StepState, names: Mapping[str, str]) -> StepState:
    """Whoever was told a key of a step's effects is told the same one again, whatever the step is called now.

    A gate keeps what was approved for the steps that it covers, and where changes begin.
    """
    if step.gate is not None and not paths.group_of(path) and names:
        step = step._replace(gate=_renamed_gate(step.gate, names))
    if new_path(path, names) == path:
        return step
    loop = step.loop
    return step._replace(
        keyed_as=step.keyed_as or (path if step.token else ""),
        loop=None if loop is None else loop._replace(failed=new_path(loop.failed, names)),
    )


def _renamed_gate(gate: Gate, names: Mapping[str, str]) -> Gate:
    back = gate.request.request_changes
    known = {
        "inputs": {names.get(id_, id_): inputs for id_, inputs in gate.request.inputs.items()},
        "request_changes": None if back is None else names.get(back, back),
    }
    gate = gate._replace(request=gate.request.model_copy(update=known))
    if gate.edited is None:
        return gate
    inputs = {names.get(id_, id_): inputs for id_, inputs in gate.edited.event.inputs.items()}
    return gate._replace(edited=gate.edited._replace(event=gate.edited.event.model_copy(update={"inputs": inputs})))


def _groups(
    state: RunState, plan: Plan, kept: Mapping[str, StepState], names: Mapping[str, str]
) -> Iterator[tuple[str, GroupState]]:
    """What is left in each group by the new plan."""
    for path, group in state.groups.items():
        new = new_path(path, names)
        if new and paths.template_of(new) not in plan.groups:
            continue
        members = (paths.in_group(new, id_) for id_ in plan.group(new).steps)
        left = sum(1 for member in members if member not in kept or kept[member].status not in ENDED_STEP)
        yield new, GroupState(left, None if group.failed is None else new_path(group.failed, names))


def _deadline(state: RunState, plan: Plan) -> int | None:
    """Counted from where the old one was: from the start of the run, or from its last reopening."""
    before, timeout = state.plan.workflow.timeout, plan.workflow.timeout
    if timeout is None:
        return None
    since = state.started_at if state.deadline is None or before is None else state.deadline - before
    return since + timeout


def _unbegun(path: str, step: StepState) -> StepState:
    """A step that was ready may have to wait for others now; the items of a loop wait for none.

    Whether anybody has its code is to be seen anew.
    """
    if step.status not in (StepStatus.READY, StepStatus.HELD, StepStatus.RETRYING):
        return step
    if step.status is StepStatus.HELD:
        step = step._replace(status=StepStatus.READY, hold=None)  # what holds it holds it again
    waits = step.status is StepStatus.READY and paths.loop_of(path) is None
    return step._replace(status=StepStatus.PENDING if waits else step.status, awaited=False, missing=0)


def _ready_again(state: RunState) -> RunState:
    """What may begin by the new plan, in the workflow itself and in each item and pass that is open."""
    for group in sorted(state.groups):
        if group and state.step(group).status is not StepStatus.OPEN:
            continue
        generation = state.step(group).generation if group else 1
        for id_ in state.plan.group(group).steps:
            path = paths.in_group(group, id_)
            if state.step(path).status is StepStatus.PENDING and may_begin(state, group, id_):
                known = state.step(path)._replace(status=StepStatus.READY)
                state = begin(state, path, known._replace(generation=max(generation, known.generation)))
    return state


def new_path(path: str, names: Mapping[str, str]) -> str:
    """``path`` with the id of the workflow's own step that it begins with replaced."""
    return _FIRST.sub(lambda found: names.get(found[0], found[0]), path, count=1)
