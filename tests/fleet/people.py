"""The people of a fleet, in a process that nobody kills: they start runs, decide gates and cancel.

They are as people are: a command is sent twice, a button is clicked twice at once through two servers, somebody clicks
on a request that was decided long ago, or on one that was never made, or where they may not. What they are told is
written down.

The one rule: what was asked is asked again until there is an answer, for the database may be away.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
from collections.abc import Awaitable, Callable
from typing import TypeVar

import uvloop

from engine.core import commands as c
from engine.core.definition import Workflow
from engine.core.errors import UnknownRun
from engine.core.events import Actor
from engine.engine import Engine
from engine.store import StoreUnavailable
from tests.fleet import bugs
from tests.fleet.constructs import draw
from tests.fleet.orders import Journal, Orders, opened, settle_in
from tests.fleet.sql import rows_or_none
from tests.fleet.steps import Me, registry
from tests.fleet.stories import KEY, Story, Votes, tell

ASK_EVERY = 0.2
AGAIN_AFTER = 0.2
STALE_AFTER = 0.4

STARTER = Actor(via="cli", id="starter", name="Starter")
ANA = Actor(via="cli", id="ana", name="Ana")
BEN = Actor(via="cli", id="ben", name="Ben")

OPEN = "SELECT id, dedupe_key FROM runs WHERE ended_at IS NULL"
GATES = (
    "SELECT events.stream, events.seq, events.payload, runs.dedupe_key FROM events JOIN runs ON runs.id = events.stream"
    " WHERE runs.ended_at IS NULL AND events.type = 'APPROVAL_REQUESTED'"
)

T = TypeVar("T")


def live(orders: Orders) -> None:
    """The people's whole life: until SIGTERM they start runs; then they stay until every run has ended."""
    settle_in(orders)
    bugs.plant(orders.bug)
    uvloop.run(_live(orders))


async def _live(orders: Orders) -> None:
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    steps = registry(Me(orders.pay_url))
    async with opened(orders, steps) as here, opened(orders, steps) as there, asyncio.TaskGroup() as errands:
        await People(orders, (here, there), errands).serve(told)


async def persistently(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until the database takes it."""
    while True:
        try:
            return await ask()
        except StoreUnavailable:
            await asyncio.sleep(AGAIN_AFTER)


class People:
    """Everybody who uses the fleet. They have two servers to speak to, as a bot with two processes gives them."""

    def __init__(self, orders: Orders, servers: tuple[Engine, Engine], errands: asyncio.TaskGroup) -> None:
        self._orders = orders
        self._servers = servers
        self._errands = errands
        self._journal = Journal(orders.folder / "people.jsonl")
        self._rng = random.Random(f"people {orders.seed}")
        self._asked: set[tuple[str, int]] = set()
        self._started = 0
        self._pending = 0

    async def serve(self, told: asyncio.Event) -> None:
        while True:
            if told.is_set() and not self._pending and await self._all_ended():
                return
            for _ in range(0 if told.is_set() else await self._room()):
                self._pending += 1
                self._errands.create_task(self._begin(self._started))
                self._started += 1
            await self._look_at_gates()
            await asyncio.sleep(ASK_EVERY)

    async def _room(self) -> int:
        unended = await rows_or_none(self._orders.database_url, OPEN)
        return 0 if unended is None else max(0, self._orders.in_flight - len(unended) - self._pending)

    async def _all_ended(self) -> bool:
        return await rows_or_none(self._orders.database_url, OPEN) == []

    def _server(self) -> Engine:
        return self._rng.choice(self._servers)

    # Starting

    async def _begin(self, number: int) -> None:
        """Start run ``number``, some of them twice at once; cancel it if its story says so."""
        story = tell(self._orders.seed, number, draw)
        for server in self._servers:
            server.catalog.add(Workflow.model_validate(story.workflow))
        self._journal.note("starting", number=number)
        twice = self._rng.random() < 0.1
        begun = await asyncio.gather(*(self._start(server, story) for server in self._servers[: 1 + twice]))
        self._journal.note("started", number=number, runs=sorted(set(begun)))
        self._pending -= 1
        if story.cancel_after is not None:
            await asyncio.sleep(story.cancel_after / 1_000)
            await self._cancel(begun[0], number)

    async def _start(self, server: Engine, story: Story) -> str:
        name = story.workflow["name"]
        return (await persistently(lambda: server.start(name, story.given, by=STARTER, dedupe_key=story.key))).run

    async def _cancel(self, run: str, number: int) -> None:
        reply = await persistently(lambda: self._server().cancel(run, by=BEN, reason="told to"))
        self._journal.note("cancelled", number=number, run=run, reply=type(reply).__name__)

    # Deciding

    async def _look_at_gates(self) -> None:
        for run, seq, payload, key in await rows_or_none(self._orders.database_url, GATES) or []:
            if (run, seq) not in self._asked:
                self._asked.add((run, seq))
                step = json.loads(payload)["step"]
                votes = tell(self._orders.seed, int(key.removeprefix(KEY)), draw).steps[step].votes
                if votes is not None:
                    self._errands.create_task(self._decide(run, step, seq, votes))

    async def _decide(self, run: str, step: str, seq: int, votes: Votes) -> None:
        if not votes.starter_may:
            await self._vote(self._server(), c.Vote(step, granted=True, by=STARTER), run)
        if votes.stale:
            await self._vote(self._server(), c.Vote(step, granted=not votes.passes, by=BEN, asked_seq=seq + 1), run)
        if votes.verdict != "expired":
            await asyncio.sleep(votes.after / 1_000)
            vote = c.Vote(step, granted=votes.verdict == "granted", by=ANA, asked_seq=seq, reason="told to")
            clicks = self._servers if votes.twice else (self._server(),)
            await asyncio.gather(*(self._vote(server, vote, run) for server in clicks))
            if votes.stale:
                await asyncio.sleep(self._rng.random() * STALE_AFTER)
                await self._vote(self._server(), c.Vote(step, granted=not vote.granted, by=BEN, asked_seq=seq), run)

    async def _vote(self, server: Engine, vote: c.Vote, run: str) -> None:
        with contextlib.suppress(UnknownRun):
            reply = await persistently(lambda: server.vote(run, vote))
            said = {"step": vote.step, "by": vote.by.id, "granted": vote.granted, "asked_seq": vote.asked_seq}
            self._journal.note("voted", run=run, **said, reply=type(reply).__name__)
