"""The whole engine under simulated crashes: a hundred schedules, and that each can be repeated exactly.

The long form is ``make simulate ARGS="--seconds 300 --crashes 100"``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.simulation.campaign import simulate
from tests.simulation.simulation import Simulation, repeat_with
from tests.simulation.weather import PLACES, TURNS

SCHEDULES = len(TURNS)
"""In which each place had its turn to be crashed; those that are hardly ever reached had several."""
SEED = "0"
PATIENCE_S = 150
"""On a machine that is busy with other things; by itself it takes a tenth of that."""


def test_nothing_is_lost_or_doubled_whatever_crashes() -> None:
    tally = simulate((f"{SEED}.{number}" for number in range(SCHEDULES)), PATIENCE_S)
    told = [f"{repeat_with(seed)}: {problem}" for seed, problems in tally.problems.items() for problem in problems]
    assert not told, "\n".join(told)
    assert tally.simulations >= SCHEDULES // 4, "this machine is too slow to tell"
    assert tally.deaths >= tally.simulations
    missed = [place for place in PLACES if not tally.crashes[place]]
    assert len(missed) <= len(PLACES) // 10 or tally.simulations < SCHEDULES


def test_a_seed_repeats_exactly_in_this_process_and_in_others_whatever_they_hash() -> None:
    seeds = [f"again.{number}" for number in range(4)]
    here = [Simulation(seed).run() for seed in seeds]
    assert [Simulation(seed).run() for seed in reversed(seeds)] == here[::-1]
    assert len({result.trace for result in here}) == len(seeds)
    for hashing in ("1", "4711"):
        assert traces_elsewhere(seeds, hashing) == [result.trace for result in here]


def traces_elsewhere(seeds: list[str], hashing: str) -> list[str]:
    """What a new process makes of the seeds, where texts have other hashes."""
    command = [sys.executable, "-m", "tests.simulation", "--only", *seeds]
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONHASHSEED": hashing}
    said = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, check=True, timeout=250)
    return [line.rpartition(" ")[2] for line in said.stdout.splitlines() if line.startswith("seed ")]
