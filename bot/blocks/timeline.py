"""A run's events as the lines of its thread: one line for each fact worth telling, none for bookkeeping.

The one rule: a line says what happened and, where something will follow by itself, what and when. A failure and the
retry that follows from it are one line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from bot.blocks.kit import Message, clip_markup
from bot.blocks.words import attempt, because, chosen_inputs, date, either, named, one_line, plain
from engine.core import events as e
from engine.core.durations import say_duration
from engine.core.fold import evolve
from engine.core.state import Gate, Recorded, RunState

MESSAGE_LIMIT = 3_000
LINE_LIMIT = 600


@dataclass(frozen=True, slots=True)
class Line:
    """What event ``seq`` is told as, in mrkdwn."""

    seq: int
    text: str


def lines(before: RunState, events: Sequence[Recorded]) -> tuple[list[Line], RunState]:
    """The lines for ``events``, which follow ``before`` directly; and the state after them.

    A STEP_FAILED and its STEP_RETRIED are always recorded together, so both are in ``events`` or none is.
    """
    told: list[Line] = []
    state = before
    for index, recorded in enumerate(events):
        after = evolve(state, recorded)
        following = events[index + 1].event if index + 1 < len(events) else None
        if not _retried(recorded.event, following) and (text := _line(state, recorded, after)):
            told.append(Line(recorded.seq, clip_markup(text, LINE_LIMIT)))
        state = after
    return told, state


def first_line(state: RunState) -> Line:
    """The line of RUN_STARTED, which has no state before it."""
    started = state.started
    chosen = chosen_inputs(state.plan, started.input)
    inputs = ", ".join(f"{name} {one_line(plain(value), 80)}" for name, value in chosen.items())
    tail = f": {inputs}" if inputs else ""
    return Line(1, clip_markup(f"→ {named(started.by)} started {one_line(started.workflow)}{tail}", LINE_LIMIT))


def message(told: Sequence[Line]) -> tuple[Message, int]:
    """As many of the lines as fit into one message, and how many those are (at least one)."""
    taken, length = 1, len(told[0].text)
    while taken < len(told) and length + 1 + len(told[taken].text) <= MESSAGE_LIMIT:
        length += 1 + len(told[taken].text)
        taken += 1
    return Message("\n".join(line.text for line in told[:taken])), taken


def _retried(event: e.Event, following: e.Event | None) -> bool:
    return isinstance(event, e.StepFailed) and isinstance(following, e.StepRetried) and following.step == event.step


def _line(before: RunState, recorded: Recorded, after: RunState) -> str | None:
    event = recorded.event
    match event:
        case (
            e.RunStarted()
            | e.StepStarted()
            | e.EffectStarted()
            | e.EffectRecorded()
            | e.ApprovalPresented()
            | e.ApprovalReminded()
        ):
            return None
        case (
            e.ApprovalRequested()
            | e.ApprovalEscalated()
            | e.ApprovalGranted()
            | e.ApprovalDenied()
            | e.ApprovalExpired()
        ):
            return _gate_line(before, recorded.at, event)
        case e.RunCancelRequested() | e.RunCompleted() | e.RunFailed() | e.RunCancelled():
            return _run_line(event, recorded.at - after.started_at)
        case _:
            return _step_line(before, recorded.at, event)


def _run_line(event: e.RunCancelRequested | e.RunCompleted | e.RunFailed | e.RunCancelled, took: int) -> str:
    match event:
        case e.RunCancelRequested():
            return f"■ {named(event.by)} asked to stop the run{because(event.reason)}"
        case e.RunCompleted():
            return f"✓ Completed in {say_duration(took)}"
        case e.RunCancelled():
            return f"■ Cancelled by {named(event.by)} after {say_duration(took)}"
        case e.RunFailed():
            how = {"failure": "Failed", "denied": "Denied", "expired": "Expired"}[event.kind]
            return f"✗ {how} at {event.step}, the run ended after {say_duration(took)}"
        case _:
            assert_never(event)


_StepEvent = (
    e.StepCompleted
    | e.StepFailed
    | e.StepRetried
    | e.StepHandedBack
    | e.StepSkipped
    | e.StepAwaitedWorker
    | e.StepLogged
    | e.LateResultRefused
)


def _step_line(before: RunState, at: int, event: _StepEvent) -> str:
    step = before.step(event.step)
    match event:
        case e.StepCompleted():
            again = f", at {attempt(event.attempt, _attempts(before, event.step))}" if event.attempt > 1 else ""
            return f"✓ {event.step} done in {say_duration(at - step.started_at)}{again}"
        case e.StepFailed():
            after = f", after {event.attempt} attempts" if event.attempt > 1 else ""
            return f"✗ {event.step} failed ({one_line(event.failure.message)}){after}"
        case e.StepRetried():
            why = one_line(step.failure.message) if step.failure else "no reason given"
            when = f"in {say_duration(event.at - at)}" if event.at > at else "now"
            return f"↻ {event.step} failed ({why}), retrying {when}, {attempt(event.attempt, event.of)}"
        case e.StepHandedBack():
            return f"↻ {event.step} was handed back by a worker that is stopping; another one starts it again"
        case e.StepSkipped():
            return f"– {event.step} skipped: {one_line(event.reason)}"
        case e.StepAwaitedWorker():
            return f"… {event.step} waits for a worker that has {one_line(event.uses)}"
        case e.StepLogged():
            return f"· {event.step}: {one_line(event.text)}"
        case e.LateResultRefused():
            how = "result" if event.outcome == "completed" else "failure"
            return f"· {event.step}: a late {how} of a lost attempt was refused; it changed nothing"
        case _:
            assert_never(event)


def _attempts(state: RunState, step: str) -> int:
    return state.plan.steps[step].step.retry.attempts


_GateEvent = e.ApprovalRequested | e.ApprovalEscalated | e.ApprovalGranted | e.ApprovalDenied | e.ApprovalExpired

EXPIRY = {"deny": "it is denied", "approve": "it is approved", "fail": "the run fails"}
"""What happens by itself if nobody decides, by policy."""

EXPIRED = {"deny": "it was denied", "approve": "it was approved", "fail": "the run failed"}


def _gate_line(before: RunState, at: int, event: _GateEvent) -> str:
    match event:
        case e.ApprovalRequested():
            end = f"{EXPIRY[event.on_expiry]} {date(event.expires_at)}"
            return f"… {event.step} waits for {either(event.approvers)}; if nobody decides, {end}"
        case e.ApprovalEscalated():
            waited = say_duration(at - _gate(before, event.step).asked_at)
            return f"↑ {event.step} has waited {waited} for a decision: {one_line(event.to)} is asked too"
        case e.ApprovalGranted():
            return f"✓ {event.step} approved by {named(event.by)}{_right(event.authority)}{because(event.reason)}"
        case e.ApprovalDenied():
            return f"✗ {event.step} denied by {named(event.by)}{_right(event.authority)}{because(event.reason)}"
        case e.ApprovalExpired():
            sign = "✓" if event.policy == "approve" else "✗"
            return f"{sign} {event.step} expired: nobody decided in time, so {EXPIRED[event.policy]}"
        case _:
            assert_never(event)


def _gate(state: RunState, step: str) -> Gate:
    gate = state.step(step).gate
    if gate is None:
        raise ValueError(f"{step} of {state.run} has no gate")
    return gate


def _right(authority: str) -> str:
    return f" ({one_line(authority)})" if authority else ""
