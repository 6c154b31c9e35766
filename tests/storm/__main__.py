"""``make storm``: two bots and a Slack in which everything goes wrong, under thousands of clicks; then it is judged.

make storm                                                   200 runs, 400 approvals, 3,000 clicks, on PostgreSQL
make storm ARGS="--seed 7 --runs 20 --database sqlite"       smaller, repeatable

It ends with the findings, if there are any, and one line of counts; the seed is in it.
"""

from __future__ import annotations

import argparse
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from tests.storm.round import Plan, play

DATABASES = ("postgresql", "sqlite")
MOST_FINDINGS = 50


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="make storm", description="A storm of clicks, and a judge.")
    parser.add_argument("--runs", type=int, default=200, help="each with two approvals (default: 200)")
    parser.add_argument("--seed", type=int, default=None, help="repeats the chances of an earlier storm")
    parser.add_argument("--database", choices=DATABASES, default=DATABASES[0])
    given = parser.parse_args()
    seed = secrets.randbelow(10**6) if given.seed is None else given.seed
    plan = Plan(database=given.database, seed=seed, runs=given.runs, bad=given.runs * 5)
    folder = Path(tempfile.mkdtemp(prefix="vectorbea-storm-"))
    say(f"{plan.runs} runs on {plan.database}, seed {seed}")
    result = play(plan, folder, lambda text: say(f"  {text}"))
    for finding in result.findings[:MOST_FINDINGS]:
        say(f"  {finding}")
    if len(result.findings) > MOST_FINDINGS:
        say(f"  and {len(result.findings) - MOST_FINDINGS} more")
    if result.ok:
        shutil.rmtree(folder)
    else:
        say(f"  the bots' logs are in {folder}")
    say(result.line())
    return 0 if result.ok else 1


if __name__ == "__main__":
    sys.exit(main())
