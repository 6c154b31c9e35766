"""Instants and their texts: exact both ways, and in the same order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.store import from_text, to_text
from tests.store.build import T0

instants = st.integers(min_value=-62_135_596_800_000, max_value=253_402_300_799_999)


@given(instants, instants)
def test_texts_are_exact_and_sort_as_times_do(one: int, two: int) -> None:
    assert from_text(to_text(one)) == one
    assert (to_text(one) < to_text(two)) == (one < two)


def test_a_text_reads_as_people_write_it() -> None:
    assert to_text(T0) == "2026-11-22T04:20:00.123Z"


@pytest.mark.parametrize("text", ["", "yesterday", "2026-11-22T04:20:00.123"])
def test_another_text_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_text(text)
