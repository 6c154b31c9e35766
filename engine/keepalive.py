"""Renews a worker's lease from a thread with a connection of its own, so that a step that blocks the loop keeps it."""

from __future__ import annotations

import logging
import threading

from engine.clock import DatabaseClock
from engine.store import LeaseKeeper, StoreError

log = logging.getLogger(__name__)


class KeepAlive:
    """Renews ``worker``'s lease of ``lease`` ms three times per lease, and sets ``clock`` by the database's.

    A database that is away is tried again at the next renewal.
    """

    def __init__(self, database_url: str, worker: str, lease: int) -> None:
        self._database_url = database_url
        self._worker = worker
        self._lease = lease
        self.clock = DatabaseClock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"keep-alive {worker}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends the renewals. Blocks for the one under way, if any."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                with LeaseKeeper(self._database_url) as keeper:
                    while not self._stopped.is_set():
                        until = keeper.renew(self._worker, self._lease)
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
