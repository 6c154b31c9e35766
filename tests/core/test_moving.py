"""A run that moves to another definition keeps its counts, its names, its children and the keys of its effects."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core import checkpoint
from engine.core import commands as c
from engine.core.definition import Workflow
from engine.core.failures import FailureClass
from engine.core.fold import fold
from engine.core.graph import Plan
from engine.core.state import RunState, RunStatus, StepStatus
from tests.core.driver import BEN, Run, workflow

CHILD = Workflow.model_validate({"name": "child", "steps": [{"id": "only", "uses": "noop"}]})
CHILDREN = {CHILD.hash: Plan.of(CHILD)}
PLANS: dict[str, Plan] = {}
"""All that runs were moved to."""


def noop(id_: str, **more: Any) -> dict[str, Any]:
    return {"id": id_, "uses": "noop", **more}


def each(*inside: dict[str, Any], id_: str = "each") -> dict[str, Any]:
    return {"id": id_, "for_each": {"items": [1, 2], "max_items": 2, "max_parallel": 1}, "steps": inside}


def move(run: Run, *steps: dict[str, Any], renamed: dict[str, str] | None = None, **more: Any) -> c.Reply:
    other = workflow(*steps, **more)
    plan = Plan.of(other, CHILDREN)
    reply = run.do(c.Move(other.hash, plan, BEN, renamed or {}))
    if isinstance(reply, c.Accepted):
        PLANS[other.hash] = plan
        assert fold("run_t", run.plan, run.log, PLANS) == run.state
        assert checkpoint.restore(checkpoint.parse(checkpoint.to_text(run.state)), plan) == run.state
    return reply


def finish(run: Run) -> RunState:
    """Every step that starts succeeds."""
    for _ in range(20):
        run.look(after=60_000)
        for path, _step in tuple(run.state.opened(StepStatus.RUNNING)):
            run.succeed(path, path)
    return run.state


@pytest.mark.parametrize(
    ("before", "after"), [(("b", "c"), ("b",)), (("b",), ("b", "c")), (("b", "c"), ("b", "x", "c"))]
)
def test_a_group_at_work_has_as_many_steps_left_as_the_other_definition_says(
    before: tuple[str, ...], after: tuple[str, ...]
) -> None:
    run = Run(workflow(each(*(noop(id_) for id_ in before))))
    run.look()
    assert move(run, each(*(noop(id_) for id_ in after))) == c.Accepted()
    state = finish(run)
    assert state.status is RunStatus.COMPLETED
    done = {one.event.step for one in run.log if one.event.type == "STEP_STARTED"}  # type: ignore[union-attr]
    assert done == {f"each[{item}]/{id_}" for item in (0, 1) for id_ in after}


def test_a_step_at_work_keeps_its_name() -> None:
    run = Run(workflow(noop("tag")))
    run.look()
    reply = move(run, noop("label"), renamed={"tag": "label"})
    assert isinstance(reply, c.NotAllowed)
    assert "at work" in reply.reason


def test_a_step_that_is_renamed_between_attempts_keeps_the_key_of_its_effects() -> None:
    run = Run(workflow(noop("tag", retry={"attempts": 3})))
    run.look()
    run.fail("tag")
    assert move(run, noop("label", retry={"attempts": 3}), renamed={"tag": "label"}) == c.Accepted()
    run.look(after=60_000)
    run.fail("label")
    assert move(run, noop("mark", retry={"attempts": 3}), renamed={"label": "mark"}) == c.Accepted()
    run.look(after=60_000)
    assert run.state.step("mark").keyed_as == "tag"
    run.succeed("mark")
    assert run.state.status is RunStatus.COMPLETED


def test_the_end_of_a_child_reaches_a_step_that_was_renamed_meanwhile() -> None:
    call = {"workflow": {"name": "child", "definition": CHILD.hash}}
    run = Run(workflow({"id": "call", **call}), children=CHILDREN)
    child = run.state.step("call").child
    assert move(run, {"id": "ask", **call}, renamed={"call": "ask"}) == c.Accepted()
    run.do(c.ChildEnded("call", child, RunStatus.COMPLETED, "from the child"))
    assert run.state.step("ask").output == "from the child"
    assert run.state.status is RunStatus.COMPLETED


def test_a_vote_reaches_a_gate_that_was_renamed_meanwhile() -> None:
    gate = {"approval": {"title": "?", "approvers": ["@x"]}}
    run = Run(workflow({"id": "old", **gate}))
    asked = run.state.step("old").gate
    assert asked is not None
    assert move(run, {"id": "new", **gate}, renamed={"old": "new"}) == c.Accepted()
    assert run.vote("old", version=asked.version) == c.Accepted()
    assert run.state.status is RunStatus.COMPLETED


def test_a_loop_that_was_renamed_still_says_which_item_has_failed() -> None:
    run = Run(workflow({**each(noop("b")), "for_each": {"items": [1, 2], "max_items": 2}}))
    run.look()
    run.fail("each[1]/b", FailureClass.PERMANENT)
    assert isinstance(move(run, each(noop("b"), id_="all"), renamed={"each": "all"}), c.NotAllowed), "item 0 is at work"
    run.do(c.HandBack("each[0]/b", run.state.step("each[0]/b").token, "w1"))
    assert run.state.end is not None
    assert run.state.end.reason.startswith("each[1]")


def test_what_can_be_undone_by_the_old_definition_alone_is_left() -> None:
    run = Run(workflow(noop("a", undo={"uses": "noop"}), noop("b", undo={"uses": "noop"}), noop("c")))
    run.look()
    run.succeed("a")
    run.succeed("b")
    assert move(run, noop("a"), noop("b", undo={"uses": "noop"}), noop("c")) == c.Accepted()
    run.fail("c", FailureClass.PERMANENT)
    assert run.state.undoing == ("b",)
    assert finish(run).status is RunStatus.FAILED


@pytest.mark.parametrize(
    ("renamed", "words"),
    [
        ({"a": "nowhere"}, "no step of the other definition"),
        ({"nobody": "x"}, "no step of the run"),
        ({"a": "c"}, "two steps of the run would be c"),
        ({"a": "x", "c": "x"}, "two steps of the run would be x"),
    ],
)
def test_names_that_lead_nowhere_or_together_are_refused(renamed: dict[str, str], words: str) -> None:
    run = Run(workflow(noop("a"), noop("c")))
    run.look()
    run.succeed("a")
    before = run.state
    reply = move(run, noop("c"), noop("x"), renamed=renamed)
    assert isinstance(reply, c.NotAllowed)
    assert words in reply.reason
    assert run.state == before


def test_a_run_that_was_reopened_keeps_its_deadline() -> None:
    steps = (noop("a"), noop("b"))
    run = Run(workflow(*steps, timeout="1m"))
    run.look()
    run.fail("a", FailureClass.PERMANENT)
    run.do(c.Redrive(BEN), after=600_000)
    assert move(run, *steps, timeout="2m") == c.Accepted()
    assert run.state.deadline == run.now + 120_000


def test_whether_anybody_has_the_code_is_seen_anew() -> None:
    run = Run(workflow({"id": "a", "uses": "rare"}))
    run.look()
    assert run.state.step("a").awaited
    assert move(run, noop("a")) == c.Accepted()
    assert not run.state.step("a").awaited
    assert finish(run).status is RunStatus.COMPLETED
