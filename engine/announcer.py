"""Adds activations to the stream, in the background and many at a time.

The one rule: an announcement may be lost. ``open_work`` has the run's due already, so the scheduler makes up for it;
nobody waits for Redis, and nothing fails because it is away.
"""

from __future__ import annotations

import asyncio
import logging

from engine.streams import Streams, StreamsUnavailable

log = logging.getLogger(__name__)


class Announcer:
    """``announce`` returns at once; ``close`` sends what is left."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._waiting: dict[str, None] = {}
        self._sending: asyncio.Task[None] | None = None
        self._reachable = True

    def announce(self, run: str) -> None:
        """Say that somebody should look at ``run``."""
        self._waiting[run] = None
        if self._sending is None:
            self._sending = asyncio.create_task(self._send())

    async def backlog(self) -> int:
        """How many announcements nobody has taken up yet. Raises ``StreamsUnavailable``."""
        return (await self._streams.depth()).activations

    async def close(self) -> None:
        if self._sending is not None:
            await self._sending

    async def _send(self) -> None:
        try:
            while self._waiting:
                runs = list(self._waiting)
                self._waiting.clear()
                await self._add(runs)
        finally:
            self._sending = None

    async def _add(self, runs: list[str]) -> None:
        try:
            await self._streams.add(runs)
        except StreamsUnavailable as error:
            if self._reachable:
                log.warning("%s Work goes on when it is back; decisions are recorded meanwhile.", error)
            self._reachable = False
        else:
            self._reachable = True
