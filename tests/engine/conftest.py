"""A whole engine per test: the database of the test, the shared Redis under a namespace of its own, one worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

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
from tests.waiting import until as until

ANA = Actor(via="cli", id="ana", name="Ana")
BEN = Actor(via="cli", id="ben", name="Ben")


@dataclass
class World:
    """What the steps of a test touch outside the engine: how often, and gates that they wait at."""

    calls: list[str] = field(default_factory=list[str])
    failures: dict[str, int] = field(default_factory=dict[str, int])
    open: asyncio.Event = field(default_factory=asyncio.Event)

    def steps(self) -> list[StepFunction]:
        @step("t.echo")
        async def echo(text: str) -> str:
            self.calls.append(f"echo {text}")
            return text

        @step("t.flaky")
        async def flaky(ctx: StepContext, name: str) -> str:
            self.calls.append(f"flaky {name} attempt {ctx.attempt}")
            left = self.failures.get(name, 0)
            self.failures[name] = left - 1
            if left > 0:
                raise StepError("connection refused", FailureClass.TRANSIENT)
            return name

        @step("t.pay")
        async def pay(ctx: StepContext, name: str) -> object:
            async def charge(key: str) -> str:
                self.calls.append(f"charge {key.split('/', 1)[1]}")
                return "receipt"

            receipt = await ctx.effect("charge", charge)
            left = self.failures.get(name, 0)
            self.failures[name] = left - 1
            if left > 0:
                raise ConnectionResetError("after the charge")
            return receipt

        @step("t.hold")
        async def hold(ctx: StepContext) -> str:
            self.calls.append("hold")
            await self.open.wait()
            return "held"

        @step("t.plain")
        def plain(ctx: StepContext, text: str) -> str:
            ctx.wait(ctx.log(f"saw {text}"))
            return text.upper()

        return [echo, flaky, pay, hold, plain]


@dataclass
class Setup:
    """Opens engines on one database, as many as a test wants."""

    settings: EngineSettings
    world: World
    clock: MovableClock
    more: tuple[StepFunction, ...] = ()
    """Steps of a test's own, that engines opened from now on have besides the world's."""

    @asynccontextmanager
    async def engine(self, *workflows: Workflow) -> AsyncGenerator[Engine]:
        registry = Registry([*self.world.steps(), *self.more])
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
def setup(database_url: str, redis_server: EmbeddedRedis, redis_namespace: str, world: World) -> Setup:
    settings = EngineSettings(
        database_url,
        redis_server.url,
        chain_key=b"k" * 32,
        namespace=redis_namespace,
        worker=WorkerSettings(slots=20, lease=60_000, grace=2.0),
    )
    return Setup(settings, world, MovableClock())


async def ended(engine: Engine, run: str) -> RunState:
    async with asyncio.timeout(60):
        return await engine.wait(run)


def workflow(*steps: Mapping[str, object], name: str = "wf", **more: object) -> Workflow:
    return Workflow.model_validate({"name": name, "steps": steps, **more})
