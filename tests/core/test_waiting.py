"""Sleeps, signals, child runs, compensation, the line for a concurrency key, and the run's own timeout."""

from __future__ import annotations

from typing import Any

from engine.core import commands as c
from engine.core import events as e
from engine.core.children import is_stopped_along
from engine.core.definition import Workflow
from engine.core.durations import LONGEST
from engine.core.failures import FailureClass
from engine.core.graph import Plan
from engine.core.outlook import AWAITED_AGAIN, MISSING_AFTER, DueKind, attention, due, is_for_others, something_ready
from engine.core.state import RunStatus, StepStatus
from tests.core.driver import ANA, BEN, Run, workflow

HOUR = 3_600_000
CHILD = Workflow.model_validate(
    {"name": "child", "input": {"n": {"type": "integer"}}, "steps": [{"id": "only", "uses": "noop"}]}
)


def noop(id_: str, **more: Any) -> dict[str, Any]:
    return {"id": id_, "uses": "noop", **more}


def calling(then: dict[str, Any] | None = None, **more: Any) -> Run:
    call = {
        "id": "call",
        "workflow": {"name": "child", "definition": CHILD.hash, "input": {"n": "${{ 1 + 2 }}"}},
        **more,
    }
    return Run(workflow(call, then or noop("after")), children={CHILD.hash: Plan.of(CHILD)})


def test_a_sleep_costs_a_timer_and_nothing_else() -> None:
    run = Run(workflow({"id": "s", "sleep": "3h"}, noop("a")))
    assert run.types == ["RUN_STARTED", "TIMER_SET"]
    assert run.state.status is RunStatus.WAITING
    look = due(run.state, run.now)
    assert look is not None
    assert look.at == run.now + 3 * HOUR
    run.look(after=3 * HOUR)
    assert run.new == ["TIMER_FIRED", "STEP_STARTED"]


def test_a_sleep_until_an_instant_that_has_passed_is_none() -> None:
    run = Run(workflow({"id": "s", "sleep": {"until": "1970-01-01T00:00:01+00:00"}}))
    assert run.types == ["RUN_STARTED", "TIMER_SET", "TIMER_FIRED", "RUN_COMPLETED"]


def test_a_signal_that_comes_before_the_wait_is_kept() -> None:
    run = Run(workflow(noop("a"), {"id": "w", "wait_for": "paid"}))
    run.look()
    assert run.do(c.Signal("s1", "paid", {"n": 3}, BEN)) == c.Accepted()
    run.do(c.Signal("s1", "paid", {"n": 4}, BEN))
    assert run.new == [], "the same one again"
    run.succeed("a")
    assert run.state.step("w").output == {"n": 3}
    assert run.state.status is RunStatus.COMPLETED


def test_a_signal_that_came_early_outlasts_a_failure() -> None:
    run = Run(workflow(noop("a"), {"id": "w", "wait_for": "paid"}))
    run.look()
    run.do(c.Signal("s1", "paid", 3, BEN))
    run.fail("a", FailureClass.PERMANENT)
    run.do(c.Redrive(BEN))
    run.look()
    run.succeed("a")
    assert run.state.step("w").output == 3


def test_signals_are_taken_one_each_in_their_order_and_by_their_correlation() -> None:
    wait = {"signal": "paid", "correlation": "order-7"}
    run = Run(workflow({"id": "v", "wait_for": wait, "needs": []}, {"id": "w", "wait_for": "paid", "needs": []}))
    run.do(c.Signal("s1", "paid", 1, BEN, correlation="order-8"))
    assert run.state.step("v").status is StepStatus.LISTENING, "it is another order's"
    assert run.state.step("w").output == 1, "which asks for no order"
    run.do(c.Signal("s2", "paid", 2, BEN, correlation="order-7"))
    assert run.state.step("v").output == 2


def test_a_wait_that_times_out_does_as_its_policy_says() -> None:
    wait = {"signal": "paid", "timeout": "1h"}
    run = Run(workflow({"id": "w", "wait_for": {**wait, "on_timeout": "continue"}}))
    run.do(c.Look(), after=HOUR)
    assert run.new == ["TIMER_FIRED", "STEP_COMPLETED", "RUN_COMPLETED"]
    run = Run(workflow({"id": "w", "wait_for": wait}))
    run.do(c.Look(), after=HOUR)
    assert run.new == ["TIMER_FIRED", "STEP_FAILED", "STEP_DEAD_LETTERED", "RUN_FAILED"]


def test_a_signal_that_came_in_time_while_the_run_was_paused_is_not_lost_to_the_end_of_the_wait() -> None:
    run = Run(workflow({"id": "w", "wait_for": {"signal": "paid", "timeout": "1h"}}))
    run.do(c.Pause(BEN))
    run.do(c.Signal("s1", "paid", 3, BEN))
    run.do(c.Resume(BEN), after=2 * HOUR)
    assert run.state.step("w").output == 3
    assert run.state.status is RunStatus.COMPLETED


def test_a_signal_that_nothing_waits_for_or_that_does_not_fit_is_refused() -> None:
    payload = {"amount": {"type": "integer"}}
    run = Run(workflow({"id": "w", "wait_for": {"signal": "paid", "payload": payload}}))
    replies = [run.do(c.Signal("1", "payed", {}, BEN)), run.do(c.Signal("2", "paid", {"amount": "much"}, BEN))]
    assert all(isinstance(reply, c.NotAllowed) for reply in replies)
    assert "did you mean paid" in str(replies[0])
    assert "whole number" in str(replies[1])


def test_a_child_is_asked_for_with_checked_input_and_its_output_is_the_steps() -> None:
    run = calling()
    asked = next(one.event for one in run.log if isinstance(one.event, e.ChildStarted))
    assert (asked.workflow, asked.definition, asked.input) == ("child", CHILD.hash, {"n": 3})
    assert run.do(c.ChildEnded("call", "run_of_somebody_else", RunStatus.COMPLETED)) == c.Stale()
    run.do(c.ChildEnded("call", asked.run, RunStatus.COMPLETED, {"done": 1}))
    assert run.state.step("call").output == {"done": 1}
    assert run.do(c.ChildEnded("call", asked.run, RunStatus.COMPLETED)) == c.Stale(), "told once"


def test_a_failed_child_is_tried_again_as_another_run() -> None:
    run = calling(retry={"classes": {"permanent": {"attempts": 2}}})
    first = run.state.step("call").child
    run.do(c.ChildEnded("call", first, RunStatus.FAILED, reason="it broke"))
    assert run.new == ["STEP_FAILED", "STEP_RETRIED"]
    run.look(after=60_000)
    assert run.new == ["CHILD_STARTED"]
    assert run.state.step("call").child != first


def test_a_failed_child_is_redriven_and_not_begun_anew() -> None:
    run = calling()
    child = run.state.step("call").child
    run.do(c.ChildEnded("call", child, RunStatus.FAILED, reason="it broke"))
    assert run.state.status is RunStatus.FAILED
    run.do(c.Redrive(BEN))
    assert (run.state.step("call").status, run.state.step("call").child) == (StepStatus.CALLING, child)
    run.do(c.ChildEnded("call", child, RunStatus.COMPLETED, 7))
    assert run.state.step("after").status is StepStatus.READY


def test_in_the_place_of_a_cancelled_child_a_redriven_step_gets_another() -> None:
    run = calling()
    child = run.state.step("call").child
    run.do(c.ChildEnded("call", child, RunStatus.CANCELLED, reason="enough"))
    run.do(c.Redrive(BEN))
    assert run.new == ["RUN_REOPENED", "STEP_REDRIVEN", "CHILD_STARTED"]
    assert run.state.step("call").child != child
    assert run.refolded() == run.state


def stopping_with_a_child(**more: Any) -> Run:
    """A run that a failure has stopped while its child was at work."""
    run = calling(noop("other", needs=[]), **more)
    run.look()
    run.fail("other", FailureClass.PERMANENT)
    return run


def stopped_along(run: Run) -> c.ChildEnded:
    return c.ChildEnded("call", run.state.step("call").child, RunStatus.CANCELLED, None, "stopping", stopped_along=True)


def test_in_the_place_of_a_child_that_stopped_along_a_run_that_was_redriven_meanwhile_gets_another() -> None:
    run = stopping_with_a_child()
    told = stopped_along(run)
    run.do(c.Redrive(BEN, "mended"))
    run.do(told)
    assert run.new == ["STEP_FAILED", "STEP_REDRIVEN", "CHILD_STARTED"]
    assert run.state.step("call").child != told.run
    run.look()
    run.succeed("other")
    run.do(c.ChildEnded("call", run.state.step("call").child, RunStatus.COMPLETED))
    assert run.state.status is RunStatus.COMPLETED
    assert run.refolded() == run.state


def test_a_child_that_somebody_cancelled_is_not_replaced() -> None:
    run = stopping_with_a_child()
    run.do(c.Redrive(BEN, "mended"))
    run.do(c.ChildEnded("call", run.state.step("call").child, RunStatus.CANCELLED, reason="enough"))
    assert run.new == ["STEP_FAILED", "STEP_DEAD_LETTERED", "RUN_FAILED"]


def test_a_child_says_whether_it_was_stopped_along() -> None:
    for order, along in ((None, False), (7, True)):
        child = Run(CHILD, n=1)
        child.do(c.Cancel(BEN, "enough", order))
        assert is_stopped_along(child.state) is along


def test_a_redrive_takes_along_a_child_that_stopped_along_also_where_its_failure_would_be_tolerated() -> None:
    run = stopping_with_a_child(continue_on_error=True)
    run.do(stopped_along(run))
    assert run.state.status is RunStatus.FAILED
    run.do(c.Redrive(BEN, "mended"))
    assert run.state.step("call").status is StepStatus.CALLING


def test_a_run_that_stops_waits_for_its_child_to_end() -> None:
    run = calling()
    run.do(c.Cancel(ANA))
    assert run.state.status is RunStatus.CANCELLING
    run.do(c.ChildEnded("call", run.state.step("call").child, RunStatus.CANCELLED))
    assert run.state.status is RunStatus.CANCELLED


def test_what_was_done_is_undone_in_reverse_then_the_failure_is_handled() -> None:
    undo = {"uses": "noop", "with": {"was": "${{ steps.a.output }}", "why": "${{ failure.reason }}"}}
    steps = (noop("a", undo=undo), noop("b", undo={"uses": "noop"}), noop("c"))
    run = Run(workflow(*steps, on_failure=[noop("tell", **{"with": {"step": "${{ failure.step }}"}})]))
    run.look()
    run.succeed("a", 1)
    run.succeed("b", 2)
    run.fail("c", FailureClass.PERMANENT)
    assert run.state.status is RunStatus.UNDOING
    assert run.state.open == ("b!undo",)
    run.succeed("b!undo")
    run.fail("a!undo", FailureClass.PERMANENT)
    assert run.new[:2] == ["STEP_FAILED", "STEP_DEAD_LETTERED"], (
        "a failed compensation is told, and does not stop the rest"
    )
    assert run.state.open == ("on_failure/tell",)
    run.succeed("on_failure/tell")
    assert run.state.end is not None
    assert (run.state.end.status, run.state.end.step) == (RunStatus.FAILED, "c")


def test_a_cancelled_run_is_undone_but_no_failure_is_handled() -> None:
    run = Run(workflow(noop("a", undo={"uses": "noop"}), noop("b"), on_failure=[noop("tell")]))
    run.look()
    run.succeed("a")
    run.do(c.Cancel(BEN))
    run.fail("b", FailureClass.CANCELLED)
    run.succeed("a!undo")
    assert run.state.status is RunStatus.CANCELLED
    assert "RUN_FAILURE_HANDLING" not in run.types


def test_with_continue_on_error_the_run_goes_on_and_sees_what_failed() -> None:
    after = {"id": "b", "set": {"v": "${{ steps.a.status }}: ${{ steps.a.error }}"}}
    run = Run(workflow(noop("a", continue_on_error=True, retry={"attempts": 2}), after))
    run.look()
    run.fail("a")
    assert run.new == ["STEP_FAILED", "STEP_RETRIED"], "what follows waits for the last attempt"
    run.look(after=60_000)
    run.fail("a")
    assert run.state.step("b").output == {"v": "failed: connection refused"}
    assert run.state.status is RunStatus.COMPLETED


def test_a_run_in_line_starts_nothing_until_its_key_has_room() -> None:
    line = e.InLine(key="prod", limit=1)
    run = Run(workflow(noop("a")), started={"concurrency": line})
    assert run.state.status is RunStatus.QUEUED
    run.do(c.Look(run.claim()), refused=frozenset({c.SlotFree("prod", 1)}))
    assert run.new == []
    run.look()
    assert run.new == ["RUN_ADMITTED", "STEP_STARTED"]
    assert c.SlotFree("prod", 1) in run.last.conditions, "the append holds only if there is room"


def test_a_run_that_shall_not_wait_in_line_is_skipped() -> None:
    line = e.InLine(key="prod", limit=1, on_limit="skip")
    run = Run(workflow(noop("a")), started={"concurrency": line})
    run.do(c.Look(run.claim()), refused=frozenset({c.SlotFree("prod", 1)}))
    assert run.state.status is RunStatus.CANCELLED
    assert run.state.end is not None
    assert "prod" in run.state.end.reason


def test_a_run_that_takes_too_long_fails_as_such() -> None:
    run = Run(workflow({"id": "g", "approval": {"title": "?", "approvers": ["@x"]}}, timeout="2h"))
    run.do(c.Look(), after=2 * HOUR)
    assert run.new == ["RUN_TIMED_OUT", "RUN_FAILED"]
    assert run.state.end is not None
    assert run.state.end.kind == "timeout"
    run.do(c.Redrive(BEN))
    assert run.state.status is RunStatus.WAITING, "it has its whole time again"


def test_code_that_is_nowhere_is_asked_about_and_still_taken_when_it_turns_up() -> None:
    run = Run(workflow({"id": "a", "uses": "rare"}))
    run.look()
    assert run.new == ["STEP_AWAITED_WORKER"]
    run.look(after=MISSING_AFTER)
    assert run.new == ["STEP_MISSING"]
    assert attention(run.state) == "missing_step"
    run.look(after=1_000, steps=frozenset({"rare"}))
    assert run.state.step("a").status is StepStatus.RUNNING
    assert attention(run.state) == ""


def test_code_that_goes_away_between_two_attempts_is_asked_about_too() -> None:
    run = Run(workflow({"id": "a", "uses": "noop", "retry": {"attempts": 2}}))
    run.look()
    run.fail("a")
    run.look(after=60_000, steps=frozenset())
    assert run.new == ["STEP_AWAITED_WORKER"]
    for after, left in ((0, AWAITED_AGAIN), (3_000, AWAITED_AGAIN - 3_000), (AWAITED_AGAIN, AWAITED_AGAIN - 3_000)):
        run.do(c.Label({"after": str(after)}, BEN), after=after)
        look = due(run.state, run.now)
        assert look is not None
        assert (look.at - run.now, look.kind) == (left, DueKind.AWAITED), "what else happens does not postpone it"
    assert not something_ready(run.state, run.now)
    assert is_for_others(run.state, run.now, {"other"})
    assert not is_for_others(run.state, run.now, {"noop"})
    run.look(after=MISSING_AFTER, steps=frozenset())
    assert run.new == ["STEP_MISSING"]
    assert attention(run.state) == "missing_step"
    run.look()
    assert run.state.step("a").status is StepStatus.RUNNING


def test_no_wait_is_longer_than_any_clock_can_tell() -> None:
    run = Run(workflow({"id": "s", "sleep": "${{ input.n }}"}), n=10**30)
    assert run.state.status is RunStatus.FAILED
    limited = Run(workflow({"id": "a", "uses": "noop", "retry": {"attempts": 2}}))
    limited.look()
    limited.fail("a", FailureClass.RATE_LIMITED, retry_after=10**30)
    assert limited.state.step("a").retry_at == limited.now + LONGEST


def test_a_wait_for_a_correlation_is_given_up_only_once_the_mailbox_was_read() -> None:
    wait = {"signal": "paid", "correlation": "7", "timeout": "10s", "on_timeout": "continue"}
    run = Run(workflow({"id": "w", "wait_for": wait}))
    run.do(c.Look(letters_read=False), after=11_000)
    assert run.state.step("w").status is StepStatus.LISTENING
    run.do(c.Signal("s1", "paid", {"n": 1}, ANA, "7"))
    assert run.state.step("w").output == {"n": 1}
    late = Run(workflow({"id": "w", "wait_for": wait}))
    late.do(c.Look(), after=11_000)
    assert late.state.end is not None
