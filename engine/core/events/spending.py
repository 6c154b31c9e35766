"""Facts about money: what effects have cost, what was not sent after all, and what budgets had to say about it.

The one rule: amounts are millionths of a US dollar, and ``accounts`` are names as ``engine.core.spending`` makes them.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, JsonValue

from engine.core.events.base import EventModel


class CostRecorded(EventModel):
    """The effect has cost this much; ``reserved``, which was set aside for it, is so no longer.

    ``assumed``: nobody can tell what became of it, so it counts as the most that it could have cost.
    """

    type: ClassVar[str] = "COST_RECORDED"
    step: str
    effect: str
    cost: int
    reserved: int
    model: str = ""
    provider: str = ""
    usage: dict[str, JsonValue] = Field(default={})
    accounts: tuple[str, ...] = ()
    assumed: bool = False


class EffectUnsent(EventModel):
    """It is certain that the effect that was begun never left: it is as if it had not been, and costs nothing."""

    type: ClassVar[str] = "EFFECT_UNSENT"
    step: str
    effect: str
    reserved: int = 0
    accounts: tuple[str, ...] = ()
