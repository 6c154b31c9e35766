"""Those who ask things of the engine from outside: they start runs, decide, click twice, cancel, and ask again.

The one rule: whoever gets no answer, because the process that was asked died or could not reach the database, asks
another, as people and Slack do; and remembers what was answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Protocol, TypeVar

from pydantic import JsonValue

from engine.core import commands as c
from engine.core.events import Actor
from engine.core.state import Verdict
from engine.engine import Engine
from engine.store import StoreUnavailable
from tests.simulation.host import Died, Host
from tests.simulation.programs import Piece, Program
from tests.simulation.weather import Weather

T = TypeVar("T")

PATIENCE = 20.0
PEOPLE = tuple(Actor(via="slack", id=f"U{name}", name=name) for name in ("Ana", "Ben", "Cleo"))
GARBLED = "\ud800"
"""Half of a surrogate pair, as broken software sends it: no database takes it."""


@dataclass(frozen=True)
class Sent:
    """A signal that was sent; ``heard``: when the sender was told so, in epoch ms of the database."""

    heard: int


@dataclass
class Order:
    """A run that somebody wants: ``copies`` of the request are sent, all under one deduplication key."""

    number: int
    program: Program
    n: int
    at: float
    copies: int
    runs: list[str] = field(default_factory=list[str])
    cancelled_at: float | None = None
    paused_at: float | None = None
    signals: dict[str, Sent] = field(default_factory=dict[str, Sent])
    cancel_reply: c.Reply | None = None
    votes: list[tuple[str, c.Vote, c.Reply]] = field(default_factory=list[tuple[str, c.Vote, c.Reply]])

    @property
    def key(self) -> str:
        """What its run and those who send it signals both know."""
        return f"key {self.number}"

    @property
    def run(self) -> str:
        return self.runs[0]


class Town(Protocol):
    """Where people find somebody to ask."""

    random: Random
    weather: Weather
    complaints: list[str]

    def somebody(self) -> Host | None: ...

    def now(self) -> int: ...


async def persistently(town: Town, question: Callable[[Engine], Awaitable[T]]) -> T:
    """Ask until there is an answer."""
    while True:
        host = town.somebody()
        if host is not None:
            try:
                async with asyncio.timeout(PATIENCE):
                    return await host.ask(question)
            except (Died, StoreUnavailable, TimeoutError):
                pass
        await asyncio.sleep(0.2 + town.random.random())


async def start(town: Town, order: Order) -> None:
    """Start the run that is wanted, once for every copy of the request."""
    by = PEOPLE[order.number % len(PEOPLE)]

    async def once(engine: Engine) -> str:
        name = order.program.workflow.name
        given = {"n": order.n, "key": order.key}
        return (await engine.start(name, given, by=by, dedupe_key=f"order {order.number}")).run

    await asyncio.sleep(order.at)
    order.runs += await asyncio.gather(*(persistently(town, once) for _ in range(order.copies)))
    if order.paused_at is not None:
        await asyncio.sleep(order.paused_at)
        await persistently(town, lambda engine: engine.operations.pause(order.run, by=by))
        await asyncio.sleep(3 * town.random.random())
        await persistently(town, lambda engine: engine.operations.resume(order.run, by=by))
    if order.cancelled_at is not None:
        await asyncio.sleep(order.cancelled_at)
        order.cancel_reply = await persistently(town, lambda engine: engine.cancel(order.run, by=by, reason="enough"))


async def signal(town: Town, order: Order, piece: Piece) -> None:
    """Send the signal that the step waits for, perhaps before it waits, perhaps twice, perhaps too late or never."""
    random, by = town.random, PEOPLE[0]
    if piece.patience is not None and random.random() < 0.15:
        return
    await asyncio.sleep(5 * random.random())
    while not piece.by_key and not order.runs:
        await asyncio.sleep(0.5)

    async def once(engine: Engine) -> None:
        name, payload = f"{order.number}/{piece.id}", dict[str, JsonValue](step=piece.id)
        run, key = (None, order.key) if piece.by_key else (order.run, None)
        await engine.operations.signal(piece.signal, payload, by=by, id=name, run=run, correlation=key)

    await asyncio.gather(*(persistently(town, once) for _ in range(random.choice((1, 1, 2)))))
    order.signals[piece.id] = Sent(town.now())


async def decide(town: Town, order: Order, run: str, step: str) -> None:
    """Perhaps decide on the gate, alone or against somebody else; perhaps twice."""
    votes = 3 if town.weather.crowded else town.random.choice((0, 1, 1, 1, 2, 3))
    await asyncio.gather(*(_vote(town, order, run, step, by) for by in town.random.choices(PEOPLE, k=votes)))


async def _vote(town: Town, order: Order, run: str, step: str, by: Actor) -> None:
    random = town.random
    await asyncio.sleep(random.choice((0.0, 0.3, 1.0, 3.0)) * random.random() * (not town.weather.crowded))
    garbled = random.random() < town.weather.garbled
    vote = c.Vote(step, random.random() < 0.85, by, "in @all", GARBLED if garbled else f"because {random.random():.6f}")
    try:
        order.votes.append((run, vote, await persistently(town, lambda engine: engine.vote(run, vote))))
    except ValueError:
        if not garbled:
            raise
    else:
        if garbled and isinstance(order.votes[-1][2], c.Accepted):
            town.complaints.append(f"{run}: a vote was accepted whose words nobody can store")


def contradiction(order: Order, decisions: dict[tuple[str, str], tuple[Verdict, str]]) -> str | None:
    """What somebody was told of the gates that the log does not say; ``decisions``: verdict and reason by run, step."""
    for run, vote, reply in order.votes:
        verdict, reason = decisions.get((run, vote.step), (None, ""))
        if isinstance(reply, c.Accepted) and (verdict, reason) != (_verdict(vote), vote.reason):
            return f"{vote.by.name} was told that the vote on {vote.step} counts, but the log says {verdict} {reason!r}"
        if isinstance(reply, c.AlreadyDecided) and reply.decision.verdict is not verdict:
            return f"{vote.by.name} was told {reply.decision.verdict} on {vote.step}, but the log says {verdict}"
    return None


def _verdict(vote: c.Vote) -> Verdict:
    return Verdict.GRANTED if vote.granted else Verdict.DENIED
