"""How a step's beginning and end change the run around it: its group, its loop, and the steps that wait for it.

The one rule: a step that ends is counted here, once; one that is reopened is uncounted the same way. Every arm of
``engine.core.fold`` that begins or ends a step goes through these functions.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.core import paths
from engine.core.graph import Group, Kind, PlannedStep
from engine.core.kinds import OnItemFailure
from engine.core.state import (
    ENDED_STEP,
    READY,
    GroupState,
    Loop,
    RunState,
    StepState,
    StepStatus,
)

LARGEST_UNIT = 50
"""A for_each with more items than this has them done by child runs, this many items each."""


def put(state: RunState, path: str, value: StepState) -> RunState:
    """The step goes on, as it is now."""
    return state._replace(steps=state.steps.set(path, value))


def begin(state: RunState, path: str, value: StepState) -> RunState:
    """The step is open from here on."""
    is_open = path in state.open
    return state._replace(steps=state.steps.set(path, value), open=state.open if is_open else (*state.open, path))


def settle(state: RunState, path: str, value: StepState) -> RunState:
    """The step has ended: it is no longer open, nor is anything inside, and what waited for it alone is ready."""
    if state.step(path).status in ENDED_STEP:
        state = unsettle(state, path)
    holds = path in state.groups or value.loop is not None
    still = tuple(one for one in state.open if one != path and not (holds and paths.is_inside(one, path)))
    state = state._replace(steps=state.steps.set(path, value), open=still)
    if holds and value.status is not StepStatus.FAILED and not _is_seen_later(state, path):
        state = _forget_inside(state, path)
    if paths.undone_by(path) is not None:
        return _undo_next(state)
    if paths.corrected_by(path) is not None:
        return state  # what follows from a correction is said by the next event
    state = drop_correction(state, path)
    loop = paths.loop_of(path)
    return _member_ended(state, path, value) if loop is None else _unit_ended(state, loop, path, value)


def drop_correction(state: RunState, path: str) -> RunState:
    """Nobody is asked any more how the step could be tried otherwise."""
    asked = paths.correction(path)
    if asked not in state.steps:
        return state
    still = tuple(one for one in state.open if one != asked)
    return state._replace(steps=state.steps.delete(asked), open=still)


def unsettle(state: RunState, path: str) -> RunState:
    """The step had ended and goes on: it no longer counts as ended. The caller says what it is now."""
    value = state.steps[path]
    loop = paths.loop_of(path)
    if loop is not None:
        holder = state.steps[loop]
        if holder.loop is None:
            raise ValueError(f"{loop} has not begun")
        failures = holder.loop.failures - (value.status is StepStatus.FAILED)
        first = "" if holder.loop.failed == path else holder.loop.failed
        again = holder.loop._replace(active=holder.loop.active + 1, failures=failures, failed=first)
        return put(state, loop, holder._replace(loop=again))
    group = paths.group_of(path)
    known = state.groups[group]
    failed = _another_failed(state, group, path) if known.failed == path else known.failed
    counted = GroupState(known.unfinished + 1, failed)
    undoable = tuple(one for one in state.undoable if one != path)
    return state._replace(groups=state.groups.set(group, counted), undoable=undoable)


def open_group(state: RunState, path: str, group: Group, generation: int) -> RunState:
    """The steps of ``group``, instances of which are now at ``path``: those that wait for no other are ready."""
    ready = READY if generation == 1 else StepState(status=StepStatus.READY, generation=generation)
    roots = [paths.in_group(path, id_) for id_ in group.roots]
    return state._replace(
        steps=state.steps.update(dict.fromkeys(roots, ready)),
        groups=state.groups.set(path, GroupState(len(group.steps))),
        open=(*state.open, *roots),
    )


def open_unit(state: RunState, path: str, generation: int) -> RunState:
    """An item, a part or a pass of a loop begins."""
    if state.plan.node(path).kind is not Kind.GROUP:
        return begin(state, path, StepState(status=StepStatus.READY, generation=generation))
    held = StepState(status=StepStatus.OPEN, generation=generation, since=state.at, started_at=state.at)
    return open_group(begin(state, path, held), path, state.plan.group(path), generation)


def launch(state: RunState, path: str) -> RunState:
    """Begin as many units of the for_each at ``path`` as may be at work now."""
    holder = state.steps[path]
    loop, settings = holder.loop, state.plan.node(path).step.for_each
    if loop is None or settings is None:
        raise ValueError(f"{path} is no for_each that has begun")
    parallel = max(1, settings.max_parallel // loop.unit)
    stopped = loop.failures > 0 and settings.on_item_failure is OnItemFailure.FAIL
    begun: list[str] = []
    while not stopped and loop.active < parallel and loop.launched < loop.units:
        begun.append(unit_path(path, loop, loop.launched))
        loop = loop._replace(launched=loop.launched + 1, active=loop.active + 1)
    state = put(state, path, holder._replace(loop=loop))
    for unit in begun:
        state = open_unit(state, unit, holder.generation)
    return state


def unit_path(path: str, loop: Loop, number: int) -> str:
    """The path of the for_each's unit with this number, from 0."""
    start = loop.first + number * loop.unit
    if loop.unit == 1:
        return paths.item(path, start)
    return paths.part(path, start, min(start + loop.unit, loop.first + loop.total))


def holders(path: str) -> Iterator[str]:
    """The items, passes and loops that the step is inside of, from the innermost outwards."""
    while True:
        path = paths.loop_of(path) or paths.group_of(path)
        if not path or path == paths.ON_FAILURE:
            return
        yield path


def reopen(state: RunState) -> RunState:
    """Find again what is open, after steps that had ended were reopened."""
    found = (
        path
        for path, step in state.steps.items()
        if step.status is not StepStatus.PENDING
        and step.status not in ENDED_STEP
        and paths.undone_by(path) is None
        and all(state.steps[holder].status is StepStatus.OPEN for holder in holders(path))
    )
    return state._replace(open=tuple(sorted(found)))


def open_dependents(state: RunState, group: str, node: PlannedStep) -> RunState:
    """What waited for ``node``, and now for nothing more, is ready."""
    for id_ in node.dependents:
        path = paths.in_group(group, id_)
        if state.step(path).status is StepStatus.PENDING and may_begin(state, group, id_):
            state = begin(state, path, _made_ready(state, group, path))
    return state


def may_begin(state: RunState, group: str, id_: str) -> bool:
    """Whether all that the step needs has ended."""
    needs = state.plan.group(group).steps[id_].needs
    return all(state.step(paths.in_group(group, need)).status in ENDED_STEP for need in needs)


def forget(state: RunState, path: str) -> RunState:
    """The step, and all that is inside, as if it had never been."""
    state = drop_correction(_forget_inside(state, path), path)
    undoable = tuple(one for one in state.undoable if one != path and not paths.is_inside(one, path))
    steps = state.steps.delete(path) if path in state.steps else state.steps
    return state._replace(steps=steps, undoable=undoable)


def _another_failed(state: RunState, group: str, path: str) -> str | None:
    """The first step of the group, but for ``path``, because of which the group fails."""
    for id_, node in state.plan.group(group).steps.items():
        other = paths.in_group(group, id_)
        failed = state.step(other).status is StepStatus.FAILED and not node.step.continue_on_error
        if failed and other != path:
            return other
    return None


def _made_ready(state: RunState, group: str, path: str) -> StepState:
    known = state.steps.get(path)
    if known is not None:
        return known._replace(status=StepStatus.READY)
    generation = state.step(group).generation if group else 1
    return READY if generation == 1 else StepState(status=StepStatus.READY, generation=generation)


def _member_ended(state: RunState, path: str, value: StepState) -> RunState:
    group, node = paths.group_of(path), state.plan.node(path)
    known = state.groups[group]
    fails = value.status is StepStatus.FAILED and not node.step.continue_on_error
    counted = GroupState(known.unfinished - 1, (known.failed or path) if fails else known.failed)
    state = state._replace(groups=state.groups.set(group, counted))
    if value.status is StepStatus.COMPLETED and node.compensation is not None and not paths.is_aside(path):
        state = state._replace(undoable=(*state.undoable, path))
    return state if fails else open_dependents(state, group, node)


def _unit_ended(state: RunState, path: str, unit: str, value: StepState) -> RunState:
    holder = state.steps[path]
    if holder.loop is None:
        raise ValueError(f"{path} has not begun")
    fails = value.status is StepStatus.FAILED
    loop = holder.loop._replace(
        active=holder.loop.active - 1,
        failures=holder.loop.failures + fails,
        failed=holder.loop.failed or (unit if fails else ""),
    )
    node = state.plan.node(path)
    if node.kind is Kind.REPEAT:
        if node.step.agent is not None and not fails:
            loop = loop._replace(history=(*loop.history, value.output))
        return put(state, path, holder._replace(loop=loop._replace(last=value.output)))
    return launch(put(state, path, holder._replace(loop=loop)), path)


def _is_seen_later(state: RunState, path: str) -> bool:
    """Whether what is inside is still referred to: by ``until`` after a pass, or by compensations."""
    loop = paths.loop_of(path)
    return state.plan.compensated or (loop is not None and state.plan.node(loop).kind is Kind.REPEAT)


def _undo_next(state: RunState) -> RunState:
    """One compensation has ended, whether it succeeded or not: the next one is ready."""
    rest = state.undoing[1:]
    state = state._replace(undoing=rest, undone=True)
    return begin(state, paths.undo(rest[0]), READY) if rest else state


def _forget_inside(state: RunState, path: str) -> RunState:
    """Leave out what is inside a loop, an item or a pass: once it has completed nobody can refer to it."""
    for inside in _inside(state, path):
        state = _forget_inside(state, inside)
        if inside in state.steps:
            state = state._replace(steps=state.steps.delete(inside))
    return state._replace(groups=state.groups.delete(path)) if path and path in state.groups else state


def _inside(state: RunState, path: str) -> list[str]:
    if path in state.groups:
        return [paths.in_group(path, id_) for id_ in state.plan.group(path).steps]
    loop = state.step(path).loop
    if loop is None:
        return []
    if state.plan.node(path).kind is Kind.REPEAT:
        passes = (paths.iteration(path, number) for number in range(1, loop.launched + 1))
        return [one for one in passes if one in state.steps]
    return [unit_path(path, loop, number) for number in range(loop.launched)]
