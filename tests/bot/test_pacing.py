"""When a message that changes often may be updated again. Time is a number here."""

from __future__ import annotations

import pytest

from bot.pacing import Rhythm


@pytest.mark.parametrize(
    ("meaning", "now", "wait"),
    [
        ("running", 10.0, 3.0),
        ("running", 12.5, 0.5),
        ("running", 13.0, 0.0),
        ("done", 10.0, 1.0),
        ("done", 10.75, 0.25),
        ("done", 11.0, 0.0),
    ],
)
def test_what_means_something_else_waits_less(meaning: str, now: float, wait: float) -> None:
    rhythm = Rhythm(usual=3.0, turn=1.0)
    rhythm.shown("running", 10.0)
    assert rhythm.wait(meaning, now) == wait


def test_the_first_update_may_be_made_at_once() -> None:
    assert Rhythm(usual=3.0, turn=1.0).wait("running", 0.0) == 0.0


def test_a_turn_never_waits_longer_than_any_other_update() -> None:
    rhythm = Rhythm(usual=0.5, turn=1.0)
    rhythm.shown("running", 10.0)
    assert rhythm.wait("done", 10.0) == 0.5
