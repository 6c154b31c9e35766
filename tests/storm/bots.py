"""A bot process of a storm: engine, worker and service, on the storm's clock, until it is told to stop.

The one rule: the bot is as it is. Its pauses are set to the storm's clock from around it; nothing in it knows.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from bot.app import BotSettings, Service
from bot.sending.slackstep import slack_post
from bot.sending.steps import SlackSender
from bot.telling.shared import Pace
from bot.telling.threads import Threads
from bot.workspaces import tenant
from engine.catalog import Catalog
from engine.clock import MovableClock
from engine.engine import Engine, EngineSettings
from engine.steps.registry import Registry, step
from engine.worker import WorkerSettings
from tests.storm.cast import STORM


@dataclass(frozen=True)
class BotOrders:
    """What a bot of the storm is to serve, and on which clock: ``pace`` times the machine's since ``since`` (ms)."""

    name: str
    folder: Path
    database_url: str
    redis_url: str
    namespace: str
    slack: BotSettings = field(repr=False)
    pace: float
    since: int


def engine_settings(orders: BotOrders) -> EngineSettings:
    return EngineSettings(
        orders.database_url,
        orders.redis_url,
        chain_key=b"k" * 32,
        namespace=orders.namespace,
        worker=WorkerSettings(slots=50),
    )


def steps(sender: SlackSender) -> Registry:
    @step("storm.note")
    async def note(text: str) -> str:
        return text

    return Registry([note, slack_post(sender)])


def open_engine(orders: BotOrders, registry: Registry) -> AbstractAsyncContextManager[Engine]:
    """The engine, for an ``async with``; without a worker."""
    catalog = Catalog(registry.catalog())
    catalog.add(STORM)
    clock = MovableClock(orders.pace, orders.since)
    return Engine.open(engine_settings(orders), catalog=catalog, registry=registry, clock=clock)


def live(orders: BotOrders) -> None:
    """The bot's whole life; to be the target of a process."""
    logging.basicConfig(filename=orders.folder / f"{orders.name}.log", level=logging.INFO)
    _quicken(orders.pace)
    asyncio.run(_serve(orders))


def _quicken(pace: float) -> None:
    """Set the bot's own pauses to the pace of the clock; what Slack allows, it takes from the engine's clock itself.

    What it remembers of people keeps its age in real time, since the network between it and Slack is no faster either.
    """
    usual = Pace()
    quick = replace(usual, card=usual.card / pace, turn=usual.turn / pace)
    assert tenant.Threads is Threads
    setattr(tenant, "Threads", partial(Threads, pace=quick))  # noqa: B010 - a name of that module is what is meant


async def _serve(orders: BotOrders) -> None:
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    sender = SlackSender()
    async with (
        open_engine(orders, steps(sender)) as engine,
        engine.work(),
        Service(engine, orders.slack, sender=sender),
    ):
        await told.wait()
