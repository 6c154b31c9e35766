"""What a run is waiting for, from its state: when it must be looked at again, and one line about it for lists."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum

from engine.core.deciding.places import halted
from engine.core.state import Gate, Phase, RunState, RunStatus, StepState, StepStatus

READY_AGAIN = 2_000
"""After this many ms a run with something ready is offered again, should its activation have been lost."""

AWAITED_AGAIN = 10_000
"""The same where no worker seen so far had the step's code, counted from when the first one had not."""

QUEUED_AGAIN = 10_000
"""The same for a run in line for its concurrency key; whoever gives the key back offers the next one at once."""

CHILD_AGAIN = 2_000
"""After this many ms a child run is looked for, should its start or the word of its end have been lost."""

MISSING_AFTER = 300_000
"""When no worker has had a step's code for so long, people are asked what to do."""

SOME_DAY = 86_400_000
"""A run that only waits for people or signals is looked at this often, for good measure."""


class DueKind(StrEnum):
    READY = "ready"
    RUNNING = "running"
    TIMER = "timer"
    CHILD = "child"
    QUEUED = "queued"
    AWAITED = "awaited"
    HELD = "held"
    """A step of it is held, whatever else it waits for: whoever lifts what holds it finds it by this."""


@dataclass(frozen=True, slots=True)
class Due:
    at: int
    kind: DueKind


def due(state: RunState, now: int) -> Due | None:
    """The one time at which the run must be looked at if nothing happens before; None once it has ended."""
    if state.end is not None:
        return None
    if state.queued and not state.stopping:
        return Due(now + QUEUED_AGAIN, DueKind.QUEUED)
    times = [one for path in state.open if (one := _step_due(state, path, now)) is not None]
    if state.deadline is not None and not state.stopping:
        times.append(Due(max(state.deadline, now), DueKind.TIMER))
    first = min(times, key=lambda one: one.at, default=Due(now + SOME_DAY, DueKind.TIMER))
    return Due(first.at, DueKind.HELD) if is_held(state) else first


def is_held(state: RunState) -> bool:
    """Whether something of the run is to go on once what holds it is lifted."""
    return state.end is None and not state.stopping and any(True for _ in state.opened(StepStatus.HELD))


def _step_due(state: RunState, path: str, now: int) -> Due | None:
    step = state.steps[path]
    if step.status is StepStatus.RUNNING:
        return Due(step.lease_until, DueKind.RUNNING)
    if step.status is StepStatus.CALLING:
        return Due(now + CHILD_AGAIN, DueKind.CHILD)
    if state.stopping:
        return None
    match step.status:
        case StepStatus.WAITING if step.gate is not None:
            timer = next_timer(step.gate)
            return None if timer is None else Due(timer, DueKind.TIMER)
        case StepStatus.SLEEPING | StepStatus.LISTENING | StepStatus.OPEN:
            return Due(max(step.wake_at, now), DueKind.TIMER) if step.wake_at else None
        case StepStatus.HELD if step.hold is not None and step.hold.until is not None:
            return Due(max(step.hold.until, now), DueKind.HELD)
        case StepStatus.READY | StepStatus.RETRYING if state.paused is None and not halted(state, path):
            if step.retry_at > now:
                return Due(step.retry_at, DueKind.TIMER)
            if step.awaited:
                # What else happens to the run does not postpone it.
                return Due(now + AWAITED_AGAIN - (now - step.awaited_at) % AWAITED_AGAIN, DueKind.AWAITED)
            return Due(now + READY_AGAIN, DueKind.READY)
        case _:
            return None


def next_timer(gate: Gate) -> int | None:
    """The instant at which the gate next does something by itself: reminds, escalates or expires."""
    times = [] if gate.overdue else [gate.request.expires_at]
    if gate.next_rung is not None:
        times.append(gate.next_rung.at)
    if gate.next_reminder is not None:
        times.append(gate.next_reminder)
    return min(times, default=None)


def something_ready(state: RunState, now: int) -> bool:
    """Whether a worker with free slots and the right code could start something now."""
    if state.queued:
        return state.end is None
    return any(not step.awaited for _, step in _ready(state, now))


def is_for_others(state: RunState, now: int, code: Collection[str]) -> bool:
    """Whether something could start now, but not with ``code``, as workers seen so far had no more either."""
    return any(step.awaited and state.plan.node(path).step.uses not in code for path, step in _ready(state, now))


def _ready(state: RunState, now: int) -> Iterator[tuple[str, StepState]]:
    """What could start now with free slots and the right code."""
    if state.queued or state.stopping or state.paused is not None or state.end is not None:
        return
    for path, step in state.opened(StepStatus.READY, StepStatus.RETRYING):
        if step.retry_at <= now and not halted(state, path):
            yield path, step


def has_letters(step: StepState) -> bool:
    """Whether the step waits for a signal that may lie in the mailbox, as it can be sent without knowing the run."""
    return step.status is StepStatus.LISTENING and step.awaits is not None and step.awaits.correlation is not None


def gives_up_waiting(state: RunState, now: int) -> bool:
    """Whether the time of a wait is over for which the mailbox has to be read first."""
    return any(has_letters(step) and 0 < step.wake_at <= now for _, step in state.opened(StepStatus.LISTENING))


def attention(state: RunState) -> str:
    """What the run needs of a person, in one word; empty if nothing."""
    if state.end is not None:
        return "dead_letter" if state.end.status is RunStatus.FAILED and state.end.kind == "failure" else ""
    found = {_asks(state.steps[path]) for path in state.open}
    for word in ("uncertain", "given_up", "missing_step", "approval", "held"):
        if word in found:
            return word
    return "paused" if state.paused is not None else ""


def _asks(step: StepState) -> str:
    if step.status is StepStatus.WAITING:
        return "approval"
    if step.status is StepStatus.UNCERTAIN:
        return "uncertain"
    if step.status is StepStatus.HELD and step.hold is not None and step.hold.asks:
        return "held"
    if step.status is StepStatus.GIVEN_UP:
        return "given_up"
    return "missing_step" if step.missing else ""


def summary(state: RunState) -> str:
    """One short line for lists: what the run is doing, or how it ended."""
    if state.end is not None:
        return _ending(state)
    if state.phase is Phase.UNDOING:
        return f"undoing {', '.join(state.undoing[:3])}"
    if state.cancel is not None:
        return f"stopping, asked by {state.cancel.by.name}"
    if state.paused is not None:
        return f"paused by {state.paused.by.name}" + (f": {state.paused.reason}" if state.paused.reason else "")
    if state.queued and state.started.concurrency is not None:
        return f"in line for {state.started.concurrency.key}"
    doing: dict[str, list[str]] = {}
    for path in state.open:
        step = state.steps[path]
        if step.postponed:
            doing.setdefault(f"waiting for {step.postponed}:", []).append(path)
        elif words := _DOING.get(step.status):
            doing.setdefault(words, []).append(path + _about(step))
    parts = [f"{words} {', '.join(steps[:3])}" for words, steps in doing.items()]
    return "; ".join(parts) or "about to start"


def _about(step: StepState) -> str:
    if step.gate is not None:
        return _progress(step.gate)
    if step.hold is not None:
        return f" ({step.hold.words})"
    return f" (attempt {step.attempt})" if step.status is StepStatus.RETRYING else ""


def _progress(gate: Gate) -> str:
    """How far a gate has come that takes more than one approval."""
    stage, given = gate.current, len(gate.given)
    of = f"{given} of {stage.quorum}" if stage.quorum != "all" else f"{given} so far, all are needed"
    parts = ([stage.name] if stage.name else []) + ([of] if stage.quorum != 1 else [])
    return f" ({': '.join(parts)})" if parts and gate.decision is None else ""


_DOING = {
    StepStatus.RUNNING: "running",
    StepStatus.CALLING: "running",
    StepStatus.RETRYING: "will retry",
    StepStatus.WAITING: "waiting for a decision on",
    StepStatus.HELD: "held at",
    StepStatus.UNCERTAIN: "waiting for a person to say what became of",
    StepStatus.CORRECTING: "asking a model how to mend",
    StepStatus.GIVEN_UP: "waiting for a person to say how to go on with",
    StepStatus.LISTENING: "waiting for a signal at",
    StepStatus.SLEEPING: "sleeping at",
}


def _ending(state: RunState) -> str:
    end = state.end
    if end is None:
        raise ValueError(f"{state.run} has not ended")
    if end.status is RunStatus.COMPLETED:
        return "done"
    if end.status is RunStatus.CANCELLED:
        return "cancelled" + (f": {end.reason}" if end.reason else "")
    return f"{end.step}: {end.reason}" if end.step else end.reason
