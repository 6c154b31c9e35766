"""Items, passes and loops: whether they are over, what they give, and whether another pass follows."""

from __future__ import annotations

from typing import cast

from pydantic import JsonValue

from engine.core import events as e
from engine.core import paths
from engine.core.agent_parts import answer_of
from engine.core.deciding.draft import Draft
from engine.core.deciding.failing import fail, words_of
from engine.core.deciding.places import at_work_inside
from engine.core.expressions import ExpressionError
from engine.core.failures import Failure, FailureClass
from engine.core.graph import Kind
from engine.core.kinds import OnItemFailure, OnMax
from engine.core.state import Loop, StepState, StepStatus
from engine.core.transitions import unit_path


def go_on(draft: Draft, path: str, step: StepState) -> bool:
    """Take the open item, pass or loop at ``path`` as far as it goes; whether anything changed."""
    kind = draft.state.plan.node(path).kind
    if kind is Kind.GROUP:
        return _group(draft, path)
    loop = step.loop
    if loop is None:
        return False
    if kind is Kind.EACH:
        return _each(draft, path, loop)
    return not loop.active and _repeat(draft, path, step, loop)


def _group(draft: Draft, path: str) -> bool:
    """An item or a pass with steps inside. What it gives is what each of them gave, by id."""
    state = draft.state
    known = state.groups[path]
    if known.failed is not None:
        if at_work_inside(state, path):
            return False
        _fail_with(draft, path, known.failed)
        return True
    if known.unfinished:
        return False
    ids = list(state.plan.group(path).steps)
    outputs = draft.resolved(state.step(paths.in_group(path, id_)).output for id_ in ids)
    draft.record(e.StepCompleted(step=path, attempt=1, output=dict(zip(ids, outputs, strict=True))))
    return True


def _each(draft: Draft, path: str, loop: Loop) -> bool:
    settings = draft.state.plan.node(path).step.for_each
    if settings is None:
        raise ValueError(f"{path} is no for_each")
    if loop.failures and settings.on_item_failure is OnItemFailure.FAIL:
        if at_work_inside(draft.state, path):
            return False
        _fail_with(draft, path, _first_failed(draft, path, loop))
        return True
    if loop.active or loop.launched < loop.units:
        return False
    draft.record(e.StepCompleted(step=path, attempt=1, output=_results(draft, path, loop)))
    return True


def _first_failed(draft: Draft, path: str, loop: Loop) -> str:
    if loop.failed:
        return loop.failed
    units = (unit_path(path, loop, number) for number in range(loop.launched))
    return next(unit for unit in units if draft.state.step(unit).status is StepStatus.FAILED)


def _results(draft: Draft, path: str, loop: Loop) -> list[JsonValue]:
    """One ``{"index", "status", "output", "error"}`` for each item, in their order."""
    units = [unit_path(path, loop, number) for number in range(loop.units)]
    outputs = draft.resolved(draft.state.step(unit).output for unit in units)
    results: list[JsonValue] = []
    for unit, output in zip(units, outputs, strict=True):
        step = draft.state.step(unit)
        if loop.unit > 1 and step.status is StepStatus.COMPLETED:
            results += cast("list[JsonValue]", output)
            continue
        first = paths.number_of(unit)
        last = min(first + loop.unit, loop.first + loop.total)
        error = step.failure.message if step.failure is not None else ""
        results += [
            {"index": index, "status": step.status.value, "output": output, "error": error}
            for index in range(first, last)
        ]
    return results


def _repeat(draft: Draft, path: str, step: StepState, loop: Loop) -> bool:
    node, state = draft.state.plan.node(path), draft.state
    settings, until = node.step.repeat, node.until
    if settings is None or until is None:
        raise ValueError(f"{path} is no repeat")
    if loop.failures:
        _fail_with(draft, path, paths.iteration(path, loop.launched))
        return True
    if step.wake_at:
        return False
    if not loop.rested:
        unit = paths.iteration(path, loop.launched)
        try:
            met = until.holds(draft.scope(unit, until.references))
        except ExpressionError as error:
            fail(draft, path, Failure(cls=FailureClass.INVALID_INPUT, message=str(error), known=True))
            return True
        if met or loop.launched - loop.base >= settings.max:
            _end_repeat(draft, path, loop, met)
            return True
        if settings.every:
            draft.record(e.TimerSet(step=path, at=draft.now + settings.every))
            return True
    draft.record(e.IterationStarted(step=path, iteration=state.steps[path].loop.launched + 1))  # pyright: ignore[reportOptionalMemberAccess]
    return True


def _end_repeat(draft: Draft, path: str, loop: Loop, met: bool) -> None:
    node = draft.state.plan.node(path)
    settings = node.step.repeat
    if not met and settings is not None and settings.on_max is OnMax.FAIL:
        words = f"after {loop.launched} passes its condition is still not met: {settings.until}"
        fail(draft, path, Failure(cls=FailureClass.PERMANENT, message=words, known=True))
        return
    outputs = draft.resolved([loop.last])[0]
    if node.step.agent is not None:
        draft.record(e.StepCompleted(step=path, attempt=1, output=answer_of(outputs, loop.spent)))
        return
    output: JsonValue = {"iterations": loop.launched, "met": met, "outputs": outputs}
    draft.record(e.StepCompleted(step=path, attempt=1, output=output))


def _fail_with(draft: Draft, path: str, inner: str) -> None:
    """The item, pass or loop fails because something inside has failed for good, which is on record already."""
    cause = draft.state.step(inner).failure
    inside = inner.removeprefix(f"{path}/") if inner.startswith(f"{path}/") else inner
    failure = Failure(
        cls=cause.cls if cause is not None else FailureClass.PERMANENT,
        message=f"{inside}: {words_of(draft.state, inner)}",
        known=True,
    )
    draft.record(e.StepFailed(step=path, attempt=1, failure=failure))
