"""A worker process that kills itself with SIGKILL at one boundary, or works until it is told to stop.

The boundaries are put around the engine's own calls from outside; nothing in the engine knows of them.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from engine.catalog import Catalog
from engine.core.definition import Workflow
from engine.core.events import Actor
from engine.engine import Engine, EngineSettings
from engine.steps.agent import agent_turn
from engine.steps.context import StepContext
from engine.steps.models.asking import asker
from engine.steps.models.config import Models, Unhurried
from engine.steps.registry import Registry, step
from engine.store import Log
from engine.streams import Streams
from engine.worker import WorkerSettings
from tests.crash.fuse import Fuse, Trap

BOUNDARIES = ("before append", "after append", "before add", "after add", "inside step", "after effect")
LEASE = 400
PATIENT = {"classes": {"worker_lost": {"attempts": 50}}}
"""A lease is short here, and a machine that is busy may be too late for it: no step is given up for that."""

ANA = Actor(via="cli", id="ana", name="Ana")

PAYING = Workflow.model_validate(
    {
        "name": "paying",
        "steps": [
            {"id": "first", "uses": "crash.pay", "retry": PATIENT},
            {"id": "gate", "approval": {"title": "Pay again?", "approvers": ["@all"], "allow_self": True}},
            {"id": "second", "uses": "crash.pay", "retry": PATIENT},
        ],
    }
)

PAY = {"uses": "crash.pay", "name": "pay", "description": "Charges somebody.", "retry": PATIENT}
AGENT = {"model": "mine:any", "prompt": "Charge them.", "max_turns": 3, "max_tokens": 50, "tools": [PAY]}
CHARGING = Workflow.model_validate({"name": "charging", "steps": [{"id": "a", "agent": AGENT, "retry": PATIENT}]})


@dataclass(frozen=True)
class Orders:
    """What a victim is to do. It dies in its trap; without one it works until SIGTERM."""

    database_url: str
    redis_url: str
    namespace: str
    charge_url: str
    trap: Trap
    start: str | None = None
    """The deduplication key of a run that the victim itself starts, as a bot does that hears a command."""
    model_url: str | None = None
    """Where its agent asks its model; without one it has no agent."""


def arm(fuse: Fuse) -> None:
    """Put the boundaries around the append and the stream add, in this process."""
    append, add = Log.append, Streams.add

    async def armed_append(log: Log, what: Any) -> Any:
        fuse.at("before append")
        outcome = await append(log, what)
        fuse.at("after append")
        return outcome

    async def armed_add(streams: Streams, *what: Any) -> None:
        fuse.at("before add")
        await add(streams, *what)
        fuse.at("after add")

    setattr(Log, "append", armed_append)  # noqa: B010 - assigning to a method is what is meant
    setattr(Streams, "add", armed_add)  # noqa: B010


def registry(orders: Orders, passing: Callable[[str], None]) -> Registry:
    @step("crash.pay")
    async def pay(ctx: StepContext) -> object:
        passing("inside step")

        async def charge(key: str) -> object:
            headers = {"Idempotency-Key": key}
            async with aiohttp.ClientSession() as session, session.post(orders.charge_url, headers=headers) as answer:
                return await answer.json()

        receipt = await ctx.effect("charge", charge)
        passing("after effect")
        return receipt

    if orders.model_url is None:
        return Registry([pay])
    models = Models.of([f"mine={orders.model_url}"], (), ["mine:*=1.00/2.00"])
    return Registry([pay, agent_turn(asker(models, Unhurried()))])


def open_engine(orders: Orders, passing: Callable[[str], None]) -> Any:
    steps = registry(orders, passing)
    catalog = Catalog(steps.catalog())
    catalog.add(PAYING)
    if orders.model_url is not None:
        catalog.add(CHARGING)
    settings = EngineSettings(
        orders.database_url,
        orders.redis_url,
        chain_key=b"k" * 32,
        namespace=orders.namespace,
        worker=WorkerSettings(lease=LEASE, grace=3.0),
    )
    return Engine.open(settings, catalog=catalog, registry=steps)


def live(orders: Orders) -> None:
    """The victim's whole life; to be the target of a process."""
    fuse = Fuse(orders.trap)
    arm(fuse)
    asyncio.run(_work(orders, fuse.at))


async def _work(orders: Orders, passing: Callable[[str], None]) -> None:
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    async with open_engine(orders, passing) as engine, engine.work():
        if orders.start is not None:
            await engine.start("paying", {}, by=ANA, dedupe_key=orders.start)
        await told.wait()
