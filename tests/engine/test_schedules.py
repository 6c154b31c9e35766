"""Schedules on real databases: each instant starts one run, whoever looks, and says so where it does not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest

from engine.clock import Clock
from engine.core.definition import Workflow
from engine.core.workspace import DEPLOY
from engine.core.workspace_events import ScheduleSkipped
from engine.engine import Engine
from engine.schedules import Timetable
from engine.store import RunInfo
from engine.workspace import WorkspaceRefused
from tests.engine.conftest import ANA, BEN, Setup, ended, workflow
from tests.engine.flows import reaches
from tests.statements import counted
from tests.store.build import tamper

MAY = frozenset({DEPLOY})
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
NOON = 1_893_499_200_000  # 2030-01-01T12:00Z


class SetClock:
    """A clock that says what the test wants."""

    shift = 0

    def __init__(self, now: int) -> None:
        self.at = now

    def now(self) -> int:
        return self.at


def hourly(*, wait: bool = True, **schedule: Any) -> Workflow:
    step: dict[str, object] = {"id": "w", "wait_for": "go"} if wait else {"id": "s", "set": {"x": 1}}
    return workflow(step, name="report", schedule=[{"cron": "0 * * * *", **schedule}])


def timetable(engine: Engine, clock: Clock) -> Timetable:
    """What another process has, or this one after a restart: it remembers nothing."""
    return Timetable(engine.store, engine.workspace, engine.definitions, engine._starter, clock)  # pyright: ignore[reportPrivateUsage]


@pytest.fixture
def clock(setup: Setup) -> SetClock:
    made = SetClock(NOON)
    setup.clock = made  # type: ignore[assignment]
    return made


async def deployed(engine: Engine, definition: Workflow) -> Timetable:
    await engine.deploy([definition], by=ANA, may=MAY)
    assert await engine.timetable.tick() == 0
    return engine.timetable


async def runs(engine: Engine) -> Sequence[RunInfo]:
    return sorted(await engine.runs(limit=100), key=lambda run: run.dedupe_key or "")


async def instants(engine: Engine) -> list[str]:
    return [(run.dedupe_key or "").rpartition("/")[2] for run in await runs(engine)]


async def skipped(engine: Engine) -> list[ScheduleSkipped]:
    return [event for _, event in await engine.workspace.history() if isinstance(event, ScheduleSkipped)]


async def test_each_instant_starts_one_run_whoever_looks(setup: Setup, clock: SetClock) -> None:
    async with setup.engine() as engine, setup.engine() as other:
        table = await deployed(engine, hourly(wait=False))
        for hour in (1, 2):
            clock.at = NOON + hour * HOUR + 5
            await asyncio.gather(*(each.tick() for each in (table, other.timetable, timetable(other, clock))))
        assert await instants(engine) == ["2030-01-01T13:00:00Z", "2030-01-01T14:00:00Z"]
        [info] = await engine.schedules()
        assert (info.next_at, info.last_at) == (NOON + 3 * HOUR, NOON + 2 * HOUR)
        assert info.last_run == (await runs(engine))[-1].id
        assert (await runs(engine))[0].labels == {"schedule": "report/0"}
        assert (await engine.verify()).findings == []


async def test_an_instant_that_was_seen_to_halfway_is_seen_to_again(setup: Setup, clock: SetClock) -> None:
    async with setup.engine() as engine:
        table = await deployed(engine, hourly())
        clock.at = NOON + HOUR
        await table.tick()
        await tamper(engine.store, "UPDATE schedules SET next_at = :at, claimed_until = 0", at=NOON + HOUR)
        assert await table.tick() == 1
        assert len(await runs(engine)) == 1
        assert await skipped(engine) == []


async def test_what_was_missed_is_made_up_for_as_far_as_the_schedule_says(setup: Setup, clock: SetClock) -> None:
    async with setup.engine() as engine:
        table = await deployed(engine, hourly(wait=False, catch_up=2))
        clock.at = NOON + 5 * HOUR + 10 * MINUTE
        await table.tick()
        assert await instants(engine) == ["2030-01-01T16:00:00Z", "2030-01-01T17:00:00Z"]
        [gap] = await skipped(engine)
        assert (gap.first, gap.last, gap.count) == (NOON + HOUR, NOON + 3 * HOUR, 3)
        await tamper(engine.store, "DELETE FROM schedules")
        await timetable(engine, clock).tick()
        assert len(await runs(engine)) == 2
        assert len(await skipped(engine)) == 1


async def test_without_catch_up_only_what_is_in_time_is_started(setup: Setup, clock: SetClock) -> None:
    async with setup.engine() as engine:
        table = await deployed(engine, hourly(wait=False, catch_up=0))
        clock.at = NOON + HOUR + 10 * MINUTE
        await table.tick()
        assert await instants(engine) == []
        clock.at = NOON + 2 * HOUR + MINUTE // 2
        await table.tick()
        assert await instants(engine) == ["2030-01-01T14:00:00Z"]


async def test_a_table_that_was_lost_is_made_again_from_what_is_deployed(setup: Setup, clock: SetClock) -> None:
    async with setup.engine() as engine:
        table = await deployed(engine, hourly(wait=False, catch_up=5))
        clock.at = NOON + HOUR
        await table.tick()
        await tamper(engine.store, "DELETE FROM schedules")
        clock.at = NOON + 3 * HOUR
        again = timetable(engine, clock)
        await again.tick()
        await again.tick()
        assert await instants(engine) == [f"2030-01-01T{hour}:00:00Z" for hour in (13, 14, 15)]


async def test_a_run_that_goes_on_lets_the_next_instant_be_skipped(setup: Setup, clock: SetClock) -> None:
    async with setup.engine() as engine:
        table = await deployed(engine, hourly())
        for hour in (1, 2, 3):
            clock.at = NOON + hour * HOUR
            await table.tick()
        assert await instants(engine) == ["2030-01-01T13:00:00Z"]
        first, second = await skipped(engine)
        assert first.reason == f"{(await runs(engine))[0].id} has not ended"
        assert second.last == NOON + 3 * HOUR
        await engine.cancel((await runs(engine))[0].id, by=ANA)
        clock.at = NOON + 4 * HOUR
        await table.tick()
        assert await instants(engine) == ["2030-01-01T13:00:00Z", "2030-01-01T16:00:00Z"]


async def test_an_instant_that_was_skipped_stays_skipped(setup: Setup, clock: SetClock) -> None:
    async with setup.engine() as engine:
        table = await deployed(engine, hourly())
        for hour in (1, 2):
            clock.at = NOON + hour * HOUR
            await table.tick()
        await engine.cancel((await runs(engine))[0].id, by=ANA)
        await tamper(engine.store, "UPDATE schedules SET next_at = :at, claimed_until = 0", at=NOON + 2 * HOUR)
        assert await table.tick() == 1
        assert await instants(engine) == ["2030-01-01T13:00:00Z"]
        assert len(await skipped(engine)) == 1


async def test_runs_stand_in_line_where_the_schedule_says_so(setup: Setup, clock: SetClock) -> None:
    async with setup.working() as engine:
        table = await deployed(engine, hourly(overlap="queue"))
        for hour in (1, 2):
            clock.at = NOON + hour * HOUR
            await table.tick()
        first, second = await runs(engine)
        await reaches(engine, first.id, lambda state: state.status == "waiting")
        assert (await engine.state(second.id)).queued
        await engine.operations.signal("go", None, by=ANA, id="s1", run=first.id)
        await ended(engine, first.id)
        await reaches(engine, second.id, lambda state: not state.queued)


async def test_a_new_run_takes_the_place_of_the_old_where_the_schedule_says_so(setup: Setup, clock: SetClock) -> None:
    async with setup.working() as engine:
        table = await deployed(engine, hourly(overlap="cancel_running"))
        clock.at = NOON + HOUR
        await table.tick()
        [first] = await runs(engine)
        await reaches(engine, first.id, lambda state: state.status == "waiting")
        clock.at = NOON + 2 * HOUR
        await table.tick()
        assert (await ended(engine, first.id)).status == "cancelled"


async def test_a_paused_schedule_starts_nothing_and_makes_up_for_nothing(setup: Setup, clock: SetClock) -> None:
    async with setup.engine() as engine:
        table = await deployed(engine, hourly(wait=False, catch_up=9))
        assert await table.pause("report", by=BEN, reason="holidays") == 1
        assert await table.pause("report", 0, by=BEN) == 0
        [info] = await engine.schedules()
        assert info.next_at is None
        assert info.paused is not None
        assert (info.paused.event.by.name, info.paused.event.reason) == ("Ben", "holidays")
        clock.at = NOON + 3 * HOUR
        await table.tick()
        assert await table.resume("report", by=BEN) == 1
        clock.at = NOON + 4 * HOUR
        await table.tick()
        assert await instants(engine) == ["2030-01-01T16:00:00Z"]
        assert await skipped(engine) == []
        with pytest.raises(WorkspaceRefused, match="Report has no schedule 3; they count from 0 to 0"):
            await table.pause("report", 3, by=BEN)


async def test_a_freeze_is_told_for_each_instant_that_it_kept(setup: Setup, clock: SetClock) -> None:
    async with setup.engine() as engine:
        table = await deployed(engine, hourly(wait=False))
        await engine.freeze(by=BEN, reason="the launch")
        clock.at = NOON + HOUR
        await table.tick()
        assert await instants(engine) == []
        assert [one.reason for one in await skipped(engine)] == [
            "report is frozen by Ben until it is lifted: the launch"
        ]
        await engine.lift(by=BEN)
        clock.at = NOON + 2 * HOUR
        await table.tick()
        assert await instants(engine) == ["2030-01-01T14:00:00Z"]


async def test_backfill_starts_what_has_not_been_started_one_after_the_other(setup: Setup, clock: SetClock) -> None:
    async with setup.engine() as engine:
        table = await deployed(engine, hourly())
        clock.at = NOON + HOUR
        await table.tick()
        begun = await table.backfill("report", 0, NOON - 2 * HOUR, NOON + HOUR, by=ANA)
        assert [one.duplicate for one in begun] == [False, False, False, True]
        state = await engine.state(begun[0].run)
        assert state.labels["backfill"] == "Ana"
        assert state.started.concurrency is not None
        assert state.started.concurrency.on_limit == "queue"
        assert all(one.duplicate for one in await table.backfill("report", 0, NOON - 2 * HOUR, NOON, by=BEN))
        with pytest.raises(WorkspaceRefused, match="still to come"):
            await table.backfill("report", 0, NOON, NOON + DAY, by=ANA)
        with pytest.raises(WorkspaceRefused, match="more than 1,000 instants"):
            await table.backfill("report", 0, NOON - 365 * DAY, NOON, by=ANA)


async def test_another_schedule_of_the_same_number_begins_anew(setup: Setup, clock: SetClock) -> None:
    async with setup.engine() as engine:
        table = await deployed(engine, hourly(wait=False, catch_up=9))
        clock.at = NOON + 90 * MINUTE
        await engine.deploy([hourly(wait=False, catch_up=9, cron="30 * * * *")], by=ANA, may=MAY)
        await table.tick()
        [info] = await engine.schedules()
        assert info.next_at == NOON + 150 * MINUTE
        await engine.deployer.retire("report", by=ANA, may=MAY)
        await table.tick()
        assert await engine.schedules() == []


async def test_both_changes_of_the_clock_in_berlin(setup: Setup, clock: SetClock) -> None:
    clock.at = round(datetime.fromisoformat("2026-03-28T12:00:00+01:00").timestamp() * 1_000)
    async with setup.engine() as engine:
        table = await deployed(engine, hourly(wait=False, cron="30 2 * * *", timezone="Europe/Berlin"))
        for _ in range(48):
            clock.at += HOUR
            await table.tick()
        clock.at = round(datetime.fromisoformat("2026-10-24T12:00:00+02:00").timestamp() * 1_000)
        await table.tick()
        for _ in range(48):
            clock.at += HOUR // 2
            await table.tick()
        found = [each for each in await instants(engine) if each[5:10] in ("03-29", "03-30", "10-25")]
        assert found == ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z", "2026-10-25T00:30:00Z"]


async def test_workspaces_in_which_nothing_is_said_or_due_cost_one_statement(setup: Setup, clock: SetClock) -> None:
    async with setup.engine(hourly()) as engine:
        several = [engine.within(f"ws_{number}") for number in range(5)]
        for each in several:
            await each.deploy([hourly()], by=ANA, may=MAY)

        async def with_work() -> list[Timetable]:
            return await engine._timetables()  # pyright: ignore[reportPrivateUsage]

        tables = await with_work()
        assert tables == [each.timetable for each in several], "all were deployed to"
        for table in tables[:-1]:
            await table.tick()
        assert await with_work() == tables[-1:], "nobody has looked there yet"
        await tables[-1].tick()
        async with counted(engine.store) as statements:
            assert await with_work() == []
        assert len(statements) == 1
        await several[2].freeze(by=ANA, reason="a release")
        assert await with_work() == [several[2].timetable], "something was said"
        await several[2].timetable.tick()
        clock.at = NOON + HOUR
        assert await with_work() == [each.timetable for each in several], "an hour is over"
