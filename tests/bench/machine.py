"""Reading the machine, and printing one JSON line per figure."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path


def loop_speed() -> float:
    """How fast the machine is just now: M iterations/s of a plain Python loop, the best of five of about 10 ms."""
    best = 9.0
    for _ in range(5):
        began, total = time.perf_counter(), 0
        for number in range(500_000):
            total += number
        best = min(best, time.perf_counter() - began)
    return round(0.5 / best, 1)


def emit(peer: str, workload: str, value: float, unit: str, **more: object) -> None:
    """One figure on standard output; ``cpu`` says how fast the machine was right after it, for it is not steady."""
    line = {"peer": peer, "workload": workload, "value": round(value, 4), "unit": unit, "cpu": loop_speed(), **more}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def spread(figures: Sequence[float]) -> dict[str, float]:
    return {"min": round(min(figures), 3), "max": round(max(figures), 3), "n": len(figures)}


def resident_kib() -> int:
    """Resident memory of this process, in KiB."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


def cpu_seconds() -> float:
    """User and system CPU seconds that this process has used."""
    times = os.times()
    return times.user + times.system
