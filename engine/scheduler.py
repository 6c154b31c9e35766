"""Offers runs whose time has come: sweeps ``open_work`` and announces what is due.

The one rule: SQL alone recovers. Whatever was lost, an activation, a worker or all of Redis, a run with something to do
has a due here, and the sweep finds it. Any number of schedulers may run.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.announcer import Announcer
from engine.clock import Clock
from engine.store import PUSH, DueKind, Log, StoreError
from engine.streams import GroupLost, Lane, StreamsUnavailable

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SchedulerSettings:
    """``every``: seconds between sweeps; ``clock_every``: between looks for schedules whose time has come.

    ``push``: ms until a swept run is swept again, by what it waits for.

    ``backlog``: a workspace with this many activations in the stream is not swept, as it has more work than workers: to
    announce the same runs once more would only make it longer.
    """

    every: float = 0.5
    clock_every: float = 1.0
    push: Mapping[DueKind, int] = field(default_factory=lambda: PUSH)
    batch: int = 500
    backlog: int = 5_000
    anchor_every: float = 60.0


class Scheduler:
    """``run`` sweeps until it is cancelled; a store or a Redis that is away is waited for."""

    def __init__(self, store: Log, announcer: Announcer, clock: Clock, settings: SchedulerSettings) -> None:
        self._store = store
        self._announcer = announcer
        self._clock = clock
        self._settings = settings
        self._reachable = True

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        anchor_at = loop.time()
        while True:
            try:
                swept = await self.sweep()
                if loop.time() >= anchor_at:
                    await self.anchor()
                    await self.tidy_up()
                    anchor_at = loop.time() + self._settings.anchor_every
                self._reachable = True
            except StoreError as error:
                if self._reachable:
                    log.warning("%s Nothing is scheduled until it is back.", error)
                self._reachable, swept = False, 0
            except StreamsUnavailable:
                swept = 0  # the worker and the announcer say so
            except Exception:
                log.exception("The scheduler meets a fault that nobody foresaw, and goes on.")
                swept = 0
            if swept < self._settings.batch:
                await asyncio.sleep(self._settings.every)

    async def anchor(self) -> None:
        """Note the heads that changed in their workspaces' streams, so that a run's removal is noticed."""
        for workspace in await self._store.unanchored():
            await self._store.anchor(workspace, self._clock.now())

    async def sweep(self) -> int:
        """Announce the runs that are due now; how many there were.

        ``StreamsUnavailable`` while Redis is away: they stay due, and are announced the moment that it is back.
        """
        backlog = await self._announcer.backlog()
        busy = [workspace for workspace, activations in backlog.items() if activations >= self._settings.backlog]
        now = await self._now()
        taken = await self._store.take_due(now, self._settings.batch, self._settings.push, busy)
        for due in taken:
            self._announcer.announce(due.run, Lane(due.workspace, due.priority))
        return len(taken)

    async def tidy_up(self) -> None:
        """Forget workers that are gone, and lanes that are empty. Raises ``StreamsUnavailable``."""
        try:
            await self._announcer.tidy_up()
        except GroupLost:
            await self._store.make_all_due(await self._now())

    async def _now(self) -> int:
        """By the database's clock, which all schedulers share; a demo's moved clock brings timers forward."""
        return await self._store.now() + self._clock.shift
