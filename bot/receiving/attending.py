"""What is being attended to at the moment: deliveries that are not answered yet, listeners that have not finished.

The one rule: a stopping process waits for these before it closes its connection to Slack, and for nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager


class Attending:
    """Counts what is under way."""

    def __init__(self) -> None:
        self._count = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @contextmanager
    def one(self) -> Generator[None]:
        """Counted while the block runs."""
        self._count += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._count -= 1
            if self._count == 0:
                self._idle.set()

    async def finished(self, within_s: float) -> bool:
        """Wait until nothing is under way; False if something still is after that time."""
        try:
            async with asyncio.timeout(within_s):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True
