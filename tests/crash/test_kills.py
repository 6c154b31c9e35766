"""Worker processes killed with SIGKILL at every boundary, counted; afterwards nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from engine.core import commands as c
from engine.core.events import EffectRecorded
from engine.core.state import RunStatus
from engine.embedded import EmbeddedRedis
from engine.engine import Engine
from tests.crash.fuse import Trap
from tests.crash.killing import bring_up, death_at, stop, times, until
from tests.crash.recorder import Recorder, recording
from tests.crash.victim import ANA, BOUNDARIES, Orders, live, open_engine
from tests.providers.script import Answer, Hang, Say, Seen
from tests.providers.server import providers

pytestmark = [pytest.mark.crash]


class Drill:
    """One database, a stream of victims, and an engine without a worker that starts runs, decides and checks."""

    def __init__(self, orders: Orders, engine: Engine, recorder: Recorder) -> None:
        self.orders = orders
        self.engine = engine
        self.recorder = recorder
        self.runs: list[str] = []
        self.kills = 0

    async def start(self, key: str | None = None) -> str:
        """Start a run; with the key of one that a victim may have started, find that."""
        run = (await self.engine.start("paying", {}, by=ANA, dedupe_key=key)).run
        self.runs.append(run)
        return run

    def spawn(self, boundary: str | None = None, nth: int = 1, start: str | None = None) -> BaseProcess:
        trap = Trap(self.orders.trap.marker, boundary, nth)
        orders = replace(self.orders, trap=trap, start=start)
        return bring_up(live, orders)

    async def status(self, run: str) -> RunStatus:
        return (await self.engine.state(run)).status

    async def recover_to_gate(self, run: str) -> None:
        """Let a healthy worker take the run over and bring it to its gate."""
        async with self.engine.work():
            await until(lambda: self.asked(run))

    async def asked(self, run: str) -> bool:
        return (await self.engine.state(run)).step("gate").gate is not None

    async def decide_when_asked(self, run: str) -> None:
        """Approve the run's gate once it waits there. A run that has passed it needs nobody."""
        await until(lambda: self.asked(run))
        await self.engine.vote(run, c.Vote("gate", granted=True, by=ANA))

    async def killed_at(self, victim: BaseProcess, boundary: str) -> None:
        await death_at(boundary, victim, self.orders.trap.marker)
        self.kills += 1

    async def finish(self) -> None:
        """Let a healthy worker end every run, then check the promises from the log and from the outside."""
        healthy = self.spawn()
        try:
            async with asyncio.timeout(200):
                for run in self.runs:
                    await self.decide_when_asked(run)
                    assert (await self.engine.wait(run)).status is RunStatus.COMPLETED
        finally:
            await stop(healthy)
        await self.check()

    async def check(self) -> None:
        for run in self.runs:
            history = await self.engine.history(run)
            types = [one.event.type for one in history]
            assert types.count("RUN_COMPLETED") == 1
            assert types.count("STEP_COMPLETED") == 2
            assert types.count("APPROVAL_GRANTED") == 1
            for one in history:
                if isinstance(one.event, EffectRecorded):
                    self.check_effect(f"{run}/{one.event.step}/{one.event.effect}/1", one.at)
        report = await self.engine.verify()
        assert report.ok, report.findings[0]

    def check_effect(self, key: str, recorded_at: int) -> None:
        arrivals = self.recorder.arrivals[key]
        again = [at for at in arrivals if at > recorded_at + 1]
        assert not again, f"{key} was asked for again after it had been recorded"


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with recording() as recorder:
        yield recorder


@pytest.fixture
def orders(
    database_url: str, redis_server: EmbeddedRedis, redis_namespace: str, recorder: Recorder, tmp_path: Path
) -> Orders:
    return Orders(database_url, redis_server.url, redis_namespace, recorder.url, Trap(tmp_path / "marker"))


@pytest.fixture
async def drill(orders: Orders, recorder: Recorder) -> Any:
    async with open_engine(orders, lambda _: None) as engine:
        yield Drill(orders, engine, recorder)


def at(database: str, boundary: str) -> object:
    marks = [pytest.mark.postgresql] if database == "postgresql" else []
    return pytest.param(database, boundary, marks=marks, id=f"{database}-{boundary}")


# What lies between the database and the stream is the same whichever database it is.
@pytest.mark.parametrize(
    ("database_url", "boundary"),
    [
        *(at("sqlite", boundary) for boundary in BOUNDARIES),
        *(at("postgresql", boundary) for boundary in BOUNDARIES if "append" in boundary or "effect" in boundary),
    ],
    indirect=["database_url"],
)
async def test_killed_at_a_boundary(drill: Drill, boundary: str) -> None:
    # Appends: the start, the claim, the effect's two records, the result with what follows.
    passings = 5 if "append" in boundary else 1
    for number in times(passings):
        nth = 1 + number % passings
        await drill.killed_at(drill.spawn(boundary, nth, start=f"command {number}"), boundary)
        run = await drill.start(f"command {number}")
        if not boundary.endswith("add"):
            # Here the victim died with a step in hand. Three losses in a row would rightly end the run as poison.
            await drill.recover_to_gate(run)
    assert drill.kills == len(drill.runs)
    await drill.finish()


async def test_killed_while_a_run_waits_at_its_gate(drill: Drill, orders: Orders) -> None:
    for _ in times():
        run = await drill.start()
        victim = drill.spawn()

        async def waits(run: str = run) -> bool:
            return await drill.status(run) is RunStatus.WAITING

        await until(waits)
        victim.kill()
        orders.trap.marker.write_text("at the gate")
        await drill.killed_at(victim, "at the gate")
    assert drill.kills == len(drill.runs)
    await drill.finish()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_an_agent_that_is_killed_in_a_turn_goes_on_at_that_turn_and_repeats_nothing(
    orders: Orders, recorder: Recorder
) -> None:
    dead = False

    def answer(seen: Seen) -> Answer:
        if not any(message["role"] == "tool" for message in seen.body["messages"]):
            return Say.calling("pay")
        return Say("They are charged.") if dead else Hang()

    async with providers() as models:
        models.keys, models.otherwise = {"none"}, answer
        orders = replace(orders, model_url=models.openai)
        async with open_engine(orders, lambda _: None) as engine:
            run = (await engine.start("charging", {}, by=ANA)).run
            victim = bring_up(live, orders)

            async def asked_again() -> bool:
                return any("/a#2/turn/" in one.sent_as for one in models.seen)

            await until(asked_again, 120)
            victim.kill()
            await asyncio.to_thread(victim.join)
            before, paid, dead = len(models.seen), str(recorder.arrivals), True
            async with engine.work(), asyncio.timeout(200):
                assert (await engine.wait(run)).status is RunStatus.COMPLETED
            report = await engine.verify()
    assert {one.sent_as for one in models.seen[before:]} == {f"{run}/a#2/turn/request/1"}
    assert str(recorder.arrivals) == paid, "nobody is charged anew"
    assert [key.split("/", 1)[1] for key in recorder.arrivals] == ["a#1/calls[0]/pay/charge/1"]
    assert report.ok, report.findings[:3]


async def test_redis_flushed_in_the_middle(drill: Drill, redis_server: EmbeddedRedis) -> None:
    for _ in times():
        await drill.start()
        flush(redis_server)
    healthy = drill.spawn()
    try:
        for run in drill.runs:
            await drill.decide_when_asked(run)
            flush(redis_server)
    finally:
        await stop(healthy)
    await drill.finish()


def flush(redis: EmbeddedRedis) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(redis.socket))
        connection.sendall(b"FLUSHALL\r\n")
        assert connection.recv(64).startswith(b"+OK")
