"""Steps of the operator's own, from files and modules, and the page that says how to write them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from bot.config.known import all_steps
from bot.config.ownsteps import own_shapes, own_steps
from bot.config.settings import Settings, WrongSetting
from engine.core.failures import FailureClass
from engine.core.keys import DEFAULT, Chosen
from engine.core.loader import load_yaml
from engine.core.pinning import pin
from engine.core.prices import Price
from engine.steps.context import Recorded, StepContext

PAGE = (Path(__file__).parents[2] / "docs/steps.md").read_text(encoding="utf-8")
EXAMPLE = PAGE.split("```python\n", 1)[1].split("```", 1)[0]

OF_MODELS = {"llm", "agent.turn", "llm.correct"}
"""They are what `llm`, `agent` and `correct` of a definition use; their arguments are in its reference."""


class Forgetful:
    """Records nothing: each effect is the first."""

    async def recorded(self, name: str) -> Recorded | None:
        return None

    async def begin(self, name: str, spend: Any, under: Any = ()) -> Recorded | None:
        return None

    def key(self, provider: str, name: str | None) -> AbstractAsyncContextManager[str]:
        return nullcontext(f"the key {name} of {provider}")

    async def own_prices(self) -> Mapping[str, Price]:
        return {}

    async def chosen_key(self, provider: str, name: str | None) -> Chosen | None:
        return Chosen(name or DEFAULT, "key_1")

    async def record(self, name: str, result: Any, cost: Any) -> Any:
        return result

    async def unsent(self, name: str) -> None:
        pass

    async def log(self, text: str) -> None:
        pass

    async def status(self, text: str) -> None:
        pass

    async def progress(self, cursor: Any) -> None:
        pass


def file_of(folder: Path, text: str) -> str:
    file = folder / "steps.py"
    file.write_text(text, encoding="utf-8")
    return str(file)


async def test_the_example_of_the_page_runs_and_definitions_are_held_to_it(tmp_path: Path) -> None:
    settings = Settings.read(VB_STEPS=file_of(tmp_path, EXAMPLE))
    registry = all_steps(settings)
    invoice = registry.get("billing.invoice@1")
    assert await invoice.invoke(StepContext("run_1", "a", 1, Forgetful()), {"customer": "c", "total": 2}) == {
        "number": 7,
        "total": 2.0,
    }
    assert invoice.classify(KeyError("x")).cls is FailureClass.INVALID_INPUT
    text = "name: wf\nsteps:\n  - {id: a, uses: billing.invoice, with: {customer: c, totl: 2}}\n"
    assert any("totl" in str(problem) for problem in load_yaml(text, "wf.yaml", registry.catalog()).problems)


def test_what_a_model_answers_is_held_to_a_pydantic_model_that_definitions_name(tmp_path: Path) -> None:
    settings = Settings.read(VB_STEPS=file_of(tmp_path, EXAMPLE))
    catalog = all_steps(settings).catalog()
    ask = "{model: local:echo, prompt: x, max_tokens: 9, output: %s}"
    text = f"name: wf\nsteps:\n  - {{id: a, llm: {ask}}}\n  - {{id: b, agent: {ask[:-1]}, max_turns: 1}}}}\n"
    loaded = load_yaml(text.replace("%s", "billing.invoice"), "wf.yaml", catalog)
    assert loaded.workflow is not None, loaded.problems
    pinned = pin(loaded.workflow, catalog)
    [shape] = own_shapes([str(tmp_path / "steps.py")])
    assert [one.llm and one.llm.output for one in pinned.steps] == [shape.schema, None]
    assert all(one.agent is None or one.agent.output == shape.schema for one in pinned.steps)
    wrong = text.replace("%s", "billing.invoce") + "  - {id: c, set: {x: '${{ steps.a.output.value.number + 1 }}'}}\n"
    problems = [str(one) for one in load_yaml(wrong, "wf.yaml", catalog).problems]
    assert [one.partition(": ")[2] for one in problems] == [
        "steps.a.llm.output: there is no shape billing.invoce here; did you mean billing.invoice?",
        "steps.b.agent.output: there is no shape billing.invoce here; did you mean billing.invoice?",
    ]
    odd = load_yaml(text.replace("%s", "Invoice"), "wf.yaml")
    assert [str(one).partition(": ")[2] for one in odd.problems] == [
        f"steps.{step}.output: must be a JSON Schema, or the name of a shape such as billing.invoice"
        for step in ("a.llm", "b.agent")
    ]
    unfit = (
        text.replace("%s", "billing.invoice") + "  - {id: c, set: {x: '${{ steps.a.output.value.total + true }}'}}\n"
    )
    assert len(load_yaml(unfit, "wf.yaml", catalog).problems) == 1, "what it gives is known to be a number"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ('AGAIN = Shape("billing.invoice", Invoice)\n', r"two shapes are called billing\.invoice; rename one"),
        ('ODD = Shape("Invoice", Invoice)\n', "'Invoice' cannot name a shape; write lower-case words joined by dots"),
    ],
)
def test_a_shape_that_cannot_be_one_is_one_sentence(tmp_path: Path, more: str, words: str) -> None:
    with pytest.raises(WrongSetting, match=words):
        all_steps(Settings.read(VB_STEPS=file_of(tmp_path, EXAMPLE + more)))


def test_a_file_is_loaded_once_and_steps_that_a_module_imports_count_once(tmp_path: Path) -> None:
    file = file_of(tmp_path, "from engine.steps.git import git_tag\n" + EXAMPLE)
    found = own_steps([file, "engine.steps.git"])
    assert [step.key for step in found] == ["git.tag@1", "billing.invoice@1", "git.log@1"]
    assert [id(step) for step in own_steps([file])] == [id(step) for step in found[:2]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1\n", r"steps\.py has no step; make one of a function with @step"),
        ("x = 1\nimport nowhere\n", r"cannot be loaded: No module named 'nowhere' \(line 2 of .*steps\.py\)"),
        ("x = (\n", r"cannot be loaded: '\(' was never closed \(line 1 of .*steps\.py\)"),
        (EXAMPLE.replace("billing.invoice", "git.log"), r"two steps are called git\.log@1; raise the version"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(WrongSetting, match=rf"^The setting VB_STEPS cannot be used: .*{words}.*\.$"):
        all_steps(Settings.read(VB_STEPS=file_of(tmp_path, text)))


@pytest.mark.parametrize(
    ("entry", "words"), [("nowhere.steps", "No module named 'nowhere'"), ("nowhere.py", "there is no such file")]
)
def test_what_is_not_there_is_named(entry: str, words: str) -> None:
    with pytest.raises(WrongSetting, match=rf"{entry} cannot be loaded: {words}\.$"):
        own_steps([entry])


def test_the_page_lists_every_argument_of_every_step() -> None:
    sections = dict(re.findall(r"^### `([\w.]+)`\n(.*?)(?=^##)", PAGE, re.MULTILINE | re.DOTALL))
    catalog = all_steps(Settings.read()).catalog()
    assert set(sections) == set(catalog) - OF_MODELS
    for name in sections:
        spec = catalog[name]
        listed = re.findall(r"^\| `(\w+)` \|", sections[name], re.MULTILINE)
        assert listed == list(spec.version().arguments["properties"]), name
