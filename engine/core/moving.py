"""A run that follows another definition from now on, with what it has done so far.

The one rule: what has ended stays ended, what is at work stays at work; only what has not begun is planned anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from immutables import Map

from engine.core import events as e
from engine.core import paths
from engine.core.graph import Plan
from engine.core.state import ENDED_STEP, GroupState, RunState, StepState, StepStatus
from engine.core.transitions import begin, may_begin, reopen

_FIRST = re.compile(r"^[^\[#/!]+")


def misfits(state: RunState, plan: Plan, renamed: Mapping[str, str]) -> Iterator[str]:
    """The open steps that have no place in ``plan``, or another kind of place: they keep the run from moving."""
    for path in state.open:
        place = paths.template_of(_rename(path, renamed))
        found = plan.nodes.get(place)
        if found is None or found.kind is not state.plan.node(path).kind:
            yield path


def moved(state: RunState, event: e.RunMoved, plan: Plan) -> RunState:
    """The state on the new plan. Steps that it does not have are forgotten, new ones are ready where they may be."""
    names = event.renamed
    steps = {_rename(path, names): step for path, step in state.steps.items()}
    groups = {_rename(path, names): group for path, group in state.groups.items()}
    kept = {path: _unbegun(path, step) for path, step in steps.items() if paths.template_of(path) in plan.nodes}
    unfinished = sum(1 for id_ in plan.steps if id_ not in kept or kept[id_].status not in ENDED_STEP)
    failed = state.groups[""].failed
    groups[""] = GroupState(unfinished, None if failed is None else _rename(failed, names))
    timeout = plan.workflow.timeout
    state = state._replace(
        plan=plan,
        definition=event.definition,
        steps=Map(kept),
        groups=Map(
            {path: group for path, group in groups.items() if not path or paths.template_of(path) in plan.groups}
        ),
        undoable=tuple(_rename(path, names) for path in state.undoable if _rename(path, names) in kept),
        deadline=None if timeout is None else state.started_at + timeout,
    )
    return _ready_again(reopen(state))


def _unbegun(path: str, step: StepState) -> StepState:
    """A step that was ready may have to wait for others now; the items of a loop wait for none."""
    waits = step.status is StepStatus.READY and paths.loop_of(path) is None
    return step._replace(status=StepStatus.PENDING) if waits else step


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


def _rename(path: str, names: Mapping[str, str]) -> str:
    """``path`` with the id of the workflow's own step that it begins with replaced."""
    return _FIRST.sub(lambda found: names.get(found[0], found[0]), path, count=1)
