"""What a scheduler offers, and when: by the database's clock, in the lane of each run, and fairly among workspaces."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from engine.announcer import Announcer
from engine.clock import Clock, MovableClock, SystemClock
from engine.embedded import EmbeddedRedis
from engine.scheduler import Scheduler, SchedulerSettings
from engine.store import HIGH, NORMAL, Log
from engine.streams import GroupLost, Lane, Streams
from tests.statements import counted
from tests.store.build import KEY, appended
from tests.store.test_due import due_run

HOUR = 3_600_000


class WrongClock(SystemClock):
    """A machine whose clock is an hour slow."""

    def now(self) -> int:
        return super().now() - HOUR


@pytest.fixture
async def log(database_url: str) -> AsyncIterator[Log]:
    log = await Log.open(database_url, KEY)
    yield log
    await log.close()


@pytest.fixture
async def streams(redis_server: EmbeddedRedis, redis_namespace: str) -> AsyncIterator[Streams]:
    streams = await Streams.open(redis_server.url, redis_namespace)
    with suppress(GroupLost):
        await streams.read("wrk_first", 1, 0)
    yield streams
    await streams.close()


class Site:
    """A scheduler whose announcements are sent when `sweep` returns."""

    def __init__(self, log: Log, streams: Streams, clock: Clock, backlog: int = 5_000) -> None:
        self.announcer = Announcer(streams)
        self.scheduler = Scheduler(log, self.announcer, clock, SchedulerSettings(backlog=backlog))

    async def sweep(self) -> int:
        swept = await self.scheduler.sweep()
        await self.announcer.close()
        return swept


async def test_the_clock_of_the_process_does_not_decide_what_is_due(log: Log, streams: Streams) -> None:
    now = await log.now()
    await appended(log, due_run("run_due", at=now - 1))
    await appended(log, due_run("run_later", at=now + HOUR // 2))

    assert await Site(log, streams, WrongClock()).sweep() == 1


async def test_a_demo_s_clock_brings_timers_forward(log: Log, streams: Streams) -> None:
    clock = MovableClock()
    await appended(log, due_run("run_later", at=await log.now() + HOUR))
    site = Site(log, streams, clock)

    assert await site.sweep() == 0
    clock.advance(HOUR)
    assert await site.sweep() == 1


async def test_each_run_is_offered_in_its_lane(log: Log, streams: Streams) -> None:
    await appended(log, due_run("run_a", "ws_a", priority=HIGH))
    await appended(log, due_run("run_b", "ws_b"))

    await Site(log, streams, SystemClock()).sweep()

    offered = await streams.read("wrk_a", 10, 0)
    assert {each.run: each.lane for each in offered} == {
        "run_a": Lane("ws_a", HIGH), "run_b": Lane("ws_b", NORMAL),
    }  # fmt: skip


async def test_a_workspace_with_a_full_stream_does_not_stop_the_sweep_of_others(log: Log, streams: Streams) -> None:
    await streams.add([f"run_{n}" for n in range(20)], Lane("ws_full"))
    for workspace in ("ws_full", "ws_other"):
        for number in range(3):
            await appended(log, due_run(f"run_{workspace}_{number}", workspace))

    assert await Site(log, streams, SystemClock(), backlog=20).sweep() == 3

    assert await streams.backlog() == Counter(ws_full=20, ws_other=3)


async def test_tidying_up_in_a_stream_that_was_lost_has_all_ready_work_swept_again(
    log: Log, redis_server: EmbeddedRedis, redis_namespace: str
) -> None:
    fresh = await Streams.open(redis_server.url, f"{redis_namespace}_fresh")
    await appended(log, due_run("run_a", at=await log.now() + HOUR))
    site = Site(log, fresh, SystemClock())

    assert await site.sweep() == 0
    await site.scheduler.tidy_up()
    assert await site.sweep() == 1
    await fresh.close()


async def test_workspaces_whose_heads_are_anchored_cost_one_statement(log: Log, streams: Streams) -> None:
    for number in range(5):
        await appended(log, due_run(f"run_{number}", f"ws_{number}"))
    scheduler = Site(log, streams, SystemClock()).scheduler
    await scheduler.anchor()
    assert len([one for one in await log.workspaces() if (await log.load(one))[1].seq == 1]) == 5
    async with counted(log) as statements:
        await scheduler.anchor()
    assert len(statements) == 1
    await appended(log, due_run("run_more", "ws_3"))
    assert await log.unanchored() == ["ws_3"]
