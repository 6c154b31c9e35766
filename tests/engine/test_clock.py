"""The clock that a demo moves and a drill runs faster."""

import time

import pytest

from engine.clock import MovableClock, SystemClock


def now() -> int:
    return time.time_ns() // 1_000_000


def test_a_moved_clock_is_ahead_by_what_it_was_moved() -> None:
    clock = MovableClock()
    assert 0 <= SystemClock().now() - clock.now() <= 50
    clock.advance(60_000)
    assert clock.shift == 60_000
    assert 59_900 <= clock.now() - clock.ticking() <= 60_100
    with pytest.raises(ValueError, match="only moves forward"):
        clock.advance(-1)


def test_a_faster_clock_counts_from_an_instant_that_processes_can_share() -> None:
    since = now() - 1_000
    one, other = MovableClock(30, since), MovableClock(30, since)
    assert 29_000 <= one.shift <= 35_000, "a second of the machine's is thirty of this one's"
    assert abs(one.now() - other.now()) <= 30 * 50
    assert one.shift == pytest.approx(one.now() - now(), abs=30 * 50)
    one.advance(5_000)
    assert one.now() - one.ticking() >= 4_900


def test_a_clock_is_never_slower() -> None:
    with pytest.raises(ValueError, match="never slower"):
        MovableClock(0.5)
