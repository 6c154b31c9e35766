"""Renews a worker's lease from a thread with a connection of its own, so that a step that blocks the loop keeps it."""

from __future__ import annotations

import logging
import threading

from engine.clock import DatabaseClock
from engine.store import LeaseKeeper, StoreUnavailable

log = logging.getLogger(__name__)


class KeepAlive:
    """Renews ``worker``'s lease of ``lease`` ms three times per lease, and sets ``clock`` by the database's."""

    def __init__(self, url: str, worker: str, lease: int, clock: DatabaseClock) -> None:
        self._keeper = LeaseKeeper(url)
        self._worker = worker
        self._lease = lease
        self._clock = clock
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"keep-alive {worker}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends the renewals and gives the lease up. Blocks for the renewal under way, if any."""
        self._stopped.set()
        self._thread.join()
        self._keeper.close()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                until = self._keeper.renew(self._worker, self._lease)
                self._clock.set(until - self._lease)
            except StoreUnavailable as error:
                log.warning("The lease of %s could not be renewed: %s", self._worker, error)
            self._stopped.wait(self._lease / 3_000)
