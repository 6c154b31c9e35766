"""Mentions of the bot: the words of the command, where Slack takes no commands, as in a thread.

The one rule: what a mention asks for is recorded before its event is acknowledged, under a key that every delivery of
it has. A run that is started in a thread is told in that thread.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from bot.blocks import guide
from bot.blocks.kit import Message
from bot.blocks.vocabulary import WORDS
from bot.listeners.commands import answer
from bot.listeners.commands.typed import Afterwards, Typed, split
from bot.listeners.desk import Ack, Desk, Where
from bot.listeners.previewing import show
from engine.core.words import nearest

NAME = "@Vectorbea"
"""How people address the bot, in examples for those who did so."""

_MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>")


class Mentions:
    """The listeners of the events that the app is subscribed to."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def mentioned(self, ack: Ack, body: dict[str, Any]) -> None:
        """Do what is asked for after the mention, or show the words, to whoever mentioned the bot."""
        typed = asked_in(body)
        if typed is None:
            await ack()
            return
        known = typed.word in WORDS or typed.word in self._desk.engine.workflows
        if not known and nearest(typed.word, WORDS) is None:
            answered = guide.usage("/vb")
        else:
            answered = await answer(self._desk, typed)
        await ack()
        if isinstance(answered, Message):
            await self._desk.whisper(typed.where, answered)
        elif isinstance(answered, Afterwards):
            await answered.work()
        elif answered is not None:
            await self._desk.whisper(typed.where, guide.offer(answered, _packed(typed)))

    async def fill_in(self, ack: Ack, body: dict[str, Any]) -> None:
        """Open the form that a mention could not open: a click can. It asks for the same once more, under its key."""
        user, container = body["user"]["id"], body["container"]
        where = Where(user, container["channel_id"], response_url=body.get("response_url", ""))
        typed = _unpacked(body["actions"][0].get("value", ""), where, body["trigger_id"])
        if typed is None:
            await ack()
            return
        answered = await answer(self._desk, typed)
        await ack()
        if answered is None:
            return
        if isinstance(answered, Message):
            await self._desk.whisper(typed.where, answered)
        elif isinstance(answered, Afterwards):
            await answered.work()
        else:
            await show(self._desk, typed.where, typed.trigger_id, answered)


def asked_in(body: dict[str, Any]) -> Typed | None:
    """What follows the first mention of the bot; None for what no person wrote."""
    event: dict[str, Any] = body["event"]
    user = event.get("user")
    if not user or event.get("bot_id"):
        return None
    bots = {one.get("user_id") for one in body.get("authorizations") or ()}
    mentions = list(_MENTION.finditer(event.get("text", "")))
    own = next((one for one in mentions if one[1] in bots), mentions[0] if mentions else None)
    word, rest = split(event.get("text", "")[own.end() :] if own else "")
    where = Where(user, event["channel"], event.get("thread_ts", ""))
    return Typed(NAME, word.lower(), rest, where, f"slack:mention:{event['channel']}:{event['ts']}")


def _packed(typed: Typed) -> str:
    """A button's value; empty if what was typed is too long for one."""
    value = json.dumps([typed.word, typed.rest, typed.where.thread, typed.key], separators=(",", ":"))
    return value if len(value) <= guide.LONGEST_VALUE else ""


def _unpacked(value: str, where: Where, trigger_id: str) -> Typed | None:
    try:
        word, rest, thread, key = (str(part) for part in json.loads(value))
    except (TypeError, ValueError):
        return None
    return Typed(NAME, word, rest, replace(where, thread=thread), key, trigger_id)
