"""Budgets that people set: of the workspace, a workflow, a person or a single run; for a day, a month, or a run's life.

The one rule: a budget is named by whose it is and for how long, such as ``workflow:deploy/day``. Setting one anew is
the only way to raise it, and says who and why.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from engine.core import workspace_events as w
from engine.core.events.base import Actor
from engine.core.kinds import CHANNEL
from engine.core.money import DEFAULT_ALERTS, Micros, say_money
from engine.core.spending import PERIODS, WORKSPACE, account
from engine.core.words import did_you_mean

NO_CHANNEL = "none"
KINDS = ("workflow", "person", "run")
_LONGEST = 300
_CHANNEL = re.compile(CHANNEL)


class Budget(NamedTuple):
    """What may be spent of ``name`` in each of its periods, and at which percents people are told.

    ``channel``: where they are told, beside the threads of the runs that spent it; empty: nowhere else.
    """

    name: str
    limit: Micros
    alert_at: tuple[int, ...]
    at: int
    by: Actor
    reason: str
    channel: str = ""


Budgets = Mapping[str, Budget]


@dataclass(frozen=True, slots=True)
class SetBudget:
    """Let so much be spent of the budget from now on (None: as much as anybody likes). ``epoch`` is the present one.

    ``alert_at``, ``channel``: None leaves what there is; no channel is an empty one.
    """

    name: str
    limit: Micros | None
    by: Actor
    reason: str = ""
    alert_at: tuple[int, ...] | None = None
    channel: str | None = None
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class SetTimezone:
    """Count the days and months of runs that start from now on in this zone."""

    zone: str
    by: Actor
    reason: str = ""


def budget_of(whose: str, per: str) -> str:
    """The name of the budget of ``whose`` (``workspace``, ``workflow:NAME``, ``person:ID``, ``run:ID``), per day, month
    or run. Raises ``ValueError``, which says what there is.
    """
    kind, colon, name = whose.strip().partition(":")
    kind, name, per = kind.lower(), name.strip(), per.strip().lower()
    if kind != WORKSPACE and (kind not in KINDS or not name):
        known = [WORKSPACE, *(f"{one}:{'ID' if one == 'run' else 'NAME'}" for one in KINDS)]
        raise ValueError(f"{whose.strip()!r:.60} has no budget; {did_you_mean(whose, known)}")
    if (kind == WORKSPACE and colon) or len(name) > _LONGEST or any(one.isspace() or one == "/" for one in name):
        raise ValueError(f"{whose.strip()[:80]} names nothing that has a budget; give one name after {kind}:")
    if kind == "run":
        if per not in ("", "run"):
            raise ValueError("a run has one budget for all of its time; leave the period out")
        return f"run:{name}"
    if per not in PERIODS:
        wrong = f", not per {per}" if per else "; say which"
        raise ValueError(f"a budget is counted per {' or '.join(PERIODS)}{wrong}")
    return f"{kind}:{name}/{per}" if name else f"{kind}/{per}"


def channel_of(text: str) -> str:
    """The channel that was written for alerts; empty for ``none``. Raises ``ValueError`` with an example."""
    name = text.strip()
    if name.lower() == NO_CHANNEL:
        return ""
    if _CHANNEL.fullmatch(name) is None:
        raise ValueError(f"{name[:80] or 'nothing'} is no channel; write its name, such as #ops, or {NO_CHANNEL}")
    return name


def decide(
    known: Budgets, timezone: str, command: SetBudget | SetTimezone
) -> tuple[w.BudgetSet | w.TimezoneSet, ...] | str:
    """The events that the command leads to; or one sentence that says why it leads to none."""
    if isinstance(command, SetTimezone):
        if not _is_zone(command.zone):
            return f"there is no time zone {command.zone}; give an IANA name such as Europe/Paris"
        same = command.zone == timezone
        return () if same else (w.TimezoneSet(zone=command.zone, by=command.by, reason=command.reason),)
    return _set(known.get(command.name), command)


def _set(was: Budget | None, command: SetBudget) -> tuple[w.BudgetSet, ...] | str:
    if command.limit is not None and command.limit <= 0:
        return f"a budget of {say_money(command.limit)} lets nothing happen; give more, or stop it with vb kill"
    if command.limit is None and was is None:
        return f"{command.name} has no budget that could be removed"
    alert_at = command.alert_at if command.alert_at is not None else was.alert_at if was is not None else DEFAULT_ALERTS
    channel = command.channel if command.channel is not None else was.channel if was is not None else ""
    if was is not None and (was.limit, was.alert_at, was.channel) == (command.limit, alert_at, channel):
        return ()
    changed = w.BudgetSet(
        budget=command.name,
        limit=command.limit,
        was=None if was is None else was.limit,
        alert_at=tuple(sorted(set(alert_at))),
        channel=channel,
        by=command.by,
        reason=command.reason.strip(),
        epoch=command.epoch + 1,
    )
    return (changed,)


def budget_after(at: int, event: w.BudgetSet) -> Budget | None:
    """What the event makes of its budget; None: there is none any more."""
    if event.limit is None:
        return None
    return Budget(event.budget, event.limit, event.alert_at, at, event.by, event.reason, event.channel)


def for_how_long(name: str) -> str:
    """``day``, ``month`` or ``run``."""
    return account(name).budget.partition("/")[2] or "run"


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
