"""What happens by itself when its time has come.

The one rule: every timer of a run is in its state, and fires here, before anything else is decided on.
"""

from __future__ import annotations

from engine.core import events as e
from engine.core.deciding.draft import Draft
from engine.core.deciding.failing import fail
from engine.core.deciding.signals import match
from engine.core.failures import Failure, FailureClass
from engine.core.hours import worked
from engine.core.kinds import OnTimeout
from engine.core.outlook import MISSING_AFTER, has_letters
from engine.core.state import Gate, Phase, StepState, StepStatus


def fire_timers(draft: Draft, *, letters_read: bool) -> None:
    """Time out the run; end pauses and waits; expire, escalate and remind at gates; ask about missing code.

    Waits for a correlation are ended only once ``letters_read``: a signal for them may lie in the mailbox.
    """
    deadline = draft.state.deadline
    over = deadline is not None and deadline <= draft.now
    if over and draft.state.phase is Phase.FORWARD and not draft.state.stopping:
        draft.record(e.RunTimedOut())
    for path in draft.state.open:
        if draft.state.stopping:
            return
        step = draft.state.step(path)
        if path in draft.state.open and (letters_read or not has_letters(step)):
            _fire(draft, path, step)


def _fire(draft: Draft, path: str, step: StepState) -> None:
    if step.status is StepStatus.WAITING and step.gate is not None:
        _fire_gate(draft, path, step.gate)
    elif step.status is StepStatus.LISTENING and step.awaits is not None and 0 < step.wake_at <= draft.now:
        # A signal that came in time while the run was paused is still to be taken.
        if not match(draft, path, step):
            draft.record(e.TimerFired(step=path))
            _give_up_listening(draft, path, step.awaits.signal)
    elif step.status in (StepStatus.SLEEPING, StepStatus.OPEN) and 0 < step.wake_at <= draft.now:
        draft.record(e.TimerFired(step=path))
    elif _is_missing(step, draft.now):
        draft.record(e.StepMissing(step=path, uses=draft.state.plan.node(path).step.uses or ""))


def _is_missing(step: StepState, now: int) -> bool:
    """Whether nobody has had the step's code for so long that people are to be asked."""
    waits = step.status in (StepStatus.READY, StepStatus.RETRYING) and step.awaited and not step.missing
    return waits and step.awaited_at + MISSING_AFTER <= now


def _fire_gate(draft: Draft, path: str, gate: Gate) -> None:
    """A gate found expired is not escalated any more, unless it waits on."""
    request = gate.request
    if request.expires_at <= draft.now and not gate.overdue:
        draft.record(e.ApprovalExpired(step=path, policy=request.on_expiry))
        if request.on_expiry != "wait":
            return
    for rung, asked in enumerate(request.escalate[gate.escalated :], gate.escalated + 1):
        if asked.at <= draft.now:
            draft.record(e.ApprovalEscalated(step=path, rung=rung, to=asked.to))
    every = request.remind_every
    if every is None:
        return
    if (passed := worked(request.hours, gate.asked_at, draft.now) // every) > gate.reminded:
        draft.record(e.ApprovalReminded(step=path, count=passed))


def _give_up_listening(draft: Draft, path: str, signal: str) -> None:
    waiting = draft.state.plan.node(path).step.wait_for
    if waiting is not None and waiting.on_timeout is OnTimeout.CONTINUE:
        draft.record(e.StepCompleted(step=path, attempt=1, output=None))
        return
    late = f"no signal {signal} came in time"
    fail(draft, path, Failure(cls=FailureClass.PERMANENT, message=late, known=True))
