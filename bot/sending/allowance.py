"""What the sender of one workspace may ask of Slack, together with the senders of the other processes.

The one rule: what all may do together is counted in one place, the shared buckets on Redis. While that is away, each
process keeps to an equal share of every limit, what it has done before counted; so a loss costs pace, and no limit.

How many processes share is known by leases in the database, one for each process that serves Slack.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, NamedTuple, Protocol

from bot.sending.pacing import Budget, buckets
from engine.clock import MovableClock
from engine.engine import Engine
from engine.ids import worker_id
from engine.store import Log, StoreError
from engine.streams import Bucket, Buckets, Request, StreamsUnavailable

log = logging.getLogger(__name__)

PREFIX: Final = "bot_"
LEASE_MS: Final = 60_000
_RENEW_EVERY_S: Final = 20.0
_ASK_REDIS_AGAIN_S: Final = 1.0


class Wish(NamedTuple):
    """One call of ``method`` (a post names its ``channel``) for somebody of this rank; 0 is the most urgent."""

    method: str
    channel: str | None
    rank: int


@asynccontextmanager
async def sharing(engine: Engine) -> AsyncGenerator[Callable[[str], Allowance]]:
    """Gives the allowance for each Slack workspace, by its id, until the block ends.

    Where the engine's clock runs faster than the real one, Slack's is taken to do the same.
    """
    speed = engine.clock.pace if isinstance(engine.clock, MovableClock) else 1.0
    shared = Buckets(engine.settings.redis_url, engine.settings.namespace)
    sharers = Sharers(engine.store)
    await sharers.look()
    counting = asyncio.create_task(sharers.run())
    given: list[Together] = []

    def allowance_of(team: str) -> Allowance:
        alone = Alone(sharers=lambda: sharers.count, speed=speed)
        given.append(Together(shared, team, alone, recount=sharers.look, speed=speed))
        return given[-1]

    try:
        yield allowance_of
    finally:
        for each in given:
            await each.end()
        counting.cancel()
        await asyncio.gather(counting, return_exceptions=True)
        await shared.close()


class Allowance(Protocol):
    """Who says when a call may be made."""

    async def take(self, wishes: Sequence[Wish]) -> list[float]:
        """For each wish, in this order: 0 if the call may be made now, else the seconds until it may be asked again."""
        ...

    async def close(self, method: str, seconds: float) -> None:
        """Slack has asked to leave the method alone for so long."""
        ...


class Sharers:
    """How many processes serve Slack from this database, this one among them."""

    def __init__(self, store: Log) -> None:
        self.count = 1
        self._store = store
        self._me = worker_id().replace("wrk_", PREFIX, 1)

    async def run(self) -> None:
        """Keep this process counted, and count, until cancelled."""
        try:
            while True:
                await self.look()
                await asyncio.sleep(_RENEW_EVERY_S)
        finally:
            await asyncio.shield(self._leave())

    async def look(self) -> None:
        """Count now. While the database is away, the last count stands."""
        try:
            await self._store.renew(self._me, LEASE_MS)
            self.count = max(1, await self._store.leases_held(PREFIX))
        except StoreError as error:
            log.info("The processes that serve Slack were not counted: %s", error)

    async def _leave(self) -> None:
        try:
            await self._store.release(self._me)
        except StoreError as error:
            log.info("This process counts until its lease has run out: %s", error)


class Alone:
    """The allowance of a process by itself. ``sharers`` says for how many a limit must do."""

    def __init__(
        self,
        *,
        sharers: Callable[[], int] = lambda: 1,
        speed: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sharers = sharers
        self._speed = speed
        self._monotonic = monotonic
        self._budget = Budget()

    async def take(self, wishes: Sequence[Wish]) -> list[float]:
        """See ``Allowance``."""
        now = self._monotonic()
        self._budget.share = 1 / self._sharers()
        waits: list[float] = []
        for wish in wishes:
            wanted = buckets(wish.method, wish.channel, self._speed)
            wait = self._budget.wait(wanted, now)
            if wait <= 0:
                self._budget.take(wanted, now)
            waits.append(wait)
        return waits

    async def close(self, method: str, seconds: float) -> None:
        """See ``Allowance``."""
        self._budget.close(method, seconds / self._speed, self._monotonic())

    def note(self, wish: Wish) -> None:
        """A call is made that was allowed otherwise."""
        self._budget.share = 1 / self._sharers()
        self._budget.take(buckets(wish.method, wish.channel, self._speed), self._monotonic())


async def _nothing() -> None:
    """What is done where nothing is to be done."""


class Together:
    """The allowance of all processes that serve the workspace ``team``; ``alone`` is this one's while Redis is away.

    ``recount`` is called before that begins.
    """

    def __init__(
        self,
        shared: Buckets,
        team: str,
        alone: Alone,
        *,
        recount: Callable[[], Awaitable[None]] = _nothing,
        speed: float = 1.0,
    ) -> None:
        self._shared = shared
        self._team = team
        self._alone = alone
        self._recount = recount
        self._speed = speed
        self._closed: dict[str, float] = {}
        """Methods that Slack has closed, and until when, of which the others are still to be told."""
        self._looking: asyncio.Task[None] | None = None
        """Set while Redis is away."""

    async def end(self) -> None:
        """Look for Redis no more."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def take(self, wishes: Sequence[Wish]) -> list[float]:
        """See ``Allowance``."""
        if self._looking is None:
            try:
                waits = await self._shared.take([self._request(wish) for wish in wishes])
            except StreamsUnavailable as error:
                self._lost(error)
                await self._recount()
            else:
                for wish, wait in zip(wishes, waits, strict=True):
                    if wait <= 0:
                        self._alone.note(wish)
                return waits
        return await self._alone.take(wishes)

    async def close(self, method: str, seconds: float) -> None:
        """See ``Allowance``. This process keeps to it also if Redis is away, and tells the others when it is back."""
        await self._alone.close(method, seconds)
        self._closed[method] = time.monotonic() + seconds / self._speed
        if self._looking is None:
            try:
                await self._tell_closed()
            except StreamsUnavailable as error:
                self._lost(error)

    async def _tell_closed(self) -> None:
        for method, until in list(self._closed.items()):
            await self._shared.close_for(self._named(method), max(until - time.monotonic(), 0.0))
            self._closed.pop(method, None)

    def _request(self, wish: Wish) -> Request:
        wanted = buckets(wish.method, wish.channel, self._speed)
        return Request(wish.rank, tuple(Bucket(self._named(name), rate, burst) for name, rate, burst in wanted))

    def _named(self, name: str) -> str:
        return f"{self._team}:{name}"

    def _lost(self, error: StreamsUnavailable) -> None:
        if self._looking is None:
            log.warning("%s Until then this process sends to Slack at its share of the usual pace.", error)
            self._looking = asyncio.create_task(self._look())

    async def _look(self) -> None:
        """Ask until Redis answers; nobody waits for it meanwhile."""
        while True:
            await asyncio.sleep(_ASK_REDIS_AGAIN_S)
            with contextlib.suppress(StreamsUnavailable):
                await self._shared.take([])
                await self._tell_closed()
                break
        log.info("Redis is back: Slack is sent to at the usual pace.")
        self._looking = None
