"""Tells what was said in a workspace itself to whom it concerns: switches that were thrown or lifted, and new links.

The one rule: what Slack shows is the log, as with runs. Each fact is told once, whichever process tells it and by
whichever way it came; what is found a day later is no news any more.

Keys of deliveries, in the workspace's stream: ``said:SEQ:0`` where it belongs, and ``said:SEQ:1`` and so on in the next
places, where those before did not take it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass

from bot.blocks.kit import Message
from bot.blocks.replies import said
from bot.blocks.rights import linked
from bot.blocks.switches import lifted_by, thrown
from bot.people.directory import Directory
from bot.sending.looking import Target
from bot.sending.outbox import Outbox, Priority, Refused
from bot.sending.postings import NOTICES, SETTLE_MS, Item, Postings
from bot.telling.places import LONG_OVER_MS, Places
from bot.telling.shared import PAUSES_S
from engine.core import workspace_events as w
from engine.core.errors import EngineError
from engine.core.events import Actor
from engine.core.switches import Switch
from engine.engine import Engine
from engine.store import from_text

log = logging.getLogger(__name__)

LEASE_MS = 10_000


@dataclass(frozen=True, slots=True)
class Notice:
    """What is to be told: in ``channel``, else to ``person`` (an id), else in the default channel if ``to_all``."""

    message: Message
    channel: str = ""
    person: str = ""
    to_all: bool = False


def notice_of(at: int, event: w.WorkspaceEvent) -> Notice | None:
    """None for what need not be told to anybody."""
    match event:
        case w.SwitchThrown(key=key, by=by, reason=reason, epoch=epoch, place=place):
            message = said(thrown("/vb", Switch(key, by, reason, at, epoch)))
            return Notice(message, place, _in_slack(by), to_all=True)
        case w.SwitchLifted(key=key, by=by, reason=reason, place=place):
            return Notice(said(lifted_by(key, by, reason, at)), place, to_all=True)
        case w.AccountLinked(person=person):
            return Notice(linked("/vb", event, at), person=_in_slack(person))
        case _:
            return None


def _in_slack(actor: Actor) -> str:
    return actor.id if actor.via == "slack" and not actor.terminal else ""


class Notices:
    """Those of one workspace. ``owner`` is the name under which this process holds cursors."""

    def __init__(
        self,
        engine: Engine,
        outbox: Outbox,
        directory: Directory,
        *,
        owner: str,
        default_channel: str | None = None,
        settle_ms: int = SETTLE_MS,
    ) -> None:
        self._engine = engine
        self._workspace = engine.settings.workspace
        self._postings = Postings(outbox, engine.store, NOTICES, settle_ms=settle_ms)
        self._places = Places(outbox, default_channel)
        self._directory = directory
        self._owner = owner
        self._failures = 0
        self._rests_until = 0.0
        self._task: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """What is under way is left to whoever comes next."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def begin(self) -> None:
        """Tell what is new, unless that is under way, or has failed a moment ago."""
        if (self._task is None or self._task.done()) and asyncio.get_running_loop().time() >= self._rests_until:
            self._task = asyncio.create_task(self._tell_leniently())

    async def _tell_leniently(self) -> None:
        try:
            await self.tell()
        except EngineError as trouble:
            log.warning("What was said in %s will be told later. %s", self._workspace, trouble)
            self._rest()
        except Exception:
            log.exception("Telling what was said in %s failed; it will be told again.", self._workspace)
            self._rest()
        else:
            self._failures = 0

    def _rest(self) -> None:
        self._failures += 1
        pause = PAUSES_S[min(self._failures, len(PAUSES_S)) - 1]
        self._rests_until = asyncio.get_running_loop().time() + pause

    async def tell(self) -> None:
        """Tell all that is new. Raises the store's errors, and Slack's while it cannot be reached.

        Another process goes on at once where this one fails: it may know an event that this one does not.
        """
        try:
            await self._tell()
        except BaseException:
            release = self._postings.deliveries.release_cursor(NOTICES, self._workspace, self._owner)
            with contextlib.suppress(EngineError):
                await asyncio.shield(release)
            raise

    async def _tell(self) -> None:
        deliveries, mine = self._postings.deliveries, (NOTICES, self._workspace, self._owner)
        while (cursor := await deliveries.claim_cursor(*mine, LEASE_MS)) is not None and cursor.seq < cursor.last_seq:
            for stored, event in await self._engine.workspace.history(cursor.seq):
                at = from_text(stored.at)
                notice = notice_of(at, event)
                if notice is None or at < self._engine.clock.now() - LONG_OVER_MS:
                    continue
                if await deliveries.claim_cursor(*mine, LEASE_MS) is None:
                    return
                await self._post(stored.seq, notice)
                await deliveries.advance(*mine, stored.seq)
            await deliveries.advance(*mine, cursor.last_seq)

    async def _post(self, seq: int, notice: Notice) -> None:
        """Post it where it belongs; where that is refused, in the next place."""
        number = 0
        async for channel in self._channels(notice):
            item = Item(self._workspace, f"said:{seq}:{number}", seq, {"kind": "notice"})
            number += 1
            try:
                posted = await self._postings.post(item, Target(channel), notice.message, Priority.ALERT)
            except Refused as refused:
                log.info("Event %d of %s is not told in %s (%s).", seq, self._workspace, channel, refused)
                posted = await self._postings.give_up(item, refused.error)
            if not posted.failed:
                return
        log.warning("Event %d of %s is told nowhere.", seq, self._workspace)

    async def _channels(self, notice: Notice) -> AsyncIterator[str]:
        if notice.channel:
            yield notice.channel
        default = self._places.default_channel if notice.to_all else None
        if default and not notice.channel:
            yield default
        if notice.person:
            direct = await self._places.direct(notice.person, self._directory)
            if not direct.failed:
                yield direct.channel
        if default and notice.channel and default != notice.channel:
            yield default
