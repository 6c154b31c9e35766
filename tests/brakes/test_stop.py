"""Under load on several workers, from the acknowledgement of a kill switch on nothing starts, and all that runs ends.

``VB_RUNNING=500 make test ARGS="-n 0 tests/brakes"`` has five hundred steps running; by itself it has fewer.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable, Generator
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from engine.core.definition import Workflow
from engine.embedded import EmbeddedRedis
from engine.engine import Engine
from engine.streams import Streams
from tests.brakes import worker
from tests.brakes.outside import Outside
from tests.brakes.worker import Orders
from tests.crash.killing import bring_up, stop, until
from tests.engine.conftest import ANA, BEN
from tests.store.build import query

RUNNING = int(os.environ.get("VB_RUNNING", "24"))
WORKERS = 3
PROGRAMS = max(4, RUNNING // 20)
BUSY = max(6, RUNNING // 25)
"""Runs that start one short step after the other all the time."""

WAITING = BUSY
"""Runs for which there is no slot."""

WITHIN = 1.0 if "VB_RUNNING" in os.environ else 60.0
"""A second; and what it takes on a machine that runs other tests beside."""

pytestmark = pytest.mark.timeout(900)


def call(id_: str, *, keep: bool) -> dict[str, object]:
    return {"id": id_, "uses": "stop.call", "with": {"keep": keep}}


CALLS = Workflow.model_validate({"name": "calls", "steps": [call("a", keep=True), call("b", keep=False)]})
PROGRAM = Workflow.model_validate({"name": "programs", "steps": [{"id": "a", "uses": "stop.program"}]})
CHAIN = Workflow.model_validate({"name": "chain", "steps": [call(f"s{n}", keep=False) for n in range(12)]})


def programs(folder: Path) -> list[Path]:
    """Those that are there now."""
    noted = (Path("/proc") / process for process in (folder / "running").read_text().split())
    return [process for process in noted if process.exists()]


async def started(engine: Engine) -> list[tuple[int, int]]:
    """How many steps were started at which epoch."""
    found = await query(engine.store, "SELECT payload FROM events WHERE type = 'STEP_STARTED'")
    epochs = [int(payload.rpartition('"epoch":')[2].rstrip("}")) for (payload,) in found]
    return sorted((epoch, epochs.count(epoch)) for epoch in set(epochs))


@pytest.fixture
def outside() -> Generator[Outside]:
    with Outside().serving() as server:
        yield server


@pytest.fixture
async def streams(redis_server: EmbeddedRedis, redis_namespace: str) -> AsyncGenerator[Streams]:
    opened = await Streams.open(redis_server.url, redis_namespace)
    yield opened
    await opened.close()


@pytest.fixture
def at_work() -> Generator[Callable[[Orders], list[BaseProcess]]]:
    """Brings up the workers; whoever is left of them at the end is ended."""
    crew: list[BaseProcess] = []

    def begin(orders: Orders) -> list[BaseProcess]:
        crew.extend(bring_up(worker.live, orders) for _ in range(WORKERS))
        return crew

    yield begin
    for process in crew:
        process.kill()
        process.join()


async def test_after_a_kill_is_acknowledged_nothing_starts_and_all_that_runs_ends(
    database_url: str, redis_server: EmbeddedRedis, redis_namespace: str, streams: Streams, tmp_path: Path,
    outside: Outside, at_work: Callable[[Orders], list[BaseProcess]],
) -> None:  # fmt: skip
    (tmp_path / "running").touch()
    slots = (RUNNING + PROGRAMS + BUSY) // WORKERS + 1
    orders = Orders(database_url, redis_server.url, redis_namespace, outside.url, tmp_path, slots)
    async with worker.opened(orders) as engine:
        for workflow in (CALLS, PROGRAM, CHAIN):
            engine.catalog.add(workflow)
        crew = at_work(orders)
        kinds = ["calls"] * (RUNNING - PROGRAMS) + ["programs"] * PROGRAMS
        runs = await start(engine, kinds)

        async def all_at_work() -> bool:
            return outside.waiting >= RUNNING - PROGRAMS and len(programs(tmp_path)) == PROGRAMS

        await until(all_at_work, 240)
        runs += await start(engine, ["chain"] * BUSY)
        before = len(outside.calls)

        async def busy() -> bool:
            return len(outside.calls) > before + BUSY

        await until(busy)
        runs += await start(engine, ["calls"] * WAITING)

        await engine.switches.throw("workspace", by=BEN, reason="too much at once")
        acknowledged = time.monotonic()
        at_once = await started(engine)
        kept = [one for one in outside.calls if not one.answered]

        async def over() -> bool:
            return outside.waiting == 0 and not programs(tmp_path)

        await until(over)
        took = time.monotonic() - acknowledged
        await all_looked_at(streams)

        assert at_once == await started(engine), "a step was started after the acknowledgement"
        assert [epoch for epoch, _ in at_once] == [0]
        assert max(one.ended for one in kept) - acknowledged <= WITHIN
        assert took <= WITHIN + 0.5, "programs end as soon, and their processes are gone"
        assert not [one for one in outside.calls if one.began > acknowledged + WITHIN]

        (tmp_path / "open").touch()
        outside.let_go()
        await engine.switches.lift("workspace", by=ANA)
        async with asyncio.timeout(180):
            ended = await asyncio.gather(*map(engine.wait, runs))

        assert {state.status.value for state in ended} == {"completed"}
        assert {step.attempt for state in ended for step in state.steps.values()} == {1}, "it costs no attempt"
        assert {epoch for epoch, _ in await started(engine)} == {0, 2}
        for process in crew:
            await stop(process)
        report = await engine.verify()
        assert report.ok, report.findings[:3]


async def all_looked_at(streams: Streams) -> None:
    """Wait until whatever would start all the same has had its turn."""

    async def empty() -> bool:
        return (await streams.depth()).activations == 0

    await until(empty)


async def start(engine: Engine, workflows: list[str]) -> list[str]:
    return [begun.run for begun in await asyncio.gather(*(engine.start(name, {}, by=ANA) for name in workflows))]
