"""What effects cost: set aside before, settled after, and given back only if they certainly never left."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core import commands as c
from engine.core import events as e
from engine.core.failures import FailureClass
from engine.core.spending import Cost, Spend, account, accounts
from engine.core.state import StepStatus
from tests.core.driver import ANA, BEN, Run, workflow

MINUTE = 60_000
WORST = Spend(500_000, "gpt-x", "openai")


def begun(**more: Any) -> Run:
    """A run whose only step has begun a costed effect."""
    run = Run(workflow({"id": "a", "uses": "noop", "retry": {"attempts": 3}, **more}))
    run.look()
    assert isinstance(begin(run), c.Accepted)
    return run


def begin(run: Run) -> c.Reply:
    return run.do(c.BeginEffect("a", run.state.step("a").token, "ask", "key", WORST))


def costs(run: Run) -> list[e.CostRecorded]:
    return [one.event for one in run.log if isinstance(one.event, e.CostRecorded)]


def test_the_worst_is_set_aside_and_the_actual_cost_settled_with_the_result() -> None:
    run = begun()
    assert run.state.reserved == 500_000
    token = run.state.step("a").token
    run.do(c.RecordEffect("a", token, "ask", "42", Cost(120_000, {"output_tokens": 9})))
    assert run.new == ["EFFECT_RECORDED", "COST_RECORDED"]
    (cost,) = costs(run)
    assert (cost.cost, cost.reserved, cost.model, cost.usage) == (120_000, 500_000, "gpt-x", {"output_tokens": 9})
    assert not cost.assumed
    assert (run.state.reserved, run.state.spent) == (0, 120_000)
    assert run.do(c.RecordEffect("a", token, "ask", "42", Cost(120_000))) == c.EffectKnown("42")
    assert run.refolded() == run.state


def test_it_is_set_aside_once_though_it_is_asked_for_again() -> None:
    run = begun()
    begin(run)
    assert run.new == []
    assert run.state.reserved == 500_000


def lost(run: Run) -> None:
    run.look(after=20_000, worker="w2")


def failed(run: Run) -> None:
    run.fail("a")


def failed_for_good(run: Run) -> None:
    run.fail("a", FailureClass.PERMANENT)


def handed_back(run: Run) -> None:
    run.do(c.HandBack("a", run.state.step("a").token, "w1"))


def succeeded_all_the_same(run: Run) -> None:
    run.succeed("a")


def cancelled(run: Run) -> None:
    run.do(c.Cancel(ANA))
    run.fail("a", FailureClass.CANCELLED)


def done_anew(run: Run) -> None:
    run.do(c.RetryFrom("a", BEN))
    run.fail("a")


@pytest.mark.parametrize(
    "end", [lost, failed, failed_for_good, handed_back, succeeded_all_the_same, cancelled, done_anew]
)
def test_an_attempt_that_ends_without_a_word_settles_at_what_was_set_aside(end: Any) -> None:
    run = begun()
    end(run)
    (cost,) = costs(run)
    assert (cost.cost, cost.assumed) == (500_000, True)
    assert (run.state.reserved, run.state.spent) == (0, 500_000)
    assert run.refolded() == run.state


def test_the_next_attempt_sets_aside_anew() -> None:
    run = begun()
    run.fail("a")
    run.look(after=MINUTE)
    begin(run)
    assert run.new == ["EFFECT_STARTED"]
    run.do(c.RecordEffect("a", run.state.step("a").token, "ask", "42", Cost(1)))
    assert (run.state.reserved, run.state.spent) == (0, 500_001)


def test_what_certainly_never_left_costs_nothing() -> None:
    run = begun()
    run.do(c.CancelEffect("a", run.state.step("a").token, "ask"))
    assert run.new == ["EFFECT_UNSENT"]
    run.fail("a")
    assert costs(run) == []
    assert (run.state.reserved, run.state.spent) == (0, 0)


def test_a_cost_beyond_what_was_set_aside_is_told_truthfully_and_pauses_the_run() -> None:
    run = begun()
    run.do(c.RecordEffect("a", run.state.step("a").token, "ask", "42", Cost(700_000)))
    assert run.new == ["EFFECT_RECORDED", "COST_RECORDED", "RUN_PAUSED"]
    assert run.state.spent == 700_000
    assert run.state.paused is not None
    assert "ask of a cost $0.70, more than the $0.50 that were set aside" in run.state.paused.reason
    assert run.state.step("a").status is StepStatus.RUNNING


def test_a_zombie_settles_nothing() -> None:
    run = begun()
    token = run.state.step("a").token
    lost(run)
    assert isinstance(run.do(c.RecordEffect("a", token, "ask", "42", Cost(1))), c.Stale)
    assert isinstance(run.do(c.CancelEffect("a", token, "ask")), c.Stale)
    assert run.state.spent == 500_000


def started(**more: Any) -> e.RunStarted:
    return e.RunStarted(workspace="ws_t", workflow="wf", definition="d", input={}, by=ANA, **more)


def test_a_run_is_charged_to_all_accounts_that_apply_in_the_days_of_its_workspace() -> None:
    eve_of_new_year = 1_767_221_999_000  # 2025-12-31 22:59:59 UTC, a second before midnight in Paris
    assert accounts("run_1", started(timezone="Europe/Paris"), eve_of_new_year) == (
        "person:slack:U1/day/2025-12-31",
        "person:slack:U1/month/2025-12",
        "run:run_1",
        "workflow:wf/day/2025-12-31",
        "workflow:wf/month/2025-12",
        "workspace/day/2025-12-31",
        "workspace/month/2025-12",
    )
    assert "workspace/month/2026-01" in accounts("run_1", started(timezone="Europe/Paris"), eve_of_new_year + 1_000)
    assert "workspace/month/2025-12" in accounts("run_1", started(), eve_of_new_year + 1_000)


def test_a_child_is_charged_to_what_its_parents_are_charged_to_as_well() -> None:
    child = started(charged_around=("workspace", "workflow:outer", "person:slack:U1", "run:run_0"))
    names = accounts("run_1", child, 0)
    assert {"run:run_0", "run:run_1", "workflow:outer/day/1970-01-01", "workflow:wf/day/1970-01-01"} < set(names)
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", ["workspace/day/2025-12-31", "run:run_1", "person:cli:a%2Fb/month/2025-12"])
def test_names_of_accounts_are_read_back(name: str) -> None:
    assert account(name).name == name


def test_an_id_cannot_pass_for_a_period() -> None:
    odd = started().model_copy(update={"by": e.Actor(via="cli", id="x/day/2025-12-31", name="x")})
    assert {account(name).budget for name in accounts("run_1", odd, 0)} >= {"person:cli:x%2Fday%2F2025-12-31/day"}
