"""What models cost: by what a workspace has set, else the operator, else the list prices of ``genai-prices``.

The one rule: a model without a price is not asked, since no budget could hold it. An operator can name prices of their
own, for models of their own and for agreed discounts, and a workspace prices that count for its runs alone; a local
model is free unless they do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation

from pydantic import JsonValue

from engine.core.events.spending import PricedAt
from engine.core.models import LOCAL
from engine.core.money import Micros, micros_of
from engine.core.prices import EXAMPLE, PER, Price, own_price

WORKSPACE, SETTINGS = "workspace", "settings"
"""Whose price it is; a list's is named by the list and its version."""
ORDINARY = 10_000
"""Tokens of a call by which a list's price is told; some lists want more for calls that are told far more."""
_FREE = Price(0, 0)


class UnknownPrice(LookupError):
    """Nobody knows what the model costs."""

    def __init__(self, model: str) -> None:
        super().__init__(f"there is no list price for {model}, so that no budget could hold it")
        self.model = model


def advice(model: str) -> str:
    """How to give a model a price."""
    return f"set one in dollars for a million tokens: vb prices set {model} {EXAMPLE}"


def parse_rate(text: str) -> Micros:
    """``0.25`` or ``$0.25``: US dollars for a million tokens. ``ValueError`` for anything else."""
    try:
        dollars = Decimal(text.strip().removeprefix("$").removesuffix("USD").strip())
    except InvalidOperation:
        dollars = Decimal("NaN")
    if not dollars.is_finite() or not 0 <= dollars < PER:
        raise ValueError(f"{text!r:.40} is no price; write dollars for a million tokens, such as 0.25")
    return micros_of(dollars)


def parse_price(text: str) -> Price:
    """``0.25/2.00``: US dollars for a million tokens, in and out. ``ValueError`` for anything else."""
    parts = text.split("/")
    try:
        if len(parts) == 2:
            return Price(*(parse_rate(part) for part in parts))
    except ValueError:
        pass
    raise ValueError(
        f"{text!r:.40} is no price; write dollars for a million tokens of input and output, such as 0.25/2.00"
    )


@dataclass(frozen=True, slots=True)
class Prices:
    """By ``provider:model`` or ``provider:*``: the ``workspace``'s, then the operator's ``own``, then the list's."""

    own: Mapping[str, Price] = field(default_factory=dict[str, Price])
    workspace: Mapping[str, Price] = field(default_factory=dict[str, Price])

    def within(self, workspace: Mapping[str, Price]) -> Prices:
        """The same, for a workspace that has set these."""
        return replace(self, workspace=workspace)

    def source(self, model: str) -> str:
        """Where the price of ``provider:model`` is from, with the version of the list."""
        if (known := self._known(model)) is not None:
            return known[0]
        from genai_prices import __version__

        return f"genai-prices {__version__}"

    def _known(self, model: str) -> tuple[str, Price] | None:
        """Whose price is not the list's, and what it is."""
        for source, prices in ((WORKSPACE, self.workspace), (SETTINGS, self.own)):
            if (found := own_price(prices, model)) is not None:
                return source, found
        return (LOCAL, _FREE) if model.partition(":")[0] == LOCAL else None

    def of(self, model: str) -> Price | None:
        """For a million tokens of ``provider:model``, in calls of an ordinary length; None if nobody knows."""
        if (known := self._known(model)) is not None:
            return known[1]
        calls = ((ORDINARY, 0, 0), (0, ORDINARY, 0), (ORDINARY, 0, ORDINARY))
        try:
            return Price(*(self.cost(model, *tokens) * (PER // ORDINARY) for tokens in calls))
        except UnknownPrice:
            return None

    def at(self, model: str) -> PricedAt:
        """The same, as it is put on record. Raises ``UnknownPrice``."""
        if (price := self.of(model)) is None:
            raise UnknownPrice(model)
        return PricedAt(source=self.source(model), input=price.input, output=price.output, cached=price.cached)

    def cost(self, model: str, tokens_in: int, tokens_out: int, cached_in: int = 0) -> Micros:
        """Of one request to ``provider:model``, rounded up; ``cached_in`` of its tokens had been kept by the provider.

        Raises ``UnknownPrice``.
        """
        if (known := self._known(model)) is not None:
            return known[1].cost(tokens_in, tokens_out, cached_in)
        from genai_prices import Usage, calc_price  # not above: the list is long

        provider, _, name = model.partition(":")
        usage = Usage(input_tokens=tokens_in, output_tokens=tokens_out, cache_read_tokens=min(cached_in, tokens_in))
        try:
            return micros_of(calc_price(usage, name, provider_id=provider).total_price)
        except LookupError:
            raise UnknownPrice(model) from None


def cost_at(price: PricedAt, usage: Mapping[str, JsonValue]) -> Micros | None:
    """What a call has cost that was begun at this price; None where a list has the price, or nobody counted tokens."""
    counted = [usage.get(name) for name in ("input_tokens", "output_tokens", "cached_tokens")]
    if price.source not in (WORKSPACE, SETTINGS, LOCAL) or "input_tokens" not in usage:
        return None
    return Price(price.input, price.output, price.cached).cost(*(one if isinstance(one, int) else 0 for one in counted))
