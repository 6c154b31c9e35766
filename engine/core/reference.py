"""The reference page of the definition language, in Markdown, made from the models and their docstrings.

The one rule: no fact about a word is written here; whatever the page says of one is taken from where it is declared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from engine.core.agents import Agent, Tool, ToolApproval
from engine.core.approval import Approval, EditField, Hours, Rung, Stage
from engine.core.corrections import Correct
from engine.core.definition import Step, Workflow
from engine.core.examples import EXAMPLES
from engine.core.functions import BUILT_IN, FUNCTIONS, as_text
from engine.core.kinds import (
    Budget,
    Call,
    Concurrency,
    ForEach,
    InputField,
    Repeat,
    Retry,
    RetryRule,
    Schedule,
    Sleep,
    Undo,
    WaitFor,
)
from engine.core.language import default_of, language_schema, plain
from engine.core.models import Llm
from engine.core.program import LOCAL_ROOTS, MEMBERS, OF_STEP

HEADINGS: Mapping[type[BaseModel], str] = {
    Workflow: "The workflow",
    InputField: "An input: `input.<name>`, `wait_for.payload.<name>`",
    Step: "A step: `steps`, `on_failure`",
    Retry: "Retries: `retry`",
    RetryRule: "Retries by class: `retry.classes.<class>`",
    Llm: "A question to a model: `llm`",
    Agent: "An agent: `agent`",
    Tool: "What it may call: `agent.tools`",
    ToolApproval: "The gate before a call: `agent.tools.approval`",
    Approval: "A gate: `approval`",
    Stage: "Stages: `approval.stages`",
    EditField: "Values that may be edited: `approval.edit.<name>`",
    Hours: "Business hours: `approval.hours`",
    Rung: "Escalation: `approval.escalate`",
    Sleep: "A pause: `sleep`",
    WaitFor: "A signal: `wait_for`",
    Call: "A child run: `workflow`",
    ForEach: "A loop over items: `for_each`",
    Repeat: "A loop until a condition holds: `repeat`",
    Correct: "Self-correction: `correct`",
    Undo: "Compensation: `undo`",
    Concurrency: "Runs at a time: `concurrency`",
    Budget: "Spending: `budget`",
    Schedule: "Starts by the clock: `schedule`",
}
"""Every model, in the order of the page."""

_PAGE = """\
# The definition language

<!-- Made by scripts/reference from the models in engine/core; edit the docstrings there. -->

A workflow is one YAML file. `vb check FILE` reports everything that is wrong with it at once, each problem with its
line and what to do. Editors that know JSON Schema complete and check as you type: `vb schema` prints the schema.
The [cookbook](cookbook/README.md) has whole workflows to start from.

YAML is read as JSON would be: `on`, `yes` and `0123` are texts; anchors, aliases and tags are refused; a word that is
written twice is a problem. A duration is a number with its unit (`ms`, `s`, `m`, `h`, `d`, `w`), such as `90s` or
`1h30m`.

{sections}
## Expressions

`${{{{ … }}}}` holds an expression in CEL, the Common Expression Language. A text that is nothing but one expression
becomes its value, a list stays a list; in a longer text, values that are no text are written as JSON. Write `$${{{{`
for a literal `${{{{`. Conditions (`if`, `until`) are one expression, with or without `${{{{ }}}}`. Nothing is converted
by itself: `string(x)`, `int(x)` and `double(x)` convert. An id with a hyphen is reached by `steps["check-site"]`.

| name | where | what it is |
|---|---|---|
{roots}

Besides CEL's own operators and macros, expressions can call what follows. The `size` of a text is that of its UTF-8.

{functions}
"""

_ROOTS: Mapping[str, tuple[str, str]] = {
    "input": ("everywhere", "the run's input, by name"),
    "run": ("everywhere but in `labels` and `concurrency.key`", ""),
    "changes": ("as `run`", ""),
    "steps": ("", ""),
    "item": ("", "the item; the innermost loop's"),
    "index": ("", "its place in the list, from 0"),
    "iteration": ("", "which pass it is, from 1"),
    "previous": ("", "the outputs of the pass before, by step; null in the first"),
    "history": ("", "what its passes gave; it is asked with that by itself"),
    "failure": ("", ""),
}


def language_page() -> str:
    """The whole page."""
    schema = language_schema()
    sections = "\n".join(_section(model, schema) for model in HEADINGS)
    return _PAGE.format(sections=sections, roots="\n".join(_roots()), functions=_functions())


def _section(model: type[BaseModel], schema: Mapping[str, Any]) -> str:
    own: Mapping[str, Any] = schema if model is Workflow else schema["$defs"][model.__name__]
    described = next((part for part in own.get("anyOf", []) if "properties" in part), own)
    lines = [f"## {HEADINGS[model]}", "", plain(model.__doc__ or ""), ""]
    lines += ["| word | type | default | meaning | example |", "|---|---|---|---|---|"]
    for name, field in model.model_fields.items():
        word = field.alias or name
        default = "required" if field.is_required() else _code(_inline(default_of(field)))
        properties = described["properties"][word]
        kind, meaning = _cell(_type(properties, schema)), _cell(str(properties["description"]))
        lines.append(f"| `{word}` | {kind} | {default} | {meaning} | {_code(EXAMPLES[model][word])} |")
    return "\n".join([*lines, ""])


def _type(described: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """What may be written, in words."""
    if isinstance(reference := described.get("$ref"), str):
        return _referred(reference.rpartition("/")[2], schema)
    if "anyOf" in described:
        return " or ".join(dict.fromkeys(_type(part, schema) for part in described["anyOf"]))
    if "enum" in described:
        return ", ".join(f"`{value}`" for value in described["enum"])
    if "const" in described:
        return f"`{described['const']}`"
    if described.get("type") == "array":
        words = _type(described["items"], schema)
        return "list" if words == "anything" else f"list of {_plural(words)}"
    if described.get("type") == "object":
        return _mapping(described, schema)
    if described.get("type") in ("integer", "number"):
        return _number(described)
    if described.get("type") == "string":
        return _text(str(described.get("pattern", "")))
    return {"boolean": "`true` or `false`"}.get(str(described.get("type")), "anything")


def _referred(name: str, schema: Mapping[str, Any]) -> str:
    target = schema["$defs"][name]
    if "enum" in target:
        return ", ".join(f"`{value}`" for value in target["enum"])
    heading = next((text for model, text in HEADINGS.items() if model.__name__ == name), None)
    if heading is None:
        return "anything"
    short = next((part for part in target.get("anyOf", []) if "properties" not in part), None)
    link = f"[mapping](#{_anchor(heading)})"
    return link if short is None else f"{_type(short, schema)}, or {link}"


def _mapping(described: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    by_pattern: Mapping[str, Any] = described.get("patternProperties", {})
    inside: Mapping[str, Any] = next(iter(by_pattern.values()), described.get("additionalProperties", {}))
    words = _type(inside, schema)
    return "mapping" if words == "anything" else f"mapping of {_plural(words)}"


def _number(described: Mapping[str, Any]) -> str:
    words = "whole number" if described["type"] == "integer" else "number"
    least, most = described.get("minimum"), described.get("maximum")
    if least is None or most is None:
        return words
    return f"{words}, {least:,} to {most:,}".replace(",0 to", ".0 to")


def _text(pattern: str) -> str:
    if "ms|s|m" in pattern:
        return "duration"
    known = {
        r"\$\{\{": "expression",
        "^[@#]": '"@group" or "#channel"',
        "^([@#]": '"@group", "@person", "#channel", "role:name" or expression',
        r"^([01]": "time of the day",
        "^[0-9]{4}": "date",
        "^[a-z][a-z0-9_-]": "name",
    }
    return next((words for start, words in known.items() if pattern.startswith(start)), "text")


def _plural(words: str) -> str:
    return f"{words}s" if words in ("text", "name") else words.replace("[mapping]", "[mappings]")


def _anchor(heading: str) -> str:
    kept = "".join(char for char in heading.lower() if char.isalnum() or char in " -_")
    return kept.replace(" ", "-")


def _inline(value: Any) -> str:
    """A default as YAML has it."""
    return "" if value is None else f"{value:g}" if isinstance(value, float) else as_text(value).replace('"', "")


def _code(text: str) -> str:
    return f"`{_cell(text)}`" if text else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _roots() -> Iterator[str]:
    members = {**MEMBERS, "steps": OF_STEP}
    for root, (where, what) in _ROOTS.items():
        place = where or LOCAL_ROOTS.get(root, "where those steps surely have ended")
        named = ".<id>" if root == "steps" else ""
        listed = ", ".join(f"`{root}{named}.{member}`" for member in members.get(root, ()))
        yield f"| `{root}` | {place} | {what or listed} |"


def _functions() -> str:
    names = sorted(FUNCTIONS)
    own = ", ".join(f"`{name}`" for name in sorted(BUILT_IN))
    return f"{', '.join(f'`{name}`' for name in names)}.\n\nCEL's own are {own}."
