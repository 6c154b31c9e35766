"""Amounts: what people write is read to the millionth, and nothing is lost or made up on the way."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.money import MOST, format_money, micros_of, parse_money, parse_share, say_money


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("2.00 USD", 2_000_000),
        ("2 USD", 2_000_000),
        ("$2", 2_000_000),
        ("$ 0.05", 50_000),
        ("0.000001USD", 1),
        (" 0 USD ", 0),
    ],
)
def test_reads_dollars(text: str, micros: int) -> None:
    assert parse_money(text) == micros


@pytest.mark.parametrize("text", ["2.00", "2 EUR", "USD 2", "-2 USD", "1e3 USD", "", "2,00 USD", 2, 2.0, None, "٣ USD"])
def test_refuses_what_nobody_can_tell(text: object) -> None:
    with pytest.raises(ValueError, match=r"such as 2\.00 USD or 0\.05 USD"):
        parse_money(text)


def test_refuses_what_cannot_be_counted() -> None:
    with pytest.raises(ValueError, match="at most six decimals"):
        parse_money("0.0000001 USD")
    with pytest.raises(ValueError, match="the largest amount"):
        parse_money("1000000001 USD")


@given(st.integers(0, MOST))
def test_what_is_written_is_read_back(micros: int) -> None:
    assert parse_money(format_money(micros)) == micros


@pytest.mark.parametrize(
    ("micros", "said"),
    [
        (2_000_000, "$2.00"),
        (1_234_567_890, "$1,234.57"),
        (10_000, "$0.01"),
        (3_141, "$0.0031"),
        (9_999, "$0.01"),
        (5, "$0.000005"),
        (0, "$0.00"),
        (-50_000, "-$0.05"),
    ],
)
def test_says_amounts_as_people_do(micros: int, said: str) -> None:
    assert say_money(micros) == said


def test_a_part_of_a_millionth_counts_as_one() -> None:
    assert micros_of(Decimal("0.00000012")) == 1


@pytest.mark.parametrize(("text", "share"), [("80%", 80), ("100 %", 100), (" 1% ", 1)])
def test_reads_shares(text: str, share: int) -> None:
    assert parse_share(text) == share


@pytest.mark.parametrize("text", ["0%", "101%", "80", "0.8", 80, "-5%", "%"])
def test_refuses_other_shares(text: object) -> None:
    with pytest.raises(ValueError, match="from 1% to 100%"):
        parse_share(text)
