"""Leases between real processes: killed workers, stopped ones that wake up, ones that only block, and poison."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from multiprocessing.process import BaseProcess

import pytest

from engine.catalog import Catalog
from engine.core.commands import Claim, Look
from engine.core.decide import LOSSES_ALLOWED
from engine.core.events import LateResultRefused
from engine.core.state import RunState, RunStatus, StepStatus
from engine.engine import Engine, EngineSettings
from engine.worker import WorkerSettings
from tests.engine.conftest import ANA, Setup, World, ended, until, workflow
from tests.engine.flows import sound, told
from tests.engine.stray import BLOCKED, DEADLY, LEASE, STRAY, live, registry
from tests.forks import FORKS


@pytest.fixture
def settings(setup: Setup) -> EngineSettings:
    return replace(setup.settings, worker=WorkerSettings(slots=5, lease=LEASE, grace=2.0))


@asynccontextmanager
async def watching(settings: EngineSettings) -> AsyncGenerator[Engine]:
    """An engine whose own step is quick, not yet working."""
    steps = registry(0)
    catalog = Catalog(steps.catalog())
    catalog.add(STRAY)
    async with Engine.open(settings, catalog=catalog, registry=steps) as engine:
        yield engine


async def running(engine: Engine, run: str) -> RunState:
    async def claimed() -> bool:
        return (await engine.state(run)).step("a").status is StepStatus.RUNNING

    await until(claimed)
    return await engine.state(run)


async def past(engine: Engine, instant: int) -> int:
    """Now, by the database's clock, once that is past ``instant``."""

    async def is_past() -> bool:
        return await engine.store.now() > instant

    await until(is_past)
    return await engine.store.now()


async def end(stray: BaseProcess) -> None:
    stray.terminate()
    await asyncio.to_thread(stray.join, 20)
    assert stray.exitcode == 0


async def test_the_step_of_a_killed_worker_goes_to_another_after_about_one_lease(settings: EngineSettings) -> None:
    async with watching(settings) as engine:
        run = (await engine.start("stray", {}, by=ANA)).run
        stray = FORKS.Process(target=live, args=(settings, 60.0), daemon=True)
        stray.start()
        first = (await running(engine, run)).step("a")
        stray.kill()
        await asyncio.to_thread(stray.join, 20)
        killed_at = await engine.store.now()
        async with engine.work():
            state = await ended(engine, run)
    step = state.step("a")
    assert step.output == "done"
    assert (step.attempt, step.losses) == (1, 1)
    assert step.worker != first.worker
    # One lease, the pause of a sweep (2 s at most), and far more than a busy machine takes.
    assert step.ended_at - killed_at < LEASE + 2_000 + 60_000


async def test_a_step_that_blocks_its_loop_for_longer_than_the_lease_keeps_it(settings: EngineSettings) -> None:
    async with watching(settings) as engine:
        run = (await engine.start("stray", {}, by=ANA)).run
        stray = FORKS.Process(target=live, args=(settings, BLOCKED), daemon=True)
        stray.start()
        first = (await running(engine, run)).step("a")
        late = await past(engine, first.lease_until)
        claim = Claim("wrk_impatient", engine.registry.keys, 0, late, late + LEASE)
        await engine.operations.submit(run, Look(claim))
        assert (await engine.state(run)).step("a").losses == 0
        async with engine.work():
            state = await ended(engine, run)
        await end(stray)
    step = state.step("a")
    assert (step.worker, step.losses) == (first.worker, 0)
    assert step.ended_at - step.started_at >= BLOCKED * 1_000 > 2 * LEASE


async def test_a_step_that_kills_its_process_twice_is_dead_lettered(settings: EngineSettings) -> None:
    async with watching(settings) as engine:
        run = (await engine.start("stray", {}, by=ANA)).run
        for _ in range(LOSSES_ALLOWED):
            stray = FORKS.Process(target=live, args=(settings, DEADLY), daemon=True)
            stray.start()
            await asyncio.to_thread(stray.join, 20)
            assert stray.exitcode == -signal.SIGKILL
        async with engine.work():
            state = await ended(engine, run)
        [dead] = await engine.bulk.dead_letters()
        assert state.status is RunStatus.FAILED
        assert [one.step for one in dead.steps] == ["a"]
        assert "Its worker was lost 2 times in a row; it may be what stops the workers." in dead.steps[0].summary
        assert (await told(engine, run))["STEP_STARTED"] == LOSSES_ALLOWED


async def test_a_stopped_process_that_wakes_up_records_nothing_and_is_told(settings: EngineSettings) -> None:
    async with watching(settings) as engine:
        run = (await engine.start("stray", {}, by=ANA)).run
        stray = FORKS.Process(target=live, args=(settings, BLOCKED), daemon=True)
        stray.start()
        first = (await running(engine, run)).step("a")
        assert stray.pid is not None
        os.kill(stray.pid, signal.SIGSTOP)
        async with engine.work():
            state = await ended(engine, run)
        assert state.status is RunStatus.COMPLETED
        os.kill(stray.pid, signal.SIGCONT)

        async def refused() -> bool:
            return (await told(engine, run))["LATE_RESULT_REFUSED"] == 1

        await until(refused)
        late = (await engine.history(run))[-1].event
        assert late == LateResultRefused(step="a", attempt=1, worker=first.worker, outcome="completed")
        assert (await engine.state(run)).end == state.end
        assert await sound(engine)
        await end(stray)


async def test_a_worker_says_where_it_runs_and_how_much_it_has_in_hand(setup: Setup, world: World) -> None:
    setup.settings = replace(setup.settings, worker=WorkerSettings(slots=7, lease=600, grace=2.0))
    async with setup.working(workflow({"id": "h", "uses": "t.hold"})) as engine:
        run = (await engine.start("wf", {}, by=ANA)).run

        async def steps() -> int:
            [worker] = await engine.store.workers()
            return worker.info["steps"]

        async def one() -> bool:
            return await steps() == 1

        await until(one)
        [worker] = await engine.workers()
        assert worker.info | {"version": ""} == {
            "host": socket.gethostname(), "pid": os.getpid(), "version": "", "slots": 7, "steps": 1,
            "in_hand": [[run, "h"]],
        }  # fmt: skip
        assert worker.since <= worker.until - 600
        world.open.set()
        await ended(engine, run)

        async def none() -> bool:
            return await steps() == 0

        await until(none)
    async with setup.engine() as engine:
        assert await engine.store.workers() == []
