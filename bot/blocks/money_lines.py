"""The lines of a thread about money: what nobody can tell the cost of, and what budgets had to say.

The one rule: an amount that was counted as it should be is in the card, and needs no line.
"""

from __future__ import annotations

from typing import assert_never

from bot.blocks.words import listed, one_line
from engine.core import events as e
from engine.core.money import say_money
from engine.core.spending import budget_words


def alert_words(budget: e.Standing, run: str) -> str:
    """How far a budget is spent; ``run`` is whose thread it is told in."""
    passed = listed([f"{share} %" for share in budget.passes])
    spent = f"{say_money(budget.spent)} of {say_money(budget.limit)} are spent"
    left = f", {say_money(budget.reserved)} more are set aside for steps under way" if budget.reserved else ""
    return f"{one_line(budget_words(budget.account, run), 120)} has passed {passed}: {spent}{left}"


def money_line(event: e.SpendingEvent, run: str) -> str | None:
    match event:
        case e.CostRecorded():
            if not event.assumed or not event.cost:
                return None
            what = f"{one_line(event.effect)} of {event.step}"
            return f"• What {what} cost is unknown; {say_money(event.cost)} are counted, the most that it can have been"
        case e.EffectUnsent() | e.BudgetExceeded():
            return None  # of a budget that is used up the line of the step that it holds tells
        case e.BudgetAlerted(budget=budget):
            return f"! {alert_words(budget, run)}"
        case _:
            assert_never(event)
