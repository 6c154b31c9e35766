"""Starting workflows by the clock: each instant of a schedule starts one run, however many schedulers there are.

The one rule: a run's deduplication key names its instant, so an instant may be seen to twice, and is. First the run is
started, or noted as skipped; then the schedule moves on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

from engine.clock import Clock
from engine.core import events as e
from engine.core import workspace as ws
from engine.core import workspace_events as w
from engine.core.cron import instants, next_instant, spec_of
from engine.core.errors import EngineError, InvalidInput, UnknownWorkflow
from engine.core.instants import key_instant
from engine.core.kinds import Overlap, Schedule
from engine.core.workspace import Paused, WorkspaceState
from engine.definitions import Definitions, Frozen
from engine.handle import Begun
from engine.starting import Starter
from engine.store import Log, RunFilter, ScheduleRow, Schedules
from engine.workspace import Workspace, WorkspaceRefused

log = logging.getLogger(__name__)

IN_TIME = 60_000
"""An instant that is found this many ms late, at most, has not been missed: somebody was only slow or restarted."""
CLAIM = 30_000
"""For how many ms a scheduler has a schedule for itself."""
AT_ONCE = 50
MOST_BACKFILLED = 1_000
BY_CLOCK = e.Actor(via="engine", id="schedule", name="the schedule")
LABEL = "schedule"
NEVER = 2**62
"""The next instant of a schedule that never comes again."""
NOBODY = "no scheduler was at work then"


T = TypeVar("T")

_Command = Callable[[int], ws.PauseSchedule | ws.ResumeSchedule]


@dataclass(frozen=True, slots=True)
class ScheduleInfo:
    """A schedule for lists. ``next_at`` is None if it never comes again, or while it is paused."""

    workflow: str
    number: int
    schedule: Schedule
    next_at: int | None
    last_run: str | None
    last_at: int | None
    paused: Paused | None


class Timetable:
    """The schedules of the deployed workflows of one workspace. ``keep_time`` sees to those of many."""

    def __init__(
        self, store: Log, workspace: Workspace, definitions: Definitions, starter: Starter, clock: Clock
    ) -> None:
        self._store = store
        self._rows = Schedules(store, workspace.name)
        self._workspace = workspace
        self._definitions = definitions
        self._starter = starter
        self._clock = clock
        self._kept: frozenset[tuple[str, int, str]] | None = None
        self._head = self._seen = -1

    def has_work(self, head: int, *, due: bool) -> bool:
        """Whether a ``tick`` would do anything: the workspace's stream ends at ``head`` now, or a time has come."""
        self._head = head
        return due or self._kept is None or head != self._seen

    async def tick(self) -> int:
        """See once to all schedules whose time has come; how many there were."""
        head = self._head
        state = await self._definitions.refresh()
        await self._keep(state)
        claimed = await self._rows.claim(self._clock.now(), AT_ONCE, CLAIM)
        for row in claimed:
            await self._see_to(state, row)
        self._seen = head
        return len(claimed)

    async def all(self) -> list[ScheduleInfo]:
        """Every schedule, by workflow and number."""
        state = await self._definitions.refresh()
        rows = {(row.workflow, row.number): row for row in await self._rows.all()}
        found: list[ScheduleInfo] = []
        for (workflow, number), schedule in self._deployed(state).items():
            paused = state.paused.get((workflow, number))
            row = rows.get((workflow, number))
            following = next_instant(schedule, self._clock.now())
            if row is not None and row.spec == spec_of(schedule):
                following = None if row.next_at == NEVER else row.next_at
            last = await self._last(workflow, number)
            last_run, last_at = (None, None) if last is None else last
            found.append(
                ScheduleInfo(workflow, number, schedule, None if paused else following, last_run, last_at, paused)
            )
        return found

    async def pause(self, workflow: str, number: int | None = None, *, by: e.Actor, reason: str = "") -> int:
        """Let the schedule, or all of the workflow's, start nothing until it is resumed; how many were not paused.

        What is missed meanwhile is not made up for. Raises ``UnknownWorkflow`` and ``WorkspaceRefused``.
        """
        return await self._each(workflow, number, lambda n: ws.PauseSchedule(workflow, n, by, reason))

    async def resume(self, workflow: str, number: int | None = None, *, by: e.Actor, reason: str = "") -> int:
        """Let the schedule, or all of the workflow's, go on from its next instant; how many were paused."""
        return await self._each(workflow, number, lambda n: ws.ResumeSchedule(workflow, n, by, reason))

    async def backfill(self, workflow: str, number: int, start: int, end: int, *, by: e.Actor) -> list[Begun]:
        """Start a run for each instant of the schedule from ``start`` to ``end``, both included, in their order.

        Instants that have started a run before are duplicates. The runs bear the label ``backfill`` with the person's
        name, and go one after the other. Raises ``WorkspaceRefused`` for more than 1,000 instants, and what a start
        raises.
        """
        await self._definitions.refresh()
        schedule = self._schedule(workflow, number)
        if end > self._clock.now():
            raise WorkspaceRefused(f"{key_instant(end)} is still to come; the schedule itself starts what comes")
        found: list[int] = []
        for at in instants(schedule, start - 1, end):
            found.append(at)
            if len(found) > MOST_BACKFILLED:
                raise WorkspaceRefused(
                    f"there are more than {MOST_BACKFILLED:,} instants from {key_instant(start)} to "
                    f"{key_instant(end)}; take a shorter time"
                )
        labels = {"backfill": by.name[:200]}
        return [await self._start(workflow, number, schedule, at, by, labels) for at in found]

    # Inside

    async def _keep(self, state: WorkspaceState) -> None:
        """Have a row for each schedule that is deployed, and for no other."""
        deployed = self._deployed(state)
        wanted = frozenset((name, number, spec_of(schedule)) for (name, number), schedule in deployed.items())
        if wanted == self._kept:
            return
        known = {(row.workflow, row.number, row.spec) for row in await self._rows.all()}
        rows: list[ScheduleRow] = []
        for (name, number), schedule in deployed.items():
            spec = spec_of(schedule)
            following = self._clock.now()
            if (name, number, spec) not in known:
                following = next_instant(schedule, await self._seen_to(state, name, number)) or NEVER
            rows.append(ScheduleRow(name, number, spec, following))
        await self._rows.keep(rows)
        self._kept = wanted

    async def _seen_to(self, state: WorkspaceState, workflow: str, number: int) -> int:
        """Up to which instant nothing is to be done, where the row that says so is not there, or was lost."""
        last = await self._last(workflow, number)
        known = state.workflows[workflow].at
        return max(known, 0 if last is None else last[1], state.skipped.get((workflow, number), 0))

    async def _last(self, workflow: str, number: int) -> tuple[str, int] | None:
        """The last run that the schedule has started, and its instant."""
        key = await self._rows.last_started(_prefix(workflow, number))
        if key is None:
            return None
        at = round(datetime.fromisoformat(key.rpartition("/")[2]).timestamp() * 1_000)
        labels = {LABEL: f"{workflow}/{number}"}
        newest = await self._store.runs(workspace=self._workspace.name, where=RunFilter(labels=labels), limit=1)
        return (newest[0].id if newest else "", at)

    def _deployed(self, state: WorkspaceState) -> Mapping[tuple[str, int], Schedule]:
        return {
            (name, number): schedule
            for name in sorted(state.workflows)
            if state.current(name) is not None
            for number, schedule in enumerate(self._definitions.get(name).schedule)
        }

    def _schedule(self, workflow: str, number: int) -> Schedule:
        schedules = self._definitions.get(workflow).schedule
        if not 0 <= number < len(schedules):
            there = f"they count from 0 to {len(schedules) - 1}" if schedules else "it has none"
            raise WorkspaceRefused(f"{workflow} has no schedule {number}; {there}")
        return schedules[number]

    async def _see_to(self, state: WorkspaceState, row: ScheduleRow) -> None:
        schedule = self._deployed(state).get((row.workflow, row.number))
        if schedule is None or spec_of(schedule) != row.spec:
            self._kept = None  # somebody has deployed; the rows are made anew
            return
        now = self._clock.now()
        if (row.workflow, row.number) not in state.paused:
            # In a thread: after a long time without any scheduler there may be very many.
            found = [row.next_at, *await asyncio.to_thread(list, instants(schedule, row.next_at, now))]
            missed = [at for at in found if at < now - IN_TIME]
            made_up = missed[len(missed) - min(schedule.catch_up, len(missed)) :]
            left = missed[: len(missed) - len(made_up)]
            if left:
                await self._skip(row, left[0], left[-1], len(left), NOBODY)
            for at in (*made_up, *(at for at in found if at >= now - IN_TIME)):
                await self._fire(row, schedule, at)
        await self._rows.advance(row, next_instant(schedule, now) or NEVER)

    async def _fire(self, row: ScheduleRow, schedule: Schedule, at: int) -> None:
        """Start the run of this instant, or note why not; nothing if that was done already."""
        state = await self._workspace.state()
        if state.skipped.get((row.workflow, row.number), 0) >= at:
            return
        if schedule.overlap is Overlap.SKIP:
            prefix = _prefix(row.workflow, row.number)
            busy = await self._rows.open_before(prefix, prefix + key_instant(at))
            if busy is not None:
                await self._skip(row, at, at, 1, f"{busy} has not ended")
                return
        try:
            await self._start(row.workflow, row.number, schedule, at, BY_CLOCK, {})
        except (Frozen, InvalidInput, UnknownWorkflow) as error:
            await self._skip(row, at, at, 1, str(error).rstrip("."))

    async def _start(
        self, workflow: str, number: int, schedule: Schedule, at: int, by: e.Actor, labels: Mapping[str, str]
    ) -> Begun:
        name = _prefix(workflow, number).rstrip("/")
        in_turn = schedule.overlap is not Overlap.SKIP or bool(labels)
        on_limit = "cancel_running" if schedule.overlap is Overlap.CANCEL_RUNNING and not labels else "queue"
        return await self._starter.start(
            workflow,
            schedule.input,
            by=by,
            origin={"schedule": number, "instant": key_instant(at)},
            dedupe_key=_prefix(workflow, number) + key_instant(at),
            labels={LABEL: f"{workflow}/{number}", **labels},
            line=e.InLine(key=name, limit=1, on_limit=on_limit) if in_turn else None,
        )

    async def _skip(self, row: ScheduleRow, first: int, last: int, count: int, reason: str) -> None:
        event = w.ScheduleSkipped(
            workflow=row.workflow, schedule=row.number, first=first, last=last, count=count, reason=reason
        )
        await self._workspace.submit(lambda _: ws.Skip(event))
        log.warning("%s was not started by its schedule %d: %s", row.workflow, row.number, reason)

    async def _each(self, workflow: str, number: int | None, command: _Command) -> int:
        await self._definitions.refresh()
        schedules = self._definitions.get(workflow).schedule
        if number is not None:
            self._schedule(workflow, number)
        elif not schedules:
            raise WorkspaceRefused(f"{workflow} has no schedule")
        numbers = range(len(schedules)) if number is None else (number,)
        changed = [await self._workspace.submit(partial(_made, command, one)) for one in numbers]
        return sum(bool(events) for events in changed)


async def keep_time(timetables: Callable[[], Awaitable[Iterable[Timetable]]], every: float) -> None:
    """Start what is due, every so many seconds, until cancelled; a store that is away is waited for.

    ``timetables`` gives those that have work.
    """
    while True:
        for table in await _leniently(timetables()) or ():
            await _leniently(table.tick())
        await asyncio.sleep(every)


async def _leniently(answer: Awaitable[T]) -> T | None:
    """Nothing if it fails: the next look brings another try, and other workspaces are seen to meanwhile."""
    try:
        return await answer
    except EngineError as error:
        log.warning("Schedules wait: %s", error)
    except Exception:
        log.exception("The schedules met a fault that nobody foresaw, and go on.")
    return None


def _made(command: _Command, number: int, _: WorkspaceState) -> ws.Command:
    return command(number)


def _prefix(workflow: str, number: int) -> str:
    """What the deduplication keys of the schedule's runs begin with."""
    return f"schedule/{workflow}/{number}/"
