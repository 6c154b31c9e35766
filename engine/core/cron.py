"""The instants of a schedule, in epoch milliseconds.

The one rule: they are those of Debian's cron. Where clocks go forward, a start at an hour that does not exist comes
right after the gap; where they go back, a start at a given hour comes once, and one at every so many minutes each time.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim

from engine.core.kinds import Schedule


def spec_of(schedule: Schedule) -> str:
    """What decides about its instants, as one text."""
    return f"{' '.join(schedule.cron.split())}|{schedule.timezone}"


def instants(schedule: Schedule, after: int, until: int | None = None) -> Iterator[int]:
    """The instants later than ``after``, in order; with ``until`` none later than that.

    Nothing for a schedule that never comes again.
    """
    start = datetime.fromtimestamp(after / 1_000, ZoneInfo(schedule.timezone))
    for moment in CronSim(schedule.cron, start):
        at = round(moment.timestamp() * 1_000)
        if until is not None and at > until:
            return
        if at > after:  # an hour that comes twice is told by its first coming alone
            yield at


def next_instant(schedule: Schedule, after: int) -> int | None:
    """The first instant later than ``after``, if there is any."""
    return next(instants(schedule, after), None)
