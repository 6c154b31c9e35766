"""What is decided on, and that it is that: edits, changes that are asked for, and steps that a gate covers."""

from __future__ import annotations

from typing import Any

from engine.core import commands as c
from engine.core import events as e
from engine.core.failures import FailureClass
from engine.core.gates import Gate
from engine.core.graph import Plan
from engine.core.starting import reusable
from engine.core.state import RunStatus, StepStatus
from tests.core.definitions import CHILD
from tests.core.driver import BEN, CAT, Run, workflow

EDIT = {
    "percent": {"type": "integer", "min": 1, "max": 100, "value": "${{ input.percent }}"},
    "note": {"type": "text", "value": ""},
}
SHIP = {
    "id": "ship",
    "uses": "noop",
    "with": {"to": "${{ steps.go.output.fields.percent }}", "from": "${{ input.old }}"},
}


def gate(**more: Any) -> dict[str, Any]:
    return {"id": "go", "approval": {"title": "Go?", "approvers": ["@web"], **more}}


def release(**more: Any) -> Run:
    inputs = {"percent": {"type": "integer"}, "old": {"type": "integer"}}
    return Run(workflow(gate(edit=EDIT, **more), SHIP, input=inputs), percent=50, old=10)


def state_of(run: Run) -> Gate:
    found = run.state.step("go").gate
    assert found is not None
    return found


def test_an_edit_shows_what_it_changed_and_voids_what_was_approved_before() -> None:
    run = release(quorum=2)
    run.vote("go", by=CAT)
    first = state_of(run)
    assert run.do(c.EditGate("go", {"percent": 20, "note": ""}, BEN, "in @web", "less")) == c.Accepted()
    edited = run.log[-1].event
    assert isinstance(edited, e.ApprovalEdited)
    assert (edited.old, edited.new, edited.fields) == ({"percent": 50}, {"percent": 20}, {"percent": 20, "note": ""})
    now = state_of(run)
    assert now.votes == ()
    assert (now.version, now.evidence != first.evidence) == (run.state.seq, True)
    assert run.vote("go", by=CAT, version=first.version) == c.Outdated("go", now.version)
    assert run.new == []
    run.vote("go", by=CAT, version=now.version)
    assert run.new == ["APPROVAL_VOTED"], "Cat's first vote does not count"
    run.vote("go", by=BEN, version=now.version)
    granted = run.log[-1].event
    assert isinstance(granted, e.ApprovalGranted)
    assert granted.evidence == edited.evidence
    assert state_of(run).fields == {"percent": 20, "note": ""}


def test_an_edit_takes_the_gate_back_to_its_first_stage() -> None:
    stages = [{"name": "a", "approvers": ["@web"]}, {"name": "b", "approvers": ["@sec"]}]
    run = release(stages=stages, approvers=[])
    run.vote("go", by=CAT)
    assert state_of(run).stage == 1
    run.do(c.EditGate("go", {"percent": 1}, BEN))
    assert state_of(run).asked == ("@web",)


def test_what_does_not_fit_is_not_taken_and_says_why() -> None:
    run = release()
    reply = run.do(c.EditGate("go", {"percent": 101, "percnt": 3, "note": "x"}, BEN))
    assert isinstance(reply, c.InvalidFields)
    assert reply.problems == {
        "percent": "percent must be at most 100; you gave 101",
        "percnt": "there is no percnt to edit here; did you mean percent?",
    }
    assert run.do(c.EditGate("go", {"percent": 50}, BEN)) == c.Nothing()
    assert run.new == []


def test_a_covered_step_runs_with_what_was_approved() -> None:
    run = release(covers=["ship"])
    assert state_of(run).inputs == {"ship": {"to": 50, "from": 10}}
    run.do(c.EditGate("go", {"percent": 20}, BEN))
    assert state_of(run).inputs == {"ship": {"to": 20, "from": 10}}
    run.vote("go")
    run.look()
    assert run.state.step("ship").status is StepStatus.RUNNING


def moved(run: Run, ship: dict[str, Any], names: dict[str, str] | None = None) -> None:
    """The run follows a definition whose step after the gate is another one."""
    inputs = {"percent": {"type": "integer"}, "old": {"type": "integer"}}
    other = Run(workflow(gate(edit=EDIT, covers=[ship["id"]]), ship, input=inputs), percent=50, old=10)
    assert run.do(c.Move(other.plan.workflow.hash, other.plan, BEN, names or {})) == c.Accepted()
    run.plan = other.plan


def test_a_covered_step_does_not_run_with_anything_else() -> None:
    run = release(covers=["ship"])
    run.vote("go")
    moved(run, {**SHIP, "with": {"to": 100, "from": "${{ input.old }}"}})
    run.look()
    failure = run.state.step("ship").failure
    assert failure is not None
    assert failure.cls is FailureClass.PERMISSION
    assert failure.message.startswith("its arguments are not those that were approved at go: to changed since")
    assert "STEP_STARTED" not in run.types
    assert run.state.status is RunStatus.FAILED


def test_a_covered_step_is_still_covered_under_another_name() -> None:
    run = release(covers=["ship"])
    run.vote("go")
    moved(run, {**SHIP, "id": "send", "with": {"to": 1}}, {"ship": "send"})
    run.look()
    assert "STEP_STARTED" not in run.types
    assert run.state.step("send").status is StepStatus.FAILED


def test_a_covered_step_does_not_run_if_the_gate_did_not_let_it() -> None:
    stubborn = {**gate(covers=["ship"]), "continue_on_error": True}
    run = Run(workflow(stubborn, {"id": "ship", "uses": "noop", "with": {"n": 1}}))
    run.vote("go", granted=False, reason="no")
    run.look()
    failure = run.state.step("ship").failure
    assert failure is not None
    assert "was not approved at go" in failure.message
    assert "STEP_STARTED" not in run.types


def test_a_covered_child_run_starts_with_what_was_approved_or_not_at_all() -> None:
    call = {"id": "ship", "workflow": {"name": "child", "definition": CHILD.hash}}
    children = {CHILD.hash: Plan.of(CHILD)}
    run = Run(workflow({**gate(covers=["ship"]), "continue_on_error": True}, call), children=children)
    assert state_of(run).inputs == {"ship": {}}
    run.vote("go", granted=False, reason="no")
    assert "CHILD_STARTED" not in run.types
    good = Run(workflow(gate(covers=["ship"]), call), children=children)
    good.vote("go")
    assert "CHILD_STARTED" in good.types


def test_a_fork_asks_again_for_what_it_does_itself() -> None:
    run = release(covers=["ship"])
    run.vote("go")
    assert [one.step for one in reusable(run.state, run.plan, "ship")] == []
    free = release()
    free.vote("go")
    assert [one.step for one in reusable(free.state, free.plan, "ship")] == ["go"], "nothing was approved but to go on"


def test_an_operator_goes_on_without_a_gate_in_their_own_name() -> None:
    run = release(covers=["ship"])
    run.do(c.SetOutput("go", {"fields": {"percent": 5}}, BEN, "nobody is there"))
    run.look()
    assert run.state.step("ship").status is StepStatus.RUNNING


DRAFT = {"id": "draft", "set": {"text": "${{ changes.comment == '' ? 'first' : 'now with ' + changes.comment }}"}}


def test_changes_send_the_run_back_with_the_comment_and_the_gate_asks_again() -> None:
    other: dict[str, Any] = {"id": "other", "set": {"n": "${{ changes.count }}"}, "needs": []}
    run = Run(
        workflow(DRAFT, gate(show={"text": "${{ steps.draft.output.text }}"}, request_changes="draft", quorum=2), other)
    )
    run.vote("go", by=CAT)
    first = state_of(run)
    assert isinstance(run.do(c.RequestChanges("go", BEN, " ")), c.ReasonNeeded)
    assert run.do(c.RequestChanges("go", BEN, "names", "in @web", first.version)) == c.Accepted()
    assert run.new == ["APPROVAL_CHANGES_REQUESTED", "STEPS_RESET", "STEP_COMPLETED", "APPROVAL_REQUESTED"]
    again = state_of(run)
    assert (again.request.show, again.votes) == ({"text": "now with names"}, ())
    assert run.vote("go", by=CAT, version=first.version) == c.Outdated("go", again.version)
    assert run.vote("go", by=CAT, version=again.version) == c.Accepted()
    assert run.vote("go", by=BEN, version=again.version) == c.Accepted()
    assert run.state.step("other").output == {"n": 0}, "what does not follow from the step is as it was"
    assert run.refolded() == run.state


def test_changes_cannot_be_asked_for_where_the_workflow_does_not_say_from_where() -> None:
    run = release()
    assert isinstance(run.do(c.RequestChanges("go", BEN, "more")), c.NotAllowed)


def test_changes_wait_for_what_is_at_work() -> None:
    busy = {"id": "busy", "uses": "noop", "needs": ["draft"]}
    run = Run(workflow(DRAFT, {**gate(request_changes="draft"), "needs": ["draft"]}, busy))
    run.look()
    reply = run.do(c.RequestChanges("go", BEN, "more"))
    assert isinstance(reply, c.NotAllowed)
    assert "busy is at work" in reply.reason
    assert run.new == [], "nor is it on record as asked for"
