"""The workers of one process: one at a time, each under an id of its own, and what they say of themselves.

The one rule: a worker claims nothing before its lease is held. One that a newer release has overtaken retires, and is
followed by another.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from engine.ids import Ids
from engine.keepalive import KeepAlive, ThreadKeepAlive, this_process
from engine.store import JsonObject, Log, StoreUnavailable
from engine.worker import Worker, WorkerSettings

log = logging.getLogger(__name__)

HIRE_AGAIN = 1.0

MOST_NAMED = 20
"""Steps in hand that a worker names when it says what it does."""


class Staff:
    """``worker`` makes one of an id and of what keeps its lease; ``keep_alive`` gives that, otherwise threads do."""

    def __init__(
        self,
        *,
        store: Log,
        url: str,
        settings: WorkerSettings,
        ids: Ids,
        worker: Callable[[str, KeepAlive], Worker],
        keep_alive: Callable[[str], KeepAlive] | None = None,
    ) -> None:
        self._store = store
        self._url = url
        self._settings = settings
        self._ids = ids
        self._worker = worker
        self._keep_alive = keep_alive or self._by_thread
        self._workers: dict[str, Worker] = {}

    async def hire(self) -> Worker:
        """A worker under a new id, whose lease is held from here on. Raises ``StoreUnavailable``."""
        me = self._ids.worker()
        keep_alive = self._keep_alive(me)
        # The lease is held before the first claim, and says what time it is at the database.
        lease = self._settings.lease
        keep_alive.clock.set(await self._store.renew(me, lease, self._about(me)) - lease)
        worker = self._workers[me] = self._worker(me, keep_alive)
        return worker

    async def keep_working(self, hired: list[Worker], leaving: asyncio.Event) -> None:
        """Run the last of ``hired``; one that retires is followed by another, until it is time to leave."""
        while True:
            worker = hired[-1]
            try:
                await worker.run()
            finally:
                del self._workers[worker.id]
            while worker.retired and worker is hired[-1]:
                if leaving.is_set():
                    return
                try:
                    hired.append(await self.hire())
                except StoreUnavailable as error:
                    log.warning("%s A worker begins when it is back.", error)
                    await asyncio.sleep(HIRE_AGAIN)
            if worker is hired[-1]:
                return
            if leaving.is_set():
                hired[-1].stop()

    def _by_thread(self, worker: str) -> KeepAlive:
        return ThreadKeepAlive(self._url, worker, self._settings.lease, partial(self._about, worker))

    def _about(self, worker: str) -> JsonObject:
        """What a worker says of itself: where it runs, how many of its slots have a step, and which.

        ``in_hand`` has run and path of the first few.
        """
        working = self._workers.get(worker)
        in_hand = [] if working is None else working.in_hand
        slots = self._settings.slots
        return {**this_process(), "slots": slots, "steps": len(in_hand), "in_hand": in_hand[:MOST_NAMED]}
