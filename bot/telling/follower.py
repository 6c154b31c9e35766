"""Finds what is to be told, for all workspaces that a process serves: two questions a second, however many they are.

The one rule: the store is asked once which workspaces have a run with something new, and once in which something was
said about the workspace itself; only those are looked at. So a workspace in which nothing happens costs nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol

from bot.sending.postings import NOTICES, THREADS
from engine.core.errors import EngineError
from engine.ids import worker_id
from engine.store import Deliveries

log = logging.getLogger(__name__)

POLL_S = 1.0


class Teller(Protocol):
    """Tells the runs of one workspace."""

    async def find(self) -> None:
        """Begin to tell the runs that have something new, as far as there is room. Raises the store's errors."""
        ...


class Crier(Protocol):
    """Tells what is said in one workspace itself."""

    def begin(self) -> None:
        """Begin to tell what is new, unless that is under way."""
        ...


class Follower:
    """That of one process. ``owner`` is the name under which it holds the cursors of all its workspaces.

    What is said in ``home`` about everything concerns all of them.
    """

    def __init__(self, deliveries: Deliveries, home: str) -> None:
        self.owner = worker_id()
        self._home = home
        self._deliveries = deliveries
        self._tellers: dict[str, Teller] = {}
        self._criers: dict[str, Crier] = {}
        self._called = asyncio.Event()
        self._reachable = True

    @contextmanager
    def following(self, workspace: str, teller: Teller, crier: Crier | None = None) -> Generator[None]:
        """Let them know what is new in the workspace, until the block ends; what is new already, at once."""
        self._tellers[workspace] = teller
        if crier is not None:
            self._criers[workspace] = crier
        self._called.set()
        try:
            yield
        finally:
            del self._tellers[workspace]
            self._criers.pop(workspace, None)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.look()
                self._reachable = True
            except EngineError as error:
                if self._reachable:
                    log.warning("%s Threads go on when it is back.", error)
                self._reachable = False
            except Exception:
                log.exception("Looking for what is to be told met a fault that nobody foresaw, and goes on.")
            # Not wait_for, which loses a cancellation that comes together with a call (Python 3.11).
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._called.wait()
            self._called.clear()

    async def look(self) -> None:
        """Look once. Raises the store's errors."""
        if not self._tellers:
            return
        for workspace in await self._deliveries.unread(THREADS, self.owner):
            if (teller := self._tellers.get(workspace)) is not None:
                await teller.find()
        if self._criers:
            for workspace in await self._deliveries.unread_said(NOTICES, self.owner, self._home):
                if (crier := self._criers.get(workspace)) is not None:
                    crier.begin()
