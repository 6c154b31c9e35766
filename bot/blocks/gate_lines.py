"""What happens at gates, as lines of a run's thread.

The one rule: whoever acted is named, with the right by which they did and the reason that they gave.
"""

from __future__ import annotations

from typing import assert_never

from bot.blocks.gate_words import EXPIRED, EXPIRY, by_right, by_whom, changed_words, stage_words
from bot.blocks.words import because, counted, date, either, mention, named, one_line
from engine.core import events as e
from engine.core.durations import say_duration
from engine.core.gates import Gate, same
from engine.core.state import RunState
from engine.core.words import listed as list_names


def gate_line(before: RunState, at: int, event: e.ApprovalEvent) -> str | None:
    """The line for ``event``; None if it is not worth one."""
    match event:
        case e.ApprovalPresented() | e.ApprovalReminded():
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
            return _act_line(before, event)


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
    before: RunState,
    event: e.ApprovalStageOpened
    | e.ApprovalEdited
    | e.ApprovalChangesRequested
    | e.ApprovalDelegated
    | e.ApprovalSnoozed,
) -> str:
    match event:
        case e.ApprovalStageOpened():
            stage = stage_words(_gate(before, event.step), event.stage)
            return f"→ {event.step}: now {either(event.approvers)} decides{f' in {stage}' if stage else ''}"
        case e.ApprovalEdited():
            changed = changed_words(event.old, event.new)
            return f"✎ {event.step}: {named(event.by)} changed {changed}{because(event.reason)}{_void(before, event)}"
        case e.ApprovalChangesRequested():
            who = by_whom(event.by, event.on_behalf_of)
            return f"↩ {event.step}: {who} asks for changes, back to {one_line(event.to)}{because(event.comment)}"
        case e.ApprovalDelegated():
            return f"→ {event.step}: {named(event.by)} lets {mention(event.to)} decide{because(event.reason)}"
        case e.ApprovalSnoozed():
            return f"· {event.step}: {named(event.by)} is not reminded before {date(event.until)}"
        case _:
            assert_never(event)


def _void(before: RunState, event: e.ApprovalEdited) -> str:
    """Whoever had approved has to look again, and is notified; but for who made the change."""
    voters = [ballot.by for ballot in _gate(before, event.step).votes if not same(ballot.by, event.by)]
    if not voters:
        return ""
    return f"; what {list_names([mention(one) for one in voters])} approved is void: please look again"


def _who(event: e.ApprovalVoted | e.ApprovalGranted | e.ApprovalDenied) -> str:
    return by_right(event.by, event.on_behalf_of, event.authority)


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
