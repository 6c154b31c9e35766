"""Who counts at a gate, how often, and for what: quorum, stages, delegates, and votes for what is no longer asked."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core import commands as c
from engine.core import events as e
from engine.core.gates import Gate, Verdict
from engine.core.outlook import summary
from engine.core.state import RunStatus
from tests.core.driver import ANA, BEN, CAT, DAN, EVE, Run

STAGES = [
    {"name": "team", "approvers": ["@web"], "quorum": 2},
    {"name": "security", "approvers": ["@sec"]},
]


def gate(**more: Any) -> dict[str, Any]:
    return {"id": "go", "approval": {"title": "Go?", **({} if "stages" in more else {"approvers": ["@web"]}), **more}}


def state_of(run: Run) -> Gate:
    found = run.state.step("go").gate
    assert found is not None
    return found


def seat(*names: str, **more: Any) -> c.Seat:
    return c.Seat(names, **more)


def test_a_quorum_takes_different_people(make: Any) -> None:
    run = make(gate(quorum=2))
    assert run.vote("go", by=BEN) == c.Accepted()
    assert run.new == ["APPROVAL_VOTED"]
    assert state_of(run).needed == 1
    assert summary(run.state) == "waiting for a decision on go (1 of 2)"
    again = run.vote("go", by=BEN.model_copy(update={"name": "Benjamin"}))
    assert isinstance(again, c.AlreadyVoted), "a new name makes nobody somebody else"
    assert run.new == []
    assert run.vote("go", by=CAT) == c.Accepted()
    assert run.new == ["APPROVAL_GRANTED", "RUN_COMPLETED"]
    assert run.state.step("go").output["approved_by"] == ["Ben", "Cat"]


def test_one_denial_ends_it_whatever_was_approved_before(make: Any) -> None:
    run = make(gate(quorum=3))
    run.vote("go", by=BEN)
    assert run.vote("go", granted=False, by=BEN, reason="second thoughts") == c.Accepted()
    assert run.new == ["APPROVAL_DENIED", "RUN_FAILED"]


def test_stages_come_one_after_the_other_and_a_person_counts_in_one(make: Any) -> None:
    run = make(gate(stages=STAGES))
    assert state_of(run).asked == ("@web",)
    assert run.vote("go", by=EVE, seat=seat("@sec")) == c.NotAsked(("@web",)), "not her turn yet"
    run.vote("go", by=BEN, seat=seat("@web"))
    assert run.vote("go", by=CAT, seat=seat("@web")) == c.Accepted()
    assert run.new == ["APPROVAL_VOTED", "APPROVAL_STAGE_OPENED"]
    assert state_of(run).asked == ("@sec",)
    assert summary(run.state) == "waiting for a decision on go (security)"
    assert run.vote("go", by=DAN, seat=seat("@web")) == c.NotAsked(("@sec",)), "the first stage is over"
    assert isinstance(run.vote("go", by=BEN, seat=seat("@web", "@sec")), c.AlreadyVoted), "two stages are two people"
    assert run.vote("go", by=EVE, seat=seat("@sec")) == c.Accepted()
    assert run.new == ["APPROVAL_GRANTED", "RUN_COMPLETED"]
    granted = run.log[-2].event
    assert isinstance(granted, e.ApprovalGranted)
    assert (granted.stage, granted.evidence) == (1, state_of(run).evidence)


def test_whoever_was_escalated_to_counts_in_the_open_stage(make: Any) -> None:
    run = make(gate(escalate=[{"after": "10m", "to": "@boss"}]))
    assert run.vote("go", by=BEN, seat=seat("@boss")) == c.NotAsked(("@web",))
    run.do(c.Look(), after=600_000)
    assert run.vote("go", by=BEN, seat=seat("@boss")) == c.Accepted()


def test_all_means_everybody_who_counts_at_that_moment(make: Any) -> None:
    run = make(gate(quorum="all"))
    everyone = frozenset({BEN.id, CAT.id, ANA.id})
    run.vote("go", by=BEN, seat=seat("@web", everyone=everyone))
    assert run.new == ["APPROVAL_VOTED"]
    assert state_of(run).needed is None
    assert run.vote("go", by=CAT, seat=seat("@web", everyone=everyone | {DAN.id})) == c.Accepted()
    assert run.new == ["APPROVAL_VOTED"], "somebody has joined meanwhile"
    run.vote("go", by=DAN, seat=seat("@web", everyone=everyone | {DAN.id}))
    assert run.new == ["APPROVAL_GRANTED", "RUN_COMPLETED"], "all but whoever started the run"


def test_all_cannot_be_told_by_whoever_does_not_know_who_that_is(make: Any) -> None:
    run = make(gate(quorum="all"))
    assert isinstance(run.vote("go", by=BEN), c.NotAllowed)


@pytest.mark.parametrize("quorum", [1, 2, "all"])
def test_the_starter_does_not_count_through_anybody(make: Any, quorum: Any) -> None:
    run = make(gate(quorum=quorum, edit={"n": {"type": "integer", "value": 1}}, request_changes=None))
    everyone = frozenset({ANA.id, BEN.id})
    for granted in (True, False):
        reply = run.vote("go", granted, by=ANA, reason="mine", seat=seat("@web", everyone=everyone))
        assert isinstance(reply, c.NotAllowed), "by a group"
    on_behalf = seat("@web", everyone=everyone, on_behalf_of=ANA, delegation=7)
    assert isinstance(run.vote("go", by=BEN, seat=on_behalf), c.NotAllowed), "by a delegate"
    behalf = seat("@web", everyone=everyone, on_behalf_of=BEN, delegation=7)
    assert isinstance(run.vote("go", by=ANA, seat=behalf), c.NotAllowed), "as a delegate"
    assert isinstance(run.do(c.Delegate("go", BEN, ANA)), c.NotAllowed)
    assert isinstance(run.do(c.Delegate("go", ANA, BEN)), c.NotAllowed)
    assert isinstance(run.do(c.EditGate("go", {"n": 2}, ANA)), c.NotAllowed)
    assert run.types == ["RUN_STARTED", "APPROVAL_REQUESTED"]


def test_the_starter_counts_where_the_gate_lets_them(make: Any) -> None:
    run = make(gate(allow_self=True))
    assert run.vote("go", by=ANA) == c.Accepted()


def test_a_delegate_votes_for_one_other_and_not_twice(make: Any) -> None:
    run = make(gate(quorum=2))
    for_ben = seat("@web", on_behalf_of=BEN)
    assert isinstance(run.vote("go", by=DAN, seat=for_ben), c.NotAllowed), "Ben has not said so"
    assert run.do(c.Delegate("go", BEN, DAN, "in @web", "away")) == c.Accepted()
    assert run.vote("go", by=DAN, seat=for_ben) == c.Accepted()
    assert isinstance(run.vote("go", by=DAN, seat=seat("@web")), c.AlreadyVoted), "the same person"
    assert isinstance(run.vote("go", by=BEN, seat=seat("@web")), c.AlreadyVoted), "the same seat"
    assert run.vote("go", by=CAT, seat=seat("@web")) == c.Accepted()
    decision = state_of(run).decision
    assert decision is not None
    assert decision.verdict is Verdict.GRANTED
    assert run.state.step("go").output["approved_by"] == ["Ben", "Cat"]


def test_everybody_may_be_there_by_their_delegates(make: Any) -> None:
    run = make(gate(quorum="all"))
    everyone = frozenset({BEN.id, CAT.id})
    run.do(c.Delegate("go", BEN, CAT))
    assert run.vote("go", by=CAT, seat=seat("@web", everyone=everyone)) == c.Accepted()
    assert run.new == ["APPROVAL_GRANTED", "RUN_COMPLETED"], "Cat, for herself and for Ben"


def test_a_gate_may_forbid_delegates(make: Any) -> None:
    run = make(gate(delegation="forbidden"))
    assert isinstance(run.do(c.Delegate("go", BEN, DAN)), c.NotAllowed)
    assert isinstance(run.vote("go", by=DAN, seat=seat("@web", on_behalf_of=BEN, delegation=7)), c.NotAllowed)


def test_the_last_delegation_counts_and_is_not_handed_on(make: Any) -> None:
    run = make(gate())
    run.do(c.Delegate("go", BEN, DAN))
    run.do(c.Delegate("go", BEN, EVE))
    assert isinstance(run.vote("go", by=DAN, seat=seat("@web", on_behalf_of=BEN)), c.NotAllowed)
    handed_on = c.Delegate("go", EVE, DAN, seat=seat("@web", on_behalf_of=BEN))
    assert isinstance(run.do(handed_on), c.NotAllowed)
    assert isinstance(run.do(c.Delegate("go", CAT, CAT)), c.NotAllowed)
    run.do(c.Delegate("go", CAT, DAN))
    run.vote("go", by=EVE, seat=seat("@web", on_behalf_of=BEN))
    assert run.state.status is RunStatus.COMPLETED


@pytest.mark.parametrize(
    ("policy", "granted", "reason", "taken"),
    [
        ("on_deny", True, "", True),
        ("on_deny", False, " ", False),
        ("always", True, "", False),
        ("always", True, "fine", True),
        ("never", False, "", True),
    ],
)
def test_a_reason_is_given_where_the_gate_wants_one(
    make: Any, policy: str, granted: bool, reason: str, taken: bool
) -> None:
    run = make(gate(reason=policy))
    reply = run.vote("go", granted, reason=reason)
    assert reply == (c.Accepted() if taken else c.ReasonNeeded())


def test_snoozing_holds_back_reminders_of_one_person_and_nothing_else(make: Any) -> None:
    run = make(gate(remind_every="10m", escalate=[{"after": "15m", "to": "@boss"}]))
    assert run.do(c.Snooze("go", BEN, run.now + 3_600_000)) == c.Accepted()
    assert run.do(c.Snooze("go", BEN, run.now + 1_800_000)) == c.Accepted()
    assert state_of(run).snoozed_until(BEN) == run.now + 1_800_000
    assert state_of(run).snoozed_until(CAT) is None
    assert isinstance(run.do(c.Snooze("go", BEN, run.now)), c.NotAllowed)
    run.do(c.Look(), after=900_000)
    assert run.new == ["APPROVAL_ESCALATED", "APPROVAL_REMINDED"]


def test_who_is_asked_may_come_from_an_earlier_step(make: Any) -> None:
    oncall = {"id": "oncall", "set": {"people": ["@ben", "@cat", "@ben"], "boss": "@dan"}}
    asking = gate(
        approvers=["${{ steps.oncall.output.people }}", "role:approver"],
        escalate=[{"after": "5m", "to": "${{ steps.oncall.output.boss }}"}],
    )
    run = make(oncall, asking)
    assert state_of(run).asked == ("@ben", "@cat", "role:approver")
    assert [rung.to for rung in state_of(run).request.escalate] == ["@dan"]


@pytest.mark.parametrize(
    ("people", "words"),
    [
        ([], "nobody is asked"),
        (["ben"], "an expression gave ben"),
        ([3], "an expression gave a number"),
        (None, "null"),
    ],
)
def test_nobody_is_asked_by_what_is_no_name(make: Any, people: Any, words: str) -> None:
    run = make({"id": "oncall", "set": {"people": people}}, gate(approvers=["${{ steps.oncall.output.people }}"]))
    failure = run.state.step("go").failure
    assert failure is not None
    assert words in failure.message


def test_waiting_on_after_the_time_is_over(make: Any) -> None:
    run = make(gate(expires_in="1h", on_expiry="wait", remind_every="25m", escalate=[{"after": "50m", "to": "@boss"}]))
    run.do(c.Look(), after=3_600_000)
    assert run.new == ["APPROVAL_EXPIRED", "APPROVAL_ESCALATED", "APPROVAL_REMINDED"]
    assert state_of(run).overdue
    run.do(c.Look(), after=60_000)
    assert run.new == [], "it is over once"
    run.do(c.Look(), after=15 * 60_000)
    assert run.new == ["APPROVAL_REMINDED"]
    assert run.vote("go", by=BEN) == c.Accepted()
    assert run.state.status is RunStatus.COMPLETED
