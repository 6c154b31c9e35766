"""The people of a fleet, in a process that nobody kills: they start runs, decide gates and cancel.

They are as people are: a command is sent twice, a button is clicked twice at once through two servers, somebody clicks
on a request that was decided long ago, or on one that was never made, or where they may not. What they are told is
written down.

The one rule: what was asked is asked again until there is an answer, for the database may be away.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import uvloop

from engine.core import commands as c
from engine.core.definition import Workflow
from engine.core.events import Actor
from engine.engine import Engine
from engine.store import StoreUnavailable
from tests.fleet import bugs
from tests.fleet.operators import OPERATOR, SURELY_AWAKE, Inbox, Notice, given_up, settled, uncertain
from tests.fleet.orders import Journal, Orders, opened, settle_in
from tests.fleet.sql import rows_or_none
from tests.fleet.steps import Me, registry
from tests.fleet.stories import KEY, Pause, Signal, Story, Votes
from tests.fleet.teller import tell

ASK_EVERY = 0.2
AGAIN_AFTER = 0.2
STALE_AFTER = 0.4
NEVER_ASKED = 10_000
"""So far beyond the end of a history no request was ever made."""

STARTER = Actor(via="cli", id="starter", name="Starter")
ANA = Actor(via="cli", id="ana", name="Ana")
BEN = Actor(via="cli", id="ben", name="Ben")

OPEN = "SELECT id, dedupe_key FROM runs WHERE ended_at IS NULL AND dedupe_key IS NOT NULL"
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
    async with AsyncExitStack() as doors:
        here, there = [await persistently(lambda: doors.enter_async_context(opened(orders, steps))) for _ in range(2)]
        async with asyncio.TaskGroup() as errands:
            await People(orders, (here, there), errands).serve(told)


async def persistently(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until the database takes it."""
    while True:
        try:
            return await ask()
        except StoreUnavailable:
            await asyncio.sleep(AGAIN_AFTER)


async def ask(server: Engine, run: str, command: c.Command) -> str:
    """Submit the command until it is answered; the name of the answer."""
    return type(await persistently(lambda: server.operations.submit(run, command))).__name__


class People:
    """Everybody who uses the fleet. They have two servers to speak to, as a bot with two processes gives them."""

    def __init__(self, orders: Orders, servers: tuple[Engine, Engine], errands: asyncio.TaskGroup) -> None:
        self._orders = orders
        self._servers = servers
        self._errands = errands
        self._journal = Journal(orders.folder / "people.jsonl")
        self._inbox = Inbox(orders.database_url)
        self._rng = random.Random(f"people {orders.seed}")
        self._asked: set[tuple[str, int]] = set()
        self._started = 0
        self._busy = 0
        self._starting: set[int] = set()

    async def serve(self, told: asyncio.Event) -> None:
        """Start runs until told to stop, and stay until all have ended and nobody needs anything."""
        while True:
            for _ in range(0 if told.is_set() else await self._room()):
                self._send(self._begin(self._story(self._started)))
                self._started += 1
            await self._look_at_gates()
            notices = await self._inbox.new()
            for notice in notices or []:
                self._send(self._operate(notice))
            if told.is_set() and not self._busy and notices == [] and await self._all_ended():
                return
            await asyncio.sleep(ASK_EVERY)

    def _send(self, errand: Coroutine[Any, Any, None]) -> None:
        """Begin an errand that must be over before the people go home."""
        self._busy += 1

        async def run() -> None:
            await errand
            self._busy -= 1

        self._errands.create_task(run())

    def _story(self, number: int) -> Story:
        return tell(self._orders.seed, number)

    async def _room(self) -> int:
        unended = await rows_or_none(self._orders.database_url, OPEN)
        begun = {int(key.removeprefix(KEY)) for _, key in unended or []}
        starting = sum(number not in begun for number in self._starting)
        return 0 if unended is None else max(0, self._orders.in_flight - len(unended) - starting)

    async def _all_ended(self) -> bool:
        return await rows_or_none(self._orders.database_url, OPEN) == []

    def _server(self) -> Engine:
        return self._rng.choice(self._servers)

    # Starting

    async def _begin(self, story: Story) -> None:
        """Start the run, some of them twice at once, and do to it what its story says."""
        for server in self._servers:
            for workflow in (*story.callees, story.workflow):
                server.catalog.add(Workflow.model_validate(workflow))
        self._starting.add(story.number)
        twice = self._rng.random() < 0.1
        begun = await asyncio.gather(*(self._start(server, story) for server in self._servers[: 1 + twice]))
        self._starting.discard(story.number)
        self._journal.note("started", number=story.number, runs=sorted(set(begun)))
        async with asyncio.TaskGroup() as deeds:
            for signal in story.signals:
                deeds.create_task(self._signal(begun[0], signal))
            if story.pause is not None:
                deeds.create_task(self._hold(begun[0], story.pause))
            if story.cancel_after is not None:
                deeds.create_task(self._cancel(begun[0], story.cancel_after))

    async def _start(self, server: Engine, story: Story) -> str:
        name = story.workflow["name"]
        return (await persistently(lambda: server.start(name, story.given, by=STARTER, dedupe_key=story.key))).run

    async def _cancel(self, run: str, after: int) -> None:
        await asyncio.sleep(after / 1_000)
        reply = await ask(self._server(), run, c.Cancel(BEN, "told to"))
        self._journal.note("cancelled", run=run, reply=reply)

    async def _signal(self, run: str, signal: Signal) -> None:
        await asyncio.sleep(signal.after / 1_000)

        async def send(server: Engine) -> str:
            to = {"run": run} if signal.correlation is None else {"correlation": signal.correlation}
            once = f"{run} {signal.name}"
            sent = server.operations.signal
            return type(await persistently(lambda: sent(signal.name, signal.payload, by=BEN, id=once, **to))).__name__

        replies = await asyncio.gather(*(send(server) for server in self._servers[: 1 + signal.twice]))
        self._journal.note("signalled", run=run, signal=signal.name, replies=replies)

    async def _hold(self, run: str, pause: Pause) -> None:
        await asyncio.sleep(pause.after / 1_000)
        held = await ask(self._server(), run, c.Pause(BEN, "told to"))
        await asyncio.sleep(pause.lasts / 1_000)
        reply = await ask(self._server(), run, c.Resume(BEN, "told to"))
        self._journal.note("held", run=run, replies=[held, reply])

    # Operating

    async def _operate(self, notice: Notice) -> None:
        run, key, word, _ = notice
        history = await self._inbox.history(run)
        if word == "dead_letter":
            expected = self._story(int(key.removeprefix(KEY))).expected
            lost, others = given_up(history)
            worth_it = [step for step in lost + others if (known := expected(step)) and known.ends == "completed"]
            if set(worth_it) & set(lost):
                reply = await ask(self._server(), run, c.Redrive(OPERATOR, "told to", tuple(worth_it)))
                self._journal.note("redriven", run=run, steps=worth_it, reply=reply)
            return
        await asyncio.sleep(SURELY_AWAKE)
        for step in uncertain(await self._inbox.history(run)):
            expected = self._story(int(key.removeprefix(KEY))).steps[step]
            said = settled(run, expected, self._orders.folder / "payments.jsonl")
            reply = await ask(self._server(), run, said)
            self._journal.note("settled", run=run, step=step, answer=said.answer, reply=reply)

    # Deciding

    async def _look_at_gates(self) -> None:
        for run, seq, payload, key in await rows_or_none(self._orders.database_url, GATES) or []:
            if (run, seq) not in self._asked:
                self._asked.add((run, seq))
                step = json.loads(payload)["step"]
                votes = self._story(int(key.removeprefix(KEY))).steps[step].votes
                if votes is not None:
                    self._send(self._decide(run, step, seq, votes))

    async def _decide(self, run: str, step: str, seq: int, votes: Votes) -> None:
        if not votes.starter_may:
            await self._vote(self._server(), c.Vote(step, granted=True, by=STARTER), run)
        if votes.stale:
            await self._vote(
                self._server(), c.Vote(step, granted=not votes.passes, by=BEN, version=seq + NEVER_ASKED), run
            )
        if votes.verdict != "expired":
            await asyncio.sleep(votes.after / 1_000)
            vote = c.Vote(step, granted=votes.verdict == "granted", by=ANA, version=seq, reason="told to")
            clicks = self._servers if votes.twice else (self._server(),)
            await asyncio.gather(*(self._vote(server, vote, run) for server in clicks))
            if votes.stale:
                await asyncio.sleep(self._rng.random() * STALE_AFTER)
                await self._vote(self._server(), c.Vote(step, granted=not vote.granted, by=BEN, version=seq), run)

    async def _vote(self, server: Engine, vote: c.Vote, run: str) -> None:
        reply = await ask(server, run, vote)
        said = {"step": vote.step, "by": vote.by.id, "granted": vote.granted, "asked_seq": vote.version}
        self._journal.note("voted", run=run, **said, reply=reply)
