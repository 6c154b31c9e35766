"""What an effect may cost and has cost, and which accounts it is charged to.

The one rule: an account is named by its budget and its period, such as ``workspace/day/2026-11-28``; a run's own has no
period. All that apply to a run follow from its first event and the time, so that nobody has to ask which budgets exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from urllib.parse import quote
from zoneinfo import ZoneInfo

from pydantic import JsonValue

from engine.core.events.base import Actor
from engine.core.events.runs import RunStarted
from engine.core.money import Micros

WORKSPACE = "workspace"
DAY, MONTH = "day", "month"
PERIODS = (DAY, MONTH)


@dataclass(frozen=True, slots=True)
class Spend:
    """What an effect is about to cost at most, and who asks how much for it; ``worst`` in millionths of a dollar."""

    worst: Micros
    model: str = ""
    provider: str = ""

    def __post_init__(self) -> None:
        if self.worst < 0:
            raise ValueError(f"an effect cannot cost {self.worst} micro-dollars at most; give 0 or more")


@dataclass(frozen=True, slots=True)
class Cost:
    """What an effect has cost, in millionths of a dollar, and what was counted for it."""

    micros: Micros
    usage: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])


class Account(NamedTuple):
    """``budget`` without its period: ``workspace/day``, ``workflow:deploy/month``, ``run:run_1``."""

    budget: str
    period: str

    @property
    def name(self) -> str:
        return f"{self.budget}/{self.period}" if self.period else self.budget


def account(name: str) -> Account:
    """The account of that name."""
    scope, *rest = name.split("/")
    return Account(f"{scope}/{rest[0]}", rest[1]) if len(rest) > 1 else Account(scope, "")


def of_workflow(workflow: str) -> str:
    return f"workflow:{workflow}"


def of_person(by: Actor) -> str:
    """Whoever started it; what an id may hold beside letters must not pass for a period."""
    return f"person:{by.via}:{quote(by.id, safe='')}"


def of_run(run: str) -> str:
    return f"run:{run}"


def scopes(run: str, started: RunStarted) -> tuple[str, ...]:
    """Whose budgets the run is charged to: those of the runs around it first, which pay for it as well."""
    own = (WORKSPACE, of_workflow(started.workflow), of_person(started.by), of_run(run))
    return tuple(dict.fromkeys((*started.charged_around, *own)))


def accounts(run: str, started: RunStarted, now: int) -> tuple[str, ...]:
    """The names of all accounts to which the run is charged at ``now``, in the workspace's own days and months."""
    today = datetime.fromtimestamp(now / 1_000, ZoneInfo(started.timezone)).date()
    periods = ((DAY, f"{today:%Y-%m-%d}"), (MONTH, f"{today:%Y-%m}"))
    named: list[str] = []
    for scope in scopes(run, started):
        if scope.startswith("run:"):
            named.append(scope)
        else:
            named += [f"{scope}/{period}/{when}" for period, when in periods]
    return tuple(sorted(named))
