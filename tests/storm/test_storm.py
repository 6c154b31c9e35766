"""A short storm; and that the judge finds what it is there to find."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bot.simulator.simulator import Simulator
from engine.clock import MovableClock
from tests.storm.cast import APPROVERS, FIRST, QUORUM, storm_workspace
from tests.storm.judge import Gate, decided_wrongly, logged_wrongly, slack_wrongly
from tests.storm.people import Vote
from tests.storm.round import WEATHER, Plan, play

RUN = "run_1"
SIMULATOR = Simulator(storm_workspace(MovableClock()))
IDS = tuple(SIMULATOR.workspace.person(name).id for name in APPROVERS)
ASKED = Vote(RUN, APPROVERS[:QUORUM])
GRANTED = ("APPROVAL_GRANTED",)


@pytest.mark.crash
def test_a_short_storm_decides_every_valid_click_once(tmp_path: Path) -> None:
    # Slack's limits and slow answers need a longer storm to be fair: `make storm` has them.
    weather = replace(WEATHER, hanging=0)
    plan = Plan(database="sqlite", seed=1, runs=3, bad=15, in_flight=3, weather=weather, patience=120, timed=False)
    result = play(plan, tmp_path, print)
    assert result.ok, "\n".join([result.line(), *result.findings])
    assert (result.votes, result.clicks["clicks valid"]) == (plan.valid, plan.valid)


def wrong(*gates: Gate) -> list[str]:
    return list(decided_wrongly(gates, [ASKED], SIMULATOR))


def test_the_judge_has_nothing_against_one_vote_for_each_valid_click() -> None:
    assert wrong(Gate(RUN, FIRST, IDS[:QUORUM], GRANTED)) == []


@pytest.mark.parametrize(
    ("votes", "ends", "sign"),
    [
        (IDS[: QUORUM - 1], GRANTED, f"valid clicks of {IDS[QUORUM - 1]} decided nothing"),
        ((*IDS[:QUORUM], IDS[QUORUM]), GRANTED, f"{IDS[QUORUM]} has 1 votes too many"),
        ((*IDS[:QUORUM], IDS[0]), GRANTED, "somebody voted twice"),
        (IDS[:QUORUM], (*GRANTED, *GRANTED), "it ended with APPROVAL_GRANTED, APPROVAL_GRANTED"),
        (IDS[:QUORUM], (), "it ended with nothing"),
    ],
)
def test_the_judge_finds_what_was_decided_wrongly(votes: tuple[str, ...], ends: tuple[str, ...], sign: str) -> None:
    assert any(sign in finding for finding in wrong(Gate(RUN, FIRST, votes, ends)))


def test_the_judge_finds_broken_rules_of_slack() -> None:
    simulator = Simulator(storm_workspace(MovableClock()))
    assert slack_wrongly(simulator) == []
    simulator.violations.note("over_channel_rate", "chat.postMessage C0STORM000")
    assert slack_wrongly(simulator)[0] == "Slack's rules: over_channel_rate, 1 times"


def test_the_judge_reads_the_logs(tmp_path: Path) -> None:
    (tmp_path / "bot1.log").write_text("INFO all is well\nTraceback (most recent call last):\n")
    assert logged_wrongly(tmp_path) == ["bot1.log: Traceback (most recent call last):"]
