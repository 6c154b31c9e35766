"""Self-correction: what is mended, what is never touched, what is given up, and what a person can do then."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

from engine.core import commands as c
from engine.core import events as e
from engine.core.failures import FailureClass, StepError
from engine.core.given import arguments
from engine.core.spending import Cost, Spend
from engine.core.state import StepStatus
from engine.testing import Called, Rehearsal, Rehearsed, settled_by
from tests.core.driver import BEN, Run, workflow

WRITE = """
name: write
steps:
  - id: notes
    uses: t.write
    with: {{prompt: "Write.", tone: dry}}
    check: size(steps.notes.output) < 10
    {more}
    correct:
      model: local:scripted
      may_change: [prompt]
      attempts: 2
output: ${{{{ steps.notes.output }}}}
"""


def proposal(prompt: str | None, **more: JsonValue) -> JsonValue:
    changes: dict[str, JsonValue] = {} if prompt is None else {"prompt": prompt}
    return {"changes": {**changes, **more}, "seen": "It is too long", "why": "Ask for less", "cost": 3}


def rehearse(folder: Path, stubs: Mapping[str, Any], more: str = "", **given: Any) -> Rehearsed:
    file = folder / "write.yaml"
    file.write_text(WRITE.format(more=more), encoding="utf-8")
    return Rehearsal(file, stubs).run(**given)


def writes(args: Mapping[str, JsonValue], called: Called) -> JsonValue:
    return {"Write.": "much too long", "Write one word.": "short", "Write more.": "even much longer"}[
        str(args["prompt"])
    ]


def test_a_result_that_fails_its_check_is_mended_by_another_prompt(tmp_path: Path) -> None:
    run = rehearse(tmp_path, {"t.write": writes, "notes!correct": proposal("Write one word.")})
    assert run.completed, run.timeline()
    assert run.output == "short"
    question = run.called("llm.correct")[0]
    assert question["attempt"] == {"prompt": "Write.", "tone": "dry"}
    assert question["output"] == "much too long"
    assert question["failure"] == {
        "class": "invalid_output",
        "message": "its result does not fulfil its check: size(steps.notes.output) < 10",
    }
    assert [args["tone"] for args in run.called("t.write")] == ["dry", "dry"]
    keys = [called.idempotency_key for called in run.calls if called.uses == "t.write@1"]
    assert len(set(keys)) == 2, "what the first attempt recorded does not stand for the second"


def test_a_proposal_may_cost_what_is_left_after_all_that_was_asked_answered_or_not() -> None:
    rules = {"model": "local:echo", "may_change": ["prompt"], "attempts": 2, "cost": "0.10 USD"}
    run = Run(workflow({"id": "a", "uses": "noop", "with": {"prompt": "Write."}, "correct": rules}))
    run.look()
    run.fail("a", FailureClass.INVALID_INPUT)
    run.look()
    ask(run)
    assert left(run) == 100_000
    run.fail("a!correct")
    run.look(after=600_000)
    assert left(run) == 60_000, "nobody knows what became of the first question: it counts as the most"
    ask(run)
    run.do(c.RecordEffect("a!correct", run.state.step("a!correct").token, "ask", "{}", Cost(15_000)))
    given = {"changes": {"prompt": "Write less."}, "seen": "too long", "why": "less", "cost": 15_000}
    run.succeed("a!correct", given)
    run.look()
    run.fail("a", FailureClass.INVALID_INPUT)
    assert left(run) == 45_000
    assert run.refolded() == run.state


def ask(run: Run) -> None:
    spend = Spend(40_000, "gpt-x", "openai")
    run.do(c.BeginEffect("a!correct", run.state.step("a!correct").token, "ask", "key", spend))


def left(run: Run) -> JsonValue:
    values = {one.seq: e.value_of(one.event) for one in run.log}
    return arguments(run.state, "a!correct", values)["left"]


def test_the_model_is_told_what_was_changed_before(tmp_path: Path) -> None:
    asked = [proposal("Write more."), proposal("Write one word.")]
    run = rehearse(tmp_path, {"t.write": writes, "notes!correct": asked})
    assert run.completed
    first, second = run.called("llm.correct")
    assert first["before"] == []
    assert second["before"] == ["saw: It is too long; changed: prompt; why: Ask for less"]
    assert second["attempt"] == {"prompt": "Write more.", "tone": "dry"}


@pytest.mark.parametrize(
    "cls", [FailureClass.TRANSIENT, FailureClass.RATE_LIMITED, FailureClass.PERMISSION, FailureClass.PERMANENT]
)
def test_what_no_change_can_mend_never_reaches_a_model(tmp_path: Path, cls: FailureClass) -> None:
    run = rehearse(tmp_path, {"t.write": StepError("no", cls)}, "retry: {attempts: 2, initial: 1s}")
    assert run.failed
    assert run.called("llm.correct") == []


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (proposal("Write."), "it is the same attempt as one before"),
        (proposal(None), "it is the same attempt as one before"),
        (proposal("Write one word.", tone="wet"), "it would change tone; only prompt may be changed"),
        ({"text": "no idea"}, "the model proposed no change"),
        (StepError("nobody there", FailureClass.PERMANENT), "the model could not be asked: nobody there"),
    ],
)
def test_a_proposal_that_may_not_be_tried_ends_with_a_person(tmp_path: Path, answer: Any, why: str) -> None:
    run = rehearse(tmp_path, {"t.write": writes, "notes!correct": answer})
    assert run.steps["notes"] == "given_up"
    correction = run.state.steps["notes"].correction
    assert correction is not None
    assert correction.summary.endswith(f"No further correction: {why}.")


def test_when_its_attempts_are_used_up_a_person_is_asked(tmp_path: Path) -> None:
    again = {"t.write": ["much too long", "still too long", "far too long"]}
    both = [proposal("Write more."), proposal("Write much more.")]
    run = rehearse(tmp_path, {**again, "notes!correct": both})
    correction = run.state.steps["notes"].correction
    assert correction is not None
    assert correction.summary == (
        "Corrected 2 times; the last try ended with: its result does not fulfil its check: "
        "size(steps.notes.output) < 10. No further correction: 2 times are the most."
    )


def test_a_person_tries_it_with_a_change_of_their_own(tmp_path: Path) -> None:
    answer = settled_by("Ana", "retry", after="1h", result={"prompt": "Write one word."})
    run = rehearse(tmp_path, {"t.write": writes, "notes!correct": proposal("Write.")}, decide={"notes": answer})
    assert run.completed, run.timeline()
    assert run.output == "short"


def test_a_person_accepts_what_there_is_or_lets_it_fail(tmp_path: Path) -> None:
    stubs = {"t.write": writes, "notes!correct": proposal("Write.")}
    accepted = rehearse(tmp_path, stubs, decide={"notes": settled_by("Ana", "accept", after="1h")})
    assert accepted.completed
    assert accepted.output == "much too long"
    failed = rehearse(tmp_path, stubs, decide={"notes": settled_by("Ana", "fail", after="1h", reason="no use")})
    assert failed.failed
    assert "Ana said that it failed: no use" in failed.reason


def test_what_is_accepted_is_what_the_last_attempt_gave(tmp_path: Path) -> None:
    gave = {"t.write": ["much too long", "still too long", "far too long"]}
    both = [proposal("Write more."), proposal("Write much more.")]
    answer = settled_by("Ana", "accept", after="1h")
    run = rehearse(tmp_path, {**gave, "notes!correct": both}, decide={"notes": answer})
    assert run.output == "far too long"


def given_up() -> Run:
    """The correction and the attempt after it have failed."""
    rules = {"model": "local:echo", "may_change": ["prompt"], "attempts": 1}
    step = {
        "id": "a",
        "uses": "noop",
        "with": {"prompt": "Write."},
        "check": "steps.a.output == 'ok'",
        "correct": rules,
    }
    run = Run(workflow(step))
    run.look()
    run.fail("a", FailureClass.INVALID_INPUT)
    run.look()
    run.succeed("a!correct", {"changes": {"prompt": "Write less."}, "seen": "too long", "why": "less"})
    run.look()
    run.fail("a", FailureClass.INVALID_INPUT)
    assert run.state.step("a").status is StepStatus.GIVEN_UP
    return run


def test_nothing_is_accepted_where_no_attempt_gave_anything() -> None:
    assert isinstance(given_up().do(c.Settle("a", "accept", BEN)), c.NotAllowed)
    run = given_up()
    run.do(c.Settle("a", "accept", BEN, "mine"))
    assert run.state.step("a").output == "mine"


def test_a_person_cannot_try_the_last_attempt_once_more() -> None:
    run = given_up()
    reply = run.do(c.Settle("a", "retry", BEN, {"prompt": "Write less."}))
    assert reply == c.NotAllowed("a is not tried again so: it is the same attempt as one before")


def test_an_answer_to_an_earlier_question_counts_no_more() -> None:
    run = given_up()
    first = run.state.step("a").correction
    assert first is not None
    run.do(c.Settle("a", "retry", BEN, {"prompt": "Write ok."}, asked=first.asked))
    run.look()
    run.fail("a", FailureClass.INVALID_INPUT)
    again = run.state.step("a").correction
    assert again is not None
    assert again.asked > first.asked
    late = run.do(c.Settle("a", "fail", BEN, asked=first.asked))
    assert late == c.NotAllowed("a was tried again since, and asks anew")
    assert isinstance(run.do(c.Settle("a", "fail", BEN, asked=again.asked)), c.Accepted)
