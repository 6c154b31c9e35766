"""What effects cost: set aside before, settled after, and given back only if they certainly never left."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core import commands as c
from engine.core import events as e
from engine.core.failures import FailureClass
from engine.core.outlook import attention
from engine.core.spending import Cost, Reserving, Settling, Spend, account, accounts, next_period
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


def standing(spent: int, reserved: int, limit: int = 1_000_000, passes: tuple[int, ...] = ()) -> e.Standing:
    return e.Standing(account="workspace/day/1970-01-01", spent=spent, reserved=reserved, limit=limit, passes=passes)


def refused(*short: e.Standing, effect: str = "ask") -> dict[tuple[str, str], tuple[e.Standing, ...]]:
    return {("a", effect): short}


def trying(short: e.Standing) -> Run:
    """A run whose only step would begin a costed effect that some budget has no room for."""
    run = Run(workflow({"id": "a", "uses": "noop"}))
    run.look()
    token = run.state.step("a").token
    assert run.do(c.BeginEffect("a", token, "ask", "key", WORST), money=refused(short)) == c.NowHeld()
    return run


def test_an_effect_begins_on_the_condition_that_all_accounts_have_room_for_it() -> None:
    run = begun()
    (condition,) = [one for one in run.last.conditions if isinstance(one, Reserving)]
    assert (condition.step, condition.effect, condition.amount) == ("a", "ask", 500_000)
    assert condition.accounts == accounts("run_t", run.state.started, run.now)


def test_a_step_that_no_budget_has_room_for_is_held_and_asks_and_costs_no_attempt() -> None:
    run = trying(standing(800_000, 0))
    assert run.new == ["BUDGET_EXCEEDED", "STEP_HELD"]
    step = run.state.step("a")
    assert step.status is StepStatus.HELD
    assert step.hold is not None
    assert step.hold.words == (
        "the workspace's budget for the day ($1.00) has no room left for what comes next, which may cost $0.50"
    )
    assert (step.hold.until, step.hold.asks, step.hold.amount) == (86_400_000, True, 500_000), "until midnight"
    assert (attention(run.state), run.state.reserved) == ("held", 0)
    run.do(c.Look(run.claim()), money=refused(standing(800_000, 0), effect=""))
    assert run.new == [], "it is said once"
    run.look()
    assert run.new == ["STEP_RELEASED", "STEP_STARTED"]
    assert run.state.step("a").attempt == 1
    assert any(isinstance(one, Reserving) and one.amount == 500_000 and not one.effect for one in run.last.conditions)
    assert run.refolded() == run.state


def test_a_step_whose_money_others_have_set_aside_waits_for_them_and_asks_nobody() -> None:
    run = trying(standing(200_000, 600_000))
    assert run.new == ["STEP_HELD"]
    hold = run.state.step("a").hold
    assert hold is not None
    assert (hold.asks, hold.until, attention(run.state)) == (False, run.now + 2_000, "")
    run.do(c.Look(run.claim()), money=refused(standing(300_000, 600_000), effect=""))
    assert run.new == []
    run.do(c.Look(run.claim()), money=refused(standing(900_000, 0), effect=""))
    assert run.new == ["BUDGET_EXCEEDED", "STEP_HELD"], "what others gave back was not enough"


def test_a_held_step_is_looked_at_by_those_who_could_start_it() -> None:
    run = trying(standing(800_000, 0))
    run.do(c.Look(run.claim(slots=0)))
    run.do(c.Look())
    assert run.state.step("a").status is StepStatus.HELD


def test_what_a_settlement_makes_budgets_pass_is_told_in_the_same_append_on_the_condition_that_it_does() -> None:
    run = begun()
    passing = standing(850_000, 0, passes=(50, 80))
    told = c.RecordEffect("a", run.state.step("a").token, "ask", "42", Cost(400_000))
    run.do(told, money=refused(passing))
    assert run.new == ["EFFECT_RECORDED", "COST_RECORDED", "BUDGET_ALERTED"]
    (condition,) = [one for one in run.last.conditions if isinstance(one, Settling)]
    assert condition.passes == ((passing.account, 50), (passing.account, 80))
    assert (condition.cost, condition.reserved) == (400_000, 500_000)


def test_what_a_lost_attempt_makes_budgets_pass_is_told_as_well() -> None:
    run = begun()
    run.now += 20_000
    run.do(c.Look(run.claim(worker="w2")), money=refused(standing(600_000, 0, passes=(50,))))
    assert run.types.count("BUDGET_ALERTED") == 1


@pytest.mark.parametrize(
    ("name", "at"),
    [
        ("workspace/day/2025-12-31", 1_767_222_000_000),
        ("workspace/month/2025-12", 1_767_222_000_000),
        ("workspace/day/2025-03-30", 1_743_372_000_000),
        ("run:run_1", None),
    ],
)
def test_a_budget_is_counted_anew_at_midnight_where_the_workspace_is(name: str, at: int | None) -> None:
    assert next_period(name, "Europe/Paris") == at


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
