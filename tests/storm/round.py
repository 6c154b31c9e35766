"""One storm: servers, bots and a crowd are brought up, everything goes wrong that may, and what is left is judged."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from multiprocessing.process import BaseProcess
from pathlib import Path

from bot.app import BotSettings
from bot.sending.steps import SlackSender
from bot.simulator.chaos import STORMY, Chaos, Weather
from bot.simulator.simulator import Options, Simulator
from engine.clock import MovableClock
from engine.engine import Engine
from tests.crash.killing import bring_up, stop
from tests.fleet.servers import DatabaseKind, own_postgres, own_redis
from tests.storm import judge
from tests.storm.bots import BotOrders, live, open_engine, steps
from tests.storm.cast import QUORUM, storm_workspace
from tests.storm.judge import Acknowledgements
from tests.storm.people import BAD, Crowd

PACE = 30.0
BOTS = 2
WEATHER = replace(STORMY, incident_ms=4_000, limited=0.01, retry_after_s=30)
UP_WITHIN_MS = 60_000
LOOK_EVERY = 1.0

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """``bad`` clicks come on top of the valid ones, ``QUORUM`` for each of two gates a run. ``patience`` in seconds.

    ``timed``: whether it is judged how quick the bots were, which is fair on a machine that does nothing else.
    """

    database: DatabaseKind
    seed: int
    runs: int = 200
    bad: int = 1_000
    in_flight: int = 20
    weather: Weather = WEATHER
    patience: float = 900.0
    timed: bool = True

    @property
    def valid(self) -> int:
        return 2 * QUORUM * self.runs


@dataclass(kw_only=True)
class Result:
    """What there was, and what the judge has against it."""

    plan: Plan
    clicks: Counter[str]
    faults: Counter[str]
    messages: int
    votes: int
    acknowledged: Acknowledgements
    seconds: float
    findings: list[str]

    @property
    def ok(self) -> bool:
        return not self.findings

    def line(self) -> str:
        """All counts in one line."""
        plan, clicks = self.plan, self.clicks
        bad = {kind: clicks[f"clicks {kind}"] for kind in BAD}
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in bad.items())
        faults = ", ".join(f"{count:,} {what}" for what, count in sorted(self.faults.items()))
        return (
            f"{plan.database}, {BOTS} bots, clock x{PACE:g}: {plan.runs:,} runs, {2 * plan.runs:,} approvals, "
            f"{clicks['clicks valid'] + sum(bad.values()):,} clicks ({clicks['clicks valid']:,} valid, {kinds}; "
            f"{clicks['clicks again']:,} again), {self.votes:,} votes; {self.messages:,} messages; faults: {faults}; "
            f"acknowledged after {self.acknowledged.median} ms, p99 {self.acknowledged.p99} ms; "
            f"{self.seconds:.0f} s; {len(self.findings) or 'no'} findings; seed {plan.seed}"
        )


def play(plan: Plan, folder: Path, say: Say) -> Result:
    """Play it in ``folder``, which is empty and afterwards holds the bots' logs."""
    with _database(plan, folder) as database_url, own_redis(folder) as redis:
        return asyncio.run(_play(plan, folder, database_url, redis.url, say))


@contextmanager
def _database(plan: Plan, folder: Path) -> Generator[str]:
    if plan.database == "sqlite":
        yield f"sqlite:///{folder / 'vb.db'}"
    else:
        with own_postgres() as server:
            yield server.url


async def _play(plan: Plan, folder: Path, database_url: str, redis_url: str, say: Say) -> Result:
    clock = MovableClock(PACE)
    async with Simulator(storm_workspace(clock), options=Options(strict_rates=True)).serve() as simulator:
        orders = BotOrders(
            name="judge",
            folder=folder,
            database_url=database_url,
            redis_url=redis_url,
            namespace=f"storm{secrets.token_hex(4)}",
            slack=_slack(simulator),
            pace=PACE,
            since=clock.since,
        )
        async with open_engine(orders, steps(SlackSender())) as engine:
            crowd = Crowd(simulator, plan.seed, plan.runs, plan.bad, plan.in_flight)
            began = time.monotonic()
            async with _bots(orders, simulator):
                simulator.unleash(Chaos(plan.seed, plan.weather))
                late = await _at_most(plan.patience, crowd.act(), crowd, say)
                say("no more clicks; waiting until all is told")
                late += await _until_told(engine, database_url, plan.patience / 2)
                seconds = time.monotonic() - began
                await simulator.calm()
                await simulator.wait_for(lambda: not simulator.calls_in_hand, plan.weather.hang_ms + 5_000)
            runs, findings = await judge.runs_wrongly(database_url, plan.runs)
            found = await judge.gates(database_url)
            findings += [*late, *judge.decided_wrongly(found, crowd.votes, simulator)]
            findings += await judge.told_wrongly(engine, runs, simulator)
        findings += [*judge.slack_wrongly(simulator, timed=plan.timed), *judge.logged_wrongly(folder)]
        return Result(
            plan=plan,
            clicks=crowd.counts,
            faults=simulator.chaos.happened if simulator.chaos else Counter(),
            messages=sum(1 for name in simulator.workspace.channels for _ in simulator.workspace.messages(name)),
            votes=sum(len(gate.votes) for gate in found),
            acknowledged=Acknowledgements.of(simulator),
            seconds=seconds,
            findings=findings,
        )


def _slack(simulator: Simulator) -> BotSettings:
    return BotSettings(simulator.bot_token, app_token=simulator.app_token, api_url=simulator.api_url)


@asynccontextmanager
async def _bots(orders: BotOrders, simulator: Simulator) -> AsyncGenerator[None]:
    """All bots, connected; told to stop at the end, and ended if the storm failed."""
    bots: list[BaseProcess] = []
    try:
        for number in range(1, BOTS + 1):
            bots.append(bring_up(live, replace(orders, name=f"bot{number}")))
            await simulator.wait_for(lambda: simulator.socket.connections >= len(bots), UP_WITHIN_MS)
        yield
        for bot in bots:
            await stop(bot)
    finally:
        for bot in bots:
            bot.kill()


async def _at_most(patience: float, acting: Coroutine[None, None, None], crowd: Crowd, say: Say) -> list[str]:
    """Let the crowd act; a finding if it does not come to an end."""
    task = asyncio.create_task(acting)
    until = time.monotonic() + patience
    while not task.done() and time.monotonic() < until:
        await asyncio.wait({task}, timeout=10)
        say(", ".join(f"{count:,} {what}" for what, count in sorted(crowd.counts.items())))
    if task.done():
        await task
        return []
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return [f"after {patience:.0f} s {crowd.gates_left} gates are still open"]


async def _until_told(engine: Engine, database_url: str, patience: float) -> list[str]:
    try:
        async with asyncio.timeout(patience):
            while not await judge.all_ended_and_told(engine, database_url):
                await asyncio.sleep(LOOK_EVERY)
    except TimeoutError:
        return [f"after {patience:.0f} s not all was told"]
    return []
