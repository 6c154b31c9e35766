"""One person's decision on one asking of one gate, from whichever button or form it comes.

The one rule: who may decide is established here, at the moment of the decision, before the engine is asked to record
it; for anybody else nothing is changed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

from bot.blocks import replies
from bot.blocks.approval import can_be_decided, read_click
from bot.blocks.kit import Message, escape
from bot.directory import Unreadable
from bot.listeners.desk import Desk, NotInTime, actor
from bot.policy import Allowed, Refused, may_decide
from engine.core import commands as c
from engine.core.errors import EngineError
from engine.core.state import Gate, RunState

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asking:
    """One request for a decision, and the person who may decide it now."""

    state: RunState
    step: str
    gate: Gate
    by: Allowed


@dataclass(frozen=True, slots=True)
class Refusal:
    """Nothing was recorded, and why. ``passing``: the same may succeed in a moment."""

    message: Message
    passing: bool = False


@dataclass(frozen=True, slots=True)
class Recorded:
    """The decision is durable."""


Outcome = TypeVar("Outcome", Asking, Recorded)


async def check(desk: Desk, value: str, user: str) -> Asking | Refusal:
    """Whether ``user`` may decide now on what the button with ``value`` is about."""
    return await _guarded(desk, _check(desk, value, user))


async def decide(desk: Desk, value: str, user: str, *, granted: bool, reason: str = "") -> Recorded | Refusal:
    """Record the decision of ``user``; it is durable on return. Never raises."""
    return await _guarded(desk, _decide(desk, value, user, granted, reason))


async def _guarded(desk: Desk, outcome: Awaitable[Outcome | Refusal]) -> Outcome | Refusal:
    """Every way in which it can fail, in words for the person."""
    try:
        return await desk.in_time(outcome)
    except NotInTime:
        return Refusal(replies.said(replies.NOT_IN_TIME), passing=True)
    except Unreadable as error:
        return Refusal(replies.said(f"{escape(str(error))} Nothing was decided."), passing=True)
    except EngineError as error:
        return Refusal(replies.said(escape(str(error))))
    except Exception:
        log.exception("A decision failed")
        return Refusal(replies.said(replies.UNEXPECTED), passing=True)


async def _check(desk: Desk, value: str, user: str) -> Asking | Refusal:
    try:
        run, asked_seq, step = read_click(value)
    except ValueError:
        return Refusal(replies.not_open())
    state = await desk.run(run)
    gate = state.step(step).gate
    if gate is None or gate.asked_seq != asked_seq:
        return Refusal(replies.not_open())
    if gate.decision is not None:
        return Refusal(replies.decided_before(gate.decision, user, desk.engine.clock.now()))
    if not can_be_decided(state, gate):
        return Refusal(replies.not_open(state.status))
    person, targets = await desk.from_slack(
        asyncio.gather(desk.directory.person(user), desk.directory.targets(gate.asked))
    )
    verdict = may_decide(person, targets)
    if isinstance(verdict, Refused):
        return Refusal(replies.said(verdict.sentence))
    return Asking(state, step, gate, verdict)


async def _decide(desk: Desk, value: str, user: str, granted: bool, reason: str) -> Recorded | Refusal:
    asking = await _check(desk, value, user)
    if isinstance(asking, Refusal):
        return asking
    vote = c.Vote(
        asking.step,
        granted=granted,
        by=actor(asking.by.person),
        authority=asking.by.authority,
        reason=reason,
        version=asking.gate.version,
    )
    match await desk.engine.vote(asking.state.run, vote):
        case c.Accepted():
            return Recorded()
        case c.AlreadyDecided(decision):
            return Refusal(replies.decided_before(decision, user, desk.engine.clock.now()))
        case c.NotAllowed(why):
            return Refusal(replies.said(f"You may not decide this: {escape(why)}. Nothing was changed."))
        case c.Ended(status):
            return Refusal(replies.not_open(status))
        case _:
            return Refusal(replies.not_open())
