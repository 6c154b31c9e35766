"""The lines of a thread about money: what nobody can tell the cost of, and what budgets had to say.

The one rule: an amount that was counted as it should be is in the card, and needs no line.
"""

from __future__ import annotations

from typing import assert_never

from bot.blocks.words import date, listed, one_line
from engine.core import events as e
from engine.core.money import say_money
from engine.core.spending import Period, account, budget_words, of_run, period_of, trend
from engine.core.state import RunState


def alert_words(budget: e.Standing, at: int, state: RunState) -> str:
    """How far a budget is spent ``at`` that instant, how fast that went, and where it leads; without a full stop."""
    what = one_line(budget_words(budget.account, state.run), 120)
    spent = f"{say_money(budget.spent)} of {say_money(budget.limit)} are spent"
    left = f", {say_money(budget.reserved)} more are set aside for steps under way" if budget.reserved else ""
    return f"{what} has passed {passed(budget)}: {spent}{left}{_where_it_leads(budget, at, state)}"


def passed(budget: e.Standing) -> str:
    """The shares that it has passed: ``50 %, 80 %``."""
    return listed([f"{share} %" for share in budget.passes])


def _where_it_leads(budget: e.Standing, at: int, state: RunState) -> str:
    period = _period(budget, at, state)
    leads = trend(budget.spent, budget.limit, period, at)
    rate = "" if leads is None else f". That is {say_money(leads.per_hour)} an hour so far"
    anew = "" if period.ends is None else f" or it is counted anew, {date(period.ends)}"
    if budget.spent >= budget.limit:
        return f"{rate}. What comes next is held until somebody raises it{anew}"
    if leads is None:
        return ""
    if leads.used_up is None:
        per = account(budget.account).budget.rpartition("/")[2]
        return f"{rate}; at this rate it lasts the {per}"
    return f"{rate}; at this rate it is used up {date(leads.used_up)}"


def _period(budget: e.Standing, at: int, state: RunState) -> Period:
    """The time in which it was spent; that of a run's own budget has no end."""
    name = account(budget.account).budget
    return Period("", state.started_at) if name == of_run(state.run) else period_of(name, at, state.started.timezone)


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
            return f"! {alert_words(budget, at, state)}"
        case _:
            assert_never(event)
