"""Where a run is told: in the channel where it was started, else in a direct message to its starter, else nowhere.

The one rule: a place is left only when Slack has said that nothing can be posted there; the next one says why.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from bot.agenda import Place
from bot.blocks.card import told_here_since
from bot.directory import Directory, Person, Unreadable
from bot.outbox import Outbox, Priority, Refused
from bot.postings import Posted
from bot.story import CARD, CARD_IN_DM, Story

log = logging.getLogger(__name__)

LONG_OVER_MS = 86_400_000
"""A run that ended longer ago than this, and was never told, is not told any more."""

GONE = frozenset(
    {
        "cannot_reply_to_message",
        "channel_not_found",
        "is_archived",
        "message_not_found",
        "not_in_channel",
        "thread_not_found",
    }
)
"""Errors after which nothing more can be said in a run's place."""


@dataclass(frozen=True, slots=True)
class Direct:
    """The conversation with the person called ``name``, or why there is none."""

    name: str
    channel: str = ""
    failed: str = ""


class Places:
    """``default_channel``: the id of the channel for runs that were not started in one."""

    def __init__(self, outbox: Outbox, default_channel: str | None) -> None:
        self._outbox = outbox
        self._default_channel = default_channel

    async def find(self, story: Story, channel: str, now: int, thread: str = "") -> Place | None:
        """Where to go on telling the run at ``now`` (epoch ms); None if there is no such place (any more).

        ``channel`` is the id of the one where it was started; empty: it was not started in one. ``thread``: the root of
        the thread there in which it was started, if it was in one.
        """
        started, end = story.state.started, story.state.end
        first, second = story.posted.get(CARD), story.posted.get(CARD_IN_DM)
        origin = channel or self._default_channel or ""
        if not origin or (end is not None and first is None and end.at < now - LONG_OVER_MS):
            return None
        if first is None or not first.failed:
            return Place(CARD, origin, thread=thread or None if channel else None)
        if started.by.via != "slack" or (second is not None and second.failed):
            return None
        direct = await self._open_direct(story.state.run, started.by.id)
        return Place(CARD_IN_DM, direct, told_here_since(origin, first.failed)) if direct else None

    async def link(self, root: Posted) -> str:
        """Markup that leads to the thread under ``root``; nothing if Slack gives no address."""
        try:
            arguments = {"channel": root.channel, "message_ts": root.ts}
            answer = await self._outbox.call("chat.getPermalink", arguments, Priority.APPROVAL)
        except Refused:
            return ""
        return f"<{answer['permalink']}|open it>"

    async def direct(self, user: str, directory: Directory) -> Direct:
        """Where to write to the person with this id about a decision, if they may take any."""
        try:
            person = await directory.person(user)
        except Unreadable:
            person = Person(user, user, user)  # Slack says below whether they can be written to
        if person is None:
            return Direct(user, failed="user_not_found")
        if person.standing != "member":
            return Direct(person.name, failed=person.standing)
        try:
            answer = await self._outbox.call("conversations.open", {"users": user}, Priority.APPROVAL)
        except Refused as refused:
            return Direct(person.name, failed=refused.error)
        return Direct(person.name, str(answer["channel"]["id"]))

    async def _open_direct(self, run: str, user: str) -> str:
        """The id of the conversation with the user; nothing if there can be none."""
        try:
            answer = await self._outbox.call("conversations.open", {"users": user}, Priority.CARD)
        except Refused as refused:
            log.warning("%s is told nowhere: its starter cannot be written to (%s).", run, refused)
            return ""
        return str(answer["channel"]["id"])
