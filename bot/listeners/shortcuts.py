"""The two shortcuts: a workflow from anywhere, and a workflow on a message.

The one rule: a shortcut starts nothing; it opens the forms in which a run is started as by ``/vb run``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any

import aiohttp
from slack_sdk.errors import SlackClientError

from bot.blocks import forms, replies
from bot.blocks.forms import Place, View
from bot.blocks.kit import Message, clip, escape
from bot.listeners.desk import Ack, Desk, NotInTime
from bot.listeners.mentioned import as_typed, unescape
from bot.listeners.starting import pick
from bot.people.directory import Unreadable, reason_of
from engine.core.errors import EngineError

log = logging.getLogger(__name__)

TITLE = "Start a workflow"
LONGEST_MESSAGE = 2_000
"""Characters of a message that are kept from the choice of a workflow to its form."""


class Shortcuts:
    """The listeners of the shortcuts."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def anywhere(self, ack: Ack, body: dict[str, Any]) -> None:
        """Pick a workflow; its form asks where to tell of the run."""
        await self._open(ack, body, pick(self._desk, body["user"]["id"], Place("")))

    async def on_message(self, ack: Ack, body: dict[str, Any]) -> None:
        """Pick a workflow that takes a message; its run is told under that message."""
        await self._open(ack, body, self._pick_for(body))

    async def _open(self, ack: Ack, body: dict[str, Any], made: Awaitable[View | Message]) -> None:
        try:
            answered = await self._desk.in_time(made)
            view = forms.notice(TITLE, answered.text) if isinstance(answered, Message) else answered
        except NotInTime:
            view = forms.notice(TITLE, replies.ASK_NOT_IN_TIME)
        except (EngineError, Unreadable) as error:
            view = forms.notice(TITLE, escape(str(error)))
        await ack()
        await self._desk.open(body["trigger_id"], view)

    async def _pick_for(self, body: dict[str, Any]) -> View | Message:
        channel, message = body["channel"]["id"], body["message"]
        typed = await as_typed(message.get("text", ""), self._desk.directory)
        thread = message.get("thread_ts") or message["ts"]
        link = await self._link(channel, message["ts"])
        place = Place(channel, thread=thread, message=clip(unescape(typed), LONGEST_MESSAGE), link=link)
        return await pick(self._desk, body["user"]["id"], place)

    async def _link(self, channel: str, ts: str) -> str:
        """The message's address; empty if Slack gives none, as where the bot is not."""
        try:
            async with asyncio.timeout(self._desk.bounds.permalink):
                answer = await self._desk.client.chat_getPermalink(channel=channel, message_ts=ts)
        except (SlackClientError, aiohttp.ClientError, TimeoutError) as error:
            log.info("A message has no address (%s).", reason_of(error))
            return ""
        return str(answer["permalink"])
