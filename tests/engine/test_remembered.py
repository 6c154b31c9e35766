"""What a process keeps in mind of runs, and what it forgets first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.core import events as e
from engine.core.decide import start
from engine.core.definition import Workflow
from engine.core.graph import Plan
from engine.remembered import Remembered, Seen
from engine.store import Head

BY = e.Actor(via="api", id="ana", name="Ana")
PLAN = Plan.of(Workflow.model_validate({"name": "one", "steps": [{"id": "a", "uses": "set", "with": {"x": 1}}]}))
GATE = Plan.of(
    Workflow.model_validate({"name": "gate", "steps": [{"id": "g", "approval": {"title": "Go?", "approvers": ["@a"]}}]})
)


def seen(run: str, plan: Plan = PLAN) -> Seen:
    event = e.RunStarted(workspace="ws_local", workflow=plan.workflow.name, definition="d" * 64, input={}, by=BY)
    return Seen(start(run, plan, event, 1_000).state, Head(1, "h"))


@pytest.fixture
def small() -> Remembered:
    """With room for two of either kind."""
    return Remembered(busy=2 * seen("run_x").size, resting=2 * seen("run_x", GATE).size)


def test_what_waits_does_not_displace_what_has_something_to_do(small: Remembered) -> None:
    busy, *waiting = seen("run_busy"), *(seen(f"run_{number}", GATE) for number in range(3))
    assert busy.is_busy
    assert not waiting[0].is_busy
    for one in (busy, *waiting):
        small.keep(one)
    assert [small.get(run) is not None for run in ("run_busy", "run_0", "run_1", "run_2")] == [True, False, True, True]


def test_the_oldest_of_a_kind_is_forgotten_first(small: Remembered) -> None:
    for run in ("run_a", "run_b", "run_a", "run_c"):
        small.keep(seen(run))
    assert [small.get(run) is not None for run in ("run_a", "run_b", "run_c")] == [True, False, True]


def test_a_slow_load_does_not_hide_what_was_seen_later(small: Remembered) -> None:
    old = seen("run_a")
    new = replace(old, state=old.state._replace(seq=9))
    assert small.keep(new) is new
    assert small.keep(old) is new
    assert small.get("run_a") is new


def test_a_run_is_kept_once_when_it_comes_to_rest(small: Remembered) -> None:
    gate = seen("run_a", GATE)
    small.keep(replace(gate, state=seen("run_a").state._replace(seq=0)))
    small.keep(gate)
    assert small.get("run_a") is gate
    for run in ("run_b", "run_c"):
        small.keep(seen(run, GATE))
    assert small.get("run_a") is None, "nothing of it is left on the other shelf"
