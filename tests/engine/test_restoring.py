"""The keys that a run's events tell of are those that its steps handed out."""

from __future__ import annotations

from engine.core import commands as c
from engine.core import events as e
from engine.core.failures import FailureClass
from engine.restoring import effect_keys
from engine.steps.context import WHOLE_STEP, effect_key
from engine.store import StoredEvent, to_text
from tests.core.driver import BEN, Run, workflow


def stored(run: Run) -> list[StoredEvent]:
    return [
        StoredEvent("run_t", one.seq, one.event.type, one.event.version, to_text(one.at), e.encode(one.event), "")
        for one in run.log
    ]


def key(step: str, generation: int = 1, effect: str = WHOLE_STEP) -> str:
    return effect_key("run_t", step, effect, generation)


def test_keys_follow_the_generations_of_steps_and_of_the_loops_around_them() -> None:
    each = {"items": [1], "max_items": 1}
    run = Run(workflow({"id": "a", "for_each": each, "uses": "noop"}, {"id": "b", "uses": "noop"}))
    run.look()
    token = run.state.step("a[0]").token
    run.do(c.BeginEffect("a[0]", token, "pay", key("a[0]", effect="pay")))
    run.succeed("a[0]")
    run.fail("b", FailureClass.PERMANENT)
    run.do(c.RetryFrom("a", BEN))
    run.look()
    assert run.state.step("a[0]").generation == 2
    assert effect_keys("run_t", stored(run)) == {key("a[0]"), key("a[0]", effect="pay"), key("b"), key("a[0]", 2)}
