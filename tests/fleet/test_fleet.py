"""A fleet for some seconds on each database, with workers of two versions, and with each of the planted bugs.

``make crash`` does the same for minutes. The bugs and what they break are listed in ``tests.fleet.bugs``.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from tests.fleet.bugs import BUGS
from tests.fleet.faults import Kind, Mix
from tests.fleet.round import Plan, Result, play
from tests.fleet.servers import DatabaseKind

pytestmark = [pytest.mark.crash, pytest.mark.xdist_group("fleet")]

SEED = 11
KILLS: Mix = {Kind.KILL: 1}
STOPS: Mix = {Kind.STOP: 1}


class Planted(NamedTuple):
    """How a bug comes to light: by which faults, how far apart, after how much patience; and what is found then."""

    signs: tuple[str, ...]
    mix: Mix
    gap: float
    patience: float = 0.0


PLANTED = {
    "effect-repeated": Planted(("paid once more",), KILLS, 0.5),
    "late-recorded": Planted(("but the attempt that counts", "completed twice"), STOPS, 0.8),
    "claim-forgotten": Planted(("stuck",), KILLS, 0.5, patience=8.0),
    "completed-twice": Planted(("completed twice",), KILLS, 2.0),
    "decided-twice": Planted(("is decided twice",), KILLS, 2.0),
}
BOTH = pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])


def heard(result: Result) -> str:
    return "\n".join([result.line(), *map(str, result.findings), *result.others])


@BOTH
def test_nothing_is_lost_or_doubled_whatever_befalls_the_fleet(database: DatabaseKind, tmp_path: Path) -> None:
    result = play(Plan(database=database, seed=SEED, seconds=6, gap=0.5, in_flight=20), tmp_path, print)
    assert result.ok, heard(result)
    assert result.counts["completed"] > 0
    assert result.counts["kills"] > 0


def test_an_older_worker_leaves_to_newer_ones_what_it_does_not_know(tmp_path: Path) -> None:
    result = play(Plan(database="sqlite", seed=SEED, seconds=5, older=1, in_flight=20), tmp_path, print)
    assert result.ok, heard(result)


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug: str, tmp_path: Path) -> None:
    signs, mix, gap, patience = PLANTED[bug]
    seconds = 8 if patience else 60
    watched = () if patience else signs
    plan = Plan(
        database="sqlite", seed=SEED, seconds=seconds, gap=gap, mix=mix, bug=bug, patience=patience, signs=watched
    )
    result = play(plan, tmp_path, print)
    assert any(sign in str(finding) for finding in result.findings for sign in signs), heard(result)
