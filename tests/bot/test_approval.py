"""A gate's messages in every state: who is asked, what a click does, what is shown, what became of it."""

from __future__ import annotations

from typing import Any

import pytest

from bot.blocks.approval import Question, approval, can_be_decided, read_click, reminder
from bot.blocks.kit import TEXT_LIMIT, Message
from bot.blocks.words import Asked, date
from bot.simulator.blockkit import check_message_blocks
from engine.core import commands as c
from engine.core.state import Gate
from tests.bot.reading import buttons, unsaid
from tests.bot.scenes import GATE, asked, scenes
from tests.core.driver import BEN, CAT, Run

SCENES = {name: run for name, run in scenes().items() if any(step.gate for step in run.state.steps.values())}
OPEN = frozenset(
    {"asked", "presented", "reminded", "escalated", "escalated_twice", "parallel", "hostile", "crowded", "crowded_late"}
)


def gate_of(run: Run) -> tuple[str, Gate]:
    return next((step, state.gate) for step, state in run.state.steps.items() if state.gate is not None)


PEOPLE = {
    "@release-managers": Asked("@release-managers", "group", "S1"),
    "@oncall": Asked("@oncall", "person", "U9"),
    "#eng-leads": Asked("#eng-leads", "channel", "C7"),
}
FIRST = Question(PEOPLE, ("@release-managers",))
FOOT = f"Asked by Ana, who started this run · evidence {gate_of(SCENES['asked'])[1].evidence[:10]}"
ONCALL, LEADS, END = date(1_901_500), date(8_201_500), date(87_401_500)
REST = f"If nobody decides: #eng-leads is asked too {LEADS}, then it is denied {END}."
LADDER = (
    f"If nobody decides: @oncall is asked too {ONCALL}, then #eng-leads is asked too {LEADS}, then it is denied {END}."
)
EVIDENCE = ["notes: Fixes it &amp; adds it", "changes:", "│ a1b2 Fix it", "│ c3d4 Add it"]


def shown(run: Run, question: Question = FIRST) -> Message:
    step, gate = gate_of(run)
    return approval(run.state, step, gate, question)


def test_a_request_says_first_what_a_click_decides_then_who_why_and_until_when() -> None:
    assert shown(SCENES["asked"]).text.splitlines() == [
        "Publish v1.4.2?",
        "<!subteam^S1>: please decide.",
        *EVIDENCE,
        "*Approve*: the run goes on with tag. *Deny*: the run ends, after asking you why.",
        LADDER,
        FOOT,
    ]


def test_its_buttons_name_the_asking_that_they_decide() -> None:
    step, gate = gate_of(SCENES["asked"])
    found = buttons(shown(SCENES["asked"]))
    assert list(found) == ["Approve", "Deny", "Delegate", "Snooze"]
    assert set(found.values()) == {f"run_t:{gate.asked_seq}:publish"}
    assert read_click(found["Approve"]) == ("run_t", gate.asked_seq, step)


@pytest.mark.parametrize("value", ["", "run_t", "run_t:x:publish", "other:1:publish", "run_t:1:"])
def test_a_foreign_button_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read_click(value)


def test_an_escalation_pings_only_who_is_asked_now_and_says_why() -> None:
    copy = shown(SCENES["escalated"], Question(PEOPLE, ("@oncall",), rung=1))
    assert copy.text.splitlines()[:2] == [
        "Publish v1.4.2?",
        "<@U9>: please decide. @release-managers has not decided for 15 min, so you are asked too.",
    ]
    assert "<!subteam" not in copy.text
    first = shown(SCENES["escalated"])
    assert first.text.splitlines()[1] == "<!subteam^S1>: please decide. @oncall may decide too."
    assert "@oncall is asked too" not in first.text


def test_a_copy_in_a_channel_links_to_the_thread() -> None:
    question = Question(PEOPLE, ("#eng-leads",), rung=2, elsewhere=True, thread="<https://x.example/p1|the thread>")
    copy = shown(SCENES["escalated_twice"], question)
    assert copy.text.splitlines()[1:3] == [
        "<#C7>: please decide. @release-managers has not decided for 2 h, so you are asked too.",
        "The run and its thread: <https://x.example/p1|the thread>",
    ]
    assert copy.text.splitlines()[-1].startswith("Asked by Ana, who started wf · v1.4.2 · run_t · evidence ")


@pytest.mark.parametrize(("elsewhere", "repeated"), [(False, []), (True, EVIDENCE)])
def test_once_it_is_decided_a_copy_does_not_repeat_the_evidence_of_its_own_thread(
    elsewhere: bool, repeated: list[str]
) -> None:
    copy = shown(SCENES["granted"], Question(PEOPLE, ("#eng-leads",), rung=2, elsewhere=elsewhere))
    assert copy.text.splitlines()[2:-1] == repeated


def test_who_does_not_exist_is_said_plainly() -> None:
    people = {**PEOPLE, "@release-managers": Asked("@release-managers", "missing")}
    text = shown(SCENES["asked"], Question(people, ("@release-managers",))).text
    assert "There is no user group or person @release-managers in this workspace." in text
    assert "can create it" in text


def test_who_could_not_be_looked_up_is_said_too() -> None:
    people = {**PEOPLE, "#eng-leads": Asked("#eng-leads", "unread")}
    assert "Slack did not say who #eng-leads is" in shown(SCENES["asked"], Question(people, ("#eng-leads",))).text


@pytest.mark.parametrize(
    ("scene", "said"),
    [
        ("granted", f"✓ Approved by Ben (in @release-managers) {date(1_061_500)}"),
        ("denied", f"✗ Denied by Ben (in @release-managers) {date(1_061_500)}: not on a Friday"),
        ("expired_deny", f"✗ Expired {date(91_001_500)}: nobody decided in time, so it was denied."),
        ("expired_approve", f"✓ Expired {date(91_001_500)}: nobody decided in time, so it was approved."),
        ("expired_fail", f"✗ Expired {date(91_001_500)}: nobody decided in time, so the run failed."),
        ("cancelled_at_gate", "■ No decision is needed any more: Ana stopped the run."),
    ],
)
def test_after_its_end_it_says_who_when_and_why_and_has_no_buttons(scene: str, said: str) -> None:
    after = shown(SCENES[scene])
    assert after.text.splitlines() == ["Publish v1.4.2?", said, *EVIDENCE, FOOT]
    assert not buttons(after)


def test_a_run_that_failed_elsewhere_needs_no_decision() -> None:
    assert "No decision is needed any more: the run failed at build." in shown(SCENES["failed_beside_a_gate"]).text


def test_a_reminder_asks_the_same_people_once_more() -> None:
    step, gate = gate_of(SCENES["reminded"])
    again = reminder(step, gate, Question(PEOPLE, gate.asked), 1)
    assert again.text.splitlines() == [
        "Reminder: Publish v1.4.2?",
        f"<!subteam^S1>, <@U9>: publish has waited 1 h for your decision. {REST}",
    ]


def test_evidence_that_is_too_long_is_shown_in_part_and_says_so() -> None:
    text = shown(asked(changes="x" * 50_000)).text
    assert "of 50,000 characters)" in text
    assert "notes: Fixes it &amp; adds it" in text, "a short value is not cut for the sake of a long one"


def test_values_beyond_a_dozen_are_counted() -> None:
    many: dict[str, Any] = {f"v{n}": n for n in range(20)}
    text = shown(asked({**GATE, "approval": {**GATE["approval"], "show": many}})).text
    assert "v11: 11" in text
    assert "v12" not in text
    assert "8 more values" in text


@pytest.mark.parametrize("scene", SCENES)
def test_every_state_is_within_slacks_limits_and_its_text_says_all(scene: str) -> None:
    step, gate = gate_of(SCENES[scene])
    for question in (FIRST, Question(PEOPLE, gate.asked, rung=min(1, gate.escalated), elsewhere=True, thread="<x|y>")):
        message = approval(SCENES[scene].state, step, gate, question)
        check_message_blocks(list(message.blocks))
        assert len(message.text) <= TEXT_LIMIT
        assert not unsaid(message)
        assert bool(buttons(message)) is can_be_decided(SCENES[scene].state, gate) is (scene in OPEN)


def test_data_cannot_ping() -> None:
    message = shown(SCENES["hostile"])
    markup = [message.text, *(b["text"]["text"] for b in message.blocks if b["type"] == "section")]
    for text in markup:
        assert "<!channel>" not in text
        assert "<!everyone>" not in text
        assert "<@" not in text


def test_a_gate_that_an_operator_skipped_is_closed_and_says_so() -> None:
    run = asked()
    gate = run.state.steps["publish"].gate
    assert gate is not None
    run.do(c.SkipStep("publish", BEN, "it is urgent"))
    message = approval(run.state, "publish", gate, FIRST)
    assert "No decision is needed any more: an operator went on without one." in message.text
    assert not buttons(message)


TWO_STAGES: dict[str, Any] = {
    "id": "publish",
    "approval": {
        "title": "Publish ${{ input.version }}?",
        "stages": [
            {"name": "build", "approvers": ["@release-managers"], "quorum": 2},
            {"name": "leads", "approvers": ["#eng-leads"]},
        ],
        "edit": {"percent": {"type": "integer", "value": "${{ 50 }}"}},
        "reason": "never",
    },
}


def in_first_stage() -> Run:
    run = asked(TWO_STAGES)
    run.vote("publish", seat=c.Seat(("@release-managers",)), authority="in @release-managers")
    return run


def test_it_says_who_has_approved_and_what_comes_after_the_stage() -> None:
    text = shown(in_first_stage()).text
    assert "Stage 1 of 2 (build): 1 of 2 approved: Ben." in text
    assert "*Approve*: stage 2 of 2 (leads) asks #eng-leads. *Deny*: the run ends." in text
    assert "*Edit*: change percent first; approvals from before then count no more." in text


def test_a_message_of_a_stage_that_is_over_has_no_buttons_and_says_who_is_asked_now() -> None:
    run = in_first_stage()
    run.vote("publish", by=CAT, seat=c.Seat(("@release-managers",)))
    first = shown(run)
    assert first.text.splitlines()[1:3] == [
        "✓ Stage 1 of 2 (build) has its approvals; stage 2 of 2 (leads) asks #eng-leads now.",
        "Approved before that: Ben, Cat.",
    ]
    assert not buttons(first)
    _, gate = gate_of(run)
    second = shown(run, Question(PEOPLE, ("#eng-leads",), stage=1, version=gate.version))
    assert "Approved before, in other stages: Ben, Cat." in second.text
    assert "Approve" in buttons(second)


def test_after_an_edit_only_what_shows_the_new_version_can_be_clicked() -> None:
    run = in_first_stage()
    before = buttons(shown(run))["Approve"]
    run.vote("publish", by=CAT, seat=c.Seat(("@release-managers",)))
    opened = Question(PEOPLE, ("#eng-leads",), stage=1, version=gate_of(run)[1].version)
    run.do(c.EditGate("publish", {"percent": 10}, CAT, seat=c.Seat(("#eng-leads",))), after=1_000)
    text = shown(run).text
    assert "✎ Cat changed percent: 50 → 10" in text
    assert "percent (was 50): 10" in text
    assert "0 of 2 approved." in text
    assert buttons(shown(run))["Approve"] != before
    late = shown(run, opened)
    assert "… Not yet: stage 1 of 2 (build) asks @release-managers now since Cat changed" in late.text
    assert not buttons(late)


def test_a_copy_for_one_person_says_as_whom_they_are_asked_and_pings_nobody() -> None:
    question = Question(PEOPLE, ("@release-managers",), elsewhere=True, directly=True, thread="<x|the thread>")
    text = shown(SCENES["asked"], question).text
    assert text.splitlines()[1] == "You are asked as @release-managers: please decide."
    assert "<!subteam" not in text


def test_an_admin_is_told_who_could_not_be_asked() -> None:
    question = Question(PEOPLE, (), elsewhere=True, directly=True, to_admin=True)
    assert shown(SCENES["asked"], question).text.splitlines()[1] == (
        "@release-managers cannot be shown this in Slack, so its admins are: see that somebody who may decide gets to "
        "know of it, or cancel the run."
    )


def test_whoever_was_not_reached_is_named_in_the_thread_alone() -> None:
    unreached = (("Finn", "deactivated"), ("Eve", "some_error"))
    told = "! Not reached by direct message: Finn (the account is deactivated), Eve (Slack says some_error)."
    assert told in shown(SCENES["asked"], Question(PEOPLE, ("@oncall",), unreached=unreached)).text
    assert told not in shown(SCENES["asked"], Question(PEOPLE, ("@oncall",), elsewhere=True, unreached=unreached)).text
