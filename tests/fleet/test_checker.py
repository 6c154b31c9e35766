"""The fleet's checker sees whatever must never be: a right history, made wrong in one place at a time."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from tests.fleet import checker, constructs, evidence, loops, sql, stories, teller, timeline
from tests.fleet.checker import check
from tests.fleet.evidence import Event, Evidence, Run
from tests.fleet.scenes import (
    FAILING,
    GIVEN,
    RUN,
    STORY,
    Scene,
    done,
    failed,
    given_up,
    lively,
    payment,
    right,
    started,
    vote,
)
from tests.fleet.stories import Expected
from tests.fleet.teller import tell


def test_nothing_is_found_where_all_is_right() -> None:
    assert right().findings() == []


def test_a_step_that_kills_its_workers_is_given_up_in_time() -> None:
    poison = Expected(path="note", ends="failed", poison=True)
    for losses, findings in ((2, 0), (3, 1)):
        scene = given_up(losses)
        scene.story = replace(STORY, steps={"note": poison})
        assert len(scene.findings()) == findings


def test_nothing_is_found_in_a_lively_run() -> None:
    assert lively().findings() == []


def test_a_step_whose_workers_are_lost_again_and_again_may_be_given_up() -> None:
    assert given_up(2).findings() == []
    assert any("failed by note (lost), which had to work" in found for found in given_up(1).findings())


def late_effect(scene: Scene) -> None:
    scene.payments.append(payment("w2", 1_011, receipt=2))


def twice_by_one(scene: Scene) -> None:
    scene.payments.append(payment("w1", 1_006, receipt=2))


def late_result(scene: Scene) -> None:
    scene.events[scene.at("STEP_COMPLETED", 1)][1]["output"]["by"] = "w1"


def replace_event(kind: str, nth: int, **data: Any) -> Callable[[Scene], None]:
    def change(scene: Scene) -> None:
        place = scene.at(kind, nth)
        scene.events[place] = (kind, {**scene.events[place][1], **data})

    return change


def drop(kind: str, nth: int = 0) -> Callable[[Scene], None]:
    return lambda scene: scene.events.pop(scene.at(kind, nth)) and None


def again(kind: str, nth: int = 0) -> Callable[[Scene], None]:
    """The event once more, right after itself."""
    return lambda scene: scene.events.insert(scene.at(kind, nth), scene.events[scene.at(kind, nth)])


def put(place_of: str, kind: str, **data: Any) -> Callable[[Scene], None]:
    """One more event, right before another."""
    return lambda scene: scene.insert(scene.at(place_of), kind, **data)


def swap(kind: str, other: str) -> Callable[[Scene], None]:
    def change(scene: Scene) -> None:
        one, two = scene.at(kind), scene.at(other)
        scene.events[one], scene.events[two] = scene.events[two], scene.events[one]

    return change


def set_field(name: str, value: Any) -> Callable[[Scene], None]:
    return lambda scene: setattr(scene, name, value)


def people(*lines: dict[str, Any]) -> Callable[[Scene], None]:
    return lambda scene: scene.people.extend(lines)


def has_ended(status: str, *events: tuple[str, dict[str, Any]]) -> Callable[[Scene], None]:
    """The run ends as ``status``, by these events in place of its own last ones."""

    def change(scene: Scene) -> None:
        scene.events[scene.at("STEP_SKIPPED") :] = list(events)
        scene.status = status

    return change


CANCEL = ("RUN_CANCEL_REQUESTED", {"by": {"id": "ben"}})
CANCELLED = ("RUN_CANCELLED", {"by": {"id": "ben"}})
COMPLETED: tuple[str, dict[str, Any]] = ("RUN_COMPLETED", {})

WRONG: dict[str, tuple[Callable[[Scene], Any], str]] = {
    "a run that nobody started": (set_field("key", ""), "nobody started it"),
    "a run that was answered and is lost": (people({"fact": "started", "number": 8, "runs": ["run_2"]}), "nothing"),
    "one start, two runs": (people({"fact": "started", "number": 7, "runs": [RUN, "run_2"]}), "story 7 was begun as"),
    "events without a run": (set_field("strays", ["run_9"]), "is no run"),
    "another input": (replace_event("RUN_STARTED", 0, input={}), "not what it was given"),
    "the clock goes back": (set_field("shift", {3: -9}), "earlier than the event before"),
    "the row is behind": (set_field("last_seq", 16), "its row ends at seq 16"),
    "the row says something else": (set_field("status", "running"), "its row says running"),
    "the row has not ended": (set_field("ended_at", None), "its row says"),
    "open work after the end": (set_field("open_work", (5, "ready")), "it has ended, but has open work"),
    "a second beginning": (put("STEP_SKIPPED", "RUN_STARTED", input=GIVEN), "RUN_STARTED out of place"),
    "a second end": (again("RUN_COMPLETED"), "RUN_COMPLETED after the run's end"),
    "work after the end": (swap("RUN_COMPLETED", "STEP_SKIPPED"), "STEP_SKIPPED after the run's end"),
    "stuck": (drop("RUN_COMPLETED"), "stuck: it has not ended"),
    "a wrong end": (set_field("story", FAILING), "it completed, but had to fail"),
    "failed for no reason": (has_ended("failed", ("RUN_FAILED", {"step": "rest"})), "failed by rest"),
    "cancelled by nobody": (has_ended("cancelled", CANCEL, CANCELLED), "cancelled by nobody"),
    "cancelled without being asked": (has_ended("cancelled", CANCELLED), "to cancel it was not asked for"),
    "a cancel without effect": (has_ended("completed", CANCEL, COMPLETED), "ended as completed, but to cancel it was"),
    "a cancel forgotten": (people({"fact": "cancelled", "run": RUN, "reply": "Accepted"}), "accepted, and forgotten"),
    "cancelled twice": (has_ended("cancelled", CANCEL, CANCEL, CANCELLED), "a second request to cancel"),
    "started though cancelled": (has_ended("cancelled", CANCEL, started("rest")), "after the run was cancelled"),
    "a step left out": (drop("STEP_SKIPPED"), "completed without rest"),
    "a step that nobody knows": (put("STEP_SKIPPED", "STEP_SKIPPED", step="x"), "x was reached"),
    "ended otherwise": (replace_event("STEP_SKIPPED", 0, step="pay"), "pay skipped, but it had completed"),
    "skipped but due": (has_ended("completed", started("rest"), COMPLETED), "rest did not end, but had to"),
    "completed twice": (again("STEP_COMPLETED"), "note completed twice"),
    "completed by nobody": (drop("STEP_STARTED", 1), "no attempt of it counted"),
    "another's result": (late_result, "the result is w1's, but the attempt that counts w2's"),
    "another value": (replace_event("STEP_COMPLETED", 0, output={"value": "zz"}), "gave {'value': 'zz'}"),
    "two attempts at once": (again("STEP_STARTED"), "still counts"),
    "started though completed": (put("STEP_SKIPPED", *started("pay")[:1], **started("pay")[1]), "has completed"),
    "started too early": (replace_event("STEP_RETRIED", 0, at=1_005), "1 ms before its retry is due"),
    "started before its needs": (put("STEP_FAILED", *started("pay")[:1], **started("pay")[1]), "before note has ended"),
    "asked before its needs": (put("STEP_FAILED", "APPROVAL_REQUESTED", step="gate"), "gate begins before pay"),
    "a failure too few": (replace_event("STEP_FAILED", 0, failure={"cls": "worker_lost"}), "note failed as []"),
    "another failure": (replace_event("STEP_FAILED", 0, failure={"cls": "timeout"}), "failed as ['timeout']"),
    "failed after its end": (put("STEP_SKIPPED", *failed("pay", "x")[:1], **failed("pay", "x")[1]), "pay failed, but"),
    "handed back by nobody": (put("STEP_SKIPPED", "STEP_HANDED_BACK", step="pay"), "nobody has it"),
    "an effect made again": (late_effect, "was recorded at seq 9, and paid once more (receipt 2)"),
    "an effect made twice": (twice_by_one, "paid twice by the attempt of seq 7"),
    "an effect by a stranger": (set_field("payments", [payment("w9", 1_006)]), "had not started pay"),
    "an effect before its attempt": (set_field("payments", [payment("w1", 900)]), "had not started pay"),
    "an effect of no run": (
        lambda scene: scene.payments.append(replace(payment("w1", 1), key="run_9/pay/pay0/1")),
        "it is no run",
    ),
    "an effect never made": (set_field("payments", []), "a receipt that nobody gave"),
    "an effect not recorded": (drop("EFFECT_RECORDED"), "had to make ['pay0']"),
    "an effect recorded twice": (again("EFFECT_RECORDED"), "pay0 is recorded twice"),
    "recorded by nobody": (swap("EFFECT_RECORDED", "STEP_SKIPPED"), "recorded, but no attempt counted"),
    "not the recorded result": (
        replace_event("STEP_COMPLETED", 1, output={"value": "bb", "by": "w2", "receipts": []}),
        "gave the receipts []",
    ),
    "decided twice": (again("APPROVAL_GRANTED"), "gate is decided twice"),
    "decided unasked": (drop("APPROVAL_REQUESTED"), "nobody was asked"),
    "asked for twice": (again("APPROVAL_REQUESTED"), "asked for twice"),
    "decided by another": (replace_event("APPROVAL_GRANTED", 0, by={"id": "ben"}), "recorded as granted by ben"),
    "decided otherwise": (put("APPROVAL_GRANTED", "APPROVAL_DENIED", step="gate", by={"id": "ana"}), "was denied"),
    "two clicks counted": (people(vote(by="ben")), "2 people were told"),
    "a click on something else": (set_field("people", [vote(asked_seq=5)]), "click on another request"),
    "the starter decides": (set_field("people", [vote(by="starter")]), "who started the run was let decide"),
}


def paid_again(scene: Scene) -> None:
    scene.payments.append(replace(scene.payments[0], receipt=10, key=f"{RUN}/once/pay0/2"))


def cut(first: str, nth: int, count: int) -> Callable[[Scene], None]:
    """Without so many events, from one on."""

    def change(scene: Scene) -> None:
        place = scene.at(first, nth)
        del scene.events[place : place + count]

    return change


LIVELY_WRONG: dict[str, tuple[Callable[[Scene], Any], str]] = {
    "a nap too short": (replace_event("TIMER_SET", 0, at=1_008), "its timer fires 1 ms early"),
    "a timer out of nowhere": (again("TIMER_FIRED"), "a timer fires that was never set, or once more"),
    "a signal twice": (again("SIGNAL_RECEIVED"), "the signal m1 is received twice"),
    "a signal taken twice": (again("SIGNAL_MATCHED"), "takes a signal that is not there"),
    "another's word": (replace_event("SIGNAL_RECEIVED", 0, payload={"value": "no"}), "word gave {'value': 'no'}"),
    "too many items": (swap("RUN_PAUSED", "RUN_RESUMED"), "RUN_RESUMED twice"),
    "two items at once": (cut("STEP_COMPLETED", 2, 1), "more than 1 items are at work"),
    "started though held": (put("RUN_RESUMED", *started("once")[:1], **started("once")[1]), "while the run is paused"),
    "another list": (replace_event("STEP_COMPLETED", 4, output=[2]), "each gave [2]"),
    "an unrepeatable effect repeated": (paid_again, "must not be repeated, and was made 2 times"),
    "reopened for no reason": (put("STEP_UNCERTAIN", "RUN_REOPENED"), "reopened, but it had not failed"),
    "not undone": (cut("RUN_UNDOING", 0, 5), "it undid [], but had to undo ['more', 'make']"),
    "half undone": (cut("STEP_STARTED", -2, 2), "it ended before make!undo had"),
    "undone in the wrong order": (
        replace_event("RUN_UNDOING", 0, steps=["make", "more"]),
        "it undid ['make', 'more'], but had to undo ['more', 'make']",
    ),
    "undone at once": (cut("STEP_COMPLETED", -3, 1), "it ended before more!undo had"),
    "not handled": (cut("RUN_FAILURE_HANDLING", 0, 3), "its failure was not handled"),
    "half handled": (cut("STEP_COMPLETED", -1, 1), "it ended before on_failure/tell had"),
}


@pytest.mark.parametrize("what", LIVELY_WRONG)
def test_what_is_wrong_in_a_lively_run_is_found(what: str) -> None:
    make_wrong, finding = LIVELY_WRONG[what]
    scene = lively()
    make_wrong(scene)
    found = scene.findings()
    assert any(finding in each for each in found), found


def test_a_child_run_that_nobody_asked_for_is_found() -> None:
    stray = Run(id="run_2", key="", status="completed", ended_at=1, last_seq=0, events=[], open_work=None)
    assert [str(each) for each in check(Evidence(runs=[stray]), lambda _: STORY)] == ["run_2: nobody started it"]


CHILD = replace(STORY, steps={"note": replace(STORY.steps["note"], failures=())}, output={"value": "vv"})
CALL = Expected(path="call", ends="completed", kind="child", output={"value": "vv"}, child=CHILD)
GAVE: tuple[str, dict[str, Any]] = ("STEP_COMPLETED", {"step": "call", "output": {"value": "vv"}})
MADE: tuple[str, dict[str, Any]] = ("RUN_COMPLETED", {"output": {"value": "vv"}})


def called(run: str) -> tuple[str, dict[str, Any]]:
    return "CHILD_STARTED", {"step": "call", "run": run}


def a_run(id_: str, status: str, *facts: tuple[str, dict[str, Any]], parent: str | None = None) -> Run:
    first = {"input": GIVEN, "parent": None if parent is None else {"run": parent, "step": "call"}}
    events = enumerate([("RUN_STARTED", first), *facts], 1)
    return Run(
        id=id_,
        key="fleet/7" if parent is None else "",
        status=status,
        ended_at=1,
        last_seq=1 + len(facts),
        events=[Event(place, kind, place, data) for place, (kind, data) in events],
        open_work=None,
    )


def family(order: int | None) -> list[Run]:
    """A run that failed, as a step's workers were lost; its child was cancelled; redriven, it completed with another.

    ``order``: at which of the run's events, says the child, the run was stopping.
    """
    lost = [started("other"), failed("other", "worker_lost"), ("STEP_RETRIED", {"step": "other", "at": 0})]
    parent: list[tuple[str, dict[str, Any]]] = [
        called("run_2"),
        *lost,
        *lost[:-1],
        failed("call", "cancelled"),
        ("RUN_FAILED", {"step": "other", "reason": "lost"}),
        ("RUN_REOPENED", {}),
        ("STEP_REDRIVEN", {"step": "other"}),
        ("STEP_REDRIVEN", {"step": "call"}),
        called("run_3"),
        started("other"),
        done("other", "cc"),
        GAVE,
        COMPLETED,
    ]
    stopped: list[tuple[str, dict[str, Any]]] = [
        ("RUN_CANCEL_REQUESTED", {"by": {"id": "engine"}, "order": order}),
        CANCELLED,
    ]
    return [
        a_run(RUN, "completed", *parent),
        a_run("run_2", "cancelled", *stopped, parent=RUN),
        a_run("run_3", "completed", started("note"), done("note", "aa"), MADE, parent=RUN),
    ]


def judged(*runs: Run) -> list[str]:
    other = Expected(path="other", ends="completed", output={"value": "cc"})
    steps = {"call": CALL, "other": other} if len(runs) > 2 else {"call": CALL}
    return [str(each) for each in check(Evidence(runs=list(runs)), lambda _: replace(STORY, steps=steps))]


def test_a_child_run_is_held_to_its_own_story() -> None:
    found = judged(
        a_run(RUN, "completed", called("run_2"), GAVE, COMPLETED),
        a_run("run_2", "completed", started("note"), done("note", "zz"), COMPLETED, parent=RUN),
    )
    assert found == [
        "run_2: (story 7) it gave None, but had to give {'value': 'vv'}",
        "run_2: (story 7) note gave {'value': 'zz'}, but had to give {'value': 'aa'}",
    ]


def test_a_child_run_may_be_cancelled_where_its_parent_was_stopping_though_that_has_completed_since() -> None:
    lost, redriven = 7, 12
    for order in range(lost, redriven):
        assert judged(*family(order)) == []
    nobody = ["run_2: (story 7) it was cancelled by nobody"]
    for order in (None, lost - 1, redriven, 99):
        assert judged(*family(order)) == nobody, order


def test_the_histories_of_a_whole_family_are_kept() -> None:
    stranger = a_run("run_9", "completed", COMPLETED)
    evidence = Evidence(runs=[*family(None), stranger])
    assert evidence.families({"run_2"}) == {RUN, "run_2", "run_3"}
    assert evidence.families(set()) == set()


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_found(what: str) -> None:
    make_wrong, finding = WRONG[what]
    scene = right()
    make_wrong(scene)
    found = scene.findings()
    assert any(finding in each for each in found), found


def test_a_missing_event_is_found() -> None:
    events = [Event(1, "RUN_STARTED", 1, {"input": GIVEN}), Event(3, "RUN_COMPLETED", 2, {})]
    assert "seq 3: follows seq 1" in timeline.Timeline(events, lambda _: None).wrong


def test_the_text_of_a_large_output_is_measured() -> None:
    scene = right()
    scene.story = replace(STORY, steps={**STORY.steps, "note": replace(STORY.steps["note"], size=10)})
    assert any("gave 0 characters, but had to give 10" in each for each in scene.findings())


@pytest.mark.parametrize("module", [checker, constructs, evidence, loops, sql, stories, teller, timeline])
def test_the_judge_knows_nothing_of_the_engine(module: ModuleType) -> None:
    tree = ast.parse(inspect.getsource(module))
    imported = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    imported += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    assert not [name for name in imported if name.split(".")[0] in ("engine", "bot")]


def test_a_seed_repeats_its_stories() -> None:
    assert [tell(3, number) for number in range(50)] == [tell(3, number) for number in range(50)]


def test_stories_are_of_every_kind() -> None:
    told = [tell(1, number) for number in range(400)]
    steps = [step for story in told for step in story.steps.values()]
    assert {story.ends for story in told} == {"completed", "failed"}
    assert {step.ends for step in steps} == {"completed", "failed", "skipped"}
    assert {step.votes.verdict for step in steps if step.votes} == {"granted", "denied", "expired"}
    assert any(story.cancel_after is not None for story in told)
