"""The bot's front door: a served bot, and what people type, click and see there.

The one rule: a test acts as a person or as Slack does, and looks at what arrived in the workspace and in the log.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from bot.app import BotSettings, Service
from bot.simulator.calls import Fault
from bot.simulator.forms import Submitted
from bot.simulator.model import Message, View
from bot.simulator.simulator import Simulator
from bot.simulator.values import PageValues
from engine.core.definition import Workflow
from engine.core.state import Gate, RunState
from engine.engine import Engine
from tests.bot.conftest import Setup, gate, until, workflow
from tests.patience import PATIENT

SOCKET, HTTP = "socket", "http"
ADMINS = ("@dana",)

RELEASE = workflow(
    {"id": "notes", "uses": "t.echo", "with": {"text": "for ${{ input.version }}"}},
    gate(show={"notes": "${{ steps.notes.output }}"}, escalate=[{"after": "15m", "to": "@oncall"}]),
    {"id": "tag", "uses": "t.echo", "with": {"text": "tagged"}},
    name="release",
    description="Publish a version.",
    input={
        "version": {"type": "string", "pattern": r"^v\d+\.\d+\.\d+$", "description": "What to publish."},
        "count": {"type": "integer", "default": 1, "min": 1, "max": 9},
        "dry": {"type": "boolean", "default": False},
        "ring": {"type": "choice", "choices": ["canary", "all"], "default": "canary"},
        "note": {"type": "text", "required": False},
    },
)
SIMPLE = workflow({"id": "one", "uses": "t.echo", "with": {"text": "hi"}}, name="simple")
HOLD = workflow({"id": "one", "uses": "t.hold"}, name="hold")
EVERYTHING = (RELEASE, SIMPLE, HOLD)


def bot_settings(simulator: Simulator, transport: str = SOCKET, **more: Any) -> BotSettings:
    """Those of the simulated app, and a bot that is patient, but for what is given in ``more``."""
    secret = {"signing_secret": simulator.signing_secret} if transport == HTTP else {"app_token": simulator.app_token}
    known: dict[str, Any] = {
        "bot_token": simulator.bot_token,
        "api_url": simulator.api_url,
        "bounds": PATIENT,
        **secret,
        **more,
    }
    return replace(BotSettings(known["bot_token"], http_port=0, admins=ADMINS), **known)


def _known_by(view: View | None) -> tuple[str, str] | None:
    return None if view is None else (view.id, view.hash)


@dataclass
class Front:
    """A served bot and its workspace."""

    simulator: Simulator
    engine: Engine
    service: Service
    _before: dict[str, tuple[str, str] | None] = field(default_factory=dict[str, "tuple[str, str] | None"])
    """The id and the hash of what each person had on top when they last did something here."""

    async def type(self, who: str, text: str, channel: str = "#releases") -> str:
        """Type ``/vb text``; returns the newest answer that only they see, or an empty text."""
        before = len(self.whispers(who, channel))
        self._before[who] = _known_by(self._top(who))
        await self.simulator.type_command(who, channel, f"/vb {text}")
        told = self.whispers(who, channel)
        return told[-1] if len(told) > before else ""

    def whispers(self, who: str, channel: str = "#releases") -> list[str]:
        return [one.text for one in self.simulator.channel_messages(channel, seen_by=who) if one.ephemeral]

    async def told(self, who: str, count: int, channel: str = "#releases") -> str:
        """The ``count``-th whisper, once it is there."""
        await self.simulator.wait_for(lambda: len(self.whispers(who, channel)) >= count)
        return self.whispers(who, channel)[count - 1]

    def _top(self, who: str) -> View | None:
        return next(reversed(self.simulator.views(who)), None)

    async def form(self, who: str) -> View:
        """The form on top, once it is another than before the person's last click or command: it comes after that."""

        def found() -> View | None:
            top = self._top(who)
            return None if _known_by(top) == self._before.get(who) else top

        form = await self.simulator.wait_for(found)
        assert form is not None
        self._before[who] = None
        return form

    async def fill(self, who: str, **inputs: str | None) -> Submitted:
        """Fill the start form in and send it."""
        values: PageValues = {f"input_{name}": {"value": value} for name, value in inputs.items()}
        return await self.simulator.submit_view(who, (await self.form(who)).id, values)

    async def runs(self) -> list[str]:
        return [run.id for run in await self.engine.runs()]

    async def release(self, who: str = "ben", version: str = "v1.2.3") -> str:
        """Start the release as a person does; returns the run once its question is in the channel."""
        answer = await self.type(who, f"run release version={version}")
        assert answer == ""
        run = (await self.runs())[0]
        await self.question()
        return run

    async def question(self, count: int = 1) -> Message:
        """The ``count``-th message with the buttons, once it is there."""

        def found() -> list[Message]:
            return [one for one in self.simulator.channel_messages("#releases") if _has_buttons(one)]

        return (await self.simulator.wait_for(lambda: found()[count - 1 : count]))[0]

    async def click(self, who: str, action: str = "gate_approve") -> None:
        question = await self.question()
        self._before[who] = _known_by(self._top(who))
        await self.simulator.click(who, "#releases", question.ts, action)

    async def gate(self, run: str) -> Gate:
        found = (await self.engine.state(run)).step("publish").gate
        assert found is not None
        return found

    async def decided(self, run: str) -> Gate:
        async def is_decided() -> bool:
            return (await self.gate(run)).decision is not None

        await until(is_decided)
        return await self.gate(run)

    async def ended(self, run: str) -> RunState:
        async def has_ended() -> bool:
            return (await self.engine.state(run)).end is not None

        await until(has_ended)
        return await self.engine.state(run)


@contextmanager
def unanswered(simulator: Simulator, method: str, times: int = 1) -> Generator[None]:
    """The next calls of this method get no answer while the block runs."""
    over = asyncio.Event()
    simulator.fail_next(method, Fault(held=over), times)
    try:
        yield
    finally:
        over.set()


@contextmanager
def locked(setup: Setup) -> Generator[None]:
    """Nobody can write to the database while the block runs."""
    path = setup.settings.database_url.partition(":///")[2]
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def _has_buttons(message: Message) -> bool:
    return any(block.get("block_id") == "gate" for block in message.blocks)


@asynccontextmanager
async def serving(
    setup: Setup,
    simulator: Simulator,
    workflows: Sequence[Workflow] = EVERYTHING,
    transport: str = SOCKET,
    **more: Any,
) -> AsyncGenerator[Front]:
    """A bot that serves the workspace, with a worker beside it."""
    settings = bot_settings(simulator, transport, **more)
    async with (
        setup.working(*workflows) as engine,
        Service(engine, settings, sender=setup.world.sender) as service,
    ):
        if transport == HTTP:
            simulator.use_http(service.request_url)
        else:
            await simulator.wait_connected()
        yield Front(simulator, engine, service)
