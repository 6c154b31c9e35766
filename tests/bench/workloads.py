"""The workloads, driven through the public facade with its defaults. Every step is an async no-op with a small result.

W1   a chain of 100 steps, alone: ms per step
W2   200 runs of 10 steps at once: steps per second
W3   2,000 runs parked at a gate, then all resumed; one decision to the next step running; memory and idle CPU
W4   a step of a chain of 10,000 against one of 100; the load of a run of 100,000 events against one of 100: ms
W5   start to first step running: ms
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from engine.catalog import Catalog
from engine.core import commands as c
from engine.core.definition import Workflow
from engine.core.events import Actor
from engine.core.state import Recorded, RunState, RunStatus
from engine.engine import Engine, EngineSettings
from engine.garbage import tidy_seldom
from engine.steps.registry import Registry, step
from tests.bench.machine import cpu_seconds, emit, resident_kib, spread

BENCH = Actor(via="api", id="bench", name="bench")
CHAIN_LENGTHS = (2, 10, 20, 100, 10_000)


@dataclass
class Marks:
    """What the steps themselves note: when the stamped step of a key ran."""

    ran_at: dict[str, float] = field(default_factory=dict[str, float])


@step("bench.noop")
async def noop(i: int) -> dict[str, int]:
    return {"i": i}


def stamping(marks: Marks) -> Registry:
    @step("bench.stamp")
    async def stamp(key: str) -> dict[str, bool]:
        marks.ran_at[key] = time.perf_counter()
        return {"ok": True}

    return Registry([noop, stamp])


def chain(length: int) -> Workflow:
    steps = [{"id": f"s{i}", "uses": "bench.noop", "with": {"i": i}} for i in range(length)]
    return Workflow.model_validate({"name": f"chain{length}", "steps": steps})


STAMPED = {"id": "stamp", "uses": "bench.stamp", "with": {"key": "${{ input.key }}"}}
STARTED = Workflow.model_validate({"name": "started", "input": {"key": {}}, "steps": [STAMPED]})
APPROVAL = Workflow.model_validate(
    {
        "name": "approval",
        "input": {"key": {}},
        "steps": [
            {"id": "first", "uses": "bench.noop", "with": {"i": 0}},
            {"id": "gate", "approval": {"title": "Go?", "approvers": ["@bench"], "allow_self": True}},
            STAMPED,
        ],
    }
)


class Bench:
    """One engine with a worker in this process, as ``vb serve`` runs it, and the peer's name that figures carry."""

    def __init__(self, peer: str, engine: Engine, marks: Marks) -> None:
        self.peer = peer
        self.engine = engine
        self.marks = marks
        self._waiting: set[str] = set()
        self._more_wait = asyncio.Event()
        engine.observe(self._note)

    @classmethod
    @asynccontextmanager
    async def open(cls, peer: str, settings: EngineSettings) -> AsyncGenerator[Bench]:
        marks = Marks()
        registry = stamping(marks)
        catalog = Catalog(registry.catalog())
        for workflow in (*(chain(length) for length in CHAIN_LENGTHS), STARTED, APPROVAL):
            catalog.add(workflow)
        async with Engine.open(settings, catalog=catalog, registry=registry) as engine, engine.work():
            tidy_seldom()  # as every process of `vb` does that works
            yield cls(peer, engine, marks)

    async def start(self, workflow: str, **inputs: object) -> str:
        return (await self.engine.start(workflow, inputs, by=BENCH)).run

    async def run(self, workflow: str, **inputs: object) -> None:
        state = await self.engine.wait(await self.start(workflow, **inputs))
        if state.status != "completed":
            raise RuntimeError(f"{state.run} ended as {state.status}")

    async def run_many(self, runs: int, length: int) -> float:
        """Steps per second."""
        began = time.perf_counter()
        await asyncio.gather(*(self.run(f"chain{length}") for _ in range(runs)))
        return runs * length / (time.perf_counter() - began)

    async def w1(self) -> None:
        await self.run("chain20")
        figures: list[float] = []
        commits = self.engine.store.database.commits
        for _ in range(5):
            began = time.perf_counter()
            await self.run("chain100")
            figures.append((time.perf_counter() - began) * 10)
        per_step = (self.engine.store.database.commits - commits) / 500
        emit(self.peer, "W1", statistics.median(figures), "ms/step", **spread(figures), commits_per_step=per_step)

    async def w2(self, processes: int = 1) -> None:
        await self.run_many(200, 10)
        commits = self.engine.store.database.commits
        figures = [await self.run_many(200, 10) for _ in range(3)]
        per_step = (self.engine.store.database.commits - commits) / 6_000
        name = "W2" if processes == 1 else f"W2-{processes}p"
        emit(self.peer, name, statistics.median(figures), "steps/s", **spread(figures), commits_per_step=per_step)

    async def w3_single(self, count: int = 50) -> None:
        figures: list[float] = []
        for number in range(count):
            run = await self.start("approval", key=f"s{number}")
            await self._parked([run])
            began = time.perf_counter()
            await self._go(run)
            await self.engine.wait(run)
            figures.append((self.marks.ran_at[f"s{number}"] - began) * 1_000)
        emit(self.peer, "W3-signal-resume", statistics.median(figures), "ms", **spread(figures))

    async def w3(self, count: int = 2_000) -> None:
        await self.run_many(50, 2)
        base = resident_kib()
        began = time.perf_counter()
        runs = await asyncio.gather(*(self.start("approval", key=f"p{number}") for number in range(count)))
        await self._parked(runs)
        took = time.perf_counter() - began
        emit(self.peer, "W3-park", took, "s", runs=count, per_s=round(count / took))
        await asyncio.sleep(5)
        emit(self.peer, "W3-mem", (resident_kib() - base) / count, "KiB/run", runs=count)
        cpu, began = cpu_seconds(), time.perf_counter()
        await asyncio.sleep(5)
        emit(self.peer, "W3-idle-cpu", (cpu_seconds() - cpu) / (time.perf_counter() - began) * 100, "% of a core")
        began = time.perf_counter()
        await asyncio.gather(*(self._go(run) for run in runs))
        sent = time.perf_counter() - began
        await asyncio.gather(*(self.engine.wait(run) for run in runs))
        took = time.perf_counter() - began
        emit(self.peer, "W3-resume-all", took, "s", runs=count, per_s=round(count / took), sends_took_s=round(sent, 2))

    async def w5(self, count: int = 50) -> None:
        for number in range(5):
            await self.run("started", key=f"warm{number}")
        figures: list[float] = []
        for number in range(count):
            began = time.perf_counter()
            await self.run("started", key=f"k{number}")
            figures.append((self.marks.ran_at[f"k{number}"] - began) * 1_000)
        emit(self.peer, "W5", statistics.median(figures), "ms", **spread(figures))

    async def _go(self, run: str) -> None:
        await self.engine.vote(run, c.Vote("gate", granted=True, by=BENCH))

    def _note(self, state: RunState, events: Sequence[Recorded]) -> None:
        if state.status is RunStatus.WAITING:
            self._waiting.add(state.run)
            self._more_wait.set()

    async def _parked(self, runs: list[str]) -> None:
        """Return once it is durable that all of ``runs`` stand at their gate."""
        while not self._waiting.issuperset(runs):
            self._more_wait.clear()
            await self._more_wait.wait()


Workload = Callable[[Bench], object]
