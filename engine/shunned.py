"""Runs that this process cannot look at, and when it tries each of them again.

The one rule: it costs a run nothing but this process's looks. What this one is offered of it is passed on to others,
such as workers of a newer release.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

FIRST_PAUSE = 5.0
LONGEST_PAUSE = 300.0
REMEMBERED = 10_000


class Shunned:
    """A pause per run, in seconds of the running loop, doubled with each failure in a row. The oldest are forgotten."""

    def __init__(self) -> None:
        self._until: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def may_look_at(self, run: str) -> bool:
        known = self._until.get(run)
        return known is None or known[0] <= asyncio.get_running_loop().time()

    def shun(self, run: str) -> None:
        """Looking at the run has failed."""
        known = self._until.pop(run, None)
        pause = FIRST_PAUSE if known is None else min(2 * known[1], LONGEST_PAUSE)
        self._until[run] = (asyncio.get_running_loop().time() + pause, pause)
        if len(self._until) > REMEMBERED:
            self._until.popitem(last=False)

    def forget(self, run: str) -> None:
        """It could be looked at."""
        self._until.pop(run, None)
