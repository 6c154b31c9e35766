"""Amounts of money as people write them (``2.00 USD``), held as integer millionths of a US dollar; and shares of them.

The one rule: money is never a float. What cannot be told to the millionth is refused, or was rounded up by whoever
counted it.
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal
from typing import Annotated, TypeAlias

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from engine.core.words import kind

Micros: TypeAlias = int
"""Millionths of a US dollar."""

USD = 1_000_000
DEFAULT_ALERTS = (50, 80, 100)
"""The percents of a budget at which people are told, if nobody says otherwise."""
MOST = 1_000_000_000 * USD
_WRITTEN = re.compile(r"(?:\$\s?(?P<sign>[0-9]+(?:\.[0-9]+)?)|(?P<word>[0-9]+(?:\.[0-9]+)?)\s?USD)")
_SHARE = re.compile(r"([0-9]{1,3})\s?%")


def parse_money(text: object) -> Micros:
    """The amount that ``text`` names; a bare number is refused, since nobody can tell its currency.

    Raises ``ValueError`` with an example that works.
    """
    found = _WRITTEN.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"{_said(text)} is no amount of money; write US dollars, such as 2.00 USD or 0.05 USD")
    amount = Decimal(found["sign"] or found["word"]) * USD
    if amount != amount.to_integral_value():
        raise ValueError(f"{_said(text)} is finer than a millionth of a dollar; give at most six decimals")
    if amount > MOST:
        raise ValueError(f"{_said(text)} is more than {say_money(MOST)}, the largest amount")
    return int(amount)


def format_money(micros: Micros) -> str:
    """The shortest exact spelling with cents that ``parse_money`` reads back: ``2.00 USD``."""
    return f"{_digits(micros)} USD"


def say_money(micros: Micros) -> str:
    """As one says it in a sentence: ``$2.00``; to two figures below a cent, so that small sums are no nothing."""
    if micros < 0:
        return f"-{say_money(-micros)}"
    if micros == 0 or micros >= USD // 100:
        return f"${Decimal(micros) / USD:,.2f}"
    exact = Decimal(micros) / USD
    return f"${exact.quantize(Decimal(1).scaleb(exact.adjusted() - 1)).normalize():f}"


def micros_of(dollars: Decimal) -> Micros:
    """The amount in millionths, rounded up: what is counted is never less than what was spent."""
    return int((dollars * USD).to_integral_value(ROUND_CEILING))


def parse_share(text: object) -> int:
    """``80%`` as 80. Raises ``ValueError`` for what is no whole percentage from 1 to 100."""
    found = _SHARE.fullmatch(text.strip()) if isinstance(text, str) else None
    share = int(found[1]) if found is not None else 0
    if not 1 <= share <= 100:
        raise ValueError(f"{_said(text)} is no share of a budget; write a percentage from 1% to 100%, such as 80%")
    return share


def _digits(micros: Micros) -> str:
    whole, rest = divmod(micros, USD)
    return f"{whole}.{f'{rest:06}'.rstrip('0'):0<2}"


def _said(value: object) -> str:
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else f"{value[:40]}…")
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number else kind(value)


Money = Annotated[
    int,
    BeforeValidator(parse_money),
    PlainSerializer(format_money, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\s*(\$\s?\d+(\.\d{1,6})?|\d+(\.\d{1,6})?\s?USD)\s*$"}),
]
"""A pydantic field that reads ``2.00 USD`` and holds 2000000."""

Share = Annotated[
    int,
    BeforeValidator(parse_share),
    PlainSerializer(lambda share: f"{share}%", return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\s*\d{1,3}\s?%\s*$"}),
]
"""A pydantic field that reads ``80%`` and holds 80."""
