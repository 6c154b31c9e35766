"""Clicks on Approve and Deny.

The one rule: an approval is recorded before its click is acknowledged; the message then changes by itself, because the
run's thread follows the log. A denial is not recorded by the click, which only asks for the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bot.blocks import gate_forms, replies
from bot.blocks.forms import Place
from bot.listeners.deciding import Refusal, check, decide
from bot.listeners.desk import Ack, Desk, Where


@dataclass(frozen=True, slots=True)
class Click:
    """A click on a button, as it was delivered."""

    value: str
    where: Where
    trigger_id: str

    @classmethod
    def of(cls, body: dict[str, Any]) -> Click:
        container = body["container"]
        message: dict[str, Any] = body.get("message") or {}  # an ephemeral message is not sent along
        thread = container.get("thread_ts") or message.get("thread_ts", "")
        where = Where(body["user"]["id"], container["channel_id"], thread, body.get("response_url", ""))
        return cls(body["actions"][0].get("value", ""), where, body["trigger_id"])


class Actions:
    """The listeners of the two buttons."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def approve(self, ack: Ack, body: dict[str, Any]) -> None:
        click = Click.of(body)
        outcome = await decide(self._desk, click.value, click.where.user, granted=True)
        await ack()
        if isinstance(outcome, Refusal):
            await self._desk.whisper(click.where, outcome.message)

    async def deny(self, ack: Ack, body: dict[str, Any]) -> None:
        click = Click.of(body)
        outcome = await check(self._desk, click.value, click.where.user)
        await ack()
        if isinstance(outcome, Refusal):
            await self._desk.whisper(click.where, outcome.message)
            return
        place = Place(click.where.channel, click.value, click.where.thread)
        if not await self._desk.open(click.trigger_id, gate_forms.deny_form(outcome.state, outcome.gate, place)):
            await self._desk.whisper(click.where, replies.said(replies.FORM_NOT_OPENED))
