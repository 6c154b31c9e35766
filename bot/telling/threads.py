"""Tells all runs of a workspace in Slack: takes those that have something new, and lets a narrator tell each.

The one rule: what Slack shows is the log. A run is told by the one process that holds its cursor; whatever that process
leaves undone is found by the next one, in the log and in the deliveries, and in Slack itself.

Runs are found by wake-ups from this process's own appends, and by a follower, which asks the store where cursors are
behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections import OrderedDict
from collections.abc import Sequence

from bot.people.directory import Directory
from bot.sending.outbox import Outbox
from bot.sending.postings import SETTLE_MS, THREADS, Postings
from bot.telling.alerts import ALERT
from bot.telling.lease import LeaseLost
from bot.telling.narrator import Narrator
from bot.telling.places import Places
from bot.telling.shared import PAUSES_S, Pace, Shared
from bot.telling.story import Story
from engine.core.errors import EngineError, UnknownEvent
from engine.core.state import Recorded, RunState
from engine.engine import Engine
from engine.ids import worker_id
from engine.plans import Plans

log = logging.getLogger(__name__)

TOLD_AT_ONCE = 200
"""Runs that one process tells side by side; the others wait until one has nothing more to say."""

STORIES_KEPT = 500

ALERTED_AT_ONCE = 20
"""Runs with alerts that are looked at side by side once somebody has answered."""


class Threads:
    """The bot's voice. ``outbox`` is shared with whatever else posts by itself, such as the step ``slack.post``.

    ``default_channel``: the id of the channel for runs that were not started in one; without it they are told nowhere.
    """

    def __init__(
        self,
        engine: Engine,
        outbox: Outbox,
        directory: Directory,
        *,
        default_channel: str | None = None,
        pace: Pace | None = None,
        settle_ms: int = SETTLE_MS,
        owner: str | None = None,
    ) -> None:
        """``owner``: the name under which this process holds cursors; a new one, if none is given."""
        postings = Postings(outbox, engine.store, THREADS, settle_ms=settle_ms)
        places = Places(outbox, default_channel)
        self._shared = Shared(
            engine, postings, places, directory, owner or worker_id(), Plans(engine.store), pace or Pace()
        )
        self._narrators: dict[str, Narrator] = {}
        self._tasks: set[asyncio.Task[bool]] = set()
        self._stories: OrderedDict[str, Story] = OrderedDict()
        self._active: set[str] = set()
        self._resting: set[str] = set()
        self._failures: dict[str, int] = {}
        self._woken: OrderedDict[str, None] = OrderedDict()
        self._called = asyncio.Event()
        self._stop_observing = engine.observe(self._on_append)

    @property
    def owner(self) -> str:
        """The name under which this process holds cursors."""
        return self._shared.owner

    def wake(self, run: str) -> None:
        """Say that the run has new events. Does not block; never needed for correctness, only for speed."""
        narrator = self._narrators.get(run)
        if narrator is not None:
            narrator.wake()
            return
        self._woken[run] = None
        self._called.set()

    async def run(self) -> None:
        """Tell what is found until cancelled. What is under way then is finished by whoever comes next."""
        try:
            while True:
                await self._called.wait()
                self._called.clear()
                self._start_woken()
        finally:
            self._stop_observing()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _on_append(self, state: RunState, events: Sequence[Recorded]) -> None:
        if events:
            self.wake(state.run)

    async def show_answers(self) -> None:
        """Have the alerts that are in Slack show what was done about them, also those of runs that have ended.

        Returns once they do. Raises the store's errors; then it is to be called again.
        """
        shared, room = self._shared, asyncio.Semaphore(ALERTED_AT_ONCE)

        async def show(run: str) -> None:
            async with room:
                await self._show_answers(run)

        async with asyncio.TaskGroup() as group:
            for run in await shared.cursors.open_with(THREADS, shared.engine.settings.workspace, ALERT):
                group.create_task(show(run))

    async def _show_answers(self, run: str) -> None:
        """Tell the run. Whoever else has told it for the time of a lease has looked at its alerts meanwhile."""
        pace = self._shared.pace
        for _ in range(math.ceil(pace.lease / pace.turn)):
            if run in self._resting:
                return  # it is told after that
            if run in self._active:
                self.wake(run)
            elif await self.tell(run):
                return
            await asyncio.sleep(pace.turn)

    def _start_woken(self) -> None:
        """Start those that were woken, as far as there is room; the store knows of the others."""
        woken, self._woken = self._woken, OrderedDict()
        for run in woken:
            self._start(run)

    async def find(self) -> None:
        """Start runs whose cursors are behind: other processes' appends, and what a crash left.

        Raises the store's errors.
        """
        room = TOLD_AT_ONCE - len(self._active)
        if room <= 0:
            return
        shared, lease_ms = self._shared, int(self._shared.pace.lease * 1_000)
        found = await shared.cursors.claim_cursors(
            THREADS, shared.owner, lease_ms, room, workspace=shared.engine.settings.workspace
        )
        for cursor in found:
            narrator = self._narrators.get(cursor.stream)
            if narrator is not None:
                narrator.wake()
            elif not self._start(cursor.stream):
                await self._leave(cursor.stream)

    async def _leave(self, run: str) -> None:
        """Let another process tell it, which may know what this one does not."""
        if run not in self._active:
            await self._shared.cursors.release_cursor(THREADS, run, self._shared.owner)

    def _start(self, run: str) -> bool:
        """Whether it is told now."""
        if run in self._active or run in self._resting or len(self._active) >= TOLD_AT_ONCE:
            return False
        self._active.add(run)
        task = asyncio.create_task(self.tell(run))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def tell(self, run: str) -> bool:
        """Tell the run until it has nothing new, and keep its story for the next time; False if that could not be."""
        told = False
        self._active.add(run)
        try:
            story = self._stories.pop(run, None) or await self._shared.load(run)
            narrator = self._narrators[run] = Narrator(self._shared, story)
            told = await narrator.tell()
            self._failures.pop(run, None)
            self._keep(run, story)
        except* LeaseLost:
            log.info("%s is told by another process.", run)
        except* UnknownEvent as newer:
            log.warning("%s is not told here. %s", run, newer.exceptions[0])
            self._rest(run, PAUSES_S[-1])
        except* EngineError as trouble:
            log.warning("%s will be told later. %s", run, trouble.exceptions[0])
            self._rest_after_failure(run)
        except* Exception:
            log.exception("Telling %s failed; it will be told again.", run)
            self._rest_after_failure(run)
        finally:
            self._active.discard(run)
            narrator = self._narrators.pop(run, None)
            if narrator is None:
                with contextlib.suppress(EngineError):
                    await asyncio.shield(self._leave(run))
            if narrator is not None and narrator.woken:
                self.wake(run)
        return told

    def _keep(self, run: str, story: Story) -> None:
        if story.state.end is None:
            self._stories[run] = story
            if len(self._stories) > STORIES_KEPT:
                self._stories.popitem(last=False)

    def _rest_after_failure(self, run: str) -> None:
        failures = self._failures[run] = self._failures.get(run, 0) + 1
        self._rest(run, PAUSES_S[min(failures, len(PAUSES_S)) - 1])

    def _rest(self, run: str, seconds: float) -> None:
        """Leave the run alone for so long."""
        self._resting.add(run)
        asyncio.get_running_loop().call_later(seconds, self._resume, run)

    def _resume(self, run: str) -> None:
        self._resting.discard(run)
        self.wake(run)
