"""A worker in a process of its own, which a test may kill or stop, and whose step blocks its loop, or kills it."""

from __future__ import annotations

import asyncio
import os
import signal
import time

from engine.catalog import Catalog
from engine.engine import Engine, EngineSettings
from engine.steps.registry import Registry, step
from tests.engine.conftest import workflow

LEASE = 600
BLOCKED = 1.5
DEADLY = -1.0
"""So many seconds, and the step kills its process."""
STRAY = workflow({"id": "a", "uses": "stray.block"}, name="stray")


def registry(seconds: float) -> Registry:
    @step("stray.block")
    async def block() -> str:
        if seconds == DEADLY:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(seconds)  # noqa: ASYNC251 - to block the loop is what is meant
        return "done"

    return Registry([block])


def live(settings: EngineSettings, seconds: float) -> None:
    """The process's whole life: work until SIGTERM."""
    asyncio.run(_work(settings, seconds))


async def _work(settings: EngineSettings, seconds: float) -> None:
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    steps = registry(seconds)
    catalog = Catalog(steps.catalog())
    async with Engine.open(settings, catalog=catalog, registry=steps) as engine, engine.work():
        await told.wait()
