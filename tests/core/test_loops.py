"""for_each and repeat: what begins, what they give, and what a failure inside means."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core import commands as c
from engine.core import events as e
from engine.core.failures import FailureClass
from engine.core.outlook import DueKind, due, something_ready
from engine.core.state import RunStatus, StepStatus
from tests.core.driver import BEN, Run, workflow


def noop(id_: str, **more: Any) -> dict[str, Any]:
    return {"id": id_, "uses": "noop", **more}


def each(*, items: Any, most: int = 200, **more: Any) -> dict[str, Any]:
    return {"items": items, "max_items": most, **more}


def output_of(run: Run, path: str) -> Any:
    """What the step gave, as its event has it."""
    return next(e.value_of(one.event) for one in reversed(run.log) if getattr(one.event, "step", "") == path)


def test_items_run_as_many_at_a_time_as_may_and_give_one_result_each() -> None:
    run = Run(workflow(noop("each", for_each=each(items=["a", "b", "c"], max_parallel=2))))
    run.look()
    assert run.state.open == ("each", "each[0]", "each[1]")
    run.succeed("each[1]", "B")
    assert run.new == ["STEP_COMPLETED", "STEP_STARTED"], "the next item follows in the same append"
    run.succeed("each[2]", "C")
    run.succeed("each[0]", "A")
    results = output_of(run, "each")
    assert [(one["index"], one["status"], one["output"]) for one in results] == [
        (0, "completed", "A"),
        (1, "completed", "B"),
        (2, "completed", "C"),
    ]
    assert run.state.status is RunStatus.COMPLETED
    assert list(run.state.steps) == ["each"], "what was inside is forgotten"


def test_no_items_are_no_work() -> None:
    run = Run(workflow(noop("each", for_each=each(items=[]))))
    assert run.types == ["RUN_STARTED", "FOR_EACH_STARTED", "STEP_COMPLETED", "RUN_COMPLETED"]


def test_more_items_than_may_be_fail_before_the_first_begins() -> None:
    run = Run(
        workflow(
            {"id": "v", "set": {"n": [1, 2, 3]}}, noop("x", for_each=each(items="${{ steps.v.output.n }}", most=2))
        )
    )
    assert run.state.end is not None
    assert "there are 3 items, and max_items is 2" in run.state.end.reason


def test_a_failed_item_ends_the_loop_once_the_others_at_work_have_ended() -> None:
    run = Run(workflow(noop("each", for_each=each(items=[1, 2, 3], max_parallel=2))))
    run.look()
    run.fail("each[0]", FailureClass.PERMANENT)
    assert run.new == ["STEP_FAILED", "STEP_DEAD_LETTERED"], "no further item begins"
    run.succeed("each[1]")
    assert run.new == ["STEP_COMPLETED", "STEP_FAILED", "RUN_FAILED"]
    assert run.state.end is not None
    assert run.state.end.reason == "each[0]: connection refused"


def test_with_continue_a_failed_item_is_a_result_like_others() -> None:
    run = Run(workflow(noop("each", for_each=each(items=[1, 2], on_item_failure="continue"))))
    run.look()
    run.fail("each[0]", FailureClass.PERMANENT)
    run.succeed("each[1]", 2)
    first, second = output_of(run, "each")
    assert (first["status"], first["error"], second["output"]) == ("failed", "connection refused", 2)
    assert run.state.status is RunStatus.COMPLETED
    assert "STEP_DEAD_LETTERED" not in run.types


def test_a_group_runs_for_each_item_and_sees_its_item() -> None:
    group = [noop("a"), {"id": "b", "set": {"v": "${{ item }} ${{ steps.a.output }} ${{ index }}"}}]
    run = Run(workflow({"id": "each", "for_each": each(items=["x", "y"]), "steps": group}))
    run.look()
    run.succeed("each[1]/a", "done")
    assert output_of(run, "each[1]") == {"a": "done", "b": {"v": "y done 1"}}
    run.succeed("each[0]/a", "too")
    assert [one["output"]["b"]["v"] for one in output_of(run, "each")] == ["x too 0", "y done 1"]


def test_loops_hold_loops() -> None:
    inner = {"id": "in", "for_each": each(items="${{ item }}"), "uses": "noop", "with": {"v": "${{ item }}"}}
    run = Run(workflow({"id": "out", "for_each": each(items=[[1, 2], [3]]), "steps": [inner]}))
    run.look()
    assert [path for path in run.state.open if path.count("[") == 2] == ["out[0]/in[0]", "out[0]/in[1]", "out[1]/in[0]"]
    for path in ("out[0]/in[0]", "out[1]/in[0]", "out[0]/in[1]"):
        run.succeed(path)
    assert run.state.status is RunStatus.COMPLETED


def test_many_items_are_done_by_child_runs() -> None:
    run = Run(workflow(noop("each", for_each=each(items=list(range(120)), max_parallel=100))))
    calls = [one.event for one in run.log if isinstance(one.event, e.ChildStarted)]
    assert [(call.step, call.part and call.part.first, call.part and len(call.part.items)) for call in calls] == [
        ("each[0:50]", 0, 50),
        ("each[50:100]", 50, 50),
    ]
    parts = {"each[0:50]": 50, "each[50:100]": 50, "each[100:120]": 20}
    for path, count in parts.items():
        results: list[Any] = [{"index": n, "status": "completed", "output": n, "error": ""} for n in range(count)]
        run.do(c.ChildEnded(path, run.state.step(path).child, RunStatus.COMPLETED, results))
    assert len(output_of(run, "each")) == 120
    assert run.state.status is RunStatus.COMPLETED


def test_a_repeat_goes_on_until_its_condition_holds() -> None:
    poll = {"until": "steps.ask.output == 'ready'", "max": 5, "every": "10s"}
    run = Run(workflow({"id": "poll", "repeat": poll, "steps": [noop("ask")]}, noop("after")))
    run.look()
    run.succeed("poll#1/ask", "not yet")
    assert run.new == ["STEP_COMPLETED", "STEP_COMPLETED", "TIMER_SET"]
    run.look(after=9_000)
    assert run.new == []
    run.look(after=1_000)
    assert run.new == ["TIMER_FIRED", "ITERATION_STARTED", "STEP_STARTED"]
    run.succeed("poll#2/ask", "ready")
    assert output_of(run, "poll") == {"iterations": 2, "met": True, "outputs": {"ask": "ready"}}
    assert run.state.step("after").status is StepStatus.RUNNING


@pytest.mark.parametrize(("on_max", "status"), [("fail", RunStatus.FAILED), ("continue", RunStatus.COMPLETED)])
def test_a_repeat_ends_at_its_maximum(on_max: str, status: RunStatus) -> None:
    run = Run(workflow({"id": "p", "repeat": {"until": "false", "max": 2, "on_max": on_max}, "steps": [noop("a")]}))
    run.look()
    run.succeed("p#1/a")
    run.succeed("p#2/a")
    assert run.state.status is status


def test_a_pass_sees_the_outputs_of_the_one_before() -> None:
    group = [{"id": "n", "set": {"v": "${{ previous == null ? 1 : previous.n.v * 2 }}"}}]
    run = Run(workflow({"id": "p", "repeat": {"until": "iteration == 4", "max": 9}, "steps": group}))
    assert output_of(run, "p")["outputs"] == {"n": {"v": 8}}


def test_what_failed_inside_is_redriven_and_the_rest_goes_on_where_it_was() -> None:
    group = [noop("a"), noop("b")]
    run = Run(workflow({"id": "each", "for_each": each(items=[1, 2]), "steps": group}))
    run.look()
    run.succeed("each[0]/a")
    run.fail("each[1]/a", FailureClass.PERMANENT)
    run.succeed("each[0]/b")
    assert run.state.status is RunStatus.FAILED
    assert run.do(c.Redrive(BEN, "mended")) == c.Accepted()
    run.look()
    assert [path for path, _ in run.state.opened(StepStatus.RUNNING)] == ["each[1]/a"]
    run.succeed("each[1]/a")
    run.succeed("each[1]/b")
    assert run.state.status is RunStatus.COMPLETED
    assert run.refolded() == run.state


def test_an_item_that_was_cut_short_by_a_failure_elsewhere_is_redriven_with_it() -> None:
    several = each(items=[1, 2], max_parallel=2, on_item_failure="continue")
    run = Run(workflow(noop("each", for_each=several, retry={"attempts": 3}, needs=[]), noop("other", needs=[])))
    run.look(slots=3)
    run.succeed("each[0]", "A")
    run.fail("other", FailureClass.PERMANENT)
    run.fail("each[1]", FailureClass.TRANSIENT)
    assert run.state.status is RunStatus.FAILED
    run.do(c.Redrive(BEN, "mended"))
    run.look(slots=3)
    run.succeed("other", "O")
    run.succeed("each[1]", "B")
    assert [one["status"] for one in output_of(run, "each")] == ["completed", "completed"]
    assert run.state.status is RunStatus.COMPLETED


def test_a_repeat_that_ran_out_goes_on_with_as_many_passes_again() -> None:
    run = Run(workflow({"id": "p", "repeat": {"until": "steps.a.output == 1", "max": 2}, "steps": [noop("a")]}))
    run.look()
    run.succeed("p#1/a", 0)
    run.succeed("p#2/a", 0)
    assert run.state.status is RunStatus.FAILED
    run.do(c.Redrive(BEN))
    run.look()
    run.succeed("p#3/a", 1)
    assert run.state.status is RunStatus.COMPLETED
    assert run.refolded() == run.state


def test_what_an_items_retry_says_is_not_for_the_loop_around_it() -> None:
    retry = {"attempts": 3, "classes": {"invalid_input": {"attempts": 3}, "permanent": {"attempts": 3}}}
    loop = {"id": "each", "for_each": {"items": "${{ input.xs }}", "max_items": 60}, "uses": "noop", "retry": retry}
    run = Run(workflow(loop), xs="no list")
    assert run.types == ["RUN_STARTED", "STEP_FAILED", "STEP_DEAD_LETTERED", "RUN_FAILED"]
    parted = Run(workflow(loop), xs=list(range(51)))
    parted.do(c.ChildEnded("each[0:50]", parted.state.step("each[0:50]").child, RunStatus.FAILED, reason="item 3"))
    assert parted.types.count("CHILD_STARTED") == 1, "the items have had their attempts, and some have succeeded"
    assert parted.state.status is RunStatus.FAILED


def test_a_loop_that_has_failed_is_not_looked_at_for_items_that_will_not_begin() -> None:
    group = [{"id": "b", "uses": "noop"}]
    run = Run(workflow({"id": "g", "for_each": {"items": [1, 2, 3], "max_items": 3}, "steps": group}))
    run.look(slots=2)
    run.fail("g[0]/b", FailureClass.PERMANENT)
    assert run.state.step("g[2]/b").status is StepStatus.READY
    assert not something_ready(run.state, run.now)
    look = due(run.state, run.now)
    assert look is not None
    assert look.kind is DueKind.RUNNING


def test_what_is_inside_of_a_loop_that_is_over_stays_as_it_is() -> None:
    gate = {"id": "ok", "approval": {"title": "Go?", "approvers": ["@all"]}}
    undone = noop("z", undo={"uses": "noop"})  # so that what is inside is not forgotten
    over = Run(workflow(noop("each", for_each=each(items=[1], on_item_failure="continue")), gate, undone))
    over.look()
    over.fail("each[0]", FailureClass.PERMANENT)
    assert over.do(c.SetOutput("each[0]", 7, BEN)) == c.NotAllowed("each is completed already")
    assert over.do(c.SkipStep("each[0]", BEN)) == c.NotAllowed("each is completed already")
    loop = {"id": "loop", "repeat": {"until": "true", "max": 1}, "steps": [noop("in")]}
    for order in (c.SkipStep("loop", BEN), c.SetOutput("loop", 1, BEN)):
        run = Run(workflow(loop, gate, undone))
        run.look()
        run.fail("loop#1/in", FailureClass.PERMANENT)
        run.do(order)
        assert run.new[-1] == "APPROVAL_REQUESTED"
        assert isinstance(run.do(c.Redrive(BEN)), c.NotAllowed)
