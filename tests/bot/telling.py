"""A bot's threads on a test's engine and workspace, and what a person would read there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from slack_sdk.web.async_client import AsyncWebClient

from bot.people.directory import Directory
from bot.sending.outbox import Outbox
from bot.simulator.model import Message
from bot.simulator.simulator import Simulator
from bot.telling.follower import Follower
from bot.telling.shared import Pace
from bot.telling.threads import Threads
from engine.core import commands as c
from engine.core.events import Actor
from engine.engine import Engine
from engine.store import Deliveries
from tests.bot.conftest import ACTOR, ORIGIN, gate, until, workflow

ANA = Actor(via="slack", id="U0ANAXXXXX", name="Ana Ruiz")
DANA = Actor(via="slack", id="U0DANAXXXX", name="Dana Levy")
QUICK = Pace(card=0.05, read=0.01, linger=0.2)

CHAIN = workflow(
    {"id": "one", "uses": "t.echo", "with": {"text": "${{ input.word }}"}},
    {"id": "two", "uses": "t.echo", "with": {"text": "!"}},
    name="chain",
    input={"word": {"type": "string"}},
)
GATED = workflow(
    {"id": "one", "uses": "t.echo", "with": {"text": "notes & more"}},
    gate(
        show={"notes": "${{ steps.one.output }}"},
        escalate=[{"after": "15m", "to": "@oncall"}, {"after": "1h", "to": "#eng-leads"}],
        remind_every="30m",
    ),
    {"id": "two", "uses": "t.echo", "with": {"text": "!"}},
    name="gated",
)


TWO_VOTES = workflow(
    gate(quorum=2, allow_self=True),
    {"id": "one", "uses": "t.echo", "with": {"text": "!"}},
    name="two_votes",
)


class Bench:
    """Threads of one process, on the test's engine and workspace."""

    def __init__(self, engine: Engine, client: AsyncWebClient, directory: Directory, simulator: Simulator) -> None:
        self.engine = engine
        self.simulator = simulator
        self._client = client
        self._directory = directory

    def threads(self, default_channel: str | None = None, pace: Pace = QUICK, owner: str | None = None) -> Threads:
        """Those of a process that does not look for runs by itself."""
        return Threads(
            self.engine,
            Outbox(self._client),
            self._directory,
            default_channel=default_channel,
            pace=pace,
            settle_ms=100,
            owner=owner,
        )

    @asynccontextmanager
    async def telling(self, default_channel: str | None = None, pace: Pace = QUICK) -> AsyncGenerator[Threads]:
        follower = Follower(Deliveries(self.engine.store), self.engine.home)
        threads = self.threads(default_channel, pace, follower.owner)
        with follower.following(self.engine.settings.workspace, threads):
            tasks = [asyncio.create_task(threads.run()), asyncio.create_task(follower.run())]
            try:
                yield threads
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def start(self, name: str, **inputs: object) -> str:
        return (await self.engine.start(name, inputs, by=ACTOR, origin=ORIGIN)).run

    async def start_and_wait_at_gate(self, name: str = "gated") -> str:
        """A run that has got as far as it can without a person."""
        run = await self.start(name)

        async def open_gate() -> bool:
            return (await self.engine.state(run)).step("publish").gate is not None

        await until(open_gate)
        return run

    async def vote(self, run: str, *, granted: bool = True) -> None:
        await self.engine.vote(run, c.Vote("publish", granted, ANA, "in @release-managers", "looks good"))

    def messages(self, channel: str = "releases") -> list[Message]:
        return self.simulator.channel_messages(channel)

    def lines(self) -> list[str]:
        return [line for text in self.texts() for line in text.splitlines()]

    def keys(self) -> list[tuple[str, str]]:
        """(run, key) of every message that carries them."""
        payloads = [message.metadata["event_payload"] for message in self.messages() if message.metadata]
        return [(payload["run"], payload["key"]) for payload in payloads]

    def card(self) -> Message:
        return self.messages()[0]

    def texts(self, channel: str = "releases") -> list[str]:
        return [message.text for message in self.messages(channel)]

    async def shows(self, *parts: str, channel: str = "releases") -> None:
        """Wait until every part is somewhere in the channel."""
        await self.until(lambda: all(any(part in text for text in self.texts(channel)) for part in parts))

    async def until(self, condition: Callable[[], object]) -> None:
        try:
            await self.simulator.wait_for(condition)
        except TimeoutError:
            raise AssertionError("not within 10 s; there is:\n" + "\n---\n".join(self.texts())) from None

    async def told(self, run: str) -> None:
        """Wait until nothing is left to say about the run."""

        async def at_its_end() -> bool:
            state = await self.engine.state(run)
            return f"ended at {state.seq}" == await self._cursor(run)

        await until(at_its_end, 10)

    async def _cursor(self, run: str) -> str:
        cursor = await Deliveries(self.engine.store).claim_cursor("slack", run, "wrk_looking", 1)
        if cursor is None:
            return "held"
        await Deliveries(self.engine.store).release_cursor("slack", run, "wrk_looking")
        return f"ended at {cursor.seq}"
