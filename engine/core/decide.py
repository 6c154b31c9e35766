"""What happens next: ``decide`` gives the events that a command leads to, and what its sender is told.

The one rule: it is a function of (state, command, now, what is known around the run) and of nothing else. Timers that
are due are fired before the command is looked at, so that a late click finds the gate expired; the end of a run is
guarded once, at the top. Afterwards ``advance`` takes the run as far as it goes: skips, opens gates and loops, starts
what the claim allows, undoes, ends it. The parts are in ``engine.core.deciding``.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.core import commands as c
from engine.core import events as e
from engine.core.commands import Command, LostLease, Reply, SlotFree
from engine.core.deciding.advance import advance
from engine.core.deciding.attempts import (
    CLAIM_GRACE,
    LOSSES_ALLOWED,
    declare_lost,
    hand_back,
    note,
    postpone,
    report,
    report_too_late,
)
from engine.core.deciding.draft import NO_VALUES, Decision, Draft
from engine.core.deciding.gates import at_gate, present
from engine.core.deciding.operators import steer, steer_ended
from engine.core.deciding.signals import child_ended, receive
from engine.core.deciding.spending import reservations, settle_left
from engine.core.deciding.timers import fire_timers
from engine.core.fold import begin
from engine.core.graph import Plan
from engine.core.state import Recorded, RunState, RunStatus
from engine.core.values import Values


def start(
    run: str,
    plan: Plan,
    event: e.RunStarted,
    now: int,
    reused: Sequence[e.StepReused] = (),
    values: Values = NO_VALUES,
) -> Decision:
    """The first decision of a run: RUN_STARTED, the results that a fork takes over, and all that needs no worker."""
    draft = Draft(begin(run, plan, event, now), now, values)
    draft.events.append(Recorded(1, now, event))
    for result in reused:
        draft.record(result)
    advance(draft, None)
    return draft.decision(c.Accepted())


def decide(
    state: RunState, command: Command, now: int, values: Values = NO_VALUES, around: c.Around = c.ALONE
) -> Decision:
    """What ``command`` leads to at ``now``. The given state is not changed; with no events the result's is the same.

    Raises ``ValuesNeeded`` if an expression needs values that the state holds by their place, and ``values`` lacks.
    """
    draft = Draft(state, now, values, around)
    if state.end is not None:
        return _after_end(draft, command, state.end.status)
    under_way = reservations(state)
    fire_timers(draft, letters_read=isinstance(command, c.Look) and command.letters_read)
    reply = c.Ended(draft.state.end.status) if draft.state.end else _apply(draft, command)
    settle_left(draft, under_way)
    advance(draft, _claim_of(command))
    if isinstance(command, c.Look) and not draft.events:
        reply = c.Nothing()
    return draft.decision(reply)


def _after_end(draft: Draft, command: Command, status: RunStatus) -> Decision:
    """After the end only bookkeeping is recorded, unless an operator reopens a run that failed."""
    if isinstance(command, c.Succeed | c.Fail):
        return draft.decision(report_too_late(draft, command))
    if isinstance(command, c.AtGate):
        gate = draft.state.step(command.step).gate
        if gate is not None and gate.decision is not None:
            return draft.decision(c.AlreadyDecided(gate.decision))
    if isinstance(command, c.Steering):
        reply = steer_ended(draft, command, status)
        if draft.state.end is None:
            advance(draft, None)
        return draft.decision(reply)
    return draft.decision(c.Ended(status))


def _apply(draft: Draft, command: Command) -> Reply:
    match command:
        case c.Look():
            declare_lost(draft, command)
            return c.Accepted()
        case c.Succeed() | c.Fail():
            return report(draft, command)
        case c.HandBack():
            return hand_back(draft, command)
        case c.Postpone():
            return postpone(draft, command)
        case c.BeginEffect() | c.RecordEffect() | c.CancelEffect() | c.UseKey():
            return note(draft, command)
        case c.LogLine() | c.NoteProgress() | c.ReportStatus():
            return note(draft, command)
        case c.Vote() | c.EditGate() | c.RequestChanges() | c.Delegate() | c.Snooze():
            return at_gate(draft, command)
        case c.Present():
            return present(draft, command)
        case c.Signal():
            return receive(draft, command)
        case c.ChildEnded():
            return child_ended(draft, command)
        case _:
            return steer(draft, command)


def _claim_of(command: Command) -> c.Claim | None:
    return command.claim if isinstance(command, c.Look | c.Succeed | c.Fail) else None


__all__ = [
    "CLAIM_GRACE",
    "LOSSES_ALLOWED",
    "Decision",
    "LostLease",
    "SlotFree",
    "decide",
    "start",
]
