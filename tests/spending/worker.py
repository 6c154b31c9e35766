"""One worker process, whose steps spend money: what a call may cost and what it does follow from its key.

It works until SIGTERM, or until it is killed.
"""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import uvloop

from engine.catalog import Catalog
from engine.core.spending import Spend
from engine.engine import Engine, EngineSettings
from engine.steps.context import Paid, StepContext, Unsent
from engine.steps.registry import Registry, step
from engine.worker import WorkerSettings

CENT = 10_000


@dataclass(frozen=True)
class Orders:
    database_url: str
    redis_url: str
    namespace: str


def live(orders: Orders) -> None:
    """The worker's whole life; to be the target of a process."""
    uvloop.run(_work(orders))


@asynccontextmanager
async def opened(orders: Orders) -> AsyncGenerator[Engine]:
    registry = steps()
    settings = EngineSettings(
        orders.database_url,
        orders.redis_url,
        chain_key=b"k" * 32,
        namespace=orders.namespace,
        worker=WorkerSettings(slots=40, lease=1_000, grace=5.0),
    )
    async with Engine.open(settings, catalog=Catalog(registry.catalog()), registry=registry) as engine:
        yield engine


def steps() -> Registry:
    @step("spend.call")
    async def call(ctx: StepContext) -> object:
        chance = random.Random(f"{ctx.key_for('call')} {ctx.attempt}")
        worst = chance.randrange(1, 40) * CENT

        async def ask(key: str) -> Paid:
            await asyncio.sleep(chance.random() / 20)
            fate = chance.random()
            if fate < 0.1:
                raise Unsent("no such host")
            if fate < 0.2:
                raise ConnectionResetError("by peer")
            return Paid(key, chance.randrange(0, worst + 1))

        return await ctx.effect("call", ask, spend=Spend(worst, "gpt-x", "openai"))

    return Registry([call])


async def _work(orders: Orders) -> None:
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    async with opened(orders) as engine, engine.work():
        await told.wait()
