"""The engine's two clocks, in epoch milliseconds: one for timers, which a demo may move, and one for leases.

The one rule: timers (gates, retries) follow ``Clock``; leases follow the database's clock, which nobody moves.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    @property
    def shift(self) -> int:
        """By how many ms it was moved from the time of day: 0 but in a demo or a test."""
        ...

    def now(self) -> int:
        """The current instant in epoch milliseconds."""
        ...


class SystemClock:
    """The machine's clock."""

    @property
    def shift(self) -> int:
        return 0

    def now(self) -> int:
        return time.time_ns() // 1_000_000


class MovableClock(SystemClock):
    """The machine's clock, moved forward by whoever wants to see a timer fire without waiting, or running faster.

    ``pace`` is how many of its milliseconds pass in one of the machine's, from the instant ``since`` (epoch ms of the
    machine; now if it is not given) on. Processes that are given the same two have the same clock.
    """

    def __init__(self, pace: float = 1.0, since: int | None = None) -> None:
        if pace < 1:
            raise ValueError("the clock is never slower than the machine's")
        self.pace = pace
        self.since = super().now() if since is None else since
        self._moved = 0

    @property
    def shift(self) -> int:
        return self.ticking() - super().now() + self._moved

    def now(self) -> int:
        return self.ticking() + self._moved

    def ticking(self) -> int:
        """The same clock as if nobody had moved it: for what takes time, whoever else is in a hurry."""
        return self.since + int((super().now() - self.since) * self.pace)

    def advance(self, ms: int) -> None:
        """Moves the clock forward; it never goes back."""
        if ms < 0:
            raise ValueError("the clock only moves forward")
        self._moved += ms


class DatabaseClock:
    """An estimate of the database's clock between two readings of it, good to the round trip of the reading.

    ``monotonic`` tells the time in between, in seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._offset = 0.0

    def set(self, database_now: int) -> None:
        self._offset = database_now - self._monotonic() * 1_000

    def now(self) -> int:
        return int(self._monotonic() * 1_000 + self._offset)
