"""Deciding on like gates together, from the App Home.

The one rule: it is the same as deciding on each by itself: one command each, by a right that is established for each,
and what was recorded is told gate by gate. They are decided side by side, in the time that there is for one.
"""

from __future__ import annotations

import asyncio
from typing import Any

from bot.blocks import gate_replies, replies
from bot.blocks.gate_forms import REASON_BLOCK, read_reason, shown
from bot.blocks.kit import escape
from bot.blocks.replies import said
from bot.blocks.waiting import (
    APPROVED,
    CHOICE_BLOCK,
    DENIED,
    Said,
    Waiting,
    outcome,
    read_choices,
    read_verdict,
    together_form,
)
from bot.listeners.actions import Click
from bot.listeners.answers import Answer, replaced, wrong
from bot.listeners.deciding import Refusal, act
from bot.listeners.desk import Ack, Desk, NotInTime
from bot.people.acts import vote
from bot.people.directory import Unreadable
from bot.people.waiting import waiting_for
from engine.core.errors import EngineError


class Together:
    """The button that leads to the form, and the form."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def open(self, ack: Ack, body: dict[str, Any]) -> None:
        """Show which gates of the kind wait for the person now."""
        click = Click.of(body)
        try:
            found = await self._waiting(click.where.user)
            alike = [each for each in found if each.kind == click.value and each.selectable]
            view = together_form(alike) if alike else shown("Nothing to decide", said(gate_replies.NOTHING_WAITS))
        except NotInTime:
            view = shown("Not now", said(replies.ASK_NOT_IN_TIME))
        except (EngineError, Unreadable) as error:
            view = shown("Not now", said(escape(str(error))))
        await ack()
        await self._desk.open(click.trigger_id, view)

    async def _waiting(self, user: str) -> list[Waiting]:
        found = waiting_for(self._desk.engine, self._desk.directory, user)
        return await self._desk.in_time(self._desk.from_slack(found))

    async def decide(self, ack: Ack, body: dict[str, Any]) -> None:
        """Decide on each that was chosen; the form then says what was recorded."""
        values, user = body["view"]["state"]["values"], body["user"]["id"]
        await ack(**await self._decided(values, user))

    async def _decided(self, values: dict[str, Any], user: str) -> Answer:
        chosen, verdict, reason = read_choices(values), read_verdict(values), read_reason(values)
        if not chosen:
            return wrong({f"{CHOICE_BLOCK}0": "Choose one at least."})
        if verdict == DENIED and not reason:
            return wrong({REASON_BLOCK: gate_replies.NO_REASON})
        what = vote(granted=verdict == APPROVED, reason=reason)
        found = await asyncio.gather(*(act(self._desk, value, user, what) for value in chosen))
        told = [
            Said(name, one.message.text if isinstance(one, Refusal) else "")
            for name, one in zip(chosen.values(), found, strict=True)
        ]
        return replaced(outcome(verdict, told))
