"""The schema for editors and the reference page: both say what the models say, and neither lags behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import BaseModel

from engine.core.definition import Workflow
from engine.core.examples import EXAMPLES
from engine.core.language import language_schema, models
from engine.core.loader import load_yaml
from engine.core.reference import HEADINGS, language_page
from engine.core.yamltree import read

ROOT = Path(__file__).parents[2]
SCHEMA = language_schema()
VALIDATOR: Any = jsonschema.Draft202012Validator(SCHEMA)
FILES = sorted([*ROOT.glob("workflows/*.yaml"), *ROOT.glob("docs/cookbook/*.yaml")])


def of_step(words: str) -> str:
    return f"name: w\nsteps: [{{id: a, {words}}}]"


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"].endswith("2020-12/schema")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_definition_that_we_ship_fits(file: Path) -> None:
    assert list(VALIDATOR.iter_errors(read(file.read_text(encoding="utf-8")).data)) == []


@pytest.mark.parametrize(
    "text",
    [
        of_step("uses: set, timeout: 1 h 30m, retry: {attempts: 3, classes: {timeout: {max: 1m}}}"),
        of_step("sleep: 3d"),
        of_step('sleep: "${{ run.workflow }}"'),
        of_step("sleep: {until: '2030-01-01T00:00:00Z'}"),
        of_step("wait_for: paid"),
        of_step("workflow: other"),
        of_step("for_each: {items: [1], max_items: 2}, uses: set"),
        of_step("repeat: {until: 'true', max: 2}, steps: [{id: b, sleep: 1s}]"),
        of_step("uses: set, undo: {uses: set, with: {a: 1}}"),
    ],
)
def test_what_is_right_fits_the_schema_and_the_models(text: str) -> None:
    assert load_yaml(text).problems == ()
    VALIDATOR.validate(read(text).data)


@pytest.mark.parametrize(
    "text",
    [
        "name: w",
        "name: W\nsteps: [{id: a, uses: set}]",
        "name: w\nsteps: []",
        "name: w\nsteps: [{id: a, uses: set}]\nretries: 3",
        "name: w\nsteps: [{id: a, uses: set}]\nlabels: {A: x}",
        "name: w\nsteps: [{id: a, uses: set}]\nlanguage: 2",
        "name: w\nsteps: [{id: a, uses: set}]\nschedule: [{cron: '* * * *'}]",
        "name: w\ninput: {a: {type: strin}}\nsteps: [{id: a, uses: set}]",
        of_step("uses: Set"),
        of_step("uses: set, sleep: 1s"),
        of_step("needs: []"),
        of_step("uses: set, timeout: 30"),
        of_step("uses: set, retry: {attempts: 0}"),
        of_step("uses: set, retry: {classes: {flaky: {}}}"),
        of_step("sleep: tomorrow"),
        of_step("sleep: {for: 1s, until: '2030-01-01T00:00:00Z'}"),
        of_step("for_each: {items: [1]}, uses: set"),
        of_step("for_each: {items: many, max_items: 2}, uses: set"),
        of_step("repeat: {until: 'true', max: 2}, uses: set"),
        of_step("approval: {title: x, approvers: [ana]}"),
        of_step("steps: [{id: B, uses: set}], repeat: {until: 'true', max: 2}"),
    ],
)
def test_what_is_wrong_fits_neither(text: str) -> None:
    assert load_yaml(text).problems != ()
    assert not VALIDATOR.is_valid(read(text).data)


def test_editors_show_what_a_word_means_its_default_and_an_example() -> None:
    timeout = SCHEMA["$defs"]["Step"]["properties"]["timeout"]
    assert timeout["description"] == "How long one attempt may take."
    assert timeout["default"] == "10m"
    assert timeout["examples"] == ["5m"]


@pytest.mark.parametrize("model", models(), ids=lambda model: model.__name__)
def test_every_word_has_a_meaning_and_an_example_that_is_right(model: type[BaseModel]) -> None:
    own: dict[str, Any] = SCHEMA if model is Workflow else SCHEMA["$defs"][model.__name__]
    own = next((part for part in own.get("anyOf", []) if "properties" in part), own)
    words = {field.alias or name for name, field in model.model_fields.items()}
    assert set(EXAMPLES[model]) == words == set(own["properties"])
    for word, described in own["properties"].items():
        assert described["description"].endswith((".", "`"))
        document = read(EXAMPLES[model][word])
        assert document.findings == []
        VALIDATOR.evolve(schema={**described, "$defs": SCHEMA["$defs"]}).validate(document.data)


def test_the_page_has_a_section_for_every_model() -> None:
    assert set(HEADINGS) == set(models())


def test_the_page_is_not_stale() -> None:
    page = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
    assert page == language_page(), "write it anew: .venv/bin/python scripts/reference"


def test_links_within_the_page_lead_to_its_headings() -> None:
    page = language_page()
    headings = [line.removeprefix("## ") for line in page.splitlines() if line.startswith("## ")]
    anchors = {
        "".join(c for c in heading.lower() if c.isalnum() or c in " -_").replace(" ", "-") for heading in headings
    }
    for link in (part.split(")")[0] for part in page.split("](#")[1:]):
        assert link in anchors
