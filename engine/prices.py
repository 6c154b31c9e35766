"""What models cost by the list prices of their providers, as ``genai-prices`` knows them.

The one rule: a model without a price is not asked, since no budget could hold it. An operator can name prices of their
own, for models of their own and for agreed discounts; a local model is free unless they do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from engine.core.estimate import Price
from engine.core.models import LOCAL
from engine.core.money import Micros, micros_of

_FREE = Price(0, 0)
PER = 1_000_000
"""A ``Price`` is for so many tokens."""


class UnknownPrice(LookupError):
    """Nobody knows what the model costs."""

    def __init__(self, model: str) -> None:
        super().__init__(f"there is no list price for {model}, so that no budget could hold it")
        self.model = model


def parse_price(text: str) -> Price:
    """``0.25/2.00``: US dollars for a million tokens, in and out. ``ValueError`` for anything else."""
    try:
        dollars = [Decimal(part) for part in text.split("/")]
    except InvalidOperation:
        dollars = []
    if len(dollars) != 2 or not all(each.is_finite() and 0 <= each < PER for each in dollars):
        raise ValueError(
            f"{text!r:.40} is no price; write dollars for a million tokens of input and output, such as 0.25/2.00"
        )
    return Price(micros_of(dollars[0]), micros_of(dollars[1]))


@dataclass(frozen=True, slots=True)
class Prices:
    """List prices, but for those that are one's ``own``, by ``provider:model`` or ``provider:*``."""

    own: Mapping[str, Price] = field(default_factory=dict[str, Price])

    def source(self, model: str) -> str:
        """Where the price of ``provider:model`` is from, with the version of the list."""
        if (known := self._known(model)) is not None:
            return LOCAL if known is _FREE else "own"
        from genai_prices import __version__

        return f"genai-prices {__version__}"

    def _known(self, model: str) -> Price | None:
        provider = model.partition(":")[0]
        own = self.own.get(model) or self.own.get(f"{provider}:*")
        return _FREE if own is None and provider == LOCAL else own

    def of(self, model: str) -> Price | None:
        """For a million tokens of ``provider:model``; None if nobody knows."""
        try:
            return Price(self.cost(model, PER, 0), self.cost(model, 0, PER))
        except UnknownPrice:
            return None

    def cost(self, model: str, input_tokens: int, output_tokens: int) -> Micros:
        """Of one request to ``provider:model``, rounded up. Raises ``UnknownPrice``."""
        provider, _, name = model.partition(":")
        if (own := self._known(model)) is not None:
            return -(-(own.input * input_tokens + own.output * output_tokens) // PER)
        from genai_prices import Usage, calc_price  # not above: the list is long

        usage = Usage(input_tokens=input_tokens, output_tokens=output_tokens)
        try:
            return micros_of(calc_price(usage, name, provider_id=provider).total_price)
        except LookupError:
            raise UnknownPrice(model) from None
