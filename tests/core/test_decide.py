"""What happens next, step by step and gate by gate; every run here also folds to the state that was decided on."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core import commands as c
from engine.core import events as e
from engine.core.decide import decide
from engine.core.failures import FailureClass
from engine.core.outlook import due, something_ready, summary
from engine.core.state import RunStatus, StepStatus
from tests.core.driver import BEN, Run

MINUTE = 60_000


def noop(step: str, **more: Any) -> dict[str, Any]:
    return {"id": step, "uses": "noop", **more}


def gate(step: str = "publish", **more: Any) -> dict[str, Any]:
    return {"id": step, "approval": {"title": "Publish?", "approvers": ["@managers"], **more}}


def test_a_chain_needs_one_append_per_step(make: Any) -> None:
    run = make(noop("a"), noop("b"))
    run.look()
    assert run.new == ["STEP_STARTED"]
    run.succeed("a", {"n": 1})
    assert run.new == ["STEP_COMPLETED", "STEP_STARTED"]
    run.succeed("b")
    assert run.new == ["STEP_COMPLETED", "RUN_COMPLETED"]
    assert run.state.status is RunStatus.COMPLETED
    assert due(run.state, run.now) is None


def test_without_a_claim_nothing_starts(make: Any) -> None:
    run = make(noop("a"))
    assert isinstance(run.do(c.Look()), c.Nothing)
    assert isinstance(run.look(slots=0), c.Nothing)
    assert something_ready(run.state, run.now)


def test_a_claim_takes_no_more_than_its_slots(make: Any) -> None:
    run = make(*(noop(f"s{n}", needs=[]) for n in range(5)))
    run.look(slots=2)
    assert run.new == ["STEP_STARTED"] * 2
    assert something_ready(run.state, run.now)
    run.look(slots=10)
    assert run.new == ["STEP_STARTED"] * 3


def test_branches_join(make: Any) -> None:
    run = make(noop("a"), noop("b", needs=["a"]), noop("c", needs=["a"]), noop("d", needs=["b", "c"]))
    run.look()
    run.succeed("a")
    run.look()
    run.succeed("b")
    assert run.state.step("d").status is StepStatus.PENDING
    run.succeed("c")
    assert run.state.step("d").status is StepStatus.RUNNING


def test_a_condition_that_does_not_hold_skips_and_a_chain_goes_on(make: Any) -> None:
    run = make(noop("a", **{"if": "input.go"}), noop("b"), go=False)
    assert run.types == ["RUN_STARTED", "STEP_SKIPPED"]
    run.look()
    assert run.state.step("b").status is StepStatus.RUNNING


def test_what_needs_only_skipped_steps_is_skipped_and_the_join_runs(make: Any) -> None:
    left = noop("left", needs=[], **{"if": "input.go"})
    run = make(
        left, noop("after", needs=["left"]), noop("right", needs=[]), noop("join", needs=["after", "right"]), go=False
    )
    assert run.state.step("after").status is StepStatus.SKIPPED
    run.look()
    run.succeed("right")
    assert run.state.step("join").status is StepStatus.RUNNING


def test_a_run_whose_steps_are_all_skipped_completes(make: Any) -> None:
    run = make(noop("a", **{"if": "false"}))
    assert run.types == ["RUN_STARTED", "STEP_SKIPPED", "RUN_COMPLETED"]


def test_a_mistake_in_a_condition_fails_the_run_with_the_reason(make: Any) -> None:
    run = make(noop("a", **{"if": "input.nope == 1"}))
    assert run.types == ["RUN_STARTED", "STEP_FAILED", "STEP_DEAD_LETTERED", "RUN_FAILED"]
    assert run.state.end is not None
    assert "nope" in run.state.end.reason


def test_a_failed_attempt_is_tried_again_after_a_pause(make: Any) -> None:
    run = make(noop("a", retry={"attempts": 3, "initial": "10s", "max": "1m"}))
    run.look()
    run.fail("a")
    assert run.new == ["STEP_FAILED", "STEP_RETRIED"]
    again = run.last.events[-1].event
    assert isinstance(again, e.StepRetried)
    assert (again.attempt, again.of) == (2, 3)
    assert run.now + 1_000 <= again.at <= run.now + 10_000
    assert due(run.state, run.now) is not None
    assert isinstance(run.look(), c.Nothing), "not before its time"
    run.look(after=again.at - run.now)
    assert run.new == ["STEP_STARTED"]
    assert run.state.step("a").attempt == 2


def test_the_other_side_may_ask_for_a_longer_pause(make: Any) -> None:
    run = make(noop("a", retry={"attempts": 2, "initial": "1s"}))
    run.look()
    run.fail("a", FailureClass.RATE_LIMITED, retry_after=90_000)
    assert run.state.step("a").retry_at == run.now + 90_000


def test_no_attempt_starts_too_late_and_a_class_of_failure_may_have_a_time_of_its_own(make: Any) -> None:
    rules = {"rate_limited": {"within": "10m"}}
    run = make(noop("a", retry={"attempts": 9, "initial": "1s", "max": "1s", "within": "1m", "classes": rules}))
    run.look()
    run.fail("a", FailureClass.RATE_LIMITED, retry_after=300_000)
    assert run.new == ["STEP_FAILED", "STEP_RETRIED"]
    run.look(after=300_000)
    run.fail("a", FailureClass.TRANSIENT)
    assert run.new == ["STEP_FAILED", "STEP_DEAD_LETTERED", "RUN_FAILED"]
    assert "The 1 min in which it may be tried are over." in run.state.step("a").dead


def test_nor_does_the_attempt_that_would_follow_a_lost_worker(make: Any) -> None:
    run = make(noop("a", retry={"within": "1m"}))
    run.look()
    run.look(after=61_000, worker="w2")
    assert run.new == ["STEP_FAILED", "STEP_DEAD_LETTERED", "RUN_FAILED"]
    assert "The 1 min in which it may be tried are over." in run.state.step("a").dead


def test_what_follows_a_step_waits_until_its_retry_has_succeeded(make: Any) -> None:
    run = make(noop("a", retry={"attempts": 2}), noop("b"))
    run.look()
    run.fail("a")
    run.look()
    assert run.state.step("b").status is StepStatus.PENDING
    run.look(after=MINUTE)
    run.succeed("a")
    assert run.state.step("b").status is StepStatus.RUNNING
    assert run.state.step("a").failure is None, "what a later attempt has mended is no failure of the step"


def test_attempts_run_out(make: Any) -> None:
    run = make(noop("a", retry={"attempts": 2}))
    run.look()
    run.fail("a")
    run.look(after=MINUTE)
    run.fail("a")
    assert run.new == ["STEP_FAILED", "STEP_DEAD_LETTERED", "RUN_FAILED"]
    assert run.state.end is not None
    assert (run.state.end.step, run.state.end.reason) == ("a", "connection refused")


@pytest.mark.parametrize("cls", [FailureClass.PERMANENT, FailureClass.INVALID_INPUT, FailureClass.PERMISSION])
def test_what_cannot_succeed_is_not_tried_again(make: Any, cls: FailureClass) -> None:
    run = make(noop("a", retry={"attempts": 5}))
    run.look()
    run.fail("a", cls)
    assert run.state.status is RunStatus.FAILED


def test_a_failure_lets_the_other_branch_finish_first(make: Any) -> None:
    run = make(noop("a", needs=[]), noop("b", needs=[]), noop("c", needs=["b"]))
    run.look()
    run.fail("a")
    assert run.new == ["STEP_FAILED", "STEP_DEAD_LETTERED"]
    run.succeed("b")
    assert run.new == ["STEP_COMPLETED", "RUN_FAILED"], "and starts nothing more"


def test_a_result_of_an_attempt_that_was_given_up_is_refused(make: Any) -> None:
    run = make(noop("a"))
    run.look()
    old = run.state.step("a").token
    run.look(after=20_000, worker="w2")
    assert run.new == ["STEP_FAILED", "STEP_RETRIED", "STEP_STARTED"]
    assert run.last.conditions[0].owner == "w1"
    reply = run.do(c.Succeed("a", old, "w1", "late"))
    assert isinstance(reply, c.Stale)
    assert run.new == ["LATE_RESULT_REFUSED"]
    run.succeed("a", "in time", worker="w2")
    assert run.state.step("a").output == "in time"


def test_a_lost_worker_costs_no_attempt_but_not_for_ever(make: Any) -> None:
    run = make(noop("a"))
    for number in range(2):
        run.look(after=20_000, worker=f"w{number}")
        assert run.state.step("a").status is StepStatus.RUNNING
        assert run.state.step("a").attempt == 1
    run.look(after=20_000, worker="w9")
    assert run.new == ["STEP_FAILED", "STEP_DEAD_LETTERED", "RUN_FAILED"]


def test_losses_count_in_a_row_only(make: Any) -> None:
    run = make(noop("a", retry={"attempts": 3}))
    run.look()
    run.look(after=20_000, worker="w2")
    assert run.state.step("a").losses == 1
    run.fail("a")
    run.look(after=60_000, worker="w3")
    run.look(after=20_000, worker="w4")
    assert run.state.step("a").status is StepStatus.RUNNING, "it was lost once since it last answered"


def test_a_living_worker_keeps_its_step(make: Any) -> None:
    run = make(noop("a"))
    run.look()
    run.now += 20_000
    run.do(c.Look(run.claim(worker="w2")), refused=run.holds("a"))
    assert run.new == []
    run.look(after=20_000, worker="w1")
    assert run.new == [], "nor does it declare itself lost"


def test_a_claim_ends_with_the_steps_timeout_even_if_its_worker_lives(make: Any) -> None:
    run = make(noop("a", timeout="1s"))
    run.look()
    run.look(after=60_000, worker="w1")
    assert run.new[0] == "STEP_FAILED"


def test_what_must_not_happen_twice_is_not_started_again_by_itself_when_its_worker_stops(make: Any) -> None:
    run = make(noop("a", repeatable=False))
    run.look()
    run.do(c.BeginEffect("a", run.state.step("a").token, "charge", "k"))
    run.do(c.HandBack("a", run.state.step("a").token, "w1"))
    assert run.new == ["STEP_FAILED", "STEP_UNCERTAIN"]
    assert run.state.step("a").status is StepStatus.UNCERTAIN


def test_a_step_handed_back_starts_again_elsewhere(make: Any) -> None:
    run = make(noop("a"))
    run.look()
    run.do(c.HandBack("a", run.state.step("a").token, "w1"))
    assert run.new == ["STEP_HANDED_BACK"]
    run.look(worker="w2")
    assert run.state.step("a").attempt == 1
    assert run.state.step("a").worker == "w2"


def test_an_attempt_that_is_put_off_starts_again_in_its_time_and_costs_none(make: Any) -> None:
    run = make(noop("a"))
    run.look()
    token = run.state.step("a").token
    run.do(c.Postpone("a", token, "w1", 12_000, "openai's limit"))
    assert run.new == ["STEP_POSTPONED"]
    assert run.do(c.Succeed("a", token, "w1", "late")) == c.Stale()
    planned = due(run.state, run.now)
    assert planned is not None
    assert planned.at == run.now + 12_000
    assert summary(run.state) == "waiting for openai's limit: a"
    run.look(after=11_999)
    assert run.new == []
    run.look(after=1)
    assert run.new == ["STEP_STARTED"]
    assert (run.state.step("a").attempt, run.state.step("a").postponed) == (1, "")
    assert run.refolded() == run.state


def test_a_worker_without_the_code_leaves_the_step_and_says_so_once(make: Any) -> None:
    run = make(noop("a"))
    run.look(steps=frozenset({"other"}))
    assert run.new == ["STEP_AWAITED_WORKER"]
    run.look(steps=frozenset({"other"}))
    assert run.new == []
    assert not something_ready(run.state, run.now)
    run.look()
    assert run.new == ["STEP_STARTED"]


def test_a_recorded_effect_is_known_to_the_next_attempt(make: Any) -> None:
    run = make(noop("a", retry={"attempts": 2}))
    run.look()
    token = run.state.step("a").token
    assert isinstance(run.do(c.BeginEffect("a", token, "pay", "k")), c.Accepted)
    run.do(c.RecordEffect("a", token, "pay", {"id": 7}))
    assert run.types[-2:] == ["EFFECT_STARTED", "EFFECT_RECORDED"]
    run.fail("a")
    run.look(after=MINUTE)
    reply = run.do(c.BeginEffect("a", run.state.step("a").token, "pay", "k"))
    assert reply == c.EffectKnown({"id": 7})
    assert isinstance(run.do(c.BeginEffect("a", token, "other", "k")), c.Stale)


def test_an_effect_of_unknown_outcome_is_begun_again_only_if_no_switch_was_thrown_meanwhile(make: Any) -> None:
    run = make(noop("a"))
    run.look()
    run.do(c.BeginEffect("a", run.state.step("a").token, "pay", "k"))
    run.look(after=20_000, worker="w2")
    again = c.BeginEffect("a", run.state.step("a").token, "pay", "k")
    assert c.AtEpoch(0) in decide(run.state, again, run.now).conditions
    assert isinstance(run.do(again), c.Accepted)
    assert run.new == ["EFFECT_STARTED"], "an append, so that the condition is one of its transaction"
    run.throw("step:noop")
    assert isinstance(run.do(again), c.NowHeld)


def two_branches(make: Any, **retry: Any) -> Run:
    run = make(noop("a", needs=[]), noop("b", needs=[], retry=retry), noop("after", needs=["a"]))
    run.look()
    run.fail("a", FailureClass.PERMANENT)
    assert run.new == ["STEP_FAILED", "STEP_DEAD_LETTERED"]
    return run


def test_a_failed_run_does_not_try_its_other_branch_again(make: Any) -> None:
    run = two_branches(make, attempts=3)
    run.fail("b", FailureClass.TRANSIENT)
    assert run.new == ["STEP_FAILED", "STEP_DEAD_LETTERED", "RUN_FAILED"], "no retry is promised that will not come"
    assert run.state.end is not None
    assert run.state.end.step == "a", "the first failure is the reason, not the last"


def test_a_failed_run_ends_also_if_the_worker_of_its_other_branch_is_lost(make: Any) -> None:
    run = two_branches(make)
    run.look(after=20_000, worker="w2")
    assert run.new == ["STEP_FAILED", "STEP_DEAD_LETTERED", "RUN_FAILED"]


def test_a_branch_that_waits_for_its_next_attempt_does_not_keep_a_failed_run_open(make: Any) -> None:
    run = make(noop("a", needs=[]), noop("b", needs=[], retry={"attempts": 3}))
    run.look()
    run.fail("b", FailureClass.TRANSIENT)
    run.fail("a", FailureClass.PERMANENT)
    assert run.new == ["STEP_FAILED", "STEP_DEAD_LETTERED", "RUN_FAILED"]


def test_cancelled_while_waiting_for_the_next_attempt_ends_at_once(make: Any) -> None:
    run = make(noop("a", retry={"attempts": 3}))
    run.look()
    run.fail("a", FailureClass.TRANSIENT)
    run.do(c.Cancel(BEN))
    assert run.new == ["RUN_CANCEL_REQUESTED", "RUN_CANCELLED"]


def test_a_condition_is_not_asked_again_after_the_step_has_begun(make: Any) -> None:
    run = make(noop("a", needs=[]), noop("b", needs=["a"], retry={"attempts": 2}, **{"if": "steps.a.output == 1"}))
    run.look()
    run.succeed("a", 1)
    run.do(c.HandBack("b", run.state.step("b").token, "w1"))
    run.look()
    run.fail("b", FailureClass.TRANSIENT)
    run.look(after=MINUTE)
    assert run.new == ["STEP_STARTED"]


# Cancelling, and the end


def test_cancel_waits_for_what_runs(make: Any) -> None:
    run = make(noop("a"), noop("b"))
    run.look()
    run.do(c.Cancel(BEN, "wrong version"))
    assert run.new == ["RUN_CANCEL_REQUESTED"]
    assert run.state.status is RunStatus.CANCELLING
    run.fail("a", FailureClass.CANCELLED)
    assert run.new == ["STEP_FAILED", "RUN_CANCELLED"]


def test_cancel_at_a_gate_is_immediate(make: Any) -> None:
    run = make(gate())
    run.do(c.Cancel(BEN))
    assert run.new == ["RUN_CANCEL_REQUESTED", "RUN_CANCELLED"]
    assert isinstance(run.vote("publish"), c.Ended)


def test_after_the_end_only_bookkeeping_is_recorded(make: Any) -> None:
    run = make(noop("a"))
    run.look()
    token = run.state.step("a").token
    run.succeed("a")
    assert isinstance(run.do(c.Succeed("a", token, "w1", None)), c.Accepted), "the same report again"
    assert isinstance(run.do(c.Succeed("a", token + 7, "w2", None)), c.Stale)
    assert run.new == ["LATE_RESULT_REFUSED"]
    for command in (c.Look(run.claim()), c.Cancel(BEN), c.HandBack("a", token, "w1"), c.LogLine("a", token, "x")):
        assert isinstance(run.do(command), c.Ended)
        assert run.new == []


def test_time_never_runs_backwards_in_a_stream(make: Any) -> None:
    run = make(noop("a"))
    run.now -= 5_000
    run.look()
    times = [one.at for one in run.log]
    assert times == sorted(times)
