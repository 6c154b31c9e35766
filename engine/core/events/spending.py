"""Facts about money: what effects have cost, what was not sent after all, and what budgets had to say about it.

The one rule: amounts are millionths of a US dollar, and ``accounts`` are names as ``engine.core.spending`` makes them.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from engine.core.events.base import EventModel


class Standing(BaseModel):
    """How an account stands; after a settlement, ``passes`` are the percents of its limit that it passed by that."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    account: str
    spent: int
    reserved: int
    limit: int
    passes: tuple[int, ...] = ()


class PricedAt(BaseModel):
    """What a model cost when an effect was begun, in millionths of a dollar for a million tokens, and who says so.

    ``source`` is ``workspace``, ``settings``, ``local``, or a list with its version; that may have steps, so that its
    amounts are those of calls of an ordinary length. ``cached`` is None where kept tokens cost what others do.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    input: int
    output: int
    cached: int | None = None


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


class BudgetAlerted(EventModel):
    """The effect has cost so much that a budget passes shares of it at which people are told; each of them once."""

    type: ClassVar[str] = "BUDGET_ALERTED"
    step: str
    effect: str
    budget: Standing


class BudgetExceeded(EventModel):
    """The step may spend ``amount`` next, which these budgets have no room for: it is held, and a person is asked."""

    type: ClassVar[str] = "BUDGET_EXCEEDED"
    step: str
    effect: str
    amount: int
    accounts: tuple[Standing, ...]
