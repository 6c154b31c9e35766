"""Tells what was said in a workspace itself to whom it concerns: switches that were thrown or lifted, and new links.

The one rule: what Slack shows is the log, as with runs. Each fact is told once, by whoever has the cursor; what is
found a day later is no news any more, and what only a newer release can read is left to that until then.

A switch that stops everything is said in the home workspace, and told in every workspace: each reads the home's stream
too, under a cursor of its own.

Keys of deliveries, all in the stream of the workspace that is told:

    said:SEQ:N          what its own stream says at SEQ, in the N-th place, those before having refused it
    everywhere:SEQ:N    the same of what the home workspace's stream says there
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from bot.blocks.kit import Message
from bot.blocks.replies import said
from bot.blocks.rights import linked
from bot.blocks.switches import lifted_by, thrown
from bot.people.directory import Directory, Unreadable
from bot.sending.looking import Target
from bot.sending.outbox import Outbox, Priority, Refused
from bot.sending.postings import NOTICES, SETTLE_MS, Item, Posted, Postings
from bot.telling.asking import ADMINS
from bot.telling.lease import Lease, LeaseLost
from bot.telling.places import LONG_OVER_MS, Places
from bot.telling.shared import PAUSES_S, Pace
from engine.core import workspace_events as w
from engine.core.errors import EngineError
from engine.core.events import Actor
from engine.core.switches import EVERYTHING, Switch
from engine.engine import Engine
from engine.store import Cursor, Deliveries, StoredEvent, from_text
from engine.workspace import said_in

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Notice:
    """What is to be told: in ``channel``, else to ``person`` (an id), else in the default channel if ``to_all``.

    ``switch``: the key of the one that it is about. ``ends`` that: then it goes first to where the throw was told.
    """

    message: Message
    channel: str = ""
    person: str = ""
    to_all: bool = False
    switch: str = ""
    ends: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """A stream that a workspace is told of, as which consumer it reads that, and how keys of deliveries begin."""

    consumer: str
    stream: str
    prefix: str
    is_own: bool


def notice_of(at: int, event: w.WorkspaceEvent) -> Notice | None:
    """Of what a workspace's own stream says; None for what need not be told to anybody."""
    match event:
        case w.SwitchThrown(key=key, by=by, place=place):
            message = said(thrown("/vb", _switch(event, at)))
            return Notice(message, place, _in_slack(by), to_all=True, switch=key)
        case w.SwitchLifted(key=key, by=by, reason=reason, place=place):
            message = said(lifted_by(key, by, reason, at))
            return Notice(message, place, to_all=True, switch=key, ends=True)
        case w.AccountLinked(person=person):
            return Notice(linked("/vb", event, at), person=_in_slack(person))
        case _:
            return None


def notice_elsewhere(at: int, event: w.WorkspaceEvent) -> Notice | None:
    """The same of what the home workspace's stream says; its people and channels are not those of this workspace."""
    match event:
        case w.SwitchThrown(key=key) if key == EVERYTHING:
            return Notice(said(thrown("/vb", _switch(event, at), elsewhere=True)), to_all=True, switch=key)
        case w.SwitchLifted(key=key, by=by, reason=reason) if key == EVERYTHING:
            return Notice(said(lifted_by(key, by, reason, at)), to_all=True, switch=key, ends=True)
        case _:
            return None


def _switch(event: w.SwitchThrown, at: int) -> Switch:
    return Switch(event.key, event.by, event.reason, at, event.epoch)


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
        pace: Pace | None = None,
        answered: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """``answered`` has alerts show what was done about them, and is called once more for each of these facts."""
        self._engine = engine
        self._answered = answered
        self._workspace = engine.settings.workspace
        self._postings = Postings(outbox, engine.store, NOTICES, settle_ms=settle_ms)
        self._places = Places(outbox, default_channel)
        self._directory = directory
        self._owner = owner
        self._lease_s = (pace or Pace()).lease
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
        except* LeaseLost:
            log.info("What was said in %s is told by another process.", self._workspace)
        except* (EngineError, Unreadable) as trouble:
            log.warning("What was said in %s will be told later. %s", self._workspace, trouble.exceptions[0])
            self._rest()
        except* Exception:
            log.exception("Telling what was said in %s failed; it will be told again.", self._workspace)
            self._rest()
        else:
            self._failures = 0

    def _rest(self) -> None:
        self._failures += 1
        pause = PAUSES_S[min(self._failures, len(PAUSES_S)) - 1]
        self._rests_until = asyncio.get_running_loop().time() + pause

    async def tell(self) -> None:
        """Tell all that is new, as far as no other process does. Raises what went wrong as a group.

        Another process goes on at once where this one fails: it may know an event that this one does not.
        """
        done = await asyncio.gather(*map(self._follow, self._sources()), return_exceptions=True)
        if failures := [one for one in done if isinstance(one, BaseException)]:
            raise BaseExceptionGroup(f"telling what was said in {self._workspace}", failures)

    def _sources(self) -> Sequence[Source]:
        own, home = Source(NOTICES, self._workspace, "said", is_own=True), self._engine.home
        if home == self._workspace:
            return (own,)
        return own, Source(Deliveries.in_home(NOTICES, self._workspace), home, "everywhere", is_own=False)

    async def _follow(self, source: Source) -> None:
        """Read on in one stream until nothing is left."""
        lease = Lease(self._postings.deliveries, source.consumer, source.stream, self._owner, self._lease_s)
        if (cursor := await lease.claim()) is None:
            return
        try:
            while cursor is not None and cursor.seq < cursor.last_seq:
                async with lease.kept():
                    await self._tell(source, lease, cursor)
                cursor = await lease.claim()
        finally:
            await lease.release()

    async def _tell(self, source: Source, lease: Lease, cursor: Cursor) -> None:
        read = notice_of if source.is_own else notice_elsewhere
        for one in await self._news(source, cursor.seq):
            at = from_text(one.at)
            if at < self._engine.clock.now() - LONG_OVER_MS:
                continue  # also of a newer release, so that it holds nothing up for ever
            event = _decoded(one)
            notice = read(at, event)
            answers = source.is_own and isinstance(event, w.BudgetSet | w.SwitchThrown)
            if notice is not None:
                await lease.hold()
                await self._post(source, one.seq, notice)
            if answers and self._answered is not None:
                await self._answered()
            if notice is not None or answers:
                await lease.advance(one.seq)
        await lease.advance(cursor.last_seq)

    async def _news(self, source: Source, seq: int) -> list[StoredEvent]:
        """What the stream says past ``seq``. What was over in the home workspace before this one looked is no news."""
        found = await said_in(self._engine.store, source.stream, seq)
        if source.is_own or seq:
            return found
        lifts = ((one.seq, _decoded(one)) for one in found if one.type == w.SwitchLifted.type)
        over = max((at for at, event in lifts if notice_elsewhere(0, event) is not None), default=0)
        return [one for one in found if one.seq > over]

    async def _post(self, source: Source, seq: int, notice: Notice) -> None:
        """Post it where it belongs; where that is refused, in the next place."""
        number, tried = 0, set[str]()
        async for channel in self._channels(source, seq, notice):
            if channel in tried:
                continue
            tried.add(channel)
            item = Item(
                self._workspace, f"{source.prefix}:{seq}:{number}", seq, {"kind": "notice", "switch": notice.switch}
            )
            number += 1
            try:
                posted = await self._postings.post(item, Target(channel), notice.message, Priority.ALERT)
            except Refused as refused:
                log.info("Event %d of %s is not told in %s (%s).", seq, source.stream, channel, refused)
                posted = await self._postings.give_up(item, refused.error)
            if not posted.failed:
                return
        log.warning("Event %d of %s is told nowhere in %s.", seq, source.stream, self._workspace)

    async def _channels(self, source: Source, seq: int, notice: Notice) -> AsyncIterator[str]:
        """Where to tell it, the next one for where those before are refused; one may come twice."""
        if notice.ends:
            for channel in await self._told(source, seq, notice.switch):
                yield channel
        default = self._places.default_channel if notice.to_all else None
        if notice.channel:
            yield notice.channel
        elif default:
            yield default
        if notice.person:
            direct = await self._places.direct(notice.person, self._directory)
            if not direct.failed:
                yield direct.channel
        if default:
            yield default
        if notice.to_all:
            async for channel in self._admins():
                yield channel

    async def _told(self, source: Source, before: int, switch: str) -> list[str]:
        """Where the last throw of the switch is told."""
        known = await self._postings.deliveries.deliveries(NOTICES, self._workspace)
        about = [
            one
            for one in known
            if one.seq < before and one.key.startswith(f"{source.prefix}:") and one.intent.get("switch") == switch
        ]
        newest = max((one.seq for one in about), default=0)
        posted = [Posted.of(one.receipt) for one in about if one.seq == newest and one.receipt is not None]
        return [one.channel for one in posted if not one.failed]

    async def _admins(self) -> AsyncIterator[str]:
        """Conversations with the admins, as far as they can be written to. Raises ``Unreadable``."""
        (admins,) = await self._directory.targets([ADMINS])
        if admins.asked.kind == "unread":
            raise Unreadable("who its admins are")
        for person in sorted(admins.members):
            direct = await self._places.direct(person, self._directory)
            if not direct.failed:
                yield direct.channel


def _decoded(one: StoredEvent) -> w.WorkspaceEvent:
    """Raises ``UnknownEvent`` for what only a newer release knows."""
    return w.decode(one.type, one.version, one.payload)
