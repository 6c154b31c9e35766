"""What kills a victim from within: a count of passings of one boundary, and SIGKILL at the last of them."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Trap:
    """Death at the ``nth`` passing of ``boundary``, noted in ``marker`` first. Without a boundary there is none."""

    marker: Path
    boundary: str | None = None
    nth: int = 1


class Fuse:
    """Counts passings of the trap's boundary, and kills the process at the nth, having marked that it got there."""

    def __init__(self, trap: Trap) -> None:
        self._trap = trap
        self._passed = 0

    def at(self, boundary: str) -> None:
        if boundary != self._trap.boundary:
            return
        self._passed += 1
        if self._passed == self._trap.nth:
            self._trap.marker.write_text(boundary)
            os.kill(os.getpid(), signal.SIGKILL)
