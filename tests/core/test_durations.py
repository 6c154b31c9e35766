"""Durations: what people write is read exactly, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.durations import LONGEST, format_duration, parse_duration, say_duration


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("90s", 90_000),
        ("15m", 900_000),
        ("24h", 86_400_000),
        ("1h30m", 5_400_000),
        ("1h 30m", 5_400_000),
        ("2d", 172_800_000),
        ("1w", 604_800_000),
        ("250ms", 250),
        ("1.5s", 1_500),
        ("0s", 0),
    ],
)
def test_reads_a_number_with_its_unit(text: str, ms: int) -> None:
    assert parse_duration(text) == ms


@pytest.mark.parametrize("text", ["30", "", "s", "-5s", "5 minutes", "1h-2m", "1e3s", 30, 1.5, None, True, [], "٣x"])
def test_refuses_what_nobody_can_tell(text: object) -> None:
    with pytest.raises(ValueError, match="such as 30s, 15m, 24h or 1h30m"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["3651d", "9" * 400 + "d"])
def test_refuses_what_no_calendar_holds(text: str) -> None:
    with pytest.raises(ValueError, match="3650d is the longest"):
        parse_duration(text)


@given(st.integers(min_value=0, max_value=LONGEST))
def test_what_is_written_reads_back(ms: int) -> None:
    assert parse_duration(format_duration(ms)) == ms


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (0, "under 1 s"),
        (999, "under 1 s"),
        (30_000, "30 s"),
        (90_000, "1 min 30 s"),
        (5_400_000, "1 h 30 min"),
        (86_400_000, "1 d"),
        (90_061_000, "1 d 1 h"),
        (86_460_000, "1 d"),
    ],
)
def test_is_said_in_at_most_two_units(ms: int, words: str) -> None:
    assert say_duration(ms) == words
