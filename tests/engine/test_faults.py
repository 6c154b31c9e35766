"""Whole engines in bad weather: Redis away, runs that cannot be read, rivals, and what other processes decide."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from engine.announcer import Announcer
from engine.clock import SystemClock
from engine.core import commands as c
from engine.core.events import StepStarted
from engine.core.state import RunStatus
from engine.embedded import EmbeddedRedis
from engine.engine import Engine
from engine.scheduler import Scheduler, SchedulerSettings
from engine.steps.registry import step
from engine.store import PUSH, Append, NewEvent
from engine.streams import Activation, Streams, StreamsUnavailable
from engine.worker import WorkerSettings
from tests.engine.conftest import ANA, BEN, Setup, World, ended, until, workflow
from tests.engine.desk import desk
from tests.services import running_redis

HOLD = workflow({"id": "h", "uses": "t.hold"})
GATED = workflow(
    {"id": "one", "uses": "t.echo", "with": {"text": "before"}},
    {"id": "ok", "approval": {"title": "Go?", "approvers": ["@all"]}},
    {"id": "two", "uses": "t.echo", "with": {"text": "after"}},
)
NO_NEEDS: list[object] = []
WIDE_STEPS: list[dict[str, object]] = [{"id": f"s{n}", "uses": "t.hold", "needs": NO_NEEDS} for n in range(6)]
WIDE = workflow(*WIDE_STEPS)


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    with running_redis(tmp_path / "redis") as redis:
        yield redis


@asynccontextmanager
async def own_streams(setup: Setup) -> AsyncGenerator[Streams]:
    streams = Streams(setup.settings.redis_url, setup.settings.namespace)
    yield streams
    await streams.close()


async def waits(engine: Engine, run: str) -> None:
    async def waiting() -> bool:
        return (await engine.state(run)).status is RunStatus.WAITING

    await until(waiting)


async def calls(world: World, *expected: str) -> None:
    async def called() -> bool:
        return sorted(world.calls) == sorted(expected)

    await until(called)


async def test_redis_is_away_at_the_start_and_comes_later(setup: Setup, own_redis: EmbeddedRedis) -> None:
    await own_redis.close()
    setup.settings = replace(setup.settings, redis_url=own_redis.url)
    async with setup.working(GATED) as engine:
        run = (await engine.start("wf", {}, by=ANA)).run
        assert (await engine.state(run)).status is RunStatus.RUNNING
        await own_redis.ensure()
        await waits(engine, run)


async def test_decisions_are_recorded_while_redis_is_away_and_work_goes_on_after(
    setup: Setup, world: World, own_redis: EmbeddedRedis
) -> None:
    setup.settings = replace(setup.settings, redis_url=own_redis.url)
    async with setup.working(GATED) as engine:
        run = (await engine.start("wf", {}, by=ANA)).run
        await waits(engine, run)
        await own_redis.close()
        assert isinstance(await engine.vote(run, c.Vote("ok", granted=True, by=BEN)), c.Accepted)
        later = (await engine.start("wf", {}, by=ANA)).run
        assert world.calls == ["echo before"]
        await own_redis.ensure()
        assert (await ended(engine, run)).status is RunStatus.COMPLETED
        await waits(engine, later)


async def test_a_cancel_that_this_process_has_read_already_is_obeyed(setup: Setup, world: World) -> None:
    async with setup.working(HOLD) as engine, setup.engine(HOLD) as other:
        run = (await engine.start("wf", {}, by=ANA)).run
        await calls(world, "hold")
        await other.cancel(run, by=BEN)
        assert (await engine.state(run)).cancel is not None  # as whoever shows runs may ask, before the worker does
        async with asyncio.timeout(60):
            assert (await engine.wait(run)).status is RunStatus.CANCELLED


@pytest.fixture
def swept(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Awaitable[None]]:
    """Waits until the scheduler has swept so many times more."""
    sweep, sweeps = Scheduler.sweep, 0

    async def counted(scheduler: Scheduler) -> int:
        nonlocal sweeps
        found = await sweep(scheduler)
        sweeps += 1
        return found

    async def wait(more: int) -> None:
        enough = sweeps + more
        await until(lambda: sweeps >= enough)

    monkeypatch.setattr(Scheduler, "sweep", counted)
    return wait


async def test_a_run_of_a_newer_release_is_left_alone_and_does_not_spin(
    setup: Setup, swept: Callable[[int], Awaitable[None]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "engine.worker")
    setup.settings = replace(setup.settings, scheduler=SchedulerSettings(every=0.02, push=dict.fromkeys(PUSH, 20)))
    async with setup.engine(GATED) as engine:
        run = (await engine.start("wf", {}, by=ANA)).run
        _, head = await engine.store.load(run)
        news = NewEvent("RUN_TELEPORTED", 1, setup.clock.now(), "{}")
        await engine.store.append(Append(stream=run, after=head, events=(news,), due=setup.clock.now()))
        async with own_streams(setup) as streams, engine.work():
            other = (await engine.start("wf", {}, by=ANA)).run
            await waits(engine, other)
            await swept(20)  # what is looked for is that they do little

            async def all_acknowledged() -> bool:
                return (await streams.depth()).pending == 0

            # While the worker reads: what a stopped read was about to bring stays pending until it is reclaimed.
            await until(all_acknowledged)
        said = [record for record in caplog.records if run in record.getMessage()]
        assert 1 <= len(said) <= 3, "a few activations may be under way at once, then it is shunned"


async def offered_to_another(setup: Setup, run: str) -> Activation:
    """What another worker that begins to read now is offered of the run."""
    async with own_streams(setup) as streams, asyncio.timeout(180):
        while True:
            for activation in await streams.read("wrk_other", 1, 1_000):
                if activation.run == run:
                    return activation


NEVER_SWEPT = SchedulerSettings(every=600)
"""So that what nobody passes on is lost."""


@pytest.fixture
def never_tired(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that passes a run on until there is another to take it, however long that one needs to come."""
    monkeypatch.setattr("engine.worker.MOST_DELIVERIES", 1_000_000)


@pytest.mark.usefixtures("never_tired")
async def test_a_worker_that_lacks_the_code_passes_the_run_on_at_once(setup: Setup) -> None:
    @step("t.rare")
    async def rare() -> str:
        return "here"

    setup.more = (rare,)
    setup.settings = replace(setup.settings, scheduler=NEVER_SWEPT)
    async with setup.engine(workflow({"id": "a", "uses": "t.rare"})) as engine:
        setup.more = ()
        async with setup.working():
            run = (await engine.start("wf", {}, by=ANA)).run

            async def left() -> bool:
                return (await engine.state(run)).step("a").awaited

            await until(left)
            assert (await offered_to_another(setup, run)).deliveries > 1


@pytest.mark.usefixtures("never_tired")
async def test_a_worker_that_cannot_read_a_run_passes_it_on(setup: Setup, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "engine.worker")
    setup.settings = replace(setup.settings, scheduler=NEVER_SWEPT)
    async with setup.working(GATED) as engine, own_streams(setup) as streams:
        run = (await engine.start("wf", {}, by=ANA)).run
        await waits(engine, run)
        _, head = await engine.store.load(run)
        news = NewEvent("RUN_TELEPORTED", 1, setup.clock.now(), "{}")
        await engine.store.append(Append(stream=run, after=head, events=(news,), due=setup.clock.now()))
        await streams.add([run])

        async def left() -> bool:
            return run in caplog.text

        await until(left)
        assert (await offered_to_another(setup, run)).deliveries > 1


async def test_a_run_that_cannot_be_read_does_not_fill_the_stream(
    setup: Setup, swept: Callable[[int], Awaitable[None]]
) -> None:
    setup.settings = replace(setup.settings, scheduler=SchedulerSettings(every=0.02, push=dict.fromkeys(PUSH, 20)))
    async with setup.engine(GATED) as engine:
        run = (await engine.start("wf", {}, by=ANA)).run
        _, head = await engine.store.load(run)
        odd = NewEvent(
            "APPROVAL_GRANTED", 1, setup.clock.now(), '{"step":"nowhere","by":{"via":"cli","id":"x","name":"X"}}'
        )
        await engine.store.append(Append(stream=run, after=head, events=(odd,), due=setup.clock.now()))
    async with setup.working(GATED) as engine:
        other = (await engine.start("wf", {}, by=ANA)).run
        await waits(engine, other)
        streams = Streams(setup.settings.redis_url, setup.settings.namespace)

        async def quiet() -> bool:
            return (await streams.depth()).activations == 0

        await swept(10)
        await until(quiet)
        await streams.close()


async def test_sweeps_do_not_fill_a_stream_that_nobody_empties(setup: Setup) -> None:
    async with setup.engine(GATED) as engine:
        for _ in range(8):
            await engine.start("wf", {}, by=ANA)
        streams = Streams(setup.settings.redis_url, setup.settings.namespace)
        announcer = Announcer(streams)
        settings = SchedulerSettings(every=0.01, push=dict.fromkeys(PUSH, 1), batch=4, backlog=20)
        scheduler = Scheduler(engine.store, announcer, setup.clock, settings)
        setup.clock.advance(5_000)
        for _ in range(30):
            await scheduler.sweep()
            await announcer.close()
            setup.clock.advance(10)
        depth = (await streams.depth()).activations
        assert 20 <= depth <= 24
        await streams.close()


async def test_nothing_is_swept_while_redis_is_away(setup: Setup) -> None:
    async with setup.engine(GATED) as engine:
        await engine.start("wf", {}, by=ANA)
        streams = Streams("redis://127.0.0.1:1", setup.settings.namespace)
        scheduler = Scheduler(engine.store, Announcer(streams), setup.clock, SchedulerSettings())
        setup.clock.advance(5_000)
        with pytest.raises(StreamsUnavailable):
            await scheduler.sweep()
        next_due = await engine.store.next_due()
        assert next_due is not None
        assert next_due <= setup.clock.now(), "it is due the moment that Redis is back"
        await streams.close()


async def test_a_scheduler_survives_a_fault_that_nobody_foresaw(
    setup: Setup, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with desk(database_url) as here:
        faults = 0

        async def fail_once() -> None:
            nonlocal faults
            faults += 1
            if faults == 1:
                raise RuntimeError("out of the blue")

        here.log.before_read = fail_once
        streams = Streams(setup.settings.redis_url, setup.settings.namespace)
        scheduler = Scheduler(here.log, Announcer(streams), SystemClock(), SchedulerSettings(every=0.01))
        running = asyncio.create_task(scheduler.run())

        async def again() -> bool:
            return faults > 1

        await until(again, within=5)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await streams.close()
    assert "out of the blue" in caplog.text


async def test_a_reason_that_a_database_cannot_hold_as_text_is_kept_in_the_history(setup: Setup) -> None:
    async with setup.working(GATED) as engine:
        run = (await engine.start("wf", {}, by=ANA)).run
        await waits(engine, run)
        await engine.vote(run, c.Vote("ok", granted=False, by=BEN, reason="no\0pe"))
        state = await ended(engine, run)
        assert state.end is not None
        assert state.end.reason == "denied by Ben: no\0pe"
        assert (await engine.verify()).ok


async def test_two_workers_share_a_wide_run(setup: Setup, world: World) -> None:
    setup.settings = replace(setup.settings, worker=WorkerSettings(slots=3, lease=60_000, grace=1.0))
    async with setup.working(WIDE) as engine, setup.working(WIDE):
        run = (await engine.start("wf", {}, by=ANA)).run
        await calls(world, *["hold"] * 6)
        world.open.set()
        assert (await ended(engine, run)).status is RunStatus.COMPLETED
        started = [one.event for one in await engine.history(run) if isinstance(one.event, StepStarted)]
    assert len(started) == 6
    assert len({event.worker for event in started}) == 2
    assert world.calls == ["hold"] * 6


async def test_leases_do_not_move_with_the_clock_that_timers_follow(
    setup: Setup, world: World, swept: Callable[[int], Awaitable[None]]
) -> None:
    setup.settings = replace(setup.settings, scheduler=SchedulerSettings(every=0.05))
    async with setup.working(HOLD) as engine, setup.working(HOLD):
        run = (await engine.start("wf", {}, by=ANA)).run
        await calls(world, "hold")
        setup.clock.advance(5 * 3_600_000)
        before = (await engine.state(run)).seq
        await swept(8)  # four of each process, which see it as long overdue
        state = await engine.state(run)
        assert state.seq == before
        world.open.set()
        assert (await ended(engine, run)).step("h").losses == 0
