"""What happens at gates, as lines of a run's thread.

The one rule: whoever acted is named, with the right by which they did and the reason that they gave.
"""

from __future__ import annotations

from typing import assert_never

from bot.blocks.words import because, counted, date, either, listed, named, one_line, plain
from engine.core import events as e
from engine.core.durations import say_duration
from engine.core.gates import Gate
from engine.core.state import RunState

EXPIRY = {
    "deny": "it is denied",
    "approve": "it is approved",
    "fail": "the run fails",
    "wait": "it is overdue and waits on",
}
"""What happens by itself if nobody decides, by policy."""

EXPIRED = {
    "deny": "it was denied",
    "approve": "it was approved",
    "fail": "the run failed",
    "wait": "it is overdue and waits on",
}


def gate_line(before: RunState, at: int, event: e.ApprovalEvent) -> str | None:
    """The line for ``event``; None if it is not worth one."""
    match event:
        case e.ApprovalPresented() | e.ApprovalReminded() | e.ApprovalSnoozed():
            return None
        case e.ApprovalRequested():
            end = f"{EXPIRY[event.on_expiry]} {date(event.expires_at)}"
            return f"… {event.step} waits for {either(event.approvers)}; if nobody decides, {end}"
        case e.ApprovalEscalated():
            waited = say_duration(at - _gate(before, event.step).asked_at)
            return f"↑ {event.step} has waited {waited} for a decision: {one_line(event.to)} is asked too"
        case e.ApprovalVoted() | e.ApprovalGranted() | e.ApprovalDenied() | e.ApprovalExpired():
            return _decision_line(before, event)
        case _:
            return _act_line(event)


def _decision_line(
    before: RunState, event: e.ApprovalVoted | e.ApprovalGranted | e.ApprovalDenied | e.ApprovalExpired
) -> str:
    match event:
        case e.ApprovalVoted():
            return f"→ {event.step}: {_who(event)} approves{_left(_gate(before, event.step))}{because(event.reason)}"
        case e.ApprovalGranted():
            return f"✓ {event.step} approved by {_who(event)}{because(event.reason)}"
        case e.ApprovalDenied():
            return f"✗ {event.step} denied by {_who(event)}{because(event.reason)}"
        case e.ApprovalExpired():
            sign = {"approve": "✓", "wait": "!"}.get(event.policy, "✗")
            return f"{sign} {event.step} expired: nobody decided in time, so {EXPIRED[event.policy]}"
        case _:
            assert_never(event)


def _act_line(
    event: e.ApprovalStageOpened | e.ApprovalEdited | e.ApprovalChangesRequested | e.ApprovalDelegated,
) -> str:
    match event:
        case e.ApprovalStageOpened():
            return f"→ {event.step}: now {either(event.approvers)} decides ({one_line(event.name)})"
        case e.ApprovalEdited():
            changed = listed(
                f"{one_line(name)} from {one_line(plain(event.old[name]))} to {one_line(plain(value))}"
                for name, value in event.new.items()
            )
            again = "approvals from before no longer count"
            return f"→ {event.step}: {named(event.by)} changed {changed}; {again}{because(event.reason)}"
        case e.ApprovalChangesRequested():
            return f"↺ {event.step}: {named(event.by)} asks for changes, back to {event.to}{because(event.comment)}"
        case e.ApprovalDelegated():
            return f"→ {event.step}: {named(event.by)} lets {named(event.to)} decide{because(event.reason)}"
        case _:
            assert_never(event)


def _who(event: e.ApprovalVoted | e.ApprovalGranted | e.ApprovalDenied) -> str:
    behalf = f" for {named(event.on_behalf_of)}" if event.on_behalf_of is not None else ""
    right = f" ({one_line(event.authority)})" if event.authority else ""
    return f"{named(event.by)}{behalf}{right}"


def _left(gate: Gate) -> str:
    """How many approvals the stage still needs after the one that is told of."""
    left = None if gate.needed is None else gate.needed - 1
    if left is None:
        return ", everybody's approval is needed"
    return f", {counted(left, 'more approval')} needed" if left else ""


def _gate(state: RunState, step: str) -> Gate:
    gate = state.step(step).gate
    if gate is None:
        raise ValueError(f"{step} of {state.run} has no gate")
    return gate
