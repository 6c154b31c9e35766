"""The lines of a thread about money: what nobody can tell the cost of, and what budgets had to say.

The one rule: an amount that was counted as it should be is in the card, and needs no line.
"""

from __future__ import annotations

from typing import assert_never

from bot.blocks.words import date, listed, one_line
from engine.core import events as e
from engine.core.money import say_money
from engine.core.spending import account, budget_words, period_of
from engine.core.state import RunState


def alert_words(budget: e.Standing, run: str, at: int, zone: str) -> str:
    """How far a budget is spent ``at`` that instant, and where that leads; ``run`` is whose thread it is told in."""
    passed = listed([f"{share} %" for share in budget.passes])
    spent = f"{say_money(budget.spent)} of {say_money(budget.limit)} are spent"
    left = f", {say_money(budget.reserved)} more are set aside for steps under way" if budget.reserved else ""
    what = one_line(budget_words(budget.account, run), 120)
    return f"{what} has passed {passed}: {spent}{left}{_rate(budget, at, zone)}"


def _rate(budget: e.Standing, at: int, zone: str) -> str:
    """What it comes to at the end of its period if it goes on like this."""
    period = period_of(account(budget.account).budget, at, zone)
    if period.begins is None or period.ends is None:
        return ""
    end = budget.spent * (period.ends - period.begins) // max(at - period.begins, 1)
    return f"; at this rate it is {say_money(end)} by {date(period.ends)}"


def money_line(event: e.SpendingEvent, at: int, state: RunState) -> str | None:
    match event:
        case e.CostRecorded():
            if not event.assumed or not event.cost:
                return None
            what = f"{one_line(event.effect)} of {event.step}"
            return f"• What {what} cost is unknown; {say_money(event.cost)} are counted, the most that it can have been"
        case e.EffectUnsent() | e.BudgetExceeded():
            return None  # of a budget that is used up the line of the step that it holds tells
        case e.BudgetAlerted(budget=budget):
            return f"! {alert_words(budget, state.run, at, state.started.timezone)}"
        case _:
            assert_never(event)
