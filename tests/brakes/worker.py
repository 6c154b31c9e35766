"""One worker process, with steps that call outside, and steps that are programs. It works until SIGTERM."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import uvloop

from engine.catalog import Catalog
from engine.engine import Engine, EngineSettings
from engine.steps.context import StepContext
from engine.steps.process import Command
from engine.steps.process import run as run_program
from engine.steps.registry import Registry, step
from engine.worker import WorkerSettings

PROGRAM = "echo $$ >> running; test -e open || exec sleep 600"
"""What a program step is: it notes its process, and lasts unless it has been told not to."""


@dataclass(frozen=True)
class Orders:
    database_url: str
    redis_url: str
    namespace: str
    outside_url: str
    folder: Path
    slots: int


def live(orders: Orders) -> None:
    """The worker's whole life; to be the target of a process."""
    uvloop.run(_work(orders))


@asynccontextmanager
async def opened(orders: Orders) -> AsyncGenerator[Engine]:
    registry = steps(orders)
    settings = EngineSettings(
        orders.database_url,
        orders.redis_url,
        chain_key=b"k" * 32,
        namespace=orders.namespace,
        worker=WorkerSettings(slots=orders.slots, grace=5.0),
    )
    async with Engine.open(settings, catalog=Catalog(registry.catalog()), registry=registry) as engine:
        yield engine


def steps(orders: Orders) -> Registry:
    shell = shutil.which("sh") or "sh"

    @step("stop.call")
    async def call(ctx: StepContext, keep: bool) -> str:
        asked = {"of": f"{ctx.run}/{ctx.step}", "keep": "yes" if keep else "no"}
        timeout = aiohttp.ClientTimeout(total=None)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(orders.outside_url, params=asked) as got,
        ):
            return await got.text()

    @step("stop.program")
    async def program() -> int:
        done = await run_program(Command("sh", shell, ("-c", PROGRAM), cwd=str(orders.folder)))
        return done.exit_code

    return Registry([call, program])


async def _work(orders: Orders) -> None:
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    async with opened(orders) as engine, engine.work():
        await told.wait()
