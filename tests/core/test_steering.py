"""What operators may do to a run, and what they are told where it cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core import commands as c
from engine.core import events as e
from engine.core.failures import FailureClass
from engine.core.questions import asked
from engine.core.state import RunStatus, StepStatus
from tests.core.driver import ANA, BEN, Run, workflow


def noop(id_: str, **more: Any) -> dict[str, Any]:
    return {"id": id_, "uses": "noop", **more}


def failed(*steps: dict[str, Any], **more: Any) -> Run:
    """A run whose first step has failed for good."""
    run = Run(workflow(*steps, **more))
    run.look()
    run.fail(steps[0]["id"], FailureClass.PERMANENT)
    return run


def refused(run: Run, command: c.Command) -> str:
    before = run.state
    reply = run.do(command)
    assert run.state == before, "a refusal changes nothing"
    assert isinstance(reply, c.NotAllowed), reply
    return reply.reason


def test_a_paused_run_starts_nothing_and_goes_on_where_it_was() -> None:
    run = Run(workflow(noop("a"), noop("b")))
    run.look()
    run.do(c.Pause(BEN, "lunch"))
    run.succeed("a")
    run.look(after=5_000)
    assert run.state.status is RunStatus.PAUSED
    assert run.state.step("b").status is StepStatus.READY
    run.do(c.Resume(BEN))
    run.look()
    assert run.state.step("b").status is StepStatus.RUNNING


def test_a_paused_run_can_be_cancelled_and_its_deadline_stands() -> None:
    run = Run(workflow(noop("a"), timeout="1h"))
    run.do(c.Pause(BEN))
    run.do(c.Cancel(ANA))
    assert run.state.status is RunStatus.CANCELLED
    late = Run(workflow(noop("a"), timeout="1h"))
    late.do(c.Pause(BEN))
    late.do(c.Look(), after=3_600_000)
    assert late.new == ["RUN_TIMED_OUT", "RUN_FAILED"]


def test_redrive_gives_all_attempts_back_and_keeps_recorded_effects() -> None:
    run = Run(workflow(noop("a", retry={"attempts": 2}), noop("b")))
    run.look()
    token = run.state.step("a").token
    run.do(c.BeginEffect("a", token, "pay", "key"))
    run.do(c.RecordEffect("a", token, "pay", "receipt"))
    run.fail("a")
    run.look(after=60_000)
    run.fail("a")
    assert run.new == ["STEP_FAILED", "STEP_DEAD_LETTERED", "RUN_FAILED"]
    run.do(c.Redrive(BEN, "network mended"))
    assert run.new == ["RUN_REOPENED", "STEP_REDRIVEN"]
    run.look()
    again = run.state.step("a")
    assert (again.attempt, again.generation) == (1, 1)
    assert run.do(c.BeginEffect("a", again.token, "pay", "key")) == c.EffectKnown("receipt")


def test_the_dead_letter_says_what_was_tried_and_why_it_stopped() -> None:
    run = Run(workflow(noop("a", retry={"attempts": 2})))
    run.look()
    run.fail("a")
    run.look(after=60_000)
    run.fail("a")
    assert run.state.step("a").dead == (
        "Tried 2 times in 1 min; the last try ended with: connection refused. All 2 attempts are used up."
    )
    assert failed(noop("a")).state.step("a").dead == (
        "Its only try ended with: connection refused. A failure of this class (permanent) is not tried again."
    )


def test_retry_from_a_step_does_it_and_what_follows_anew_under_new_keys() -> None:
    run = Run(workflow(noop("a"), noop("b"), noop("c", needs=["a"])))
    run.look()
    run.succeed("a", 1)
    run.succeed("c", 3)
    run.fail("b", FailureClass.PERMANENT)
    run.do(c.RetryFrom("b", BEN, "again"))
    assert run.new == ["RUN_REOPENED", "STEPS_RESET"]
    assert run.state.step("b").generation == 2
    assert run.state.step("c").status is StepStatus.COMPLETED, "it does not follow from b"
    run.look()
    run.succeed("b")
    assert run.state.status is RunStatus.COMPLETED


def test_a_step_is_skipped_or_given_its_output_by_hand() -> None:
    run = failed(noop("a"), {"id": "b", "set": {"v": "${{ steps.a.output }}"}})
    run.do(c.SetOutput("a", "by hand", BEN, "it was done by phone"))
    assert run.state.status is RunStatus.COMPLETED
    assert run.state.step("b").output == {"v": "by hand"}
    other = failed(noop("a"), noop("b"))
    other.do(c.SkipStep("a", BEN, "not needed"))
    assert other.state.step("a").status is StepStatus.SKIPPED
    assert other.state.step("b").status is StepStatus.READY


@pytest.mark.parametrize("answer", ["happened", "did_not_happen", "fail"])
def test_an_uncertain_outcome_waits_for_a_person_who_says_what_became_of_it(answer: Any) -> None:
    run = Run(workflow(noop("a", repeatable=False, retry={"attempts": 5})))
    run.look()
    run.look(after=30_000, worker="w2")
    assert run.new == ["STEP_FAILED", "STEP_UNCERTAIN"], "it is not tried again by itself"
    run.look(after=10**7, worker="w2")
    assert run.new == []
    run.do(c.Settle("a", answer, BEN, result="receipt"))
    if answer == "happened":
        assert run.state.step("a").output == "receipt"
        assert run.state.status is RunStatus.COMPLETED
    elif answer == "fail":
        assert run.state.status is RunStatus.FAILED
    else:
        run.look()
        assert run.state.step("a").generation == 2, "its effects get new keys"
        assert run.state.step("a").status is StepStatus.RUNNING


def test_an_answer_about_an_earlier_attempt_of_unknown_outcome_counts_no_more() -> None:
    run = Run(workflow(noop("a", repeatable=False)))
    run.look()
    run.look(after=30_000, worker="w2")
    first = asked(run.state.step("a"))
    run.do(c.Settle("a", "did_not_happen", BEN, asked=first))
    assert asked(run.state.step("a")) == 0
    run.look(worker="w2")
    run.look(after=30_000, worker="w3")
    late = run.do(c.Settle("a", "happened", BEN, "receipt", asked=first))
    assert late == c.NotAllowed("a was run again since, and asks anew")
    assert run.new == []
    run.do(c.Settle("a", "happened", BEN, "receipt", asked=asked(run.state.step("a"))))
    assert run.state.status is RunStatus.COMPLETED


def test_a_failure_that_the_step_knows_is_not_uncertain() -> None:
    run = Run(workflow(noop("a", repeatable=False, retry={"attempts": 2})))
    run.look()
    run.fail("a", known=True)
    assert run.new == ["STEP_FAILED", "STEP_RETRIED"]


def test_what_cannot_be_done_says_what_can() -> None:
    done = Run(workflow(noop("a")))
    done.look()
    done.succeed("a")
    assert "fork it" in refused(done, c.Redrive(BEN))
    assert "fork it" in refused(done, c.RetryFrom("a", BEN))
    busy = Run(workflow(noop("a"), noop("b")))
    busy.look()
    assert "at work" in refused(busy, c.SkipStep("a", BEN))
    assert "no step nope" in refused(busy, c.SkipStep("nope", BEN))
    assert "dead letters" in refused(busy, c.Redrive(BEN))
    assert "has not run yet" in refused(busy, c.RetryFrom("b", BEN)) or "at work" in refused(
        busy, c.RetryFrom("b", BEN)
    )
    assert "not uncertain" in refused(busy, c.Settle("a", "happened", BEN))
    undone = Run(workflow(noop("a", undo={"uses": "noop"}), noop("b")))
    undone.look()
    undone.succeed("a")
    undone.fail("b", FailureClass.PERMANENT)
    assert "undoing" in refused(undone, c.Redrive(BEN))
    undone.succeed("a!undo")
    assert "was undone" in refused(undone, c.Redrive(BEN))


def test_a_run_is_moved_to_a_definition_whose_steps_have_other_names() -> None:
    run = Run(workflow(noop("a"), noop("old"), noop("z")))
    run.look()
    run.do(c.Pause(BEN))
    run.succeed("a", 1)
    other = Run(workflow(noop("a"), noop("new"), noop("y"), noop("z")))
    assert "map it" in refused(run, c.Move("f" * 64, other.plan, BEN, {}))
    run.do(c.Move("f" * 64, other.plan, BEN, {"old": "new"}, "renamed"))
    assert run.new == ["RUN_MOVED"]
    run.do(c.Resume(BEN))
    run.look()
    for step in ("new", "y", "z"):
        run.succeed(step)
    assert run.state.status is RunStatus.COMPLETED


def test_labels_are_set_and_taken_away() -> None:
    run = Run(workflow(noop("a")), started={"labels": {"team": "web"}})
    run.do(c.Label({"env": "prod", "team": None}, BEN))
    assert dict(run.state.labels) == {"env": "prod"}
    assert "at most" in refused(run, c.Label({f"l{n}": "x" for n in range(30)}, BEN))


@pytest.mark.parametrize("command", [c.Pause(BEN), c.Pause(ANA, order=7), c.Label({"env": "prod"}, BEN)])
def test_what_is_so_already_is_told_whatever_else_happens_at_that_moment(command: c.Command) -> None:
    run = Run(workflow({"id": "go", "approval": {"title": "Go?", "approvers": ["@ana"], "remind_every": "1m"}}))
    run.look()
    assert run.do(command) == c.Accepted()
    assert run.do(command, after=60_000) == c.Nothing()
    assert run.new == ["APPROVAL_REMINDED"]


def test_there_is_nothing_to_do_where_nobody_holds_the_run_or_it_is_stopping() -> None:
    run = Run(workflow(noop("a")))
    run.look()
    assert run.do(c.Resume(BEN)) == c.Nothing()
    assert run.do(c.Resume(ANA, order=7)) == c.Nothing()
    assert run.do(c.Label({"env": None}, BEN)) == c.Nothing()
    run.do(c.Cancel(BEN))
    assert run.do(c.Cancel(ANA)) == c.Nothing()


def test_a_pause_does_not_hold_back_what_undoes_a_cancelled_run() -> None:
    run = Run(workflow(noop("a", undo={"uses": "noop"}), noop("b")))
    run.look()
    run.succeed("a")
    run.do(c.Pause(BEN))
    run.do(c.Cancel(ANA))
    run.succeed("b")
    run.look()
    run.succeed("a!undo")
    assert run.state.status is RunStatus.CANCELLED


def test_a_run_whose_time_is_over_in_line_handles_its_failure_without_its_turn() -> None:
    definition = workflow(noop("a"), timeout="1m", on_failure=[noop("tell")], concurrency={"key": "k"})
    run = Run(definition, started={"concurrency": e.InLine(key="k", limit=1)})
    crowded = frozenset({c.SlotFree("k", 1)})
    run.do(c.Look(run.claim()), after=60_000, refused=crowded)
    assert run.state.step("on_failure/tell").status is StepStatus.RUNNING
    run.succeed("on_failure/tell")
    assert run.state.status is RunStatus.FAILED


def test_a_child_is_held_by_its_parent_whatever_order_the_words_arrive_in() -> None:
    run = Run(workflow(noop("a")))
    run.do(c.Resume(BEN, "again", order=13))
    run.do(c.Pause(BEN, "lunch", order=11))
    assert run.state.paused is not None
    run.do(c.Resume(BEN, "again", order=13))
    assert run.state.paused is None, "told again, it counts"
    run.do(c.Pause(BEN, "lunch", order=11))
    assert run.state.paused is None, "an old word does not"


def test_a_person_cannot_resume_what_the_parent_holds_but_its_own_pause() -> None:
    run = Run(workflow(noop("a")))
    run.do(c.Pause(ANA, "wait", order=5))
    assert "part of is paused" in refused(run, c.Resume(BEN))
    run.do(c.Pause(BEN, "mine"))
    run.do(c.Resume(ANA, order=9))
    assert run.state.paused is not None
    assert run.state.paused.by == BEN
    run.do(c.Resume(BEN))
    assert run.state.paused is None
