"""A change that any number of tasks can wait for, without missing one that happens in between."""

from __future__ import annotations

import asyncio


class Pulse:
    """Counts changes. Note ``version``, look at things, then wait until it is ``past`` that version."""

    def __init__(self) -> None:
        self.version = 0
        self._beaten = asyncio.Event()

    def beat(self) -> None:
        """Something has changed: wake everybody who waits."""
        self.version += 1
        beaten, self._beaten = self._beaten, asyncio.Event()
        beaten.set()

    async def past(self, version: int) -> None:
        """Return when there was a change after ``version``."""
        while self.version <= version:
            await self._beaten.wait()
