"""Models and agents in words: which turn it is, what the model wants to have done, and what it all took.

The one rule: whatever a model causes to be done is told before it is done, in a line of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from pydantic import JsonValue

from bot.blocks.loops import how_far
from bot.blocks.words import counted, listed, one_line
from engine.core import events as e
from engine.core import paths
from engine.core.agents import CALLS
from engine.core.models import LOCAL
from engine.core.state import RunState


def calls_line(state: RunState, event: e.ForEachStarted) -> str | None:
    """``→ research, turn 2 of at most 10, calls fetch (url: https://…)``; None if it is no agent that calls."""
    turn = paths.group_of(event.step)
    agent = paths.loop_of(turn) or ""
    if not agent or state.plan.node(agent).step.agent is None or event.step != paths.in_group(turn, CALLS):
        return None
    if not isinstance(event.items, list) or not event.items:
        return None  # none, or they lie beside the log
    wanted = [_call(cast("Mapping[str, Any]", item)) for item in event.items if isinstance(item, dict)]
    return f"→ {agent}, {how_far(state, agent)}, calls {listed(wanted)}"


def took_words(output: JsonValue) -> str:
    """``4 turns, 1,234 tokens, $0.03`` of an agent's output; empty where that lies beside the log."""
    if not isinstance(output, dict) or "turns" not in output:
        return ""
    answer = cast("Mapping[str, Any]", output)
    return f"{counted(answer['turns'], 'turn')}, {_took(answer)}"


def asked_words(model: str, output: JsonValue) -> str:
    """``openai:gpt-5-mini, 1234 tokens, $0.0030`` of a question to a model; a local one is called so."""
    called = f"{one_line(model)} (local model)" if model.startswith(f"{LOCAL}:") else one_line(model)
    return (
        f"{called}, {_took(cast('Mapping[str, Any]', output))}"
        if isinstance(output, dict) and "usage" in output
        else called
    )


def _took(answer: Mapping[str, Any]) -> str:
    tokens = answer["usage"]["input_tokens"] + answer["usage"]["output_tokens"]
    return counted(tokens, "token") + (f", ${answer['cost']:.4f}" if answer["cost"] else "")


def _call(call: Mapping[str, Any]) -> str:
    given = ", ".join(f"{name}: {value}" for name, value in call.get("arguments", {}).items())
    return f"{call.get('tool', '')} ({given})" if given else str(call.get("tool", ""))
