"""``make crash``: a fleet of workers under load and under faults, for minutes, on each database; then it is judged.

make crash                                                       both databases, five minutes each
make crash ARGS="--minutes 1 --seed 7 --database postgresql"     shorter, repeatable, one of them

Each round ends with the findings, if there are any, and one line of counts; the last line says how to repeat them all.
"""

from __future__ import annotations

import argparse
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from tests.fleet.round import Plan, Result, play
from tests.fleet.servers import DatabaseKind

DATABASES: tuple[DatabaseKind, ...] = ("sqlite", "postgresql")
MOST_FINDINGS = 50
SKEWED_SECONDS = 30.0


def rounds(databases: list[DatabaseKind], seed: int, minutes: float) -> list[Plan]:
    """For each database a long round, and one with workers of two versions."""
    seconds = minutes * 60
    plans: list[Plan] = []
    for database in databases:
        plans.append(Plan(database=database, seed=seed, seconds=seconds))
        plans.append(Plan(database=database, seed=seed + 1, seconds=min(seconds, SKEWED_SECONDS), older=1))
    return plans


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def run(plan: Plan) -> Result:
    """Play one round. The folder with its logs is kept if something was found."""
    folder = Path(tempfile.mkdtemp(prefix="vectorbea-fleet-"))
    say(f"{plan.database}: {plan.seconds:.0f} s of faults, seed {plan.seed}")
    result = play(plan, folder, lambda text: say(f"  {text}"))
    found = [*map(str, result.findings), *result.others]
    for line in found[:MOST_FINDINGS]:
        say(f"  {line}")
    if len(found) > MOST_FINDINGS:
        say(f"  and {len(found) - MOST_FINDINGS} more")
    if found:
        say(f"  logs and journals are in {folder}")
    else:
        shutil.rmtree(folder)
    say(result.line())
    return result


def main() -> int:
    parser = argparse.ArgumentParser(prog="make crash", description="Crash a fleet of workers, and judge what is left.")
    parser.add_argument("--minutes", type=float, default=5.0, help="of faults, on each database (default: 5)")
    parser.add_argument("--seed", type=int, default=None, help="repeats the runs and the faults of an earlier call")
    parser.add_argument("--database", choices=DATABASES, action="append", help="only this one (default: both)")
    given = parser.parse_args()
    seed = secrets.randbelow(10**6) if given.seed is None else given.seed
    results = [run(plan) for plan in rounds(given.database or list(DATABASES), seed, given.minutes)]
    say(f'To repeat it: make crash ARGS="--seed {seed} --minutes {given.minutes:g}"')
    return 0 if all(result.ok for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
