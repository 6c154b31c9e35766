"""What a thread says of models and agents: what one wants done, in which turn, and what it all took."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.blocks import timeline
from bot.blocks.standing import standing
from engine.core.fold import begin
from engine.core.pinning import pin
from engine.core.state import Recorded
from engine.testing import Rehearsed, denied_by
from tests.core.checking import STEPS
from tests.core.driver import Run, workflow
from tests.core.test_agents import DONE, Model, calling, rehearse


def told(run: Rehearsed) -> list[str]:
    at = run.state.started_at
    state = begin(run.state.run, run.state.plan, run.state.started, at)
    later = [Recorded(seq, at, event) for seq, event in enumerate(run.events[1:], start=2)]
    lines, _ = timeline.lines(state, later, {run.state.definition: run.state.plan})
    return [line.text for line in lines]


def test_every_call_is_told_and_what_became_of_those_that_failed(tmp_path: Path) -> None:
    answers = (calling(("fetch", {"url": "https://x"})), calling(("restart", {"name": "web-1"}), ("fetch", {})), DONE)
    denied = denied_by("Ana", reason="not at noon")
    run = rehearse(tmp_path, Model(*answers)).run(
        site="https://x", decide={"research#2/calls[0]/approve_restart": denied}
    )
    assert run.completed
    lines = told(run)
    assert lines[:2] == [
        "→ research, turn 1 of at most 4, calls fetch (url: https://x)",
        "→ research, turn 2 of at most 4, calls restart (name: web-1), fetch",
    ]
    assert lines[2].startswith("… research#2/calls[0]/approve_restart waits for @oncall; if nobody decides")
    assert lines[-4:-1] == [
        "✗ research#2/calls[0] failed (permanent: approve_restart: denied by Ana: not at noon)",
        (
            "✗ research#2/calls[1] failed (invalid input: fetch: item.arguments has no url; it has nothing "
            "(in ${{ item.arguments.url }}))"
        ),
        "✓ research done in under 1 s: 3 turns, 45 tokens, $0.0300",
    ]


@pytest.mark.parametrize(
    ("model", "called"), [("openai:gpt-5-mini", "openai:gpt-5-mini"), ("local:echo", "local:echo (local model)")]
)
def test_a_question_to_a_model_is_told_with_whom_it_is_asked_and_what_it_took(model: str, called: str) -> None:
    asked = workflow({"id": "ask", "llm": {"model": model, "prompt": "How many?", "max_tokens": 10}})
    run = Run(pin(asked, STEPS))
    run.look(steps=frozenset({"llm@1"}))
    state = run.state
    words = standing(state, "ask", state.steps["ask"])
    assert words.startswith(f"ask asks {called} since ")
    cost = 0.0 if model.startswith("local") else 0.0031
    run.succeed("ask", {"text": "3", "usage": {"input_tokens": 1_200, "output_tokens": 34}, "cost": cost})
    lines, _ = timeline.lines(state, run.last.events)
    took = "1234 tokens" + (", $0.0031" if cost else "")
    assert lines[0].text == f"✓ ask done in under 1 s: {called}, {took}"
