"""The lines of a thread about money: what nobody can tell the cost of, and what budgets had to say.

The one rule: an amount that was counted as it should be is in the card, and needs no line.
"""

from __future__ import annotations

from typing import assert_never

from bot.blocks.words import one_line
from engine.core import events as e
from engine.core.money import say_money


def money_line(event: e.SpendingEvent) -> str | None:
    match event:
        case e.CostRecorded():
            if not event.assumed or not event.cost:
                return None
            what = f"{one_line(event.effect)} of {event.step}"
            return f"• What {what} cost is unknown; {say_money(event.cost)} are counted, the most that it can have been"
        case e.EffectUnsent():
            return None
        case _:
            assert_never(event)
