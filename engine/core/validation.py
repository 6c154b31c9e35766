"""What pydantic finds in a definition, said in our words.

The one rule: no sentence of the library reaches a person; each finding says what must be there and what was written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from engine.core.definition import Step, Workflow
from engine.core.kinds import Approval, InputField, Retry, Rung
from engine.core.problems import Finding, Path
from engine.core.words import did_you_mean, kind, listed

LATER = frozenset(
    {
        *("agent", "budget", "concurrency", "correct", "env", "for_each", "foreach", "limits", "llm", "loop", "models"),
        *("on", "on_failure", "outputs", "parallel", "rate_limit", "schedule", "secrets", "triggers", "wait", "while"),
        "workflow",
    }
)
"""Words that are planned, or known from other tools: a plain sentence is better than a guess at a typing slip."""

_NAMES = "lower-case letters, digits, - and _, starting with a letter, such as check_site"
_WHO = '"@group" or "#channel", in quotes, such as "@oncall"'
_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"^steps\.#\.uses$"), "the name of a step, such as http.request or http.request@1"),
    (re.compile(r"^steps\.#\.approval\.(approvers\.#|escalate\.#\.to)$"), _WHO),
    (re.compile(r"^(name|steps\.#\.(id|needs\.#)|input\.[^.]*)$"), _NAMES),
)


def validate(data: object) -> tuple[Workflow | None, list[Finding]]:
    """The workflow that ``data`` describes, or everything in its shape that does not fit."""
    if not isinstance(data, dict):
        what = "the file is empty" if data is None else f"the file is {kind(data)}, not a workflow"
        return None, [Finding((), what, "a workflow has a name and steps")]
    try:
        return Workflow.model_validate(data, by_alias=True, by_name=False), []
    except ValidationError as error:
        return None, [_finding(details) for details in error.errors(include_url=False) if not _is_echo(details)]


def _is_echo(error: ErrorDetails) -> bool:
    """The library calls a list too short if its items did not fit; the items have findings of their own."""
    return error["type"] == "too_short" and bool(error["input"])


def _finding(error: ErrorDetails) -> Finding:
    path: Path = tuple(part for part in error["loc"] if part != "[key]")
    written, kind_of = error["input"], error["type"]
    if kind_of == "missing":
        return Finding(path, "is missing")
    if kind_of == "extra_forbidden":
        return _unknown_key(path)
    if kind_of == "value_error":
        return Finding(path, _own_words(error))
    if kind_of == "string_pattern_mismatch" or (kind_of == "string_type" and _shape(path) == _WHO):
        return Finding(path, f"must be {_shape(path)}{_wrote(written)}")
    if kind_of in ("enum", "literal_error"):
        return Finding(path, f"must be {_choices(error)}{_wrote(written)}", _nearest_choice(error, written))
    return Finding(path, f"must be {_expected(error)}{_wrote(written)}", _advice(kind_of, written))


def _unknown_key(path: Path) -> Finding:
    word = str(path[-1])
    if word in LATER:
        return Finding(path, "is not supported by this version")
    known = words_at(path[:-1])
    return Finding(path, "is not a word that belongs here", did_you_mean(word, known))


def words_at(path: Path) -> list[str]:
    """The keys that may stand in the mapping at ``path``, as they are written."""
    model = _MODELS.get(_pattern(path))
    return [field.alias or name for name, field in model.model_fields.items()] if model else []


_MODELS: Mapping[str, type[BaseModel]] = {
    "": Workflow,
    "input.*": InputField,
    "steps.#": Step,
    "steps.#.retry": Retry,
    "steps.#.approval": Approval,
    "steps.#.approval.escalate.#": Rung,
}


def _pattern(path: Path) -> str:
    spelled = ".".join("#" if isinstance(part, int) else part for part in path)
    return "input.*" if len(path) == 2 and path[0] == "input" else spelled


def _shape(path: Path) -> str:
    spelled = ".".join("#" if isinstance(part, int) else part for part in path)
    return next((words for pattern, words in _SHAPES if pattern.match(spelled)), "in another form")


def _own_words(error: ErrorDetails) -> str:
    """The text of a ``ValueError`` that a validator of ours raised."""
    raised = error.get("ctx", {}).get("error")
    return str(raised) if raised is not None else error["msg"]


_TYPES = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "tuple": "a list",
    "list": "a list",
    "dict": "a mapping",
    "model": "a mapping",
    "mapping": "a mapping",
}


def _expected(error: ErrorDetails) -> str:
    kind_of, ctx = error["type"], error.get("ctx", {})
    limits = {
        "greater_than_equal": f"at least {ctx.get('ge')}",
        "greater_than": f"more than {ctx.get('gt')}",
        "less_than_equal": f"at most {ctx.get('le')}",
        "string_too_short": "a text that is not empty",
        "string_too_long": f"at most {ctx.get('max_length')} characters long",
        "too_short": "a list that is not empty",
    }
    return limits.get(kind_of) or _TYPES.get(kind_of.split("_")[0], "of another type")


def _advice(kind_of: str, written: object) -> str:
    if kind_of.startswith("tuple") and isinstance(written, str):
        return f"write [{written}]"
    if kind_of == "string_type" and isinstance(written, bool | int | float):
        return "put it in quotes"
    return ""


def _choice_words(error: ErrorDetails) -> list[str]:
    """The library lists them as ``'deny', 'approve' or 'fail'``."""
    return re.findall(r"[A-Za-z0-9_]+", re.sub(r"\bor\b", "", str(error.get("ctx", {}).get("expected", ""))))


def _choices(error: ErrorDetails) -> str:
    words = _choice_words(error)
    return f"one of {listed(words)}" if len(words) > 1 else listed(words)


def _nearest_choice(error: ErrorDetails, written: object) -> str:
    advice = did_you_mean(written, _choice_words(error)) if isinstance(written, str) else ""
    return advice if advice.startswith("did you mean") else ""


def _wrote(written: object) -> str:
    if written in ("", [], ()):
        return " (it is empty)"
    if isinstance(written, Mapping | list | tuple) or written is None:
        return f" (it is {kind(cast('Any', written))})"
    text = "true" if written is True else "false" if written is False else str(written)
    return f" (you wrote {text if len(text) <= 60 else text[:60] + '…'})"
