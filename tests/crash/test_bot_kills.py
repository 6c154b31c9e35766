"""Bots killed with SIGKILL at every boundary, counted; afterwards nothing is lost, untold, or told twice."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from bot.app import BotSettings
from bot.sending.steps import SlackSender
from bot.simulator.calls import Fault
from bot.simulator.courier import Parcel
from bot.simulator.demo import demo_workspace
from bot.simulator.errors import PersonError
from bot.simulator.model import Message
from bot.simulator.simulator import Simulator
from engine.core.state import RunStatus, StepStatus
from engine.embedded import EmbeddedRedis
from engine.engine import Engine
from tests.bot.truth import check_completed_thread, check_no_doubles, has_buttons, is_told, of
from tests.crash.bot_victim import CHANNEL, LEASE, POST, UPDATE, BotOrders, live, open_bot_engine, start_shipping
from tests.crash.fuse import Trap
from tests.crash.killing import bring_up, death_at, stop, times, until
from tests.crash.victim import ANA
from tests.patience import PATIENT

pytestmark = [pytest.mark.crash]

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""What the databases do differently is tried with the store and the worker; here is the bot's turn."""

POSTS = 4
"""At least so many messages are posted for a run: its card, its beginning, its request, its end."""

UPDATES = 2
"""At least so many are updated: its card and its request, when it is decided."""


class Drill:
    """One database, one workspace, a stream of victims, and an engine without a worker that looks at their work."""

    def __init__(self, orders: BotOrders, engine: Engine, simulator: Simulator) -> None:
        self.orders = orders
        self.engine = engine
        self.simulator = simulator
        self.runs: list[str] = []
        self.kills = 0
        self._spawned: list[BaseProcess] = []

    def spawn(
        self, boundary: str | None = None, nth: int = 1, start: int | None = None, lease: int = LEASE
    ) -> BaseProcess:
        orders = replace(self.orders, trap=Trap(self.orders.trap.marker, boundary, nth), start=start, lease=lease)
        victim = bring_up(live, orders)
        self._spawned.append(victim)
        return victim

    def leave_nobody(self) -> None:
        """End what a failed test has left."""
        for victim in self._spawned:
            victim.kill()

    async def killed_at(self, victim: BaseProcess, boundary: str) -> None:
        await death_at(boundary, victim, self.orders.trap.marker)
        self.kills += 1
        await self.simulator.wait_for(lambda: self.simulator.socket.connections == 0)

    async def recover(self) -> None:
        """Finish the steps that a victim had in hand. Three losses in a row would rightly end a run as poison."""

        async def nothing_in_hand() -> bool:
            states = [await self.engine.state(run.id) for run in await self.engine.runs(limit=len(self.runs) + 1)]
            return not any(any(state.opened(StepStatus.RUNNING)) for state in states)

        if not await nothing_in_hand():
            async with self.engine.work():
                await until(nothing_in_hand)

    async def completed(self, run: str) -> None:
        async with asyncio.timeout(180):
            assert (await self.engine.wait(run)).status is RunStatus.COMPLETED

    # What people see and do

    def messages(self) -> list[Message]:
        return self.simulator.channel_messages(CHANNEL)

    @asynccontextmanager
    async def ana_approves(self) -> AsyncGenerator[None]:
        """Ana clicks on every Approve that she sees, again if nothing comes of it."""
        clicking = asyncio.create_task(self._approve_all())
        try:
            yield
        finally:
            clicking.cancel()
            await asyncio.gather(clicking, return_exceptions=True)

    async def _approve_all(self) -> None:
        seen: set[str] = set()
        async with asyncio.TaskGroup() as clicks:
            while True:
                for ts in {m.ts for m in self.messages() if has_buttons(m)} - seen:
                    seen.add(ts)
                    clicks.create_task(self._approve(ts))
                await self.simulator.workspace.changes.moved()

    async def _approve(self, ts: str) -> None:
        while any(m.ts == ts and has_buttons(m) for m in self.messages()):
            with contextlib.suppress(PersonError):
                await self.simulator.click("ana", CHANNEL, ts, "gate_approve")
            await asyncio.sleep(0.1)

    async def question_of(self, run: str) -> Message:
        return (
            await self.simulator.wait_for(lambda: [m for m in of(self.messages(), run, "approval") if has_buttons(m)])
        )[0]

    # The end

    async def finish(self) -> None:
        """Let a healthy bot end and tell every run, then check what came of it."""
        async with self.healthy():
            await self.end_and_tell()
        await self.check()

    @asynccontextmanager
    async def healthy(self) -> AsyncGenerator[None]:
        """A bot that does not die."""
        bot = self.spawn()
        await self.simulator.wait_connected()
        yield
        await stop(bot)

    async def end_and_tell(self) -> None:
        async with asyncio.timeout(200), self.ana_approves():
            for run in self.runs:
                await self.completed(run)
            for run in self.runs:
                await until(lambda run=run: is_told(self.engine, run))

    async def check(self) -> None:
        """The promises, from the log and from Slack."""
        assert sorted(run.id for run in await self.engine.runs(limit=2 * len(self.runs))) == sorted(self.runs)
        assert self.kills == len(self.runs)
        check_no_doubles(self.messages())
        for run in self.runs:
            types = [one.event.type for one in await self.engine.history(run)]
            assert [types.count(one) for one in ("RUN_STARTED", "APPROVAL_GRANTED", "RUN_COMPLETED")] == [1, 1, 1]
            await check_completed_thread(self.engine, run, self.messages())
        report = await self.engine.verify()
        assert report.ok, report.findings[0]


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator(demo_workspace()).serve() as serving:
        yield serving


@pytest.fixture
async def drill(
    simulator: Simulator, database_url: str, redis_server: EmbeddedRedis, redis_namespace: str, tmp_path: Path
) -> AsyncIterator[Drill]:
    slack = BotSettings(simulator.bot_token, simulator.app_token, api_url=simulator.api_url, bounds=PATIENT)
    orders = BotOrders(database_url, redis_server.url, redis_namespace, slack, Trap(tmp_path / "marker"))
    async with open_bot_engine(orders, SlackSender()) as engine:
        drill = Drill(orders, engine, simulator)
        try:
            yield drill
        finally:
            drill.leave_nobody()


def on(database: str, boundary: str) -> object:
    passings = UPDATES if UPDATE in boundary else POSTS
    marks = [pytest.mark.postgresql] if database == "postgresql" else []
    return pytest.param(database, boundary, passings, marks=marks, id=f"{boundary} on {database}")


@pytest.mark.parametrize(
    ("database_url", "boundary", "passings"),
    [
        on("sqlite", f"before {POST}"),
        on("sqlite", f"unanswered {POST}"),
        on("sqlite", f"after {POST}"),
        on("postgresql", f"after {POST}"),
        on("sqlite", f"before {UPDATE}"),
        on("sqlite", f"after {UPDATE}"),
    ],
    indirect=["database_url"],
)
async def test_killed_while_it_tells(drill: Drill, boundary: str, passings: int) -> None:
    async with drill.ana_approves():
        for number in times(passings):
            nth = 1 + number % passings
            if boundary.startswith("unanswered"):
                drill.simulator.fail_next(POST, Fault(), nth - 1)
                drill.simulator.fail_next(POST, Fault(drop="after"))
                nth = 1
            await drill.killed_at(drill.spawn(boundary, nth, start=number), boundary)
            drill.runs.append(await start_shipping(drill.engine, number))
            await drill.recover()
    await drill.finish()


@ON_SQLITE
async def test_killed_between_a_click_and_its_acknowledgement(drill: Drill) -> None:
    clicks: list[asyncio.Task[None]] = []
    for number in times():
        victim = drill.spawn("after vote", start=number)
        run = await start_shipping(drill.engine, number)
        question = await drill.question_of(run)
        clicks.append(asyncio.create_task(drill.simulator.click("ana", CHANNEL, question.ts, "gate_approve")))
        await drill.killed_at(victim, "after vote")
        drill.runs.append(run)
        await drill.recover()
    outcomes = await asyncio.gather(*clicks, return_exceptions=True)
    assert all(isinstance(outcome, PersonError) for outcome in outcomes), "none of them was acknowledged"
    await drill.finish()


@ON_SQLITE
async def test_killed_between_a_start_and_its_acknowledgement(drill: Drill) -> None:
    """Each victim first takes the command that has killed the one before it, then dies of its own."""
    typed: list[asyncio.Task[None]] = []
    for number in times():
        victim = drill.spawn("after start", 2 if typed else 1)
        await drill.simulator.wait_connected()
        if typed:
            await deliver_again(drill.simulator)
        typed.append(asyncio.create_task(type_shipping(drill.simulator, number)))
        await drill.killed_at(victim, "after start")
        drill.runs.append((await drill.engine.runs(limit=1))[0].id)
        await drill.recover()
    outcomes = await asyncio.gather(*typed, return_exceptions=True)
    assert all(isinstance(outcome, PersonError) for outcome in outcomes), "none of them was acknowledged"
    async with drill.healthy():
        await deliver_again(drill.simulator)
        await drill.end_and_tell()
    await drill.check()


async def type_shipping(simulator: Simulator, number: int) -> None:
    await simulator.type_command("ben", CHANNEL, f"/vb run shipping n={number}")


async def deliver_again(simulator: Simulator) -> None:
    """Deliver the last command once more, as it was; it is acknowledged now, and answered with nothing new."""
    delivery = simulator.deliveries("slash_commands")[-1]
    assert not await simulator.socket.send(Parcel("slash_commands", delivery.payload))


@ON_SQLITE
@pytest.mark.parametrize("boundary", [f"before {POST}", f"unanswered {POST}", f"after {POST}"])
async def test_killed_while_a_step_posts(drill: Drill, boundary: str) -> None:
    """The step is the one that posts to Slack; these runs were not started there, and are told nowhere."""
    run = None
    for number in times():
        # What was not posted is posted by the next victim, which so passes the boundary once more.
        nth = 2 if run is not None and boundary.startswith("before") else 1
        # A victim that loses its lease while it posts finds its message afterwards, and passes no boundary any more.
        victim = drill.spawn(boundary, nth, lease=5_000)
        if run is not None:
            await drill.completed(run)
        if boundary.startswith("unanswered"):
            drill.simulator.fail_next(POST, Fault(drop="after"))
        run = (await drill.engine.start("announcing", {"n": number}, by=ANA)).run
        drill.runs.append(run)
        await drill.killed_at(victim, boundary)
    async with drill.healthy():
        for run in drill.runs:
            await drill.completed(run)
    assert [message.text for message in drill.simulator.channel_messages("#ops")] == [
        str(n) for n in range(len(drill.runs))
    ]
    report = await drill.engine.verify()
    assert report.ok, report.findings[0]
