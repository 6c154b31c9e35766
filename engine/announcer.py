"""Adds activations to the stream, in the background and many at a time.

The one rule: an announcement may be lost. ``open_work`` has the run's due already, so the scheduler makes up for it;
nobody waits for Redis, and nothing fails because it is away.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from engine.streams import COMMON, ActivationStream, Lane, StreamsUnavailable

log = logging.getLogger(__name__)

FORGOTTEN_AFTER = 3_600_000


class Announcer:
    """``announce`` returns at once; ``close`` sends what is left."""

    def __init__(self, streams: ActivationStream) -> None:
        self._streams = streams
        self._waiting: dict[Lane, dict[str, None]] = {}
        self._sending: asyncio.Task[None] | None = None
        self._reachable = True

    def announce(self, run: str, lane: Lane = COMMON) -> None:
        """Say that somebody should look at ``run``, when its lane has its turn."""
        self._waiting.setdefault(lane, {})[run] = None
        if self._sending is None:
            self._sending = asyncio.create_task(self._send())

    async def backlog(self) -> Mapping[str, int]:
        """How many announcements nobody is done with yet, by workspace. Raises ``StreamsUnavailable``."""
        return await self._streams.backlog()

    async def tidy_up(self) -> None:
        """Forget workers that were silent for an hour. Raises ``StreamsUnavailable`` and ``GroupLost``."""
        await self._streams.forget_idle_consumers(FORGOTTEN_AFTER)

    async def close(self) -> None:
        if self._sending is not None:
            await self._sending

    async def _send(self) -> None:
        try:
            while self._waiting:
                waiting, self._waiting = self._waiting, {}
                await self._add(waiting)
        finally:
            self._sending = None

    async def _add(self, waiting: Mapping[Lane, Mapping[str, None]]) -> None:
        try:
            # In one round trip. The first that fails says it for all.
            await asyncio.gather(*(self._streams.add(runs, lane) for lane, runs in waiting.items()))
        except StreamsUnavailable as error:
            if self._reachable:
                log.warning("%s Work goes on when it is back; decisions are recorded meanwhile.", error)
            self._reachable = False
        else:
            self._reachable = True
