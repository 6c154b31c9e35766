"""Steps that are held: by a switch that somebody has thrown, or by what else a person can lift."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.core import commands as c
from engine.core.deciding.draft import Draft
from engine.core.deciding.holding import hold
from engine.core.keys import Use
from engine.core.outlook import Due, DueKind, attention, due, something_ready, summary
from engine.core.state import Hold, RunStatus, StepStatus
from engine.core.switches import key_of
from tests.core.driver import ANA, Run


def noop(step: str, **more: Any) -> dict[str, Any]:
    return {"id": step, "uses": "noop", **more}


def next_look(run: Run) -> Due:
    look = due(run.state, run.now)
    assert look is not None
    return look


def begin(run: Run, step: str, *under: str) -> c.Reply:
    return run.do(c.BeginEffect(step, run.state.step(step).token, "pay", "k", under=under))


@pytest.mark.parametrize("key", ["everything", "workspace", "workflow:wf", "run:run_t", "step:noop"])
def test_a_thrown_switch_holds_what_would_start_under_it_until_it_is_lifted(make: Any, key: str) -> None:
    run = make(noop("a"), noop("b"))
    run.look()
    run.throw(key)
    run.succeed("a")
    assert run.new == ["STEP_COMPLETED", "STEP_HELD"]
    assert run.last.conditions == (c.AtEpoch(1),)
    held = run.state.step("b")
    assert (held.status, held.hold.keys, "Ben stopped" in held.hold.words) == (StepStatus.HELD, (key,), True)
    assert run.state.status is RunStatus.WAITING
    assert attention(run.state) == "held"
    assert "bad deploy" in summary(run.state)
    assert isinstance(run.look(), c.Nothing)

    run.throw()
    run.look(slots=0)
    assert run.new == ["STEP_RELEASED"]
    run.look()
    assert run.new == ["STEP_STARTED"]
    started = run.log[-1].event
    assert (started.attempt, started.epoch, run.last.conditions) == (1, 2, (c.AtEpoch(2),))


@pytest.mark.parametrize("key", ["workflow:other", "run:run_u", "step:noo", "provider:openai"])
def test_other_switches_hold_nothing(make: Any, key: str) -> None:
    run = make(noop("a"))
    run.throw(key)
    run.look()
    assert run.new == ["STEP_STARTED"]


def test_what_is_held_is_found_by_whoever_lifts_it_and_by_no_timer(make: Any) -> None:
    run = make(noop("a", needs=[]), noop("b", needs=[]))
    run.look(slots=1)
    run.throw("workspace")
    run.look()
    look = next_look(run)
    assert look.kind is DueKind.HELD, "though a is running, the run is found by what is held"
    assert look.at == run.state.step("a").lease_until
    run.succeed("a")
    assert next_look(run).at > run.now + 3_600_000
    assert not something_ready(run.state, run.now)


def test_another_switch_goes_on_holding_and_is_told(make: Any) -> None:
    run = make(noop("a"))
    run.throw("workspace", "workflow:wf")
    run.look()
    run.throw("workflow:wf")
    run.look()
    assert run.new == ["STEP_HELD"]
    assert run.state.step("a").hold.keys == ("workflow:wf",)


def test_a_running_attempt_is_given_back_as_held_and_costs_nothing(make: Any) -> None:
    run = make(noop("a", retry={"attempts": 2}))
    run.look()
    token = run.state.step("a").token
    run.throw("workspace")
    run.do(c.HandBack("a", token, "w1", held=True))
    assert run.new == ["STEP_HELD"]
    assert isinstance(run.succeed("a"), c.Stale), "what the attempt gives later is refused"
    run.throw()
    run.look()
    assert run.new == ["STEP_RELEASED", "STEP_STARTED"]
    assert run.log[-1].event.attempt == 1


def test_a_switch_that_is_lifted_meanwhile_only_costs_a_start(make: Any) -> None:
    run = make(noop("a"))
    run.look()
    run.do(c.HandBack("a", run.state.step("a").token, "w1", held=True))
    assert run.new == ["STEP_HANDED_BACK"]


def test_a_person_says_what_became_of_what_must_not_happen_twice(make: Any) -> None:
    run = make(noop("a", repeatable=False))
    run.look()
    assert isinstance(begin(run, "a"), c.Accepted)
    run.throw("workspace")
    run.do(c.HandBack("a", run.state.step("a").token, "w1", held=True))
    assert run.new == ["STEP_FAILED", "STEP_UNCERTAIN"]
    run.do(c.Settle("a", "did_not_happen", ANA))
    run.look()
    assert run.state.step("a").status is StepStatus.HELD


def test_an_effect_begins_under_no_thrown_switch_and_its_attempt_is_over(make: Any) -> None:
    run = make(noop("a"))
    run.look()
    run.throw("provider:openai")
    assert isinstance(begin(run, "a", "provider:other"), c.Accepted)
    assert isinstance(
        run.do(c.BeginEffect("a", run.state.step("a").token, "ask", "k2", under=("provider:openai",))), c.NowHeld
    )
    assert run.new == ["STEP_HELD"]
    run.look()
    assert run.new == []
    run.throw()
    run.look()
    assert run.new == ["STEP_RELEASED", "STEP_STARTED"]


def test_a_held_step_neither_keeps_a_run_from_being_cancelled_nor_from_being_skipped(make: Any) -> None:
    run = make(noop("a"), noop("b"))
    run.throw("workspace")
    run.look()
    run.do(c.SkipStep("a", ANA))
    assert (run.state.step("a").status, run.state.step("a").hold) == (StepStatus.SKIPPED, None)
    run.do(c.Cancel(ANA))
    assert run.state.status is RunStatus.CANCELLED


def test_a_budget_is_asked_again_when_a_worker_looks_or_its_time_comes(make: Any) -> None:
    run = make(noop("a"))
    draft = Draft(run.state, run.now)
    hold(draft, "a", Hold("budget", ("workspace/day",), "the budget is used up", 0, run.now, run.now + 60_000))
    run.state = draft.state
    run.log.extend(draft.events)
    assert next_look(run).at == run.now + 60_000
    run.do(c.Look())
    assert run.new == []
    run.look()
    assert run.new == ["STEP_RELEASED", "STEP_STARTED"]
    assert any(isinstance(one, c.Reserving) for one in run.last.conditions), "only if there is room for it now"


@pytest.mark.parametrize("text", ["workflow:deploy", " Workspace", "everything", "model:openai:gpt-5-mini", "key:a/b"])
def test_keys_as_people_write_them(text: str) -> None:
    assert key_of(text) == text.strip().replace("W", "w")


@pytest.mark.parametrize(
    "text",
    [
        *("", "deploy", "workflow:", "workflow: ", "step:a b", "workspace:x", "x" * 300),
        *("key:openai", "key:openai/", "model:gpt-5"),
    ],
)
def test_what_is_no_key_is_told_what_there_is(text: str) -> None:
    with pytest.raises(ValueError, match=r"workspace|:NAME"):
        key_of(text)


def test_a_key_that_a_switch_stops_is_opened_by_nobody(make: Any) -> None:
    run = make(noop("a"))
    run.look()
    run.throw("key:openai/batch")
    opens = c.UseKey("a", run.state.step("a").token, Use("openai", "other", "key_1", "1234", "f"))
    assert isinstance(run.do(opens), c.Accepted)
    assert run.last.conditions == (c.AtEpoch(1),), "also what is opened is, on the condition that nothing was thrown"
    held = run.do(replace(opens, use=opens.use._replace(name="batch")))
    assert (held, run.new) == (c.NowHeld(), ["STEP_HELD"])
    assert run.state.step("a").hold.keys == ("key:openai/batch",)
