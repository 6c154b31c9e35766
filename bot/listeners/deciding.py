"""What one person does at a gate, from whichever button, form or command it comes.

The one rule: by what right they act is established here, at the moment of the act, before the engine is asked to record
it; for anybody else nothing is changed. Every act takes this way: it is one command of the engine, or nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from bot.blocks import gate_replies, replies
from bot.blocks.approval import can_be_decided, read_click
from bot.blocks.kit import Message, escape
from bot.blocks.replies import said
from bot.listeners.desk import Desk, NotInTime
from bot.people.acts import Act, Asking
from bot.people.authority import right_of
from bot.people.directory import Unreadable
from bot.people.policy import Refused
from engine.core import commands as c
from engine.core.errors import EngineError
from engine.core.gates import Gate
from engine.core.state import RunState, StepStatus

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Nothing was recorded, and why. ``passing``: the same form may succeed in a moment, or with another value.

    ``wants_reason``: it succeeds once there is one. ``problems``: a sentence for each value that cannot be so.
    """

    message: Message
    passing: bool = False
    wants_reason: Asking | None = None
    problems: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Recorded:
    """It is durable. ``asking`` is what it was done about."""

    asking: Asking


Outcome = TypeVar("Outcome", Asking, Recorded)


async def check(desk: Desk, value: str, user: str) -> Asking | Refusal:
    """Whether ``user`` may act now on what the button with ``value`` is about. Never raises."""
    return await _guarded(desk, _check(desk, value, user))


async def act(desk: Desk, value: str, user: str, what: Act) -> Recorded | Refusal:
    """Do ``what`` in the name of ``user``; it is durable on return. Never raises."""
    return await _guarded(desk, _act(desk, value, user, what))


async def _guarded(desk: Desk, outcome: Awaitable[Outcome | Refusal]) -> Outcome | Refusal:
    """Every way in which it can fail, in words for the person."""
    try:
        return await desk.in_time(outcome)
    except NotInTime:
        return Refusal(said(replies.NOT_IN_TIME), passing=True)
    except Unreadable as error:
        return Refusal(said(f"{escape(str(error))} Nothing was decided."), passing=True)
    except EngineError as error:
        return Refusal(said(escape(str(error))))
    except Exception:
        log.exception("A decision failed")
        return Refusal(said(replies.UNEXPECTED), passing=True)


async def _check(desk: Desk, value: str, user: str) -> Asking | Refusal:
    try:
        run, version, step = read_click(value)
    except ValueError:
        return Refusal(gate_replies.not_open())
    state = await desk.engine.state(run)
    step = _where(state, step, version)
    gate = state.step(step).gate
    if gate is None or version > gate.version:
        return Refusal(gate_replies.not_open())
    if not can_be_decided(state, gate):
        return Refusal(_why_not(desk, state, gate, version, user))
    if version != gate.version:
        return Refusal(gate_replies.outdated(state, step, gate))
    right = await desk.from_slack(right_of(desk.engine, desk.directory, state, gate, user))
    if isinstance(right, Refused):
        return Refusal(said(right.sentence))
    return Asking(state, step, gate, right)


def _where(state: RunState, step: str, version: int) -> str:
    """Where the gate is now that the button was about: its step may have been renamed since."""
    for path, known in state.opened(StepStatus.WAITING):
        if known.gate is not None and version in (known.gate.asked_seq, known.gate.version):
            return path
    return step


def _why_not(desk: Desk, state: RunState, gate: Gate, version: int, user: str) -> Message:
    if gate.decision is not None and version >= gate.asked_seq:
        return gate_replies.decided_before(gate.decision, user, desk.engine.clock.now())
    if gate.changes is not None:
        return gate_replies.changes_asked(gate)
    return gate_replies.not_open(state.status if gate.decision is None else None)


async def _act(desk: Desk, value: str, user: str, what: Act) -> Recorded | Refusal:
    asking = await _check(desk, value, user)
    if isinstance(asking, Refusal):
        return asking
    command = what(asking)
    if isinstance(command, c.InvalidFields):
        return _not_so(command.problems)
    reply = await desk.engine.gates.act(asking.state.run, command)
    return Recorded(asking) if isinstance(reply, c.Accepted) else await _refusal(desk, asking, reply)


def _not_so(problems: Mapping[str, str]) -> Refusal:
    return Refusal(said("\n".join(escape(problem) for problem in problems.values())), problems=problems)


async def _refusal(desk: Desk, asking: Asking, reply: c.Reply) -> Refusal:
    """Why the engine recorded nothing, although the person may act."""
    user, now = asking.right.by.id, desk.engine.clock.now()
    match reply:
        case c.AlreadyDecided(decision):
            return Refusal(gate_replies.decided_before(decision, user, now))
        case c.AlreadyVoted(ballot):
            return Refusal(gate_replies.voted_before(ballot, user, now))
        case c.Outdated(step):
            state = await desk.engine.state(asking.state.run)
            gate = state.step(step).gate
            return Refusal(gate_replies.not_open() if gate is None else gate_replies.outdated(state, step, gate))
        case c.ReasonNeeded():
            return Refusal(said(gate_replies.NO_REASON), wants_reason=asking)
        case c.InvalidFields(problems):
            return _not_so(problems)
        case c.NotAsked(asked):
            return Refusal(gate_replies.not_asked(asked))
        case c.NotAllowed(why):
            return Refusal(gate_replies.not_allowed(why))
        case c.Ended(status):
            return Refusal(gate_replies.not_open(status))
        case c.Nothing():
            return Refusal(said(gate_replies.NOTHING_CHANGED), passing=True)
        case _:
            return Refusal(gate_replies.not_open())
