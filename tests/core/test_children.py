"""What a child run is started with: its line, and what the expressions of a part of a loop see of the run around it."""

from __future__ import annotations

from typing import Any

from engine.core import commands as c
from engine.core import events as e
from engine.core.children import child_start
from engine.core.decide import decide, start
from engine.core.definition import Workflow
from engine.core.failures import FailureClass
from engine.core.fold import begin
from engine.core.graph import Plan
from engine.core.scope import scope
from tests.core.driver import Run, workflow

ONE_AT_A_TIME = {"key": "k", "limit": 1}
INNERMOST = Workflow.model_validate(
    {"name": "innermost", "steps": [{"id": "a", "uses": "noop"}], "concurrency": ONE_AT_A_TIME}
)
INNER = Workflow.model_validate(
    {
        "name": "inner",
        "steps": [{"id": "call", "workflow": {"name": "innermost", "definition": INNERMOST.hash}}],
        "concurrency": {"key": "another"},
    }
)
CHILDREN = {INNERMOST.hash: Plan.of(INNERMOST)}
HELD: dict[str, Any] = {"concurrency": e.InLine(key="k", limit=1)}


def asked(run: Run) -> e.ChildStarted:
    return next(one.event for one in run.log if isinstance(one.event, e.ChildStarted))


def test_a_run_is_not_in_line_behind_any_of_those_that_it_is_done_for() -> None:
    children = {INNER.hash: Plan.of(INNER, CHILDREN)}
    outer = Run(
        workflow({"id": "call", "workflow": {"name": "inner", "definition": INNER.hash}}),
        children=children,
        started=HELD,
    )
    outer.look()
    inner = child_start(outer.state, asked(outer))
    assert inner.concurrency is not None
    assert inner.concurrency.key == "another"
    state = start("run_inner", children[INNER.hash], inner, outer.now).state
    calls = decide(state, c.Look(outer.claim()), outer.now).events
    innermost = child_start(state, next(one.event for one in calls if isinstance(one.event, e.ChildStarted)))
    assert innermost.concurrency is None, "outer holds the key until innermost has ended"
    assert innermost.keys_around == ("k", "another")


def test_the_items_of_a_large_loop_are_not_in_line_behind_the_run_that_has_the_loop() -> None:
    call = {"workflow": {"name": "innermost", "definition": INNERMOST.hash}}
    loop = {"id": "each", "for_each": {"items": list(range(51)), "max_items": 60}, **call}
    outer = Run(workflow(loop), children=CHILDREN, started=HELD)
    outer.look()
    part = child_start(outer.state, asked(outer))
    state = start("run_part", outer.plan.part("each"), part, outer.now).state
    calls = list(start("run_part", outer.plan.part("each"), part, outer.now).events)
    item = child_start(state, next(one.event for one in calls if isinstance(one.event, e.ChildStarted)))
    assert item.concurrency is None


def test_a_part_sees_the_run_that_it_is_a_part_of_and_why_that_failed() -> None:
    words = {"x": "${{ item }} ${{ run.id }} ${{ failure.reason }}"}
    tell = {"id": "tell", "for_each": {"items": list(range(51)), "max_items": 60}, "uses": "noop", "with": words}
    outer = Run(workflow({"id": "a", "uses": "noop"}, on_failure=[tell]))
    outer.look()
    outer.fail("a", FailureClass.PERMANENT)
    part = child_start(outer.state, asked(outer))
    plan = outer.plan.part("on_failure/tell")
    state = begin("run_part", plan, part, outer.now)
    node = plan.node("tell[3]")
    begun = start("run_part", plan, part, outer.now).state
    values = {one.seq: e.value_of(one.event) for one in start("run_part", plan, part, outer.now).events}
    assert node.arguments.render(scope(begun, "tell[3]", values)) == {"x": "3 run_t connection refused"}
    assert state.run == "run_part"
