"""Clicks on the buttons of a run's card that change something: pause, resume, retry, raise, cancel.

The one rule: what is asked for is recorded before the click is acknowledged, and only in the state for which the button
was shown: a second click, or a late one, is told what has happened since and changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from bot.blocks import operated, replies
from bot.blocks.kit import Message, escape
from bot.blocks.steering import Clicked, Deed, mark, possible, used_up
from bot.listeners.actions import Click
from bot.listeners.desk import Ack, Desk, NotInTime, actor
from bot.people.directory import Unreadable
from bot.people.policy import Act, Refused
from engine.core import commands as c
from engine.core import events as e
from engine.core.errors import EngineError
from engine.core.spending import account
from engine.core.state import RunState
from engine.operations import Operations

log = logging.getLogger(__name__)

T = TypeVar("T")

_Ask = Callable[[Operations, str, e.Actor], Awaitable[c.Reply]]

_ASKS: Mapping[Deed, _Ask] = {
    Deed.PAUSE: lambda operations, run, by: operations.pause(run, by=by),
    Deed.RESUME: lambda operations, run, by: operations.resume(run, by=by),
    Deed.RETRY: lambda operations, run, by: operations.redrive(run, by=by),
    Deed.CANCEL: lambda operations, run, by: operations.cancel(run, by=by),
}

_ACTS: Mapping[Deed, Act] = {
    Deed.PAUSE: Act.PAUSE,
    Deed.RESUME: Act.RESUME,
    Deed.RETRY: Act.REDRIVE,
    Deed.RAISE: Act.BUDGET,
    Deed.CANCEL: Act.CANCEL,
}


class Steering:
    """The listeners of the card's buttons."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def pause(self, ack: Ack, body: dict[str, Any]) -> None:
        await self._do(Deed.PAUSE, ack, Click.of(body))

    async def resume(self, ack: Ack, body: dict[str, Any]) -> None:
        await self._do(Deed.RESUME, ack, Click.of(body))

    async def retry(self, ack: Ack, body: dict[str, Any]) -> None:
        await self._do(Deed.RETRY, ack, Click.of(body))

    async def raise_budget(self, ack: Ack, body: dict[str, Any]) -> None:
        await self._do(Deed.RAISE, ack, Click.of(body))

    async def cancel(self, ack: Ack, body: dict[str, Any]) -> None:
        await self._do(Deed.CANCEL, ack, Click.of(body))

    async def _do(self, deed: Deed, ack: Ack, click: Click) -> None:
        refused = await guarded(self._desk, self._steer(deed, click))
        await ack()
        if refused is not None:
            await self._desk.tell(click.where, click.trigger_id, refused)

    async def _steer(self, deed: Deed, click: Click) -> Message | None:
        """Have it recorded; if it is not, why."""
        clicked = Clicked.read(click.value)
        state = await self._desk.engine.state(clicked.run)
        verdict = await self._desk.from_slack(self._desk.roles.may_with(_ACTS[deed], click.where.user, state))
        if isinstance(verdict, Refused):
            return replies.said(verdict.sentence)
        if deed not in possible(state) or mark(state, deed) != clicked.mark:
            return operated.not_so_any_more(state)
        if deed is Deed.RAISE:
            await self._raise(state, actor(verdict.person))
            return None
        reply = await _ASKS[deed](self._desk.engine.operations, state.run, actor(verdict.person))
        return (
            None if isinstance(reply, c.Accepted) else operated.refused(await self._desk.engine.state(state.run), reply)
        )

    async def _raise(self, state: RunState, by: e.Actor) -> None:
        """Let so much more be spent of each budget that holds the run as it may need next."""
        budgets = self._desk.engine.budgets
        more = sum(hold.amount for hold in used_up(state))
        names = {account(key).budget for hold in used_up(state) for key in hold.keys}
        for info in await budgets.of(sorted(names)):
            if info.limit is not None:
                await budgets.set(info.name, info.limit + more, by=by, reason=f"so that {state.run} can go on")


async def guarded(desk: Desk, outcome: Awaitable[T]) -> T | Message:
    """What it gives; or every way in which it can fail, in words for the person."""
    try:
        return await desk.in_time(outcome)
    except NotInTime:
        return replies.said(replies.ASK_NOT_IN_TIME)
    except (EngineError, Unreadable) as error:
        return replies.said(escape(f"{error} Nothing was changed."))
    except Exception:
        log.exception("A click on a run's button failed")
        return replies.said(replies.UNEXPECTED)
