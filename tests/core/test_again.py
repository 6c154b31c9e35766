"""What is done again, skipped or set by hand inside of loops, and beside other steps that have failed."""

from __future__ import annotations

from typing import Any

from engine.core import commands as c
from engine.core.failures import FailureClass
from engine.core.state import RunStatus, StepStatus
from tests.core.driver import BEN, Run, workflow

GATE: dict[str, Any] = {"id": "gate", "needs": [], "approval": {"title": "?", "approvers": ["@x"]}}


def noop(id_: str, **more: Any) -> dict[str, Any]:
    return {"id": id_, "uses": "noop", **more}


def test_a_loop_that_failed_is_skipped_with_all_that_is_inside() -> None:
    each = noop("each", for_each={"items": [1, 2, 3], "max_items": 3, "max_parallel": 2})
    run = Run(workflow(each, noop("after")))
    run.look(slots=1)
    run.fail("each[0]", FailureClass.PERMANENT)
    run.do(c.SkipStep("each", BEN))
    assert run.state.open == ("after",)
    run.look()
    run.succeed("after")
    assert run.state.status is RunStatus.COMPLETED


def test_redriving_one_of_two_that_failed_does_not_forget_the_other() -> None:
    run = Run(workflow(noop("a", needs=[]), noop("b", needs=[]), noop("c", needs=["b"])))
    run.look()
    run.fail("a", FailureClass.PERMANENT)
    run.fail("b", FailureClass.PERMANENT)
    run.do(c.Redrive(BEN, steps=("a",)))
    assert run.state.end is not None, "b is still why the run cannot go on"
    assert run.state.end.step == "b"
    run.do(c.Redrive(BEN))
    run.look()
    for path in ("a", "b", "c"):
        run.succeed(path)
    assert run.state.status is RunStatus.COMPLETED


def test_a_repeat_is_done_anew_from_its_first_pass_though_its_passes_are_kept_to_be_undone() -> None:
    inside = [noop("a"), noop("b", undo={"uses": "noop"})]
    run = Run(
        workflow({"id": "poll", "needs": [], "repeat": {"until": "iteration == 2", "max": 5}, "steps": inside}, GATE)
    )
    run.look()
    for path in ("poll#1/a", "poll#1/b", "poll#2/a", "poll#2/b"):
        run.succeed(path)
    run.do(c.RetryFrom("poll", BEN))
    assert run.state.undoable == ()
    run.look()
    for path in ("poll#1/a", "poll#1/b", "poll#2/a", "poll#2/b"):
        run.succeed(path)
    run.vote("gate")
    assert run.state.status is RunStatus.COMPLETED
    assert run.refolded() == run.state


def test_what_was_done_anew_is_undone_once() -> None:
    inside = [noop("b", undo={"uses": "noop"})]
    run = Run(workflow({"id": "g", "needs": [], "for_each": {"items": [1], "max_items": 1}, "steps": inside}, GATE))
    run.look()
    run.succeed("g[0]/b")
    run.do(c.RetryFrom("g", BEN))
    run.look()
    run.succeed("g[0]/b")
    run.do(c.Cancel(BEN))
    assert run.state.undoing == ("g[0]/b",)
    run.look()
    run.succeed("g[0]/b!undo")
    assert run.state.status is RunStatus.CANCELLED
    assert run.types.count("STEP_STARTED") == 3
    assert run.state.step("g[0]/b!undo").status is StepStatus.COMPLETED
