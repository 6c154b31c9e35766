"""What a run is waiting for, from its state: when it must be looked at again, and one line about it for lists."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from engine.core.state import Gate, RunState, RunStatus, StepState, StepStatus

READY_AGAIN = 2_000
"""After this many ms a run with something ready is offered again, should its activation have been lost."""

AWAITED_AGAIN = 10_000
"""The same where no worker seen so far had the step's code."""


class DueKind(StrEnum):
    READY = "ready"
    RUNNING = "running"
    TIMER = "timer"


@dataclass(frozen=True, slots=True)
class Due:
    at: int
    kind: DueKind


def due(state: RunState, now: int) -> Due | None:
    """The one time at which the run must be looked at if nothing happens before; None once it has ended."""
    if state.end is not None:
        return None
    stopping = state.stopping
    steps = (state.steps[step] for step in state.open)
    times = [_step_due(step, now) for step in steps if not stopping or step.status is StepStatus.RUNNING]
    return min(times, key=lambda one: one.at, default=Due(now + READY_AGAIN, DueKind.READY))


def _step_due(step: StepState, now: int) -> Due:
    if step.status is StepStatus.RUNNING:
        return Due(step.lease_until, DueKind.RUNNING)
    if step.status is StepStatus.RETRYING:
        return Due(max(step.retry_at, now), DueKind.TIMER)
    if step.gate is not None:
        return Due(next_timer(step.gate), DueKind.TIMER)
    return Due(now + (AWAITED_AGAIN if step.awaited else READY_AGAIN), DueKind.READY)


def next_timer(gate: Gate) -> int:
    """The instant at which the gate next does something by itself: reminds, escalates or expires."""
    times = [gate.request.expires_at]
    if gate.next_rung is not None:
        times.append(gate.next_rung.at)
    if gate.next_reminder is not None:
        times.append(gate.next_reminder)
    return min(times)


def something_ready(state: RunState, now: int) -> bool:
    """Whether a worker with free slots and the right code could start something now."""
    return not state.stopping and any(
        (step.status is StepStatus.READY and not step.awaited)
        or (step.status is StepStatus.RETRYING and step.retry_at <= now)
        for _, step in state.opened(StepStatus.READY, StepStatus.RETRYING)
    )


def summary(state: RunState) -> str:
    """One short line for lists: what the run is doing, or how it ended."""
    if state.end is not None:
        return _ending(state)
    if state.cancel is not None:
        return f"stopping, asked by {state.cancel.by.name}"
    doing: dict[str, list[str]] = {}
    for step_id in state.open:
        step = state.steps[step_id]
        if words := _DOING.get(step.status):
            again = f" (attempt {step.attempt})" if step.status is StepStatus.RETRYING else ""
            doing.setdefault(words, []).append(step_id + again)
    parts = [f"{words} {', '.join(steps[:3])}" for words, steps in doing.items()]
    return "; ".join(parts) or "about to start"


_DOING = {
    StepStatus.RUNNING: "running",
    StepStatus.RETRYING: "will retry",
    StepStatus.WAITING: "waiting for a decision on",
}


def _ending(state: RunState) -> str:
    end = state.end
    if end is None:
        raise ValueError(f"{state.run} has not ended")
    if end.status is RunStatus.COMPLETED:
        return "done"
    if end.status is RunStatus.CANCELLED:
        return "cancelled" + (f": {end.reason}" if end.reason else "")
    return f"{end.step}: {end.reason}"
