"""A ready step that needs no worker begins: it is skipped, or does at once what its kind does.

The one rule: a mistake in an expression is the step's failure, and says which expression.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import cast

from pydantic import JsonValue

from engine.core import events as e
from engine.core import paths
from engine.core.children import child_run_id
from engine.core.deciding.asking import Unfit, request
from engine.core.deciding.covers import unapproved
from engine.core.deciding.draft import Draft
from engine.core.deciding.failing import fail
from engine.core.durations import LONGEST, parse_duration
from engine.core.expressions import ExpressionError
from engine.core.failures import Failure, FailureClass
from engine.core.graph import Kind, PlannedStep
from engine.core.inputs import validate_input
from engine.core.starting import terms
from engine.core.state import StepStatus

_NUMBERS = re.compile(r"\d+")


def open_step(draft: Draft, path: str) -> bool:
    """Skip the ready step, or begin it if that takes no worker. False: it is for a worker."""
    planned = draft.state.plan.node(path)
    if _needs_skipped(draft, path, planned):
        draft.record(e.StepSkipped(step=path, reason="everything that it needs was skipped"))
        return True
    try:
        if not _condition_holds(draft, path, planned):
            draft.record(e.StepSkipped(step=path, reason=f"its condition was not met: {planned.step.if_}"))
            return True
        return _begin(draft, path, planned)
    except (ExpressionError, Unfit) as error:
        _fail_as_unfit(draft, path, error)
        return True


def call_again(draft: Draft, path: str) -> None:
    """The child run of an earlier attempt failed: ask for another one."""
    try:
        _begin(draft, path, draft.state.plan.node(path))
    except (ExpressionError, Unfit) as error:
        _fail_as_unfit(draft, path, error)


def _fail_as_unfit(draft: Draft, path: str, error: ExpressionError | Unfit) -> None:
    fail(draft, path, Failure(cls=FailureClass.INVALID_INPUT, message=str(error), known=True))


def _needs_skipped(draft: Draft, path: str, planned: PlannedStep) -> bool:
    if not planned.explicit or not planned.needs:
        return False
    group, steps = paths.group_of(path), draft.state.steps
    return all(steps[paths.in_group(group, need)].status is StepStatus.SKIPPED for need in planned.needs)


def _condition_holds(draft: Draft, path: str, planned: PlannedStep) -> bool:
    """An attempt that follows another one is made without asking again."""
    if planned.condition is None or draft.state.steps[path].token != 0:
        return True
    return planned.condition.holds(draft.scope(path, planned.condition.references))


def _begin(draft: Draft, path: str, planned: PlannedStep) -> bool:
    match planned.kind:
        case Kind.USES:
            return False
        case Kind.GATE:
            request(draft, path, planned)
        case Kind.SET:
            values = planned.arguments.render(draft.scope(path, planned.arguments.references))
            draft.record(e.StepCompleted(step=path, attempt=1, output=values))
        case Kind.SLEEP:
            _sleep(draft, path, planned)
        case Kind.SIGNAL:
            _listen(draft, path, planned)
        case Kind.CALL:
            _call(draft, path, planned)
        case Kind.PART:
            _call_part(draft, path)
        case Kind.EACH:
            _start_items(draft, path, planned)
        case Kind.REPEAT:
            draft.record(e.IterationStarted(step=path, iteration=1))
        case Kind.GROUP:
            raise ValueError(f"{path} begins with its loop, not by itself")
    return True


def _sleep(draft: Draft, path: str, planned: PlannedStep) -> None:
    sleep = planned.sleep
    if sleep is None:
        raise ValueError(f"{path} is no sleep")
    value = sleep.render(draft.scope(path, sleep.references))
    draft.record(e.TimerSet(step=path, at=_wake_at(value, draft.now)))
    if draft.state.steps[path].wake_at <= draft.now:
        draft.record(e.TimerFired(step=path))


def _wake_at(value: JsonValue, now: int) -> int:
    """``value`` is milliseconds, a duration's text, or an instant's text."""
    if isinstance(value, int) and not isinstance(value, bool) and value <= LONGEST:
        return now + max(value, 0)
    if isinstance(value, str):
        try:
            return now + parse_duration(value)
        except ValueError:
            pass
        try:
            instant = datetime.fromisoformat(value)
        except ValueError:
            instant = None
        if instant is not None and instant.tzinfo is not None:
            return round(instant.timestamp() * 1_000)
    raise Unfit(
        f"a sleep takes a duration such as 3d, or an instant such as 2030-01-31T09:00:00Z; it got {value!r:.80}"
    )


def _listen(draft: Draft, path: str, planned: PlannedStep) -> None:
    waiting = planned.step.wait_for
    if waiting is None:
        raise ValueError(f"{path} waits for no signal")
    correlation = None
    if planned.correlation is not None:
        text = planned.correlation.render_text(draft.scope(path, planned.correlation.references))
        correlation = correlation_of(text)
    expires = None if waiting.timeout is None else draft.now + waiting.timeout
    draft.record(e.SignalAwaited(step=path, signal=waiting.signal, correlation=correlation, expires_at=expires))


def correlation_of(text: str) -> str:
    """A correlation as it is kept and compared: cut to 500 characters, without NUL, which no database's text holds."""
    return text[:500].replace("\0", "\ufffd")


def _call(draft: Draft, path: str, planned: PlannedStep) -> None:
    call = planned.step.workflow
    definition = call.definition if call is not None else None
    if call is None or definition is None:
        raise Unfit(f"the workflow that {planned.id} calls is not pinned; deploy the definition again")
    workflow = draft.state.plan.children[definition].workflow
    if (refusal := unapproved(draft, path)) is not None:
        fail(draft, path, refusal)
        return
    given = planned.arguments.render(draft.scope(path, planned.arguments.references))
    values, problems = validate_input(workflow, given)
    if problems:
        raise Unfit(f"{call.name} cannot be called: {'; '.join(problems.values())}")
    terms(workflow, values)  # whether they have values is seen here, where the step can still fail
    draft.record(_child(draft, path, call.name, definition, values, None))


def _child(
    draft: Draft, path: str, workflow: str, definition: str, values: dict[str, JsonValue], part: e.Part | None
) -> e.ChildStarted:
    step, state = draft.state.step(path), draft.state
    attempt = max(step.attempt, 1)
    run = child_run_id(state.run, path, attempt, step.generation, draft.now)
    outer = _outer(draft, path) if part is not None else {}
    return e.ChildStarted(
        step=path,
        attempt=attempt,
        run=run,
        workflow=workflow,
        definition=definition,
        input=values,
        part=part,
        outer=outer,
    )


def _outer(draft: Draft, path: str) -> dict[str, JsonValue]:
    """What the expressions in a part refer to outside of it."""
    loop = paths.loop_of(path) or path
    used = draft.state.plan.used_inside(loop)
    seen = draft.scope(loop, used)
    steps = {name: seen["steps"][name] for root, name in sorted(used) if root == "steps" and name in seen["steps"]}
    around = {root: seen[root] for root in ("iteration", "previous", "failure", "run") if root in seen}
    return cast("dict[str, JsonValue]", {"steps": steps, **around})


def _call_part(draft: Draft, path: str) -> None:
    state, loop_path = draft.state, paths.loop_of(path) or ""
    loop = state.steps[loop_path].loop
    if loop is None:
        raise ValueError(f"{loop_path} has not begun")
    items = cast("list[JsonValue]", draft.resolved([loop.items])[0])
    start, end = (int(number) for number in _NUMBERS.findall(path.rpartition("[")[2]))
    own = items[start - loop.first : end - loop.first]
    part = e.Part(step=paths.template_of(loop_path), first=start, items=own)
    name = f"{state.started.workflow}"
    draft.record(_child(draft, path, name, state.definition, state.started.input, part))


def _start_items(draft: Draft, path: str, planned: PlannedStep) -> None:
    settings, compiled = planned.step.for_each, planned.items
    if settings is None or compiled is None:
        raise ValueError(f"{path} is no for_each")
    part = draft.state.started.part
    if part is not None and path in draft.state.plan.steps:
        draft.record(e.ForEachStarted(step=path, count=len(part.items), items=part.items, first=part.first))
        return
    items = compiled.render(draft.scope(path, compiled.references))
    if not isinstance(items, list):
        raise Unfit(f"for_each takes a list; items gave {type(items).__name__}")
    if len(items) > settings.max_items:
        raise Unfit(f"there are {len(items):,} items, and max_items is {settings.max_items:,}; none of them was begun")
    draft.record(e.ForEachStarted(step=path, count=len(items), items=items))


__all__ = ["Unfit", "call_again", "correlation_of", "open_step"]
