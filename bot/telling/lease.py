"""The hold of one process on one cursor: what it tells under it, nobody else tells.

The one rule: who has the cursor prolongs it beside whatever they do, however long Slack takes; who has lost it stops at
once, and leaves the rest to whoever has it now.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from bot.sending.outbox import TIMEOUT_S
from engine.store import Cursor, Deliveries


class LeaseLost(Exception):
    """Another process tells this now."""


class Lease:
    """That of ``owner`` on how far ``consumer`` has told ``stream``, for so many ``seconds`` at a time."""

    def __init__(self, deliveries: Deliveries, consumer: str, stream: str, owner: str, seconds: float) -> None:
        self._deliveries = deliveries
        self._mine = (consumer, stream, owner)
        self._seconds = seconds
        self._held_until = 0.0

    async def claim(self) -> Cursor | None:
        """Take or prolong the cursor; None if another process has it."""
        asked_at = time.monotonic()
        cursor = await self._deliveries.claim_cursor(*self._mine, int(self._seconds * 1_000))
        if cursor is not None:
            self._held_until = asked_at + self._seconds
        return cursor

    async def hold(self) -> None:
        """Make sure that the cursor stays ours until a call that is made now has ended. Raises ``LeaseLost``."""
        if self._held_until - time.monotonic() < TIMEOUT_S + 1:
            await self._prolong()

    @asynccontextmanager
    async def kept(self) -> AsyncGenerator[asyncio.TaskGroup]:
        """Prolong it until the block ends, and cancel the block where it is lost.

        What goes wrong in the block or in its tasks is raised as a group, ``LeaseLost`` too.
        """
        async with asyncio.TaskGroup() as group:
            keeping = group.create_task(self._keep())
            yield group
            keeping.cancel()

    async def advance(self, seq: int, *, done: bool = False) -> None:
        """All up to ``seq`` is told; ``done``: nothing is expected after it. Raises ``LeaseLost``."""
        if not await self._deliveries.advance(*self._mine, seq, done=done):
            raise LeaseLost(self._mine[1])

    async def release(self) -> None:
        """Give it back, so that others need not wait for its end; also where this is cancelled meanwhile."""
        await asyncio.shield(self._deliveries.release_cursor(*self._mine))

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(self._seconds / 3)
            await self._prolong()

    async def _prolong(self) -> None:
        if await self.claim() is None:
            raise LeaseLost(self._mine[1])
