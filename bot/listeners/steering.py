"""Clicks on the buttons of a run's card: pause, resume, retry, cancel, and the details.

The one rule: what is asked for is recorded before the click is acknowledged, and only in the state for which the button
was shown: a second click, or a late one, is told what has happened since and changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from bot.blocks import operated, replies
from bot.blocks.details import LAST, details, told
from bot.blocks.forms import View, notice
from bot.blocks.kit import Message, escape
from bot.blocks.steering import Clicked, Deed, mark, possible, used_up
from bot.listeners.actions import Click
from bot.listeners.desk import Ack, Desk, NotInTime, actor
from bot.people.directory import Unreadable
from bot.people.policy import Act, Refused
from bot.telling.shared import read_history
from engine.core import commands as c
from engine.core import events as e
from engine.core.errors import EngineError
from engine.core.spending import account
from engine.core.state import RunState
from engine.operations import Operations
from engine.plans import Plans

log = logging.getLogger(__name__)

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
        self._plans = Plans(desk.engine.store)

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
        refused = await self._guarded(self._steer(deed, click))
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

    # Details

    async def details(self, ack: Ack, body: dict[str, Any]) -> None:
        """Open the timeline at its last page."""
        click = Click.of(body)
        shown = await self._guarded(self._newest(click))
        await ack()
        if isinstance(shown, Message):
            await self._desk.tell(click.where, click.trigger_id, shown)
        elif not await self._desk.open(click.trigger_id, shown):
            await self._desk.tell(click.where, click.trigger_id, replies.said(replies.FORM_NOT_OPENED))

    async def leaf(self, ack: Ack, body: dict[str, Any]) -> None:
        """Show another page in place of the one that was clicked in."""
        click = Click.of(body)
        view = body["view"]
        run, page = str(view["private_metadata"]), int(click.value)
        shown = await self._guarded(self._details(click, run, page))
        await ack()
        if isinstance(shown, Message):
            shown = notice("Details", shown.text)
        await self._desk.replace(view["id"], view["hash"], shown)

    async def _newest(self, click: Click) -> View | Message:
        return await self._details(click, Clicked.read(click.value).run, LAST)

    async def _details(self, click: Click, run: str, page: int) -> View | Message:
        workflow = (await self._desk.engine.state(run)).started.workflow
        verdict = await self._desk.from_slack(self._desk.roles.may(Act.LOOK, click.where.user, workflow))
        if isinstance(verdict, Refused):
            return replies.said(verdict.sentence)
        history = await read_history(self._desk.engine, self._plans, run)
        return details(told(run, *history, self._plans.known), page)

    # Inside

    async def _guarded(self, outcome: Awaitable[Any]) -> Any:
        """What it gives; or every way in which it can fail, in words for the person."""
        try:
            return await self._desk.in_time(outcome)
        except NotInTime:
            return replies.said(replies.ASK_NOT_IN_TIME)
        except (EngineError, Unreadable) as error:
            return replies.said(escape(f"{error} Nothing was changed."))
        except Exception:
            log.exception("A click on a run's button failed")
            return replies.said(replies.UNEXPECTED)
