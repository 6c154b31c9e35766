"""What reaches a run from other runs and from outside: signals, and the ends of its child runs."""

from __future__ import annotations

from pydantic import JsonValue

from engine.core import commands as c
from engine.core import events as e
from engine.core.commands import Reply
from engine.core.deciding.draft import Draft
from engine.core.deciding.failing import fail
from engine.core.failures import Failure, FailureClass
from engine.core.inputs import validate_fields
from engine.core.kinds import WaitFor
from engine.core.state import RunState, RunStatus, StepState, StepStatus
from engine.core.words import did_you_mean

MOST_KEPT = 1_000
"""Signals that no step has taken yet; further ones are refused, so that a mistake elsewhere cannot fill the state."""


def receive(draft: Draft, command: c.Signal) -> Reply:
    """Keep the signal, until a step takes it; it is refused if no step of the definition ever could."""
    state = draft.state
    if command.id in state.signals:
        return c.Accepted()
    waits = _waits(state)
    fitting = [wait for wait in waits if wait.signal == command.signal]
    if not fitting:
        known = sorted({wait.signal for wait in waits})
        advice = did_you_mean(command.signal, known) if known else "it waits for none"
        return c.NotAllowed(f"no step of this run waits for the signal {command.signal}; {advice}")
    if len(state.kept) >= MOST_KEPT:
        return c.NotAllowed(f"{MOST_KEPT:,} signals wait to be taken already; no more are kept")
    payload, problem = _payload(fitting[0], command.payload)
    if problem:
        return c.NotAllowed(problem)
    received = e.SignalReceived(
        id=command.id, signal=command.signal, correlation=command.correlation, payload=payload, by=command.by
    )
    draft.record(received)
    return c.Accepted()


def match(draft: Draft, path: str, step: StepState) -> bool:
    """Give the listening step the oldest kept signal that fits."""
    awaits = step.awaits
    if awaits is None:
        return False
    for seq in sorted(draft.state.kept):
        kept = draft.state.kept[seq]
        fits = awaits.correlation is None or kept.correlation in (None, awaits.correlation)
        if kept.signal == awaits.signal and fits:
            draft.record(e.SignalMatched(step=path, seq=seq))
            return True
    return False


def child_ended(draft: Draft, command: c.ChildEnded) -> Reply:
    # By the run, not by the step's path: the step may have been renamed since the child was asked for.
    calling = {step.child: path for path, step in draft.state.opened(StepStatus.CALLING)}
    path = calling.get(command.run)
    if path is None:
        return c.Stale()
    if command.status is RunStatus.COMPLETED:
        attempt = draft.state.steps[path].attempt
        draft.record(e.StepCompleted(step=path, attempt=attempt, output=command.output, child_spent=command.spent))
        return c.Accepted()
    cancelled = command.status is RunStatus.CANCELLED
    words = f"its run {command.run} " + ("was cancelled" if cancelled else "failed")
    failure = Failure(
        cls=FailureClass.CANCELLED if cancelled else FailureClass.PERMANENT,
        message=words + (f": {command.reason}" if command.reason else ""),
        known=True,
    )
    fail(draft, path, failure, stopped_along=cancelled and command.stopped_along, child_spent=command.spent)
    return c.Accepted()


def _waits(state: RunState) -> list[WaitFor]:
    return [node.step.wait_for for node in state.plan.nodes.values() if node.step.wait_for is not None]


def _payload(wait: WaitFor, given: JsonValue) -> tuple[JsonValue, str]:
    """The payload as the definition declares it, or what is wrong with it."""
    if not wait.payload:
        return given, ""
    if not isinstance(given, dict):
        return None, f"the signal {wait.signal} has a payload with: {', '.join(wait.payload)}"
    values, problems = validate_fields(wait.payload, given, f"the signal {wait.signal}")
    return values, "; ".join(problems.values())
