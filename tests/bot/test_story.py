"""What is still to be said of a run, from its events and deliveries alone."""

from __future__ import annotations

from typing import Any

from bot.blocks.words import Asked
from bot.sending.outbox import Priority
from bot.sending.postings import Posted, Target
from bot.telling.agenda import Agenda, Place, Telling
from bot.telling.asking import Ask
from bot.telling.story import Remind, Story, Unsettled
from engine.core import commands as c
from engine.store import Delivery
from tests.bot.scenes import GATE, asked, completed, retrying
from tests.core.driver import BEN, DAN, Run

MINUTE = 60_000
ROOT = Posted("C1", "1.0", "old")


def story_of(run: Run) -> Story:
    story = Story("run_t", run.plan, run.log[0])
    story.read(run.log[1:])
    return story


def delivery(key: str, receipt: dict[str, Any] | None = None, **intent: Any) -> Delivery:
    return Delivery(
        consumer="slack",
        stream="run_t",
        key=key,
        seq=1,
        intent={"to": "C1", "under": "1.0", **intent},
        receipt=receipt,
        receipt_key=None,
        created_at=0,
        confirmed_at=None if receipt is None else 1,
    )


def posted(key: str, **intent: Any) -> Delivery:
    return delivery(key, {"channel": "C1", "ts": "1.1", "digest": "d"}, **intent)


def agenda_of(story: Story, *, card: bool = True) -> Agenda:
    if card:
        story.record("card", ROOT)
    return Agenda(story, Place("card", "C1"), {"#eng-leads": Asked("#eng-leads", "channel", "C7")})


def request(seq: int, number: int, rung: int = 0, *pinged: str) -> Delivery:
    who = list(pinged or ("@release-managers",))
    key = f"approval:{seq}:{number}"
    return posted(key, kind="approval", step="publish", pinged=who, rung=rung, elsewhere=False, thread="")


def asked_seq(run: Run) -> int:
    gate = run.state.steps["publish"].gate
    assert gate is not None
    return gate.asked_seq


def test_what_was_told_is_not_told_again() -> None:
    run = completed()
    story = story_of(run)
    seqs = [line.seq for line in story.pending]
    story.resume(seqs[1], [posted(f"timeline:{seqs[2]}", kind="timeline", last=seqs[3])])
    assert [line.seq for line in story.pending] == seqs[4:]


def test_lines_begun_before_a_crash_are_finished_with_the_same_events() -> None:
    story = story_of(completed())
    seqs = [line.seq for line in story.pending]
    story.resume(0, [delivery(f"timeline:{seqs[0]}", kind="timeline", last=seqs[2])])
    found = agenda_of(story).next_post()
    assert found is not None
    assert isinstance(found.what, Telling)
    assert (found.what.first, found.what.last) == (seqs[0], seqs[2])
    assert [line.seq for line in found.what.waiting] == seqs[:3]
    story.told(seqs[2])
    after = story.next_lines()
    assert after is not None
    assert after[0] == seqs[3]
    assert story.begun_until(seqs[3]) is None


def test_reading_on_adds_only_what_is_new() -> None:
    run = completed()
    story = Story("run_t", run.plan, run.log[0])
    story.read(run.log[1:5])
    story.told(story.state.seq)
    story.read(run.log[5:])
    assert story.state == run.state
    assert story.pending[0].seq > run.log[4].seq


def test_a_gate_asks_in_the_thread_and_then_rung_by_rung() -> None:
    run = asked()
    assert [ask.key for ask in story_of(run).missing_asks()] == [f"approval:{asked_seq(run)}:0"]
    run.do(c.Look(), after=121 * MINUTE)
    asks = list(story_of(run).missing_asks())
    assert [(ask.key[-1], ask.pinged, ask.rung, ask.place) for ask in asks] == [
        ("0", ("@release-managers",), 0, None),
        ("1", ("@oncall",), 1, None),
        ("2", ("#eng-leads",), 2, "#eng-leads"),
    ]


def test_channels_among_the_approvers_get_copies() -> None:
    gate = {**GATE, "approval": {**GATE["approval"], "approvers": ["@ben", "#leads"]}}
    asks = list(story_of(asked(gate)).missing_asks())
    assert [(ask.key[-1], ask.pinged, ask.place) for ask in asks] == [
        ("0", ("@ben",), None),
        ("4", ("#leads",), "#leads"),
    ]


DIRECTLY = {**GATE, "approval": {**GATE["approval"], "direct_messages": True, "approvers": ["@rm", "@ben", "#leads"]}}


def test_everybody_asked_is_written_to_once_but_for_who_started_the_run() -> None:
    run = asked(DIRECTLY)
    story = story_of(run)
    assert sorted(story.strangers()) == ["@ben", "@rm"]
    story.members |= {"@rm": ("U1", "U2", "U3"), "@ben": ("U2",)}  # U1 has started it
    direct = [ask for ask in story.missing_asks() if ask.direct]
    seq = asked_seq(run)
    assert [(ask.key, ask.pinged, ask.direct) for ask in direct] == [
        (f"approval:{seq}:dm:U2", ("@rm",), "U2"),
        (f"approval:{seq}:dm:U3", ("@rm",), "U3"),
    ]
    run.do(c.Delegate("publish", BEN, DAN))
    story.read(run.log[story.state.seq :])
    assert [(ask.direct, ask.given_by) for ask in story.missing_asks() if ask.direct][-1] == (DAN.id, "Ben")


def test_each_stage_asks_in_messages_of_its_own() -> None:
    stages = [{"name": "one", "approvers": ["@rm"]}, {"name": "two", "approvers": ["@sec", "#leads"]}]
    run = asked({"id": "publish", "approval": {"title": "Publish?", "stages": stages}})
    run.vote("publish")
    seq = asked_seq(run)
    assert [(ask.key, ask.pinged, ask.stage) for ask in story_of(run).missing_asks()] == [
        (f"approval:{seq}:s1v{seq}:0", ("@sec",), 1),
        (f"approval:{seq}:s1v{seq}:2", ("#leads",), 1),
    ]


def test_an_asking_that_is_over_is_still_shown_as_it_ended() -> None:
    gate = {**GATE, "approval": {**GATE["approval"], "request_changes": "notes"}}
    run = asked(gate)
    story, seq = story_of(run), asked_seq(run)
    story.resume(0, [request(seq, 0)])
    run.do(c.RequestChanges("publish", BEN, "shorter"))
    run.look()
    run.succeed("notes", "Short")
    story.read(run.log[story.state.seq :])
    assert asked_seq(run) != seq
    (shown,) = story.shown_gates()
    assert shown.gate.changes is not None
    (update, *_) = agenda_of(story).updates()
    assert "↩ Ben asked for changes: shorter. The run goes back to notes, and asks anew." in update.message.text


def test_only_the_last_reminder_is_sent() -> None:
    run = asked()
    run.do(c.Look(), after=190 * MINUTE)
    story = story_of(run)
    assert [(remind.key, remind.count) for remind in story.missing_reminders()] == [(f"reminder:{asked_seq(run)}:3", 3)]
    story.record(f"reminder:{asked_seq(run)}:3", ROOT)
    assert list(story.missing_reminders()) == []


def test_a_decided_gate_asks_nobody_but_what_may_have_been_posted_is_looked_for() -> None:
    run = asked()
    run.do(c.Vote("publish", True, BEN))
    story = story_of(run)
    key = f"approval:{asked_seq(run)}:0"
    story.resume(0, [delivery(key, kind="approval", step="publish")])
    assert list(story.missing_asks()) == []
    found = agenda_of(story).next_post()
    assert found is not None
    assert isinstance(found.what, Unsettled)
    assert (found.what.key, found.target) == (key, Target("C1", "1.0"))
    story.record(key, Posted(failed="it came too late"))
    assert list(story.unsettled()) == []


def test_a_request_that_may_have_been_posted_is_asked_in_the_normal_course_while_the_gate_is_open() -> None:
    run = asked()
    story = story_of(run)
    story.resume(0, [delivery(f"approval:{asked_seq(run)}:0", kind="approval", step="publish")])
    assert list(story.unsettled()) == []
    assert len(list(story.missing_asks())) == 1


def test_what_is_shown_is_put_on_record_once_and_again_when_it_changes() -> None:
    run = asked()
    story = story_of(run)
    story.resume(0, [request(asked_seq(run), 0)])
    assert story.unpresented() == {"publish": {"C1/1.1": "d"}}
    run.do(c.Present("publish", {"C1/1.1": "d"}))
    story.read(run.last.events)
    assert story.unpresented() == {}
    story.record(f"approval:{asked_seq(run)}:0", Posted("C1", "1.1", "changed"))
    assert story.unpresented() == {"publish": {"C1/1.1": "changed"}}
    run.vote("publish")
    story.read(run.last.events)
    assert story.unpresented() == {}


# The agenda


def test_the_card_comes_first_and_hurries_for_a_request() -> None:
    found = agenda_of(story_of(retrying()), card=False).next_post()
    assert found is not None
    assert (found.what, found.priority) == (Place("card", "C1"), Priority.CARD)
    waiting = agenda_of(story_of(asked()), card=False).next_post()
    assert waiting is not None
    assert waiting.priority is Priority.APPROVAL


def test_lines_that_lead_to_a_request_go_just_before_it_and_hurry_too() -> None:
    agenda = agenda_of(story_of(asked()))
    found = agenda.next_post()
    assert found is not None
    assert isinstance(found.what, Telling)
    assert found.priority is Priority.APPROVAL
    agenda.story.told(found.what.waiting[-1].seq)
    then = agenda.next_post()
    assert then is not None
    assert isinstance(then.what, Ask)
    assert then.target == Target("C1", "1.0")
    alone = agenda_of(story_of(retrying())).next_post()
    assert alone is not None
    assert alone.priority is Priority.TIMELINE


def test_a_request_does_not_wait_for_a_long_backlog_of_lines() -> None:
    run = asked()
    story = story_of(run)
    story.pending = [line for line in story.pending for _ in range(60)]
    found = agenda_of(story).next_post()
    assert found is not None
    assert isinstance(found.what, Ask)


def test_a_rung_that_is_a_channel_is_asked_there_or_in_the_thread() -> None:
    run = asked()
    run.do(c.Look(), after=121 * MINUTE)
    story = story_of(run)
    story.resume(story.state.seq, [request(asked_seq(run), 0), request(asked_seq(run), 1, 1, "@oncall")])
    agenda = agenda_of(story)
    found = agenda.next_post()
    assert found is not None
    assert found.target == Target("C7")
    agenda.asked["#eng-leads"] = Asked("#eng-leads", "closed")
    again = agenda.next_post()
    assert again is not None
    assert again.target == Target("C1", "1.0")


def test_reminders_come_after_requests_and_lines() -> None:
    run = asked()
    run.do(c.Look(), after=61 * MINUTE)
    story = story_of(run)
    story.resume(story.state.seq, [request(asked_seq(run), 0), request(asked_seq(run), 1, 1, "@oncall")])
    found = agenda_of(story).next_post()
    assert found is not None
    assert isinstance(found.what, Remind)
    assert found.priority is Priority.ALERT


def test_without_a_place_nothing_is_posted() -> None:
    agenda = Agenda(story_of(asked()))
    assert agenda.next_post() is None
    assert list(agenda.updates()) == []


def test_gates_are_updated_before_the_card_and_only_what_differs() -> None:
    run = asked()
    story = story_of(run)
    story.resume(0, [request(asked_seq(run), 0)])
    agenda = agenda_of(story)
    updates = list(agenda.updates())
    assert [(update.key, update.priority, update.is_card) for update in updates] == [
        (f"approval:{asked_seq(run)}:0", Priority.APPROVAL, False),
        ("card", Priority.CARD, True),
    ]
    for update in updates:
        story.record(update.key, Posted("C1", "1.0", update.message.digest))
    assert list(agenda.updates()) == []
    run.vote("publish")
    story.read(run.last.events)
    assert [update.key for update in agenda.updates()] == [update.key for update in updates]


def test_what_cannot_be_changed_any_more_is_left() -> None:
    run = asked()
    story = story_of(run)
    story.resume(0, [request(asked_seq(run), 0)])
    story.record(f"approval:{asked_seq(run)}:0", Posted("C1", "1.1", failed="cant_update_message"))
    assert [update.key for update in agenda_of(story).updates()] == ["card"]
