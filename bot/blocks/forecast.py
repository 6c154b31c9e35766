"""What a run may cost, in the form in which it is started: low, likely, high, and the main reasons, in one line.

The one rule: it is always called an estimate, and says what is not in it.
"""

from __future__ import annotations

from bot.blocks.forms import View
from bot.blocks.kit import Block, context
from bot.blocks.words import listed, one_line
from engine.core.estimate import Estimate, main_reasons
from engine.core.money import say_money

BLOCK = "estimate"

_REASONS, _STEPS = 400, 4


def estimate_block(found: Estimate | None) -> Block:
    """The line; without an estimate, that one follows."""
    words = "An estimate of what it may cost follows." if found is None else estimate_words(found)
    return {**context(words), "block_id": BLOCK}


def with_estimate(view: View, block: Block) -> View:
    """The view with this line as its last, in place of the one that is there, if one is."""
    kept = [one for one in view["blocks"] if one.get("block_id") != BLOCK]
    return {**view, "blocks": [*kept, block]}


def estimate_words(found: Estimate) -> str:
    """Low, likely and high, and why; mrkdwn."""
    low, likely, high = found.cost
    reasons = one_line("; ".join(main_reasons(found)), _REASONS)
    left_out = (
        f" Not in it, since no price of their model is known: {listed(found.unpriced)}." if found.unpriced else ""
    )
    if not high and not found.unpriced:
        return "Estimate: it costs nothing, since only local models are asked."
    cost = f"low {say_money(low)}, likely {say_money(likely)}, high {say_money(high)}"
    return f"What it may cost (an estimate): {cost}. {_by_step(found)}{reasons}.{left_out}"


def _by_step(found: Estimate) -> str:
    """What the dearest steps may cost, where there are several; mrkdwn."""
    priced = [(one.step, one.cost) for one in found.steps if one.cost is not None]
    if len(priced) < 2:
        return ""
    dearest = sorted(priced, key=lambda one: one[1].high, reverse=True)[:_STEPS]
    told = [f"{step} {say_money(cost.low)}, {say_money(cost.likely)}, {say_money(cost.high)}" for step, cost in dearest]
    rest = len(priced) - len(told)
    return one_line("; ".join([*told, *([f"and {rest} more"] if rest else [])]), _REASONS) + ". "
