"""A bot process (engine, worker, service) that kills itself at one boundary, or serves until it is told to stop.

The boundaries are put around the bot's and the engine's own calls from outside, and so is the haste: nothing in the bot
knows of them. What is made quick is waiting (leases, limits of Slack, pauses), never what is done.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from bot.app import BotSettings, Service
from bot.sending import pacing
from bot.sending.outbox import Outbox, OutcomeUnknown
from bot.sending.slackstep import slack_post
from bot.sending.steps import SlackSender
from bot.simulator.demo import BEN
from bot.telling.shared import Pace
from bot.telling.threads import Threads
from bot.workspaces import tenant
from engine.catalog import Catalog
from engine.core.definition import Workflow
from engine.core.events import Actor
from engine.engine import Engine, EngineSettings
from engine.gates import Gates
from engine.steps.registry import Registry, step
from engine.worker import WorkerSettings
from tests.crash.fuse import Fuse, Trap
from tests.crash.victim import PATIENT

POST, UPDATE = "chat.postMessage", "chat.update"
CHANNEL = "C0RELEASES"
STARTER = Actor(via="slack", id=BEN, name="Ben Okafor")

SETTLE_MS = 200
PACE = Pace(lease=1.0, card=0.05, read=0.01, linger=0.2)
PLENTY = pacing.Rate(1_000.0, 1_000)
LEASE = 400

SHIPPING = Workflow.model_validate(
    {
        "name": "shipping",
        "input": {"n": {"type": "integer"}},
        "steps": [
            {"id": "notes", "uses": "crash.note", "with": {"text": "of ${{ string(input.n) }}"}, "retry": PATIENT},
            {
                "id": "publish",
                "approval": {
                    "title": "Ship?",
                    "approvers": ["@release-managers"],
                    "show": {"notes": "${{ steps.notes.output }}"},
                },
            },
            {"id": "tag", "uses": "crash.note", "with": {"text": "tagged"}, "retry": PATIENT},
        ],
    }
)
ANNOUNCING = Workflow.model_validate(
    {
        "name": "announcing",
        "input": {"n": {"type": "integer"}},
        "steps": [
            {
                "id": "say",
                "uses": "slack.post",
                "with": {"channel": "#ops", "text": "${{ string(input.n) }}"},
                "retry": PATIENT,
            }
        ],
    }
)


@dataclass(frozen=True)
class BotOrders:
    """What a victim is to do. It dies in its trap; without one it serves until SIGTERM."""

    database_url: str
    redis_url: str
    namespace: str
    slack: BotSettings = field(repr=False)
    trap: Trap
    lease: int = LEASE
    """Of its worker (ms)."""

    start: int | None = None
    """The number of a run of ``shipping`` that the victim itself starts, which so is told at once."""


class QuickSender(SlackSender):
    def connect(self, *services: Any, **more: Any) -> Callable[[], object]:
        return super().connect(*services, **{**more, "settle_ms": SETTLE_MS})


def arm(fuse: Fuse) -> None:
    """Put the boundaries around the calls of Slack, and around what is committed on a person's word."""
    call, start, act = Outbox.call, Engine.start, Gates.act

    async def armed_call(outbox: Outbox, method: str, *arguments: Any, **more: Any) -> Any:
        fuse.at(f"before {method}")
        try:
            answer = await call(outbox, method, *arguments, **more)
        except OutcomeUnknown:
            fuse.at(f"unanswered {method}")
            raise
        fuse.at(f"after {method}")
        return answer

    async def armed_start(engine: Engine, *arguments: Any, **more: Any) -> Any:
        begun = await start(engine, *arguments, **more)
        fuse.at("after start")
        return begun

    async def armed_act(gates: Gates, *arguments: Any) -> Any:
        reply = await act(gates, *arguments)
        fuse.at("after vote")
        return reply

    setattr(Outbox, "call", armed_call)  # noqa: B010 - assigning to a method is what is meant
    setattr(Engine, "start", armed_start)  # noqa: B010
    setattr(Gates, "act", armed_act)  # noqa: B010


def hasten() -> None:
    """Short leases and pauses, and no limits of Slack, in this process."""
    assert tenant.Threads is Threads
    setattr(tenant, "Threads", partial(Threads, pace=PACE, settle_ms=SETTLE_MS))  # noqa: B010
    for name in ("POSTS_PER_CHANNEL", "TIER_3", "ANY_OTHER"):
        setattr(pacing, name, PLENTY)
    pacing.METHODS.update(dict.fromkeys(pacing.METHODS, PLENTY))


def open_bot_engine(orders: BotOrders, sender: SlackSender) -> AbstractAsyncContextManager[Engine]:
    @step("crash.note")
    async def note(text: str) -> str:
        return text

    steps = Registry([note, slack_post(sender)])
    catalog = Catalog(steps.catalog())
    catalog.add(SHIPPING)
    catalog.add(ANNOUNCING)
    settings = EngineSettings(
        orders.database_url,
        orders.redis_url,
        chain_key=b"k" * 32,
        namespace=orders.namespace,
        worker=WorkerSettings(lease=orders.lease, grace=3.0),
    )
    return Engine.open(settings, catalog=catalog, registry=steps)


async def start_shipping(engine: Engine, number: int) -> str:
    """The run of that number, started now or before."""
    origin = {"team": "T0ACMEDEMO", "channel": CHANNEL, "user": BEN}
    begun = await engine.start("shipping", {"n": number}, by=STARTER, origin=origin, dedupe_key=f"shipping {number}")
    return begun.run


def live(orders: BotOrders) -> None:
    """The victim's whole life; to be the target of a process."""
    arm(Fuse(orders.trap))
    hasten()
    asyncio.run(_serve(orders))


async def _serve(orders: BotOrders) -> None:
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    sender = QuickSender()
    async with (
        open_bot_engine(orders, sender) as engine,
        engine.work(),
        Service(engine, orders.slack, sender=sender),
    ):
        if orders.start is not None:
            await start_shipping(engine, orders.start)
        await told.wait()
