"""Many simulations, in as many processes as there are to be, added up.

The one rule: which simulations there are follows from the seed and their number; only how many there are from the time.
"""

from __future__ import annotations

import gc
import multiprocessing
import time
from collections import Counter
from collections.abc import Generator, Iterable
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.simulation.simulation import Result, Simulation

MOST_PROBLEMS = 20


@dataclass
class Tally:
    """What came of a number of simulations. ``problems``: those that failed, by seed."""

    simulations: int = 0
    deaths: int = 0
    events: int = 0
    virtual_ms: int = 0
    cpu_s: float = 0.0
    crashes: Counter[str] = field(default_factory=Counter[str])
    problems: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    def count(self, result: Result) -> None:
        self.simulations += 1
        self.deaths += result.deaths
        self.events += result.events
        self.virtual_ms += result.virtual_ms
        self.crashes.update(result.crashes)
        if result.problems:
            self.problems[result.seed] = result.problems

    def add(self, other: Tally) -> None:
        self.simulations += other.simulations
        self.deaths += other.deaths
        self.events += other.events
        self.virtual_ms += other.virtual_ms
        self.cpu_s += other.cpu_s
        self.crashes.update(other.crashes)
        self.problems |= other.problems


@contextmanager
def seldom_tidied() -> Generator[None]:
    """Let Python look for garbage more rarely, and not in what is there already: that takes a third of the time."""
    thresholds = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def simulate(seeds: Iterable[str], seconds: float) -> Tally:
    """Simulate one after another until the time is over, or too much has failed."""
    tally = Tally()
    Simulation("to compile what all need").run()
    end, cpu = time.monotonic() + seconds, time.process_time()
    with seldom_tidied():
        for seed in seeds:
            tally.count(Simulation(seed).run())
            if time.monotonic() >= end or len(tally.problems) >= MOST_PROBLEMS:
                break
    tally.cpu_s = time.process_time() - cpu
    return tally


def campaign(seed: int, seconds: float, jobs: int) -> Tally:
    """Simulations ``seed.0``, ``seed.1`` … for so many seconds, shared out over ``jobs`` processes."""
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        parts = [pool.submit(_part, seed, job, jobs, seconds) for job in range(jobs)]
        total = Tally()
        for part in parts:
            total.add(part.result())
    return total


def _part(seed: int, job: int, jobs: int, seconds: float) -> Tally:
    return simulate((f"{seed}.{number}" for number in range(job, 1_000_000_000, jobs)), seconds)
