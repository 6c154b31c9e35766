"""``python -m tests.simulation --seconds 60 --seed 7``: simulate for so long; then say how much, and what was crashed.

``--only 7.123`` repeats one schedule exactly, and tells its history.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import time

from tests.simulation.campaign import Tally, campaign
from tests.simulation.disk import disk
from tests.simulation.simulation import Simulation, repeat_with
from tests.simulation.weather import PLACES


def main() -> int:
    """The exit status: 1 if a schedule failed, or too little was crashed."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to go on (default: 60)")
    parser.add_argument("--seed", type=int, default=None, help="a number; the same one gives the same schedules")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one per core)")
    parser.add_argument("--crashes", type=int, default=0, help="fail if there were fewer than this at any await")
    parser.add_argument("--only", metavar="SEED", nargs="+", default=(), help="repeat these schedules")
    options = parser.parse_args()
    if options.only:
        return max(_repeat(seed) for seed in options.only)
    seed = secrets.randbelow(1_000_000) if options.seed is None else options.seed
    began = time.monotonic()
    tally = campaign(seed, options.seconds, options.jobs)
    fewest = _report(seed, tally, time.monotonic() - began)
    return 1 if tally.problems or fewest < options.crashes else 0


def _repeat(seed: str) -> int:
    result = Simulation(seed).run()
    for fact in disk().everything():
        print(f"{fact.stream} {fact.seq:3} {fact.at} {fact.type} {fact.payload}")
    for problem in result.problems:
        print(f"PROBLEM {problem}")
    print(f"seed {seed}: {result.deaths} deaths, {result.virtual_ms} ms, {result.steps} steps, trace {result.trace}")
    return 1 if result.problems else 0


def _report(seed: int, tally: Tally, seconds: float) -> int:
    for place in PLACES:
        print(f"{tally.crashes[place]:7} {place}")
    for failed, problems in tally.problems.items():
        print(f"FAILED {failed}, repeat it with: {repeat_with(failed)}")
        for problem in problems:
            print(f"    {problem}")
    rarest = min(PLACES, key=lambda place: tally.crashes[place])
    minutes = seconds / 60
    print(
        f"seed {seed}: {tally.simulations} schedules in {seconds:.0f} s, {tally.simulations / minutes:.0f} a minute "
        f"({tally.simulations / tally.cpu_s * 60:.0f} a minute of one core); {tally.events} events, "
        f"{tally.virtual_ms / 3_600_000:.1f} h of virtual time, {tally.deaths} crashes; at each of {len(PLACES)} "
        f"awaits {tally.crashes[rarest]} or more, fewest at {rarest}; {len(tally.problems)} schedules failed"
    )
    return tally.crashes[rarest]


if __name__ == "__main__":
    sys.exit(main())
