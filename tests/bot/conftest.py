"""The bot's surroundings, real but for Slack: an engine on SQLite and Redis, and a simulated workspace.

The one rule: engine and workspace share one clock, which a test moves; everything else runs in real time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.people.directory import Directory
from bot.sending.slackstep import slack_post
from bot.sending.steps import SlackSender
from bot.simulator.demo import BEN, demo_workspace
from bot.simulator.model import Message
from bot.simulator.simulator import Simulator
from engine.catalog import Catalog
from engine.clock import MovableClock
from engine.core.definition import Workflow
from engine.core.events import Actor
from engine.core.failures import FailureClass, StepError
from engine.core.state import RunState
from engine.embedded import EmbeddedRedis
from engine.engine import Engine, EngineSettings
from engine.steps.context import StepContext
from engine.steps.registry import Registry, StepFunction, step
from engine.worker import WorkerSettings
from tests.patience import PATIENT, PATIENT_SLACK
from tests.waiting import until as until

ACTOR = Actor(via="slack", id=BEN, name="Ben Okafor")
ORIGIN = {"team": "T0ACMEDEMO", "channel": "C0RELEASES", "user": BEN}


@dataclass
class World:
    """What the steps of a test do: ``t.flaky`` fails as often as ``failures`` says, ``t.hold`` waits for ``open``."""

    failures: dict[str, int] = field(default_factory=dict[str, int])
    open: asyncio.Event = field(default_factory=asyncio.Event)
    sender: SlackSender = field(default_factory=SlackSender)
    more: tuple[StepFunction, ...] = ()
    """Steps of a test's own."""

    def registry(self) -> Registry:
        @step("t.echo")
        async def echo(text: str) -> str:
            return text

        @step("t.flaky")
        async def flaky(name: str) -> str:
            left = self.failures.get(name, 0)
            self.failures[name] = left - 1
            if left > 0:
                raise StepError("connection refused", FailureClass.TRANSIENT)
            return name

        @step("t.hold")
        async def hold() -> str:
            await self.open.wait()
            return "held"

        @step("t.lines")
        async def lines(ctx: StepContext, count: int) -> int:
            for number in range(count):
                await ctx.log(f"line {number}")
            return count

        @step("t.rows")
        async def rows(ctx: StepContext) -> str:
            for number in (1, 2, 3):
                await ctx.status(f"row {number} of 9")
            await self.open.wait()
            return "read"

        return Registry([echo, flaky, hold, lines, rows, slack_post(self.sender), *self.more])


@dataclass
class Setup:
    """Opens engines on the database of the test, as many as a test wants."""

    settings: EngineSettings
    world: World
    clock: MovableClock

    @asynccontextmanager
    async def engine(self, *workflows: Workflow) -> AsyncGenerator[Engine]:
        registry = self.world.registry()
        catalog = Catalog(registry.catalog())
        for workflow in workflows:
            catalog.add(workflow)
        async with Engine.open(self.settings, catalog=catalog, registry=registry, clock=self.clock) as engine:
            yield engine

    @asynccontextmanager
    async def working(self, *workflows: Workflow) -> AsyncGenerator[Engine]:
        async with self.engine(*workflows) as engine, engine.work():
            yield engine


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator(demo_workspace(), options=PATIENT_SLACK).serve() as serving:
        yield serving


@pytest.fixture
def setup(
    sqlite_url: str, redis_server: EmbeddedRedis, redis_namespace: str, world: World, simulator: Simulator
) -> Setup:
    settings = EngineSettings(
        sqlite_url,
        redis_server.url,
        chain_key=b"k" * 32,
        namespace=redis_namespace,
        worker=WorkerSettings(slots=20, lease=60_000, grace=2.0),
    )
    return Setup(settings, world, simulator.workspace.clock)


@pytest.fixture
def client(simulator: Simulator) -> AsyncWebClient:
    return AsyncWebClient(token=simulator.bot_token, base_url=simulator.api_url)


@pytest.fixture
async def directory(simulator: Simulator, client: AsyncWebClient) -> AsyncIterator[Directory]:
    made = Directory(client, simulator.workspace.team_id, within_s=PATIENT.answered)
    yield made
    await made.close()


def workflow(*steps: dict[str, Any], name: str = "wf", **more: Any) -> Workflow:
    return Workflow.model_validate({"name": name, "steps": steps, **more})


def gate(step: str = "publish", **more: Any) -> dict[str, Any]:
    approval = {"title": "Publish?", "approvers": ["@release-managers"], "expires_in": "24h", **more}
    return {"id": step, "approval": approval}


async def ended(engine: Engine, run: str) -> RunState:
    async with asyncio.timeout(180):
        return await engine.wait(run)


def thread_of(simulator: Simulator, channel: str = "releases") -> list[Message]:
    """The messages of a channel's only thread, its root first."""
    return simulator.channel_messages(channel)
