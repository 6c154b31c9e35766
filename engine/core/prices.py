"""What a model costs, and the prices of its own that a workspace has set, in place of the operator's and of lists.

The one rule: a price is in millionths of a US dollar for a million tokens. A call costs what the price came to that was
put on record when it was begun, rounded up; a new price counts from the next call on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from immutables import Map

from engine.core import workspace_events as w
from engine.core.events.base import Actor
from engine.core.money import Micros

PER = 1_000_000
"""A price is for so many tokens."""
EXAMPLE = "--input 0.25 --output 2.00"
"""How one is written for ``vb prices set``."""
_MODEL = re.compile(r"[a-z][a-z0-9_-]{0,62}:[^\s:][^\s]{0,199}")


class Price(NamedTuple):
    """Of a million tokens, in and out; ``cached``: of those in that the provider had kept, None: as any others."""

    input: int
    output: int
    cached: int | None = None

    def cost(self, tokens_in: int, tokens_out: int, cached_in: int = 0) -> Micros:
        """Of a call; ``cached_in`` of its tokens in had been kept."""
        kept = 0 if self.cached is None else min(cached_in, tokens_in)
        amount = (tokens_in - kept) * self.input + tokens_out * self.output
        return -(-(amount + kept * (self.cached or 0)) // PER)


class OwnPrice(NamedTuple):
    """What the workspace has said that ``model`` costs; who, when and why."""

    model: str
    price: Price
    at: int
    by: Actor
    reason: str


OwnPrices = Map[str, OwnPrice]


@dataclass(frozen=True, slots=True)
class SetPrice:
    """Reckon with this price for ``provider:model``, or for each of a provider's (``provider:*``), from now on."""

    model: str
    price: Price
    by: Actor
    reason: str = ""


@dataclass(frozen=True, slots=True)
class UnsetPrice:
    """Reckon with the operator's price again, or with that of the list."""

    model: str
    by: Actor
    reason: str = ""


PriceCommand = SetPrice | UnsetPrice


def own_price(known: Mapping[str, Price], model: str) -> Price | None:
    """The one for ``provider:model``; else that for all of its provider's models."""
    found = known.get(model)
    return known.get(f"{model.partition(':')[0]}:*") if found is None else found


def decide(known: OwnPrices, command: PriceCommand) -> tuple[w.PriceEvent, ...] | str:
    """The events that the command leads to; or one sentence that says why it leads to none."""
    was = known.get(command.model)
    reason = command.reason.strip()
    if isinstance(command, UnsetPrice):
        if was is None:
            return f"{command.model} has no price of this workspace's own that could be taken away"
        return (w.PriceUnset(model=command.model, by=command.by, reason=reason),)
    if _MODEL.fullmatch(command.model) is None:
        return f"{command.model[:80] or 'nothing'} names no model; write PROVIDER:MODEL, such as openai:gpt-5-mini"
    price = command.price
    if price.cached is not None and price.cached > price.input:
        return "a token that the provider had kept cannot cost more than any other one; give less for --cached"
    if was is not None and was.price == price:
        return ()
    changed = w.PriceSet(
        model=command.model,
        input=price.input,
        output=price.output,
        cached=price.cached,
        by=command.by,
        reason=reason,
    )
    return (changed,)


def evolve(known: OwnPrices, at: int, event: w.PriceEvent) -> OwnPrices:
    """The prices after one event."""
    if isinstance(event, w.PriceUnset):
        return known.delete(event.model)
    price = Price(event.input, event.output, event.cached)
    return known.set(event.model, OwnPrice(event.model, price, at, event.by, event.reason))


def amounts(known: OwnPrices) -> Mapping[str, Price]:
    """Without who set them."""
    return {model: one.price for model, one in known.items()}
