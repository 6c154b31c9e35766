"""Mentions of the bot: it says how to begin, to whoever mentioned it.

The one rule: a mention starts nothing; only commands and clicks do, since only they can be acknowledged.
"""

from __future__ import annotations

from typing import Any

from bot.blocks import guide
from bot.listeners.desk import Ack, Desk, Where


class Mentions:
    """The listeners of the events that the app is subscribed to."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def mentioned(self, ack: Ack, body: dict[str, Any]) -> None:
        """Show the commands, in the thread of the mention if it was in one."""
        await ack()
        event = body["event"]
        where = Where(event["user"], event["channel"], event.get("thread_ts", ""))
        await self._desk.whisper(where, guide.usage("/vb"))

    async def anything(self, ack: Ack, body: dict[str, Any]) -> None:
        """Acknowledge what nobody here listens to, so that Slack does not deliver it again."""
        await ack()
