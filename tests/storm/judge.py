"""Judges what a storm has left, from outside: the rows of the database, and what is in the workspace.

The one rule: the bots are not asked. What was decided is read from the events by plain SQL; what had to be told, from
the log; what was told, from the simulated Slack.
"""

from __future__ import annotations

import json
import re
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.simulator.courier import LATE
from bot.simulator.rates import TOO_SOON
from bot.simulator.simulator import Simulator
from engine.engine import Engine
from tests.bot.truth import check_told, identity, is_told
from tests.fleet.sql import rows
from tests.storm.cast import CHANNELS
from tests.storm.people import Vote

RUNS = "SELECT id, status FROM runs ORDER BY id"
DECISIONS = (
    "SELECT stream, type, payload FROM events WHERE type IN "
    "('APPROVAL_REQUESTED', 'APPROVAL_VOTED', 'APPROVAL_GRANTED', 'APPROVAL_DENIED', 'APPROVAL_EXPIRED') "
    "ORDER BY stream, seq"
)
_UNFORESEEN = re.compile(r"Traceback|was never retrieved|nobody foresaw")
_ENDED = frozenset({"completed", "failed", "cancelled", "killed"})
P99_MS = 1_000
MANY = 1_000
"""Fewer acknowledgements have no 99th percentile: it would be one of the slowest few."""


@dataclass(frozen=True)
class Gate:
    """One gate of one run, as the log has it: whose votes count, and how it ended."""

    run: str
    step: str
    votes: tuple[str, ...]
    ends: tuple[str, ...]


async def gates(database_url: str) -> list[Gate]:
    """All that were asked at."""
    votes: dict[tuple[str, str], list[str]] = {}
    ends: dict[tuple[str, str], list[str]] = {}
    for run, kind, payload in await rows(database_url, DECISIONS):
        event = json.loads(payload)
        key = (run, event["step"])
        votes.setdefault(key, [])
        ends.setdefault(key, [])
        if kind in ("APPROVAL_VOTED", "APPROVAL_GRANTED"):
            votes[key].append(event["by"]["id"])
        if kind not in ("APPROVAL_REQUESTED", "APPROVAL_VOTED"):
            ends[key].append(kind)
    return [Gate(run, step, tuple(votes[run, step]), tuple(ends[run, step])) for run, step in votes]


def decided_wrongly(found: Sequence[Gate], cast: Sequence[Vote], simulator: Simulator) -> Iterator[str]:
    """Every valid click is one vote, and nothing else is; every gate was granted once."""
    expected = Counter((vote.run, simulator.workspace.person(who).id) for vote in cast for who in vote.voters)
    counted = Counter((gate.run, who) for gate in found for who in gate.votes)
    for (run, who), count in sorted((expected - counted).items()):
        yield f"{run}: {count} valid clicks of {who} decided nothing"
    for (run, who), count in sorted((counted - expected).items()):
        yield f"{run}: {who} has {count} votes too many"
    for gate in found:
        if len(set(gate.votes)) != len(gate.votes):
            yield f"{gate.run}, {gate.step}: somebody voted twice"
        if gate.ends != ("APPROVAL_GRANTED",):
            yield f"{gate.run}, {gate.step}: it ended with {', '.join(gate.ends) or 'nothing'}"


async def runs_wrongly(database_url: str, wanted: int) -> tuple[list[str], list[str]]:
    """The runs there are, and what is wrong with them."""
    found = await rows(database_url, RUNS)
    wrong = [f"{run} is {status}" for run, status in found if status != "completed"]
    if len(found) != wanted:
        wrong.append(f"{len(found)} runs instead of {wanted}")
    return [run for run, _ in found], wrong


async def told_wrongly(engine: Engine, runs: Sequence[str], simulator: Simulator) -> list[str]:
    """Messages that are missing, twice there, or not what the log calls for."""
    messages = [each for name in CHANNELS for each in simulator.channel_messages(name) if each.metadata is not None]
    names = Counter(identity(message) for message in messages)
    wrong = [f"{run}: {key} was posted {count} times" for (run, key), count in names.items() if count > 1]
    for run in runs:
        try:
            await check_told(engine, run, messages)
        except (AssertionError, ValueError) as error:
            broken = traceback.extract_tb(error.__traceback__)[-1].line
            wrong.append(f"{run} is not told as the log has it: {broken} {error}")
    return wrong


async def all_ended_and_told(engine: Engine, database_url: str) -> bool:
    found = await rows(database_url, RUNS)
    if any(status not in _ENDED for _, status in found):
        return False
    return all([await is_told(engine, run) for run, _ in found])


@dataclass(frozen=True)
class Acknowledgements:
    """How long the app took to acknowledge commands and clicks, in ms."""

    count: int
    median: int
    p99: int

    @classmethod
    def of(cls, simulator: Simulator) -> Acknowledgements:
        delivered = [*simulator.deliveries("interactive"), *simulator.deliveries("slash_commands")]
        took = sorted(delivery.took_ms for delivery in delivered if delivery.acknowledged)
        return cls(len(took), took[len(took) // 2], took[int(len(took) * 0.99)]) if took else cls(0, 0, 0)


def slack_wrongly(simulator: Simulator, *, timed: bool = True) -> list[str]:
    """Rules of Slack that were broken, and acknowledgements that took too long.

    ``timed``: also those that a machine breaks which is too busy with other things.
    """
    counted = {kind: n for kind, n in simulator.violations.counts.items() if timed or kind not in (LATE, TOO_SOON)}
    wrong = [f"Slack's rules: {kind}, {count} times" for kind, count in counted.items()]
    wrong += [f"  {latest}" for latest in simulator.violations.latest if latest.partition(":")[0] in counted][:20]
    acknowledged = Acknowledgements.of(simulator)
    if timed and acknowledged.count >= MANY and acknowledged.p99 > P99_MS:
        wrong.append(f"acknowledgements took {acknowledged.p99} ms at the 99th percentile")
    return wrong


def logged_wrongly(folder: Path) -> list[str]:
    """Lines of the bots' logs that nobody foresaw."""
    wrong: list[str] = []
    for file in sorted(folder.glob("*.log")):
        found = [line for line in file.read_text(errors="replace").splitlines() if _UNFORESEEN.search(line)]
        wrong += [f"{file.name}: {line}" for line in found[:5]]
    return wrong
