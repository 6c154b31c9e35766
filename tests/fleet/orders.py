"""What every process of a fleet is told when it is born, and how it opens its engine.

The one rule: all of it is plain data, so that a process can be killed and another be born with the same orders.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import signal
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.catalog import Catalog
from engine.engine import Engine, EngineSettings
from engine.scheduler import SchedulerSettings
from engine.steps.registry import Registry
from engine.worker import WorkerSettings

LEASE = 2_000
CHAIN_KEY = b"k" * 32
_DIE_WITH_PARENT = 1


@dataclass(frozen=True, kw_only=True)
class Orders:
    """``name`` of the process, the servers, its ``folder`` for logs and journals, and what it is to do.

    ``bug``: one of ``tests.fleet.bugs``, planted in this process. ``older``: a worker of an earlier version.
    ``in_flight``: how many runs the people keep going.
    """

    name: str
    folder: Path
    database_url: str
    redis_url: str
    pay_url: str
    seed: int
    in_flight: int = 40
    bug: str | None = None
    older: bool = False


@asynccontextmanager
async def opened(orders: Orders, steps: Registry) -> AsyncGenerator[Engine]:
    """An engine on the fleet's servers. Raises ``StoreUnavailable`` while the database is away."""
    settings = EngineSettings(
        orders.database_url,
        orders.redis_url,
        chain_key=CHAIN_KEY,
        namespace="fleet",
        worker=WorkerSettings(slots=30, lease=LEASE, grace=5.0),
        scheduler=SchedulerSettings(anchor_every=5.0),
    )
    async with Engine.open(settings, catalog=Catalog(steps.catalog()), registry=steps) as engine:
        yield engine


class Journal:
    """Facts of one process, a JSON line each, written at once: what it has said survives its death."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def note(self, fact: str, **more: object) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps({"fact": fact, "at": time.time_ns() // 1_000_000, **more}) + "\n")


def settle_in(orders: Orders) -> None:
    """Log to the process's own file, and die with the parent, however that dies: also while stopped."""
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    logging.basicConfig(
        filename=orders.folder / f"{orders.name}.log",
        level=logging.WARNING,
        format=f"%(asctime)s {os.getpid()} %(levelname)s %(name)s: %(message)s",
        force=True,
    )
