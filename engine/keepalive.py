"""Keeps a worker's lease: from a thread with a connection of its own, so that a step that blocks the loop keeps it.

The one rule: what keeps a lease also says what time it is at the database, for claims must be made by that clock.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
from collections.abc import Callable
from functools import cache
from importlib import metadata
from typing import Protocol

from engine.clock import DatabaseClock
from engine.store import JsonObject, LeaseKeeper, StoreError

log = logging.getLogger(__name__)

ENDS_WITHIN = 2.0


def this_process() -> JsonObject:
    """Where a worker runs, for those who look for it: ``host``, ``pid``, and the ``version`` of the release."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "version": _version()}


@cache
def _version() -> str:
    try:
        return metadata.version("vectorbea")
    except metadata.PackageNotFoundError:  # run from its sources
        return ""


class KeepAlive(Protocol):
    """Renews one worker's lease between ``start`` and ``stop``, and keeps ``clock`` near the database's."""

    @property
    def clock(self) -> DatabaseClock: ...

    def start(self) -> None: ...

    async def stop(self) -> None:
        """Returns when no renewal is under way any more."""
        ...


class ThreadKeepAlive:
    """Renews ``worker``'s lease of ``lease`` ms three times per lease, and sets ``clock`` by the database's.

    With each renewal it writes what ``about`` says of the worker, which is called in the thread. A database that is
    away is tried again at the next renewal.
    """

    def __init__(self, database_url: str, worker: str, lease: int, about: Callable[[], JsonObject]) -> None:
        self._database_url = database_url
        self._worker = worker
        self._lease = lease
        self._about = about
        self.clock = DatabaseClock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"keep-alive {worker}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    async def stop(self) -> None:
        """Ends the renewals, and waits for the one under way, if any, unless the database keeps it waiting."""
        self._stopped.set()
        await asyncio.to_thread(self._thread.join, ENDS_WITHIN)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                with LeaseKeeper(self._database_url, self._lease) as keeper:
                    while not self._stopped.is_set():
                        until = keeper.renew(self._worker, self._lease, self._about())
                        self.clock.set(until - self._lease)
                        self._pause()
            except StoreError as error:
                log.warning("The lease of %s could not be renewed: %s", self._worker, error)
                self._pause()
            except Exception:
                # Without this thread every longer step would be taken from a worker that knows nothing of it.
                log.exception("The lease of %s could not be renewed, for a reason that nobody foresaw.", self._worker)
                self._pause()

    def _pause(self) -> None:
        self._stopped.wait(self._lease / 3_000)
