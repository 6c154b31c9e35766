"""Gates: what they wait for, who may decide, and what the clock does."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core import commands as c
from engine.core import events as e
from engine.core.failures import FailureClass
from engine.core.outlook import DueKind, due, summary
from engine.core.state import RunStatus, StepStatus, Verdict
from tests.core.driver import ANA, BEN, CAT

MINUTE = 60_000


def noop(step: str, **more: Any) -> dict[str, Any]:
    return {"id": step, "uses": "noop", **more}


def gate(step: str = "publish", **more: Any) -> dict[str, Any]:
    return {"id": step, "approval": {"title": "Publish?", "approvers": ["@managers"], **more}}


def test_a_gate_waits_for_a_person_and_nothing_else(make: Any) -> None:
    run = make(gate(show={"what": "${{ input.version }}"}), noop("after"), version="v1")
    assert run.types == ["RUN_STARTED", "APPROVAL_REQUESTED"]
    assert run.state.status is RunStatus.WAITING
    assert summary(run.state) == "waiting for a decision on publish"
    request = run.log[-1].event
    assert isinstance(request, e.ApprovalRequested)
    assert request.show == {"what": "v1"}
    look = due(run.state, run.now)
    assert look is not None
    assert (look.at, look.kind) == (request.expires_at, DueKind.TIMER)


def test_granted(make: Any) -> None:
    run = make(gate(), noop("after"))
    assert isinstance(run.vote("publish", authority="in @managers", reason="fine"), c.Accepted)
    assert run.new == ["APPROVAL_GRANTED"]
    run.look()
    assert run.state.step("after").status is StepStatus.RUNNING
    more: dict[str, Any] = {"approved_by": ["Ben"], "fields": {}}
    assert run.state.step("publish").output == {
        "decision": "granted",
        "by": "Ben",
        "reason": "fine",
        "at": run.now,
        **more,
    }


def test_denied(make: Any) -> None:
    run = make(gate(), noop("after"))
    run.vote("publish", granted=False, reason="not today")
    assert run.new == ["APPROVAL_DENIED", "RUN_FAILED"]
    assert run.state.end is not None
    assert (run.state.end.kind, run.state.end.reason) == ("denied", "denied by Ben: not today")


def test_a_second_click_finds_the_decision_made(make: Any) -> None:
    run = make(gate(), noop("after"))
    run.vote("publish", by=CAT)
    reply = run.vote("publish", granted=False, by=BEN, reason="no")
    assert isinstance(reply, c.AlreadyDecided)
    assert reply.decision.by == CAT
    assert run.new == []
    run.look()
    run.succeed("after")
    assert isinstance(run.vote("publish"), c.AlreadyDecided), "also after the end"


def test_a_click_on_something_that_is_no_open_gate(make: Any) -> None:
    run = make(gate(), noop("after"))
    assert isinstance(run.vote("after"), c.NotOpen)
    assert isinstance(run.vote("nowhere"), c.NotOpen)
    assert isinstance(run.vote("publish", version=99), c.NotOpen)
    assert run.state.status is RunStatus.WAITING


def test_the_starter_does_not_decide(make: Any) -> None:
    run = make(gate())
    assert isinstance(run.vote("publish", by=ANA), c.NotAllowed)
    assert isinstance(run.vote("publish", by=BEN), c.Accepted)


def test_the_ladder_is_climbed_rung_by_rung(make: Any) -> None:
    ladder = [{"after": "15m", "to": "@oncall"}, {"after": "1h", "to": "#leads"}]
    run = make(gate(escalate=ladder, expires_in="2h"))
    run.do(c.Look(), after=14 * MINUTE)
    assert run.new == []
    run.do(c.Look(), after=1 * MINUTE)
    assert run.new == ["APPROVAL_ESCALATED"]
    gate_state = run.state.step("publish").gate
    assert gate_state is not None
    assert gate_state.asked == ("@managers", "@oncall")
    run.do(c.Look())
    assert run.new == [], "once each"
    run.do(c.Look(), after=50 * MINUTE)
    assert run.new == ["APPROVAL_ESCALATED"]


def test_reminders_come_while_nobody_decides(make: Any) -> None:
    run = make(gate(remind_every="10m", expires_in="1h"))
    run.do(c.Look(), after=10 * MINUTE)
    run.do(c.Look(), after=25 * MINUTE)
    reminders = [one.event.count for one in run.log if isinstance(one.event, e.ApprovalReminded)]
    assert reminders == [1, 3], "those that nobody could give are not made up for"


@pytest.mark.parametrize(
    ("policy", "status"), [("deny", RunStatus.FAILED), ("fail", RunStatus.FAILED), ("approve", RunStatus.COMPLETED)]
)
def test_expiry_does_as_the_definition_says(make: Any, policy: str, status: RunStatus) -> None:
    run = make(gate(expires_in="1h", on_expiry=policy))
    run.do(c.Look(), after=60 * MINUTE)
    assert run.new[0] == "APPROVAL_EXPIRED"
    assert run.state.status is status


def test_a_click_after_the_time_finds_the_gate_expired(make: Any) -> None:
    run = make(gate(expires_in="1h"))
    run.now += 60 * MINUTE
    reply = run.vote("publish")
    assert isinstance(reply, c.AlreadyDecided | c.Ended)
    decision = run.state.step("publish").gate
    assert decision is not None
    assert decision.decision is not None
    assert decision.decision.verdict is Verdict.EXPIRED


def test_two_gates_that_expire_together_end_the_run_by_the_first(make: Any) -> None:
    run = make({**gate("one", expires_in="1h"), "needs": []}, {**gate("two", expires_in="1h"), "needs": []})
    run.do(c.Look(), after=60 * MINUTE)
    assert run.new == ["APPROVAL_EXPIRED", "RUN_FAILED"]
    assert run.state.end is not None
    assert (run.state.end.step, run.state.end.kind) == ("one", "expired")


def test_a_gate_left_open_by_a_failed_run_is_no_reason_to_look(make: Any) -> None:
    run = make({**gate("g", expires_in="5s"), "needs": []}, noop("a", needs=[]), noop("b", needs=[]))
    run.look()
    run.fail("a", FailureClass.PERMANENT)
    look = due(run.state, run.now)
    assert look is not None
    assert look.kind is DueKind.RUNNING
    run.do(c.Look(), after=2 * 60 * MINUTE)
    assert run.new == [], "nobody is bothered any more"
    look = due(run.state, run.now)
    assert look is not None
    assert look.kind is DueKind.RUNNING
