"""Business hours: which instant is so much working time after another one, and how much lies between two.

The one rule: a working day is what the clock on the wall says in its zone, so a day on which clocks change is an hour
longer or shorter if that hour is a working one. Of several zones, time counts while it is working time in one of them,
and it counts once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from heapq import merge
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class WorkingHours(Protocol):
    """As a gate's request has them."""

    @property
    def zone(self) -> str: ...
    @property
    def begin(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def days(self) -> Sequence[str]: ...
    @property
    def holidays(self) -> Sequence[str]: ...
    @property
    def zones(self) -> Sequence[str]: ...


def is_zone(name: str) -> bool:
    """Whether there is such a time zone."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def later(hours: WorkingHours | None, start: int, span: int) -> int:
    """The instant by which ``span`` ms of working time have passed since ``start``; all time counts without hours."""
    if hours is None:
        return start + span
    left = span
    for opens, closes in _windows(hours, start):
        opens = max(opens, start)
        if left <= closes - opens:
            return opens + left
        left -= max(closes - opens, 0)
    raise ValueError("such hours never come")  # a week without any working day is no Hours


def worked(hours: WorkingHours | None, start: int, end: int) -> int:
    """How many ms of working time lie between two instants."""
    if hours is None:
        return max(end - start, 0)
    total = 0
    for opens, closes in _windows(hours, start):
        if opens >= end:
            return total
        total += max(min(closes, end) - max(opens, start), 0)
    return total


def _windows(hours: WorkingHours, start: int) -> Iterator[tuple[int, int]]:
    """The working time from the day of ``start`` on, in pieces that do not overlap, in their order."""
    until: int | None = None
    for opens, closes in merge(*(_days(hours, ZoneInfo(zone), start) for zone in hours.zones or (hours.zone,))):
        if until is None or closes > until:
            yield (opens if until is None else max(opens, until)), closes
            until = closes


def _days(hours: WorkingHours, zone: ZoneInfo, start: int) -> Iterator[tuple[int, int]]:
    """The working days of one zone, each from its opening to its closing."""
    day = datetime.fromtimestamp(start / 1_000, zone).date()
    holidays = frozenset(hours.holidays)
    while True:
        if _DAYS[day.weekday()] in hours.days and day.isoformat() not in holidays:
            yield _instant(day, hours.begin, zone), _instant(day, hours.end, zone)
        day += timedelta(days=1)


def _instant(day: date, minute: int, zone: ZoneInfo) -> int:
    days, rest = divmod(minute, 24 * 60)
    day += timedelta(days=days)
    local = datetime(day.year, day.month, day.day, rest // 60, rest % 60, tzinfo=zone)
    return round(local.timestamp() * 1_000)
