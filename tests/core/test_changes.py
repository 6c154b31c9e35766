"""What is said of a changed definition, and which changes concern who decides."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.changes import changes
from engine.core.definition import Workflow

GATE: dict[str, Any] = {"title": "Go on?", "approvers": ["@leads"], "escalate": [{"after": "1h", "to": "@oncall"}]}


def release(gate: dict[str, Any] | None = None, tag: dict[str, Any] | None = None, **more: Any) -> Workflow:
    steps: list[dict[str, Any]] = [
        {"id": "notes", "uses": "x.notes"},
        {"id": "ok", "approval": GATE, **(gate or {})},
        {"id": "tag", "uses": "x.tag", **(tag or {})},
        {"id": "tell", "uses": "x.tell"},
    ]
    return Workflow.model_validate({"name": "release", "steps": steps, **more})


def approval(**words: Any) -> dict[str, Any]:
    return {"approval": {**GATE, **words}}


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        (approval(approvers=["@leads", "@all"]), 'the gate ok: approvers ["@leads"] -> ["@leads", "@all"]'),
        (approval(escalate=[]), 'the gate ok: escalate [{"after": "1h", "to": "@oncall"}] -> []'),
        (approval(on_expiry="approve"), "the gate ok: on_expiry deny -> approve"),
        (approval(expires_in="2h"), "the gate ok: expires_in 1d -> 2h"),
        (approval(allow_self=True), "the gate ok: allow_self false -> true"),
        ({"if": "input.dry"}, "the gate ok: if none -> input.dry"),
        ({"continue_on_error": True}, "the gate ok: continue_on_error false -> true"),
    ],
)
def test_who_decides_is_a_change_to_a_gate(gate: dict[str, Any], said: str) -> None:
    found = changes(release(), release(gate, input={"dry": {"type": "boolean"}}))
    assert found.gates == (said,)
    assert said in found.words


def test_what_a_gate_says_is_no_change_to_who_decides() -> None:
    found = changes(release(), release(approval(title="Go?", show={"notes": "x"})))
    assert found.gates == ()
    assert found.words == ("step ok changed: approval",)


def test_who_may_start_it_is_a_change_of_that_kind_too() -> None:
    only = release(who_can_run=["@leads"])
    assert changes(release(), only).gates == ('who_can_run runners -> ["@leads"]',)
    assert changes(only, release()).gates == ('who_can_run ["@leads"] -> runners',)
    assert changes(only, only).words == ()


def test_a_gate_that_is_gone_or_became_something_else() -> None:
    gone = Workflow.model_validate({"name": "release", "steps": [{"id": "tag", "uses": "x.tag"}]})
    assert changes(release(), gone).gates == ("the gate ok is gone",)
    other = Workflow.model_validate({"name": "release", "steps": [{"id": "ok", "uses": "x.tag"}]})
    assert changes(release(), other).gates == ("the gate ok is gone",)


def test_a_step_that_no_longer_waits_for_the_gate() -> None:
    found = changes(release(), release(tag={"needs": ["notes"]}))
    assert found.gates == (
        "the gate ok: tag no longer waits for ok",
        "the gate ok: tell no longer waits for ok",
    )


def test_a_loop_around_a_gate() -> None:
    def looped(**more: Any) -> Workflow:
        step = {"id": "each", "for_each": {"items": [1], "max_items": 2}, "steps": [{"id": "ok", "approval": GATE}]}
        return Workflow.model_validate({"name": "release", "steps": [{**step, **more}, {"id": "tag", "uses": "x.tag"}]})

    assert changes(looped(), looped()).words == ()
    assert changes(looped(), looped(**{"if": "false"})).gates == (
        "the gate each[]/ok: if of each, which it is inside of none -> false",
    )
    apart = looped().model_copy(
        update={"steps": (looped().steps[0], looped().steps[1].model_copy(update={"needs": ()}))}
    )
    assert changes(looped(), apart).gates == ("the gate each[]/ok: tag no longer waits for each",)


def test_everything_else_is_said_in_words_and_takes_no_right() -> None:
    new = release(
        tag={"uses": "x.tag2", "timeout": "1m"},
        input={"v": {"type": "string"}},
        schedule=[{"cron": "0 9 * * *"}],
        timeout="2h",
    )
    old = release(input={"w": {"type": "string"}}, timeout="1h")
    words = changes(old, new).words
    assert words[:2] == ("input v added", "input w removed")
    assert "timeout 1h -> 2h" in words
    assert "step tag changed: timeout, uses" in words
    assert any(word.startswith("schedule") for word in words)
    assert changes(old, new).gates == ()


def test_steps_that_came_and_went() -> None:
    more = [*release().steps, *Workflow.model_validate({"name": "x", "steps": [{"id": "z", "sleep": "1h"}]}).steps]
    longer = release().model_copy(update={"steps": tuple(more)})
    assert changes(release(), longer).words == ("step z added (sleep)",)
    assert changes(longer, release()).words == ("step z removed",)


def test_a_new_workflow_changes_no_gate() -> None:
    assert changes(None, release()) == (("new, with 4 steps", "gates: ok"), ())
