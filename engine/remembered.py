"""The runs that this process has in mind, as it saw them last. A cache: whatever is forgotten is loaded again.

The one rule: a run with something to do is not forgotten for the sake of runs that wait or have ended, since it is the
one that is asked for next. Both kinds have a bound of their own, by the size of what is kept.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from engine.core.state import AT_WORK, RunState, StepStatus
from engine.store import Head

BUSY_KEPT = 200_000
RESTING_KEPT = 20_000
"""Sizes in all: a run counts as ``_OWN_SIZE`` and one for each of its steps."""

_OWN_SIZE = 20
_HAS_TO_DO = AT_WORK | {StepStatus.READY, StepStatus.RETRYING}


@dataclass(frozen=True, slots=True)
class Seen:
    """A run as this process last saw it; ``saved`` is the seq of its newest checkpoint, as far as known."""

    state: RunState
    head: Head
    saved: int = 0

    @property
    def size(self) -> int:
        return _OWN_SIZE + len(self.state.steps)

    @property
    def is_busy(self) -> bool:
        """Whether the run has something to do now."""
        state = self.state
        return state.end is None and any(state.steps[path].status in _HAS_TO_DO for path in state.open)


@dataclass(slots=True)
class _Shelf:
    """The newest runs of one kind, as many as fit."""

    room: int
    runs: OrderedDict[str, Seen] = field(default_factory=OrderedDict[str, Seen])
    size: int = 0

    def put(self, run: str, seen: Seen) -> None:
        self.drop(run)
        self.runs[run] = seen
        self.size += seen.size
        while self.size > self.room and len(self.runs) > 1:
            _, oldest = self.runs.popitem(last=False)
            self.size -= oldest.size

    def drop(self, run: str) -> None:
        if (seen := self.runs.pop(run, None)) is not None:
            self.size -= seen.size


class Remembered:
    """What one process knows of runs. Others may have written since."""

    def __init__(self, busy: int = BUSY_KEPT, resting: int = RESTING_KEPT) -> None:
        self._busy = _Shelf(busy)
        self._resting = _Shelf(resting)

    def get(self, run: str) -> Seen | None:
        return self._busy.runs.get(run) or self._resting.runs.get(run)

    def keep(self, seen: Seen) -> Seen:
        """Keep the newest that was seen of the run, and return it: a slow load must not hide a later append."""
        run = seen.state.run
        known = self.get(run)
        newest = seen if known is None or known.state.seq <= seen.state.seq else known
        kept, left = (self._busy, self._resting) if newest.is_busy else (self._resting, self._busy)
        left.drop(run)
        kept.put(run, newest)
        return newest
