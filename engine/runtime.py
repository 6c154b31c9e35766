"""What an open engine has once, whichever workspace looks at it: who appends, who announces, who watches, who works.

The one rule: what is made here is closed here, in the opposite order; what a workspace has for itself is made by its
facade.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager

from engine.announcer import Announcer
from engine.clock import Clock
from engine.core import events as e
from engine.core.outlook import something_ready
from engine.core.state import Recorded, RunState
from engine.endings import Endings
from engine.errands import Errands
from engine.following import Following
from engine.handle import Handle
from engine.ids import Ids
from engine.keepalive import KeepAlive
from engine.plans import Plans
from engine.recall import Recall
from engine.scheduler import Scheduler, SchedulerSettings
from engine.schedules import Timetable, keep_time
from engine.staff import Staff
from engine.steps.registry import Registry
from engine.store import Log, StoreError
from engine.streams import ActivationStream, Lane
from engine.worker import LAST_WORD_WITHIN, Worker, WorkerSettings

log = logging.getLogger(__name__)


class Runtime:
    """The parts of one open engine, on its store and its stream."""

    def __init__(self, store: Log, streams: ActivationStream, registry: Registry, clock: Clock, ids: Ids) -> None:
        self.store = store
        self.registry = registry
        self.clock = clock
        self.ids = ids
        self._streams = streams
        self.announcer = Announcer(streams)
        self.plans = Plans(store)
        self.handle = Handle(store, clock, self.plans, Recall(store), self.announcer.announce)
        self.endings = Endings(store, self.handle)
        self.errands = Errands(store, self.handle, self.plans)
        self.following = Following(store, self.handle.recall)
        for observer in (self._on_append, self.endings.observe, self.errands.observe, self.following.observe):
            self.handle.observe(observer)

    def employ(self, url: str, settings: WorkerSettings, keep_alive: Callable[[str], KeepAlive] | None) -> Staff:
        """The workers of this process. ``keep_alive`` gives what keeps the lease of one; otherwise threads do."""
        return Staff(
            store=self.store,
            url=url,
            settings=settings,
            ids=self.ids,
            keep_alive=keep_alive,
            worker=lambda me, kept: Worker(
                me, self.handle, self.store, self._streams, self.registry, self.errands, kept, settings
            ),
        )

    @asynccontextmanager
    async def work(
        self, staff: Staff, settings: SchedulerSettings, timetables: Callable[[], Awaitable[Iterable[Timetable]]]
    ) -> AsyncGenerator[Worker]:
        """Run a worker and a scheduler until the block is left; then stop them gracefully."""
        hired = [await staff.hire()]
        leaving = asyncio.Event()
        scheduler = Scheduler(self.store, self.announcer, self.clock, settings)
        working = asyncio.create_task(staff.keep_working(hired, leaving))
        scheduling = [
            asyncio.create_task(scheduler.run()),
            asyncio.create_task(keep_time(timetables, settings.clock_every)),
        ]
        try:
            yield hired[0]
        finally:
            for task in scheduling:
                task.cancel()
            leaving.set()
            hired[-1].stop()
            for outcome in await asyncio.gather(working, *scheduling, return_exceptions=True):
                if isinstance(outcome, Exception):
                    log.error("The worker did not stop as it should.", exc_info=outcome)
            with contextlib.suppress(StoreError, TimeoutError):
                async with asyncio.timeout(LAST_WORD_WITHIN):
                    await scheduler.anchor()

    async def close(self) -> None:
        """Send and settle what was handed in, then hang up. A database that is away is not waited for any more."""
        self.store.database.patience_s = LAST_WORD_WITHIN
        await self.following.close()
        await self.endings.close()
        await self.errands.close()
        await self.handle.close()
        await self.announcer.close()
        await self._streams.close()
        await self.store.close()

    def _on_append(self, state: RunState, events: Sequence[Recorded]) -> None:
        # Where a worker has found that it lacks the code, others are offered the run at once.
        left = any(isinstance(one.event, e.StepAwaitedWorker) for one in events)
        if left or something_ready(state, self.clock.now()):
            self.announcer.announce(state.run, Lane(state.started.workspace, state.started.priority))
