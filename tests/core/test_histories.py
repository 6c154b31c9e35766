"""Histories that earlier releases wrote, kept as they were: this release must read each to the same state."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.core import checkpoint
from engine.core import events as e
from engine.core.definition import Workflow
from engine.core.fold import fold
from engine.core.graph import Plan
from engine.core.outlook import due
from engine.core.state import Recorded, RunState
from engine.core.values import At

HISTORIES = sorted((Path(__file__).parents[1] / "histories").glob("*.json"))


def read(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text())


def events_of(data: dict[str, Any]) -> list[Recorded]:
    return [
        Recorded(seq, one["at"], e.decode(one["type"], one["version"], json.dumps(one["payload"])))
        for seq, one in enumerate(data["events"], 1)
    ]


def state_of(data: dict[str, Any]) -> RunState:
    plan = Plan.of(Workflow.model_validate(data["definition"]))
    return fold("run_t", plan, events_of(data), dict.fromkeys(data.get("moved_to", []), plan))


def as_expected(state: RunState, history: list[Recorded]) -> dict[str, Any]:
    """What a state says, in plain values, whoever computes it."""
    values = {one.seq: e.value_of(one.event) for one in history}
    return {
        "status": state.status.value,
        "open": list(state.open),
        "reason": state.end.reason if state.end else None,
        "steps": {
            path: {
                "status": step.status.value,
                "attempt": step.attempt,
                "output": values[step.output.seq] if isinstance(step.output, At) else step.output,
            }
            for path, step in sorted(state.steps.items())
        },
    }


@pytest.mark.parametrize("file", HISTORIES, ids=lambda file: file.stem)
def test_a_history_of_an_earlier_release_means_what_it_meant(file: Path) -> None:
    data = read(file)
    state = state_of(data)
    assert as_expected(state, events_of(data)) == data["expect"]
    assert (due(state, state.at) is None) == (state.end is not None)


@pytest.mark.parametrize("file", HISTORIES, ids=lambda file: file.stem)
def test_its_checkpoint_restores_it(file: Path) -> None:
    state = state_of(read(file))
    assert checkpoint.restore(checkpoint.parse(checkpoint.to_text(state)), state.plan) == state


def test_every_type_and_version_of_event_is_in_a_history() -> None:
    kept = {(one["type"], one["version"]) for file in HISTORIES for one in read(file)["events"]}
    current = {(name, cls.version) for name, cls in e.EVENTS.items()}
    assert current - kept == set(), "record a history with them: python -m tests.record_histories"
