"""The instants of schedules, also where clocks change."""

from __future__ import annotations

from datetime import datetime
from itertools import islice

import pytest

from engine.core.cron import instants, next_instant
from engine.core.kinds import Schedule


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1_000)


def coming(cron: str, after: str, count: int, zone: str = "Europe/Berlin") -> list[int]:
    return list(islice(instants(Schedule(cron=cron, timezone=zone), ms(after)), count))


def test_instants_are_those_of_the_zones_clock() -> None:
    assert coming("30 9 * * 1-5", "2026-01-02T12:00:00+01:00", 2) == [
        ms("2026-01-05T09:30:00+01:00"),
        ms("2026-01-06T09:30:00+01:00"),
    ]
    assert coming("30 9 * * *", "2026-07-01T00:00:00Z", 1, "Asia/Tokyo") == [ms("2026-07-01T00:30:00Z")]


def test_a_start_in_the_hour_that_spring_leaves_out_comes_right_after_it() -> None:
    assert coming("30 2 * * *", "2026-03-28T12:00:00+01:00", 2) == [
        ms("2026-03-29T03:00:00+02:00"),
        ms("2026-03-30T02:30:00+02:00"),
    ]


def test_a_start_in_the_hour_that_autumn_repeats_comes_once() -> None:
    assert coming("30 2 * * *", "2026-10-24T12:00:00+02:00", 2) == [
        ms("2026-10-25T02:30:00+02:00"),
        ms("2026-10-26T02:30:00+01:00"),
    ]


def test_from_within_the_repeated_hour_time_goes_on() -> None:
    assert coming("30 2 * * *", "2026-10-25T02:10:00+01:00", 1) == [ms("2026-10-26T02:30:00+01:00")]


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("2026-03-29T01:30:00+01:00", ["2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00"]),
        ("2026-10-25T02:30:00+02:00", ["2026-10-25T02:00:00+01:00", "2026-10-25T02:30:00+01:00"]),
    ],
)
def test_every_half_hour_is_every_half_hour_across_both_changes(after: str, expected: list[str]) -> None:
    assert coming("*/30 * * * *", after, 2) == [ms(each) for each in expected]


def test_until_is_included_and_after_is_not() -> None:
    schedule = Schedule(cron="0 * * * *")
    found = list(instants(schedule, ms("2026-01-01T00:00:00Z"), ms("2026-01-01T02:00:00Z")))
    assert found == [ms("2026-01-01T01:00:00Z"), ms("2026-01-01T02:00:00Z")]
    assert next_instant(schedule, ms("2026-01-01T00:59:59.999+00:00")) == ms("2026-01-01T01:00:00Z")
