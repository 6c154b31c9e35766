"""The budgets of one workspace: what may be spent, what is, and how fast.

The one rule: how much is spent is asked of the ledger, at the moment of the question; who set a budget, and why, of the
workspace's stream.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from engine.clock import Clock
from engine.core.budgets import Budget, SetBudget, SetTimezone
from engine.core.events.base import Actor
from engine.core.money import Micros
from engine.core.spending import MONTH, WORKSPACE, Period, Trend, period_of, trend
from engine.store import Account, Log, Spent
from engine.workspace import Workspace


@dataclass(frozen=True, slots=True)
class BudgetInfo:
    """A budget in the period that now is; ``budget`` says who set it, None if nobody did and it only counts.

    ``begins`` and ``ends`` are the period's instants, None for a run's, which has none.
    """

    name: str
    limit: Micros | None
    spent: Micros
    reserved: Micros
    budget: Budget | None
    begins: int | None
    ends: int | None

    def trend(self, now: int) -> Trend | None:
        """Where it leads if it goes on as it did so far; None without a period."""
        return trend(self.spent, self.limit, Period("", self.begins, self.ends), now)


class SpentByDay(NamedTuple):
    """``days``, the oldest first, also those on which nothing was spent; and what was."""

    days: tuple[str, ...]
    spent: tuple[Spent, ...]


class Budgets:
    """What people ask of budgets, and set."""

    def __init__(self, store: Log, workspace: Workspace, clock: Clock) -> None:
        self._store = store
        self._workspace = workspace
        self._clock = clock

    async def set(
        self, name: str, limit: Micros | None, *, by: Actor, reason: str = "",
        alert_at: tuple[int, ...] | None = None, channel: str | None = None,
    ) -> bool:  # fmt: skip
        """Let so much be spent of the budget (None: no limit) in each period; whether that is new.

        ``channel``: where its alerts are told as well; None leaves it. What it holds looks again at once. Raises
        ``WorkspaceRefused``.
        """
        command = SetBudget(name, limit, by, reason, alert_at, channel)
        return bool(await self._workspace.submit(lambda _: command))

    async def set_timezone(self, zone: str, *, by: Actor, reason: str = "") -> bool:
        """Count the days and months of runs that start from now on in this zone; whether that is new."""
        return bool(await self._workspace.submit(lambda _: SetTimezone(zone, by, reason)))

    async def timezone(self) -> str:
        return (await self._workspace.state()).timezone

    async def channels(self, names: Iterable[str]) -> dict[str, str]:
        """Where the alerts of these budgets are told, beside the threads of runs; empty for those that name none."""
        known = (await self._workspace.state()).budgets
        return {name: known[name].channel if name in known else "" for name in names}

    async def shown(self) -> list[BudgetInfo]:
        """The workspace's own for the day and the month, and all that were set, by name; not those of single runs."""
        known = (await self._workspace.state()).budgets
        names = {f"{WORKSPACE}/day", f"{WORKSPACE}/month", *(name for name in known if not name.startswith("run:"))}
        return await self.of(sorted(names))

    async def spenders(self, limit: int) -> list[tuple[str, Micros]]:
        """The workflows that have spent most this month, each with the runs that it calls, and how much."""
        period = period_of(f"{WORKSPACE}/{MONTH}", self._clock.now(), await self.timezone())
        found = await self._store.most_spent(f"{self._workspace.name}/workflow:", period.name, limit)
        return [(name.removesuffix(f"/{MONTH}"), spent) for name, spent in found]

    async def by_day(self, days: int) -> SpentByDay:
        """What was spent in so many days of the workspace, of which today is the last."""
        today = datetime.fromtimestamp(self._clock.now() / 1_000, ZoneInfo(await self.timezone())).date()
        known = tuple(f"{today - timedelta(days=ago):%Y-%m-%d}" for ago in reversed(range(days)))
        return SpentByDay(known, tuple(await self._store.spent_since(self._workspace.name, known[0])))

    async def of(self, names: Iterable[str]) -> list[BudgetInfo]:
        """How these budgets stand now."""
        state, now = await self._workspace.state(), self._clock.now()
        periods = {name: period_of(name, now, state.timezone) for name in names}
        prefix = f"{self._workspace.name}/"
        accounts = [Account(f"{prefix}{name}", period.name) for name, period in periods.items()]
        found: list[BudgetInfo] = []
        for one in await self._store.balances(accounts):
            name = one.account.budget.removeprefix(prefix)
            period = periods[name]
            budget = state.budgets.get(name)
            found.append(BudgetInfo(name, one.limit, one.spent, one.reserved, budget, period.begins, period.ends))
        return found
