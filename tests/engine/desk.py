"""The real log with hooks at its doors, and a handle on it: one process, whose rivals and faults a test decides on."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any

from engine.clock import SystemClock
from engine.core import commands as c
from engine.core.definition import Workflow
from engine.core.events import RunStarted
from engine.core.graph import Plan
from engine.core.state import RunState
from engine.handle import Answer, Handle
from engine.ids import run_id
from engine.plans import Plans
from engine.recall import Recall
from engine.store import PUSH, Append, Checkpoint, DueKind, DueRun, Log, Outcome, StoredEvent
from engine.store.types import Head
from tests.engine.conftest import ANA, workflow

KEY = b"k" * 32
CODE = frozenset({"t.hold", "t.hold@1"})
WORK = workflow({"id": "a", "uses": "t.hold", "needs": []}, {"id": "b", "uses": "t.hold", "needs": []})
LEASE = 15_000


async def nothing() -> None:
    pass


class Raced(Log):
    """The real log, with a hook at its doors: what a test does there happens in between, as a rival's work may."""

    before_append: Callable[[], Awaitable[object]] = staticmethod(nothing)
    before_read: Callable[[], Awaitable[object]] = staticmethod(nothing)
    after_load: Callable[[], Awaitable[object]] = staticmethod(nothing)
    appends = 0
    locked = 0

    async def append(self, append: Append) -> Outcome:
        self.appends += 1
        await self.before_append()
        return await super().append(append)

    async def now(self) -> int:
        await self.before_read()
        return await super().now()

    async def take_due(
        self, now: int, limit: int, push: Mapping[DueKind, int] = PUSH, skip: Collection[str] = ()
    ) -> list[DueRun]:
        await self.before_read()
        return await super().take_due(now, limit, push, skip)

    async def append_locked(self, stream: str, known: Head, decide: Any, **more: Any) -> Outcome | None:
        self.locked += 1
        return await super().append_locked(stream, known, decide, **more)

    async def load(self, stream: str, after: int = 0) -> tuple[list[StoredEvent], Head]:
        loaded = await super().load(stream, after)
        await self.after_load()
        return loaded

    async def load_run(self, stream: str, version: int) -> tuple[Checkpoint | None, list[StoredEvent], Head]:
        loaded = await super().load_run(stream, version)
        await self.after_load()
        return loaded


class Desk:
    """A handle on a log of its own, as one process has it."""

    def __init__(self, log: Raced) -> None:
        self.log = log
        self.handle = Handle(log, SystemClock(), Plans(log), Recall(log))

    async def start(self, work: Workflow = WORK) -> str:
        await self.log.put_definition(work.hash, work.name, work.snapshot)
        event = RunStarted(workspace="ws_local", workflow="wf", definition=work.hash, input={}, by=ANA)
        return (await self.handle.start(run_id(), Plan.of(work), event)).run

    async def claim(self, worker: str, slots: int = 10) -> c.Claim:
        now = await self.log.renew(worker, LEASE) - LEASE
        return c.Claim(worker, CODE, slots, now, now + LEASE)

    async def look(self, run: str, worker: str = "wrk_1", slots: int = 10) -> RunState:
        return (await self.handle.submit(run, c.Look(await self.claim(worker, slots)))).state

    async def note(self, run: str, step: str, text: str) -> Answer:
        token = (await self.handle.state(run)).step(step).token
        return await self.handle.submit(run, c.LogLine(step, token, text))


@asynccontextmanager
async def desk(url: str) -> AsyncGenerator[Desk]:
    log = await Raced.open(url, KEY)
    try:
        yield Desk(log)
    finally:
        await log.close()
