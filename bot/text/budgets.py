"""Budgets in words, and the words in which people set them, for the command line and for Slack.

The one rule: an amount is told with what it is of, and what is left is never told without what is set aside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from engine.budgets import BudgetInfo
from engine.core.budgets import budget_of, channel_of
from engine.core.errors import Miswritten
from engine.core.money import Micros, parse_money, say_money
from engine.engine import Engine
from engine.store import RunFilter

NONE = "none"
EXAMPLE = "workspace 10.00 USD per day"
_CHANNEL = "channel="


class WrongBudget(Miswritten):
    """What was written sets no budget; the text says what would."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A budget as somebody wants it set; ``limit`` None takes it away, and ``channel`` None leaves it as it is."""

    whose: str
    limit: Micros | None
    per: str
    reason: str
    channel: str | None = None

    @classmethod
    def of(cls, words: Sequence[str]) -> Wanted:
        """Of ``WHOSE AMOUNT [per day|month] [channel=#NAME] [why …]``. Raises ``WrongBudget``."""
        if len(words) < 2:
            raise WrongBudget(f"Whose budget is it, and how much? For example: {EXAMPLE}.")
        whose, amount, *rest = words
        if rest and rest[0].upper() == "USD":
            amount, rest = f"{amount} USD", rest[1:]
        per = ""
        if rest and rest[0].lower() == "per":
            per, rest = (rest[1] if len(rest) > 1 else ""), rest[2:]
        channel = None
        if rest and rest[0].lower().startswith(_CHANNEL):
            channel, rest = told_in(rest[0][len(_CHANNEL) :]), rest[1:]
        return cls(whose, limit_of(amount), per, " ".join(rest), channel)


def limit_of(amount: str) -> Micros | None:
    """The limit that was written; None for ``none``. Raises ``WrongBudget``."""
    if amount.strip().lower() == NONE:
        return None
    try:
        return parse_money(amount)
    except ValueError as error:
        raise WrongBudget(f"{_sentence(error)}, or {NONE} for no limit.") from None


def told_in(channel: str) -> str:
    """The channel that was written, where alerts are told as well; empty for ``none``. Raises ``WrongBudget``."""
    try:
        return channel_of(channel)
    except ValueError as error:
        raise WrongBudget(f"{_sentence(error)}.") from None


async def name_of(engine: Engine, whose: str, per: str) -> str:
    """The budget's name: a run by as much of its id as is unique, a workflow that there is or was.

    Raises ``WrongBudget``, ``UnknownRun``, ``AmbiguousRun`` and ``UnknownWorkflow``.
    """
    try:
        name = budget_of(whose, per)
    except ValueError as error:
        raise WrongBudget(f"{_sentence(error)}.") from None
    kind, _, rest = name.partition(":")
    if kind == "run":
        return f"run:{await engine.find(rest)}"
    workflow = rest.partition("/")[0]
    if kind == "workflow" and not await engine.runs(RunFilter(workflow=workflow), limit=1):
        engine.workflow(workflow)
    return name


class Standing(NamedTuple):
    """How a budget stands, column by column; not escaped, and empty where there is nothing to say."""

    name: str
    spent: str
    reserved: str
    by_end: str
    channel: str


COLUMNS = Standing("Budget", "Spent", "Set aside", "At this rate", "Alerts also in")


def columns(info: BudgetInfo, now: int | None = None) -> Standing:
    """``now``: where that leads, too."""
    if info.limit is None:
        spent = f"{say_money(info.spent)} spent, no limit"
    else:
        share = f" ({info.spent * 100 // info.limit} %)" if info.limit else ""
        spent = f"{say_money(info.spent)} of {say_money(info.limit)} spent{share}"
    trend = None if now is None or not info.spent else info.trend(now)
    by_end = None if trend is None else trend.by_end
    return Standing(
        titled(info.name),
        spent,
        say_money(info.reserved) if info.reserved else "",
        "" if by_end is None else f"{say_money(by_end)} by the end of the {per(info)}",
        info.budget.channel if info.budget is not None else "",
    )


def standing(info: BudgetInfo, now: int | None = None) -> str:
    """The same on one line, without a full stop; not escaped."""
    found = columns(info, now)
    parts = [found.spent]
    parts += [f"{found.reserved} set aside for steps under way"] if found.reserved else []
    parts += [f"at this rate {found.by_end}"] if found.by_end else []
    parts += [f"alerts also in {found.channel}"] if found.channel else []
    return f"{found.name}: {', '.join(parts)}"


def titled(name: str) -> str:
    """The budget as people write it: ``workspace per day``."""
    whose, _, period = name.partition("/")
    return f"{whose} per {period}" if period else whose


def per(info: BudgetInfo) -> str:
    return info.name.partition("/")[2] or "run"


def was_set(name: str, limit: Micros | None, *, new: bool, channel: str | None = None) -> str:
    """What was done, without a full stop; not escaped. ``channel``: as it was set, if it was."""
    if not new:
        return f"{titled(name)} has that budget already; nothing was changed"
    if limit is None:
        return f"{titled(name)} has no budget any more"
    where = ""
    if channel is not None:
        where = f"; its alerts are told in {channel} as well" if channel else "; its alerts are told in threads alone"
    return f"{titled(name)} may spend {say_money(limit)} from now on; what its budget held looks again{where}"


def _sentence(error: ValueError) -> str:
    said = str(error)
    return f"{said[0].upper()}{said[1:]}"
