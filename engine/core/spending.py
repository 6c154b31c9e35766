"""What an effect may cost and has cost, and which accounts it is charged to.

The one rule: an account is named by its budget and its period, such as ``workspace/day/2026-11-28``; a run's own has no
period. All that apply to a run follow from its first event and the time, so that nobody has to ask which budgets exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple
from urllib.parse import quote
from zoneinfo import ZoneInfo

from pydantic import JsonValue

from engine.core.events.base import Actor
from engine.core.events.runs import RunStarted
from engine.core.events.spending import PricedAt
from engine.core.events.spending import Standing as Standing
from engine.core.money import Micros

WORKSPACE = "workspace"
DAY, MONTH = "day", "month"
PERIODS = (DAY, MONTH)
MINUTE, HOUR = 60_000, 3_600_000


@dataclass(frozen=True, slots=True)
class Spend:
    """What an effect is about to cost at most, and who asks how much for it; ``worst`` in millionths of a dollar."""

    worst: Micros
    model: str = ""
    provider: str = ""
    price: PricedAt | None = None

    def __post_init__(self) -> None:
        if self.worst < 0:
            raise ValueError(f"an effect cannot cost {self.worst} micro-dollars at most; give 0 or more")


@dataclass(frozen=True, slots=True)
class Cost:
    """What an effect has cost, in millionths of a dollar, and what was counted for it."""

    micros: Micros
    usage: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])


@dataclass(frozen=True, slots=True)
class Reserving:
    """Condition of a decision: all ``accounts`` have room for ``amount``, which is then set aside.

    ``effect`` is empty where it is only asked, for a step that would start; then nothing is set aside.
    """

    step: str
    effect: str
    amount: Micros
    accounts: tuple[str, ...]
    model: str = ""


@dataclass(frozen=True, slots=True)
class Settling:
    """Condition of a decision: settling makes accounts pass these percents (account, percent), and no others."""

    step: str
    effect: str
    cost: Micros
    reserved: Micros
    accounts: tuple[str, ...]
    model: str
    unsent: bool
    passes: tuple[tuple[str, int], ...] = ()


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


class Period(NamedTuple):
    """The time in which a budget is counted; a run's budget has none, and no name for it."""

    name: str = ""
    begins: int | None = None
    ends: int | None = None


def period_of(budget: str, now: int, zone: str) -> Period:
    """The period of the budget of that name which now is."""
    _, _, per = budget.partition("/")
    if not per:
        return Period()
    today = datetime.fromtimestamp(now / 1_000, ZoneInfo(zone)).date()
    first = today if per == DAY else today.replace(day=1)
    return Period(
        f"{today:%Y-%m-%d}" if per == DAY else f"{today:%Y-%m}", _instant(first, zone), _after(first, per, zone)
    )


class Trend(NamedTuple):
    """Where spending leads if it goes on as it did so far: ``per_hour``, what it comes to ``by_end`` of the period
    (None without an end), and when the limit is ``used_up`` (None: not in this period, or there is no limit).
    """

    per_hour: Micros
    by_end: Micros | None
    used_up: int | None


def trend(spent: Micros, limit: Micros | None, period: Period, now: int) -> Trend | None:
    """How fast it went from the beginning of the period; None if there is none. Less than a minute tells nothing."""
    if period.begins is None:
        return None
    gone = max(now - period.begins, MINUTE)
    by_end = None if period.ends is None else spent * max(period.ends - period.begins, gone) // gone
    used_up = None
    if limit is not None and spent:
        used_up = now + max(limit - spent, 0) * gone // spent
        if period.ends is not None and used_up >= period.ends:
            used_up = None
    return Trend(spent * HOUR // gone, by_end, used_up)


def _instant(day: date, zone: str) -> int:
    return round(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).timestamp() * 1_000)


def _after(first: date, per: str, zone: str) -> int:
    """When the period ends that begins with this day."""
    later = first + timedelta(days=1) if per == DAY else (first + timedelta(days=31)).replace(day=1)
    return _instant(later, zone)


def next_period(name: str, zone: str) -> int | None:
    """When the account's budget is counted anew; None if that never is."""
    budget, period = account(name)
    if not period:
        return None
    per = budget.rpartition("/")[2]
    return _after(date.fromisoformat(period if per == DAY else f"{period}-01"), per, zone)


def budget_words(name: str, run: str = "") -> str:
    """What people call the budget of an account: ``the workspace's budget for the day``. ``run`` is who asks."""
    budget = account(name).budget
    scope, _, period = budget.partition("/")
    kind, _, whose = scope.partition(":")
    when = f" for the {period}" if period else ""
    match kind:
        case "workspace":
            return f"the workspace's budget{when}"
        case "workflow":
            return f"{whose}'s budget{when}"
        case "person":
            return f"the budget{when} of the person who started it"
        case _:
            return "the run's budget" if whose == run else f"the budget of {whose}, which it is a part of"


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
