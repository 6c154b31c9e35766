"""The operators of a fleet: they redrive what was given up, and say what became of an attempt when nobody knows.

The one rule: before they say that an effect did not happen they wait until no worker that was stopped can wake up any
more, and then look into the outside world's own log.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from engine.core import commands as c
from engine.core.events import Actor
from tests.fleet.evidence import read_lines
from tests.fleet.faults import LONG_STOP
from tests.fleet.sql import rows_or_none
from tests.fleet.stories import Expected

OPERATOR = Actor(via="cli", id="operator", name="Operator")
SURELY_AWAKE = LONG_STOP[1] + 2.0

ASKING = (
    "SELECT id, dedupe_key, attention, last_seq FROM runs"
    " WHERE attention IN ('dead_letter', 'uncertain') AND dedupe_key IS NOT NULL"
)
"""Runs that need an operator. Child runs are left to fail with their parents' steps."""

Notice = tuple[str, str, str, int]


class Inbox:
    """What needs an operator, each thing once. A run that asks again later, with more events, is a new thing."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._seen: set[Notice] = set()

    async def new(self) -> list[Notice] | None:
        """What has not been seen yet; None while the database is away."""
        found = await rows_or_none(self._url, ASKING)
        if found is None:
            return None
        fresh = [notice for run, key, word, seq in found if (notice := (run, key, word, seq)) not in self._seen]
        self._seen.update(fresh)
        return fresh

    async def history(self, run: str) -> list[tuple[str, dict[str, Any]]]:
        """The run's events as (type, payload)."""
        query = f"SELECT type, payload FROM events WHERE stream = '{run}' ORDER BY seq"  # noqa: S608 - an id of ours
        while (found := await rows_or_none(self._url, query)) is None:
            await asyncio.sleep(0.2)
        return [(kind, json.loads(payload)) for kind, payload in found]


def given_up(history: list[tuple[str, dict[str, Any]]]) -> tuple[list[str], list[str]]:
    """The steps in the dead letters because their workers were lost, and the others there, as those cut short then."""
    last: dict[str, str] = {}
    dead: dict[str, str] = {}
    for kind, data in history:
        if kind == "STEP_FAILED":
            last[data["step"]] = data["failure"]["cls"]
        elif kind == "STEP_DEAD_LETTERED":
            dead[data["step"]] = last.get(data["step"], "")
        elif kind == "STEP_REDRIVEN":
            dead.pop(data["step"], None)
    lost = sorted(step for step, cause in dead.items() if cause == "worker_lost")
    return lost, sorted(dead.keys() - set(lost))


def uncertain(history: list[tuple[str, dict[str, Any]]]) -> list[str]:
    """The steps whose last attempt nobody knows the outcome of."""
    found: dict[str, bool] = {}
    for kind, data in history:
        if kind in ("STEP_UNCERTAIN", "STEP_SETTLED"):
            found[data["step"]] = kind == "STEP_UNCERTAIN"
    return sorted(step for step, open_ in found.items() if open_)


def settled(run: str, expected: Expected, payments: Path) -> c.Settle:
    """What the outside world's log says of the step's only effect. Call it once every worker is awake."""
    begins = f"{run}/{expected.path}/"
    made = [line for line in read_lines(payments) if line["key"].startswith(begins)]
    if not made:
        return c.Settle(expected.path, "did_not_happen", OPERATOR, reason="nothing was paid")
    result: dict[str, Any] = {**expected.output, "receipts": [{"receipt": made[0]["receipt"]}]}
    return c.Settle(expected.path, "happened", OPERATOR, result=result, reason="it was paid")
