"""Business hours: working time over nights, weekends, holidays and days on which clocks change."""

from __future__ import annotations

import random
from datetime import datetime
from typing import Any

import pytest

from engine.core import commands as c
from engine.core import events as e
from engine.core.gates import Gate
from engine.core.hours import later, worked
from engine.core.outlook import due
from tests.core.driver import Run, workflow

HOUR = 3_600_000
ZONES = ("UTC", "Asia/Kolkata", "America/New_York", "Pacific/Apia", "Europe/Berlin")
WEEK = ("mon", "tue", "wed", "thu", "fri")


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1_000)


def hours(**more: Any) -> e.AskedHours:
    usual: dict[str, Any] = {"zone": "Europe/Berlin", "begin": 9 * 60, "end": 17 * 60, "days": WEEK}
    return e.AskedHours.model_validate(usual | more)


@pytest.mark.parametrize(
    ("start", "span", "end"),
    [
        ("2026-11-26T10:00+01:00", 2, "2026-11-26T12:00+01:00"),
        ("2026-11-26T16:00+01:00", 2, "2026-11-27T10:00+01:00"),
        ("2026-11-27T16:00+01:00", 1, "2026-11-27T17:00+01:00"),
        ("2026-11-27T16:00+01:00", 2, "2026-11-30T10:00+01:00"),
        ("2026-11-28T12:00+01:00", 1, "2026-11-30T10:00+01:00"),
        ("2026-12-24T16:00+01:00", 2, "2026-12-29T10:00+01:00"),
        ("2026-03-27T16:00+01:00", 2, "2026-03-30T10:00+02:00"),
    ],
)
def test_working_time_goes_on_where_it_stopped(start: str, span: int, end: str) -> None:
    festive = hours(holidays=("2026-12-25", "2026-12-28"))
    assert later(festive, at(start), span * HOUR) == at(end)
    assert worked(festive, at(start), at(end)) == span * HOUR


def test_a_day_on_which_clocks_change_has_the_hours_that_the_wall_shows() -> None:
    always = hours(begin=0, end=24 * 60, days=("sun",))
    spring, autumn = at("2026-03-29T00:00+01:00"), at("2026-10-25T00:00+02:00")
    assert worked(always, spring, spring + 48 * HOUR) == 23 * HOUR
    assert worked(always, autumn, autumn + 48 * HOUR) == 25 * HOUR


def test_without_hours_all_time_counts() -> None:
    assert later(None, 5, 7) == 12
    assert worked(None, 5, 12) == 7


def test_what_is_later_is_so_much_working_time_away() -> None:
    die = random.Random(7)
    for zone in ZONES:
        for _ in range(100):
            begin, several = die.randrange(0, 22 * 60), die.sample(ZONES, die.randrange(3))
            end = die.randrange(begin + 60, 24 * 60 + 1)
            known = hours(zone=zone, zones=several, begin=begin, end=end, days=die.sample(WEEK, 3))
            start, span = at("2026-01-01T00:00+00:00") + die.randrange(400 * 24 * HOUR), die.randrange(1, 100 * HOUR)
            end = later(known, start, span)
            assert worked(known, start, end) == span
            assert worked(known, start, end - 1) == span - 1, "not a moment earlier"


def test_a_gate_neither_reminds_nor_climbs_nor_expires_out_of_hours() -> None:
    approval = {
        "title": "Go?",
        "approvers": ["@web"],
        "expires_in": "8h",
        "remind_every": "2h",
        "escalate": [{"after": "3h", "to": "@boss"}],
        "hours": {"zone": "Europe/Berlin"},
    }
    friday = at("2026-11-27T16:00+01:00")
    run = Run(workflow({"id": "go", "approval": approval}), now=friday)
    run.do(c.Look(), after=65 * HOUR)
    assert run.new == [], "Monday, 9:00: one hour has passed"
    told = due(run.state, run.now)
    assert told is not None
    assert told.at == at("2026-11-30T10:00+01:00")
    run.do(c.Look(), after=HOUR)
    assert run.new == ["APPROVAL_REMINDED"]
    run.do(c.Look(), after=HOUR)
    assert run.new == ["APPROVAL_ESCALATED"]
    run.do(c.Look(), after=5 * HOUR - 1)
    assert run.new == ["APPROVAL_REMINDED"]
    run.do(c.Look(), after=1)
    assert run.new == ["APPROVAL_EXPIRED", "RUN_FAILED"]


THEIRS = {"zone": "approver", "from": "09:00", "to": "17:00"}
ASKING = {
    "title": "Go?",
    "approvers": ["@web"],
    "hours": THEIRS,
    "expires_in": "12h",
    "escalate": [{"after": "9h", "to": "@oncall"}],
}


@pytest.mark.parametrize(
    ("start", "span", "end"),
    [
        # Berlin works 08:00-16:00 UTC, New York 14:00-22:00 UTC: fourteen hours a day for the two, two of them shared.
        ("2026-11-26T08:00+00:00", 14, "2026-11-26T22:00+00:00"),
        ("2026-11-26T08:00+00:00", 15, "2026-11-27T09:00+00:00"),
        ("2026-11-27T21:00+00:00", 2, "2026-11-30T09:00+00:00"),
    ],
)
def test_of_several_zones_the_time_counts_in_which_somebody_works(start: str, span: int, end: str) -> None:
    both = hours(zones=("America/New_York", "Europe/Berlin"))
    assert later(both, at(start), span * HOUR) == at(end)
    assert worked(both, at(start), at(end)) == span * HOUR


def test_far_apart_zones_and_one_twice_add_up_as_they_are() -> None:
    day, days = at("2026-11-25T00:00+00:00"), 24 * HOUR
    apart = hours(zones=("Asia/Tokyo", "Europe/Berlin"))
    assert worked(apart, day, day + days) == 16 * HOUR, "Tokyo ends as Berlin begins"
    assert worked(hours(zones=("Europe/Berlin", "Europe/Paris")), day, day + days) == 8 * HOUR, "nothing counts twice"
    always = hours(begin=0, end=24 * 60, days=(*WEEK, "sat", "sun"), zones=("Asia/Tokyo", "Europe/Berlin"))
    assert worked(always, day, day + 30 * days) == 30 * days


def opened(run: Run) -> Gate:
    gate = run.state.step("g").gate
    assert gate is not None
    return gate


def asking() -> Run:
    """A gate that asked on a Thursday at 12:00 UTC."""
    return Run(workflow({"id": "g", "approval": ASKING}), now=at("2026-11-26T12:00+00:00"))


def test_a_gate_counts_the_working_time_of_those_asked_once_it_is_known_where_they_are() -> None:
    run = asking()
    gate = opened(run)
    assert gate.wants_zones
    assert gate.request.expires_at == at("2026-11-27T16:00+00:00"), "12 h in UTC, 5 of them on Thursday"
    run.do(c.Present("g", {"C1/1.1": "d"}, ["America/New_York", "no/zone", "America/New_York"]), after=1_000)
    gate = opened(run)
    assert gate.request.hours is not None
    assert (gate.wants_zones, gate.request.hours.zones) == (False, ("America/New_York",))
    assert gate.request.expires_at == at("2026-11-27T18:00+00:00"), "from 14:00 UTC on, and 4 h of Friday"
    assert gate.request.escalate[0].at == at("2026-11-27T15:00+00:00")
    told = due(run.state, run.now)
    assert told is not None
    assert told.at == at("2026-11-27T15:00+00:00"), "the run is looked at when the first rung is due"
    run.do(c.Present("g", {"C1/1.1": "e"}, ["Asia/Tokyo"]), after=1_000)
    assert opened(run).request == gate.request, "it is said once, and stays"


def test_a_gate_whose_people_are_nowhere_runs_in_utc() -> None:
    run = asking()
    before = opened(run).request
    run.do(c.Present("g", {"C1/1.1": "d"}, ["no/zone"]), after=1_000)
    assert opened(run).request == before
