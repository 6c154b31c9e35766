"""Local models: the same answer to the same question, labelled as what it is, and free unless it is given a price."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import JsonValue

from engine.core.prices import Price
from engine.prices import Prices
from engine.steps.agent import Question, Said
from engine.steps.models.local import MODELS, first_half

CORRECTION: dict[str, JsonValue] = {
    "type": "object",
    "properties": {"seen": {"type": "string"}, "changes": {"type": "object"}, "why": {"type": "string"}},
    "required": ["seen", "changes", "why"],
}


def question(text: str, **more: Any) -> Question:
    asked = {"model": "local:brief", "messages": [Said(role="user", text=text)], "max_tokens": 100, **more}
    return Question.model_validate(asked)


def test_brief_gives_back_the_first_half_of_what_it_is_told() -> None:
    reply = MODELS["brief"](question("The blue lamp is back, and it is cheaper."))
    assert (reply.model, reply.text) == ("local:brief", "(local model) The blue lamp is")
    assert reply.answer(question("")).text == reply.text


def test_brief_corrects_an_attempt_by_halving_what_may_be_changed() -> None:
    attempt = {"prompt": "Write:\n- one\n- two\n- three", "tone": "Dry and to the point.", "max_tokens": 80}
    error = {"class": "invalid_output", "message": "it is too long"}
    told = {"attempt": attempt, "may_change": ["prompt", "max_tokens"], "error": error}
    asked = question(json.dumps(told), output=CORRECTION)
    value: Any = MODELS["brief"](asked).answer(asked).value
    assert value["changes"] == {"prompt": "Write:"}, "what is no text, or may not be changed, stays"
    assert value["seen"] == "(local model) it is too long"
    assert value["why"].startswith("(local model) ")


@pytest.mark.parametrize(
    "told", ["no JSON", "[]", "{}", '{"attempt": 1, "may_change": ["a"], "error": {"message": ""}}']
)
def test_brief_takes_what_is_no_correction_for_a_question(told: str) -> None:
    asked = question(told, output=CORRECTION)
    value: Any = MODELS["brief"](asked).answer(asked).value
    assert value["changes"] == {}


@pytest.mark.parametrize(
    ("text", "half"),
    [("", ""), ("a", "a"), ("abcdef", "abc"), ("one two three", "one"), ("a b\nc d\ne f", "a b"), ("a\n\n\n", "a")],
)
def test_half_of_a_text_has_whole_lines_or_words(text: str, half: str) -> None:
    assert first_half(text) == half


def test_a_local_model_is_free_unless_it_is_given_a_price() -> None:
    assert (Prices().of("local:echo"), Prices().source("local:echo")) == (Price(0, 0), "local")
    priced = Prices({"local:*": Price(0, 1_000_000_000)})
    assert (priced.cost("local:echo", 500, 100), priced.source("local:echo")) == (100_000, "settings")
