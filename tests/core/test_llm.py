"""Questions to models in definitions: what they become, and what is wrong with them before anything runs."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.definition import Workflow
from engine.core.graph import Kind, Plan
from engine.core.loader import load_yaml
from engine.core.pinning import pin
from tests.core.checking import STEPS

SCHEMA = "{type: object, properties: {n: {type: integer}}, required: [n]}"
GOOD = f"""
name: count
input: {{text: {{type: text}}, sites: {{type: string}}}}
steps:
  - id: ask
    llm:
      model: openai:gpt-5-mini
      prompt: "How many? ${{{{ input.text }}}}"
      max_tokens: 100
      output: {SCHEMA}
    retry: {{attempts: 3, classes: {{invalid_output: {{attempts: 3}}}}}}
  - {{id: next, set: {{m: "${{{{ steps.ask.output.value.n + 1 }}}}", by: "${{{{ steps.ask.output.model }}}}"}}}}
"""
MENDED = GOOD.replace("    retry:", "    correct: {model: 'openai:gpt-5-mini', may_change: [prompt]}\n    retry:")


def problems(text: str) -> list[str]:
    return [str(problem).removeprefix("workflow.yaml:") for problem in load_yaml(text, catalog=STEPS).problems]


def test_it_becomes_the_step_of_that_name_when_it_is_pinned() -> None:
    workflow = load_yaml(GOOD, catalog=STEPS).workflow
    assert workflow is not None
    pinned = pin(workflow, STEPS)
    step = Plan.of(pinned).node("ask")
    assert (step.kind, step.step.uses) == (Kind.USES, "llm@1")
    assert step.arguments.render({"input": {"text": "birds"}}) == {
        "model": "openai:gpt-5-mini",
        "prompt": "How many? birds",
        "system": "",
        "images": [],
        "max_tokens": 100,
        "output": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
    }
    again = Workflow.model_validate_json(pinned.snapshot)
    assert again == pinned
    assert pin(again, STEPS) == pinned


def test_a_schema_holds_no_expressions() -> None:
    text = GOOD.replace("type: integer", 'description: "${{ not one }}"')
    workflow = load_yaml(text.replace("steps.ask.output.value.n + 1", "1"), catalog=STEPS).workflow
    assert workflow is not None
    rendered: Any = Plan.of(pin(workflow, STEPS)).node("ask").arguments.render({"input": {"text": "birds"}})
    assert rendered["output"]["properties"]["n"] == {"description": "${{ not one }}"}


ASKED = "How many? ${{ input.text }}"
WRONG = [
    ("openai:gpt-5-mini", "gpt-5-mini", "7: ask.llm.model: must be a provider and its model, such as openai:"),
    (
        "openai:gpt-5-mini",
        "opnai:gpt-5-mini",
        "7: ask.llm.model: there is no provider opnai here; did you mean openai?",
    ),
    ("openai:gpt-5-mini", '"openai:${{input.text}}"', "7: ask.llm.model: cannot hold an expression; what it costs has"),
    ("      max_tokens: 100\n", "", "6: ask.llm.max_tokens: is missing; say how long the answer may be, such as"),
    ("max_tokens: 100", "max_tokens: 0", "9: ask.llm.max_tokens: must be at least 1 (you wrote 0)"),
    ("100\n", "100\n      temperature: 3\n", "10: ask.llm.temperature: must be at most 2.0 (you wrote 3)"),
    ("100\n", "100\n      temprature: 1\n", "10: ask.llm.temprature: is not a word that belongs here; did you mean"),
    ("type: integer", "type: whole", "10: ask.llm.output.properties.n.type: is no JSON Schema: 'whole' is not valid"),
    ("type: object, ", "", "10: ask.llm.output: must describe an object; write type: object, and its properties"),
    (
        "type: integer",
        "$ref: 'https://a.com/n'",
        "10: ask.llm.output.properties.n.$ref: refers to https://a.com/n, which",
    ),
    ("output.model", "output.modl", "12: next.set.by: steps.ask.output has no modl; did you mean model?"),
    (ASKED, "${{ [input.text] }}", "8: ask.llm.prompt: must be text; this gives a list; json(x) makes one"),
    (ASKED, "${{ input.txt }}", "8: ask.llm.prompt: there is no input txt; did you mean text?"),
    (
        "    retry:",
        "    with: {a: 1}\n    retry:",
        "11: ask.with: a question to a model takes no with; what it is asked",
    ),
]


@pytest.mark.parametrize(("old", "new", "said"), WRONG)
def test_what_is_wrong_is_told_with_its_line_and_what_to_do(old: str, new: str, said: str) -> None:
    assert problems(GOOD) == []
    assert old in GOOD
    [problem] = problems(GOOD.replace(old, new, 1))
    assert problem.replace(" steps.", " ", 1).startswith(said)


@pytest.mark.parametrize("word", ["model", "max_tokens", "output", "key"])
def test_what_it_may_cost_and_has_to_give_is_changed_by_no_correction(word: str) -> None:
    assert problems(MENDED) == []
    [problem] = problems(MENDED.replace("[prompt]", f"[prompt, {word}]"))
    assert problem.startswith(f"11: steps.ask.correct.may_change[2]: no correction may change {word}, which is part of")
    assert problem.endswith("leave it out; prompt, system, temperature, images may be changed")


def test_it_may_be_asked_for_each_item() -> None:
    loop = 'for_each: {items: ["a", "b"], max_items: 2}\n    llm:'
    text = GOOD.replace("llm:", loop, 1).replace("${{ input.text }}", "${{ item }}")
    text = text.replace("steps.ask.output.value.n + 1", "steps.ask.output[0].output.value.n")
    assert problems(text.replace("steps.ask.output.model", "steps.ask.status")) == []
