"""What befalls a fleet, drawn from a seed before it begins: who is killed, stopped, flushed or restarted, and when.

The one rule: the script does not look at the fleet. What it hits is chance, and the same seed hits again.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tests.fleet.servers import DatabaseKind


class Kind(StrEnum):
    """Faults. A worker that is stopped is continued later, which is no fault of its own."""

    KILL = "kills"
    STOP = "stops"
    FLUSH = "flushes"
    RESTART_REDIS = "restarts of Redis"
    RESTART_POSTGRES = "restarts of PostgreSQL"
    KILL_BACKEND = "killed backends"


Mix = Mapping[Kind, int]

EVERYTHING: Mix = {
    Kind.KILL: 32,
    Kind.STOP: 30,
    Kind.FLUSH: 20,
    Kind.RESTART_REDIS: 8,
    Kind.RESTART_POSTGRES: 7,
    Kind.KILL_BACKEND: 3,
}
POSTGRES_ONLY = frozenset({Kind.RESTART_POSTGRES, Kind.KILL_BACKEND})

SHORT_STOP = (0.05, 1.0)
LONG_STOP = (2.2, 4.5)
"""Longer than a lease: by then others have taken over."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """``at`` seconds after the beginning. ``place`` (0 to 1) says whom it hits, ``lasts`` for how long (s)."""

    at: float
    kind: Kind
    place: float
    lasts: float


def script(seed: int, seconds: float, gap: float, database: DatabaseKind, mix: Mix = EVERYTHING) -> list[Fault]:
    """The faults of a round of so many seconds, ``gap`` seconds apart on average."""
    rng = random.Random(f"faults {seed}")
    kinds = [kind for kind in mix if database == "postgresql" or kind not in POSTGRES_ONLY]
    faults: list[Fault] = []
    at = rng.expovariate(1 / gap)
    while at < seconds:
        [kind] = rng.choices(kinds, [mix[kind] for kind in kinds])
        faults.append(Fault(at=at, kind=kind, place=rng.random(), lasts=_lasts(rng, kind)))
        at += rng.expovariate(1 / gap)
    return faults


def _lasts(rng: random.Random, kind: Kind) -> float:
    if kind is Kind.STOP:
        return rng.uniform(*(LONG_STOP if rng.random() < 0.5 else SHORT_STOP))
    return rng.uniform(0, 1.5) if kind is Kind.RESTART_REDIS else 0.0
