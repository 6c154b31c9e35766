"""Where a run is told: in the channel where it was started, else in a direct message to its starter, else in the
default channel, else nowhere.

The one rule: a place is left only when Slack has said that nothing can be posted there; the next one says why. A card
that was deleted is posted anew in its channel, as long as the run goes on.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from bot.blocks.card import told_anew, told_here_since
from bot.people.directory import Directory, Person, Unreadable
from bot.sending.outbox import Outbox, Priority, Refused
from bot.sending.postings import DELETED, Posted
from bot.telling.agenda import Place
from bot.telling.story import CARD, CARD_IN_DEFAULT, CARD_IN_DM, Story

log = logging.getLogger(__name__)

LONG_OVER_MS = 86_400_000
"""A run that ended longer ago than this, and was never told, is not told any more."""

CARDS_ANEW = 2
"""How often a card that somebody has deleted is posted again in its channel."""


@dataclass(frozen=True, slots=True)
class Direct:
    """The conversation with the person called ``name``, or why there is none."""

    name: str
    channel: str = ""
    failed: str = ""


class Places:
    """``default_channel``: the id of the channel for runs that were not started in one."""

    def __init__(self, outbox: Outbox, default_channel: str | None) -> None:
        self.default_channel = default_channel
        self._outbox = outbox

    async def find(self, story: Story, channel: str, now: int, thread: str = "") -> Place | None:
        """Where to go on telling the run at ``now`` (epoch ms); None if there is no such place (any more).

        ``channel`` is the id of the one where it was started; empty: it was not started in one. ``thread``: the root of
        the thread there in which it was started, if it was in one.
        """
        end = story.state.end
        first = story.posted.get(CARD)
        if end is not None and first is None and end.at < now - LONG_OVER_MS:
            return None
        origin, failed = channel or self.default_channel or "", ""
        for key in (CARD, *(f"{CARD}:{number}" for number in range(2, CARDS_ANEW + 2))) if origin else ():
            card = story.posted.get(key)
            if card is None or not card.failed:
                under = thread or None if channel and key == CARD else None
                return Place(key, origin, told_anew() if failed else "", under)
            failed = card.failed
            if failed in DELETED and end is not None and not story.pending:
                return None  # all has been said
            if failed not in DELETED:
                break
        return await self._find_elsewhere(story, origin, failed) if origin else None

    async def _find_elsewhere(self, story: Story, origin: str, failed: str) -> Place | None:
        """The place after the channel ``origin``, where it ``failed``."""
        why, started = told_here_since(origin, failed), story.state.started
        direct, default = story.posted.get(CARD_IN_DM), story.posted.get(CARD_IN_DEFAULT)
        if started.by.via == "slack" and (direct is None or not direct.failed):
            conversation = await self._open_direct(story.state.run, started.by.id)
            if conversation:
                return Place(CARD_IN_DM, conversation, why)
        if self.default_channel not in (None, origin) and (default is None or not default.failed):
            return Place(CARD_IN_DEFAULT, str(self.default_channel), why)
        log.warning("%s is told nowhere.", story.state.run)
        return None

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
            log.warning("The starter of %s cannot be written to (%s).", run, refused)
            return ""
        return str(answer["channel"]["id"])
