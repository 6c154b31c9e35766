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

from engine.core import commands as c
from engine.core.events import Actor
from engine.core.state import Verdict
from engine.engine import Engine
from engine.store import StoreUnavailable
from tests.simulation.host import Died, Host
from tests.simulation.programs import Program
from tests.simulation.weather import Weather

T = TypeVar("T")

PATIENCE = 20.0
PEOPLE = tuple(Actor(via="slack", id=f"U{name}", name=name) for name in ("Ana", "Ben", "Cleo"))
GARBLED = "\ud800"
"""Half of a surrogate pair, as broken software sends it: no database takes it."""


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
    cancel_reply: c.Reply | None = None
    votes: list[tuple[str, c.Vote, c.Reply]] = field(default_factory=list[tuple[str, c.Vote, c.Reply]])

    @property
    def run(self) -> str:
        return self.runs[0]


class Town(Protocol):
    """Where people find somebody to ask."""

    random: Random
    weather: Weather
    complaints: list[str]

    def somebody(self) -> Host | None: ...


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
        return (await engine.start(name, {"n": order.n}, by=by, dedupe_key=f"order {order.number}")).run

    await asyncio.sleep(order.at)
    order.runs += await asyncio.gather(*(persistently(town, once) for _ in range(order.copies)))
    if order.cancelled_at is not None:
        await asyncio.sleep(order.cancelled_at)
        order.cancel_reply = await persistently(town, lambda engine: engine.cancel(order.run, by=by, reason="enough"))


async def decide(town: Town, order: Order, run: str, step: str) -> None:
    """Perhaps decide on the gate, alone or against somebody else; perhaps twice."""
    votes = 3 if town.weather.crowded else town.random.choice((0, 1, 1, 1, 2, 3))
    await asyncio.gather(*(_vote(town, order, run, step, by) for by in town.random.choices(PEOPLE, k=votes)))


async def _vote(town: Town, order: Order, run: str, step: str, by: Actor) -> None:
    random = town.random
    await asyncio.sleep(random.choice((0.0, 0.3, 1.0, 5.0)) * random.random() * (not town.weather.crowded))
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
