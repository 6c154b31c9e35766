"""What pydantic finds in a definition, said in our words.

The one rule: no sentence of the library reaches a person; each finding says what must be there and what was written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from engine.core.agents import Agent, Tool, ToolApproval
from engine.core.approval import Approval, EditField, Hours, Rung, Stage
from engine.core.corrections import Correct
from engine.core.definition import Step, Workflow
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
from engine.core.models import Llm
from engine.core.problems import Finding, Path
from engine.core.words import did_you_mean, kind, listed

LATER = frozenset({"env", "limits", "models", "rate_limit", "secrets"})
"""Words that are planned: a plain sentence is better than a guess at a typing slip."""
ELSEWHERE = {
    "continue-on-error": "write continue_on_error",
    "cron": "write it under schedule",
    "depends_on": "write needs",
    "foreach": "write for_each",
    "loop": "write for_each for a list of items, repeat for until a condition holds",
    "matrix": "write for_each",
    "on": "write schedule for a start by the clock; other starts need no word",
    "on_error": "write on_failure at the workflow, or continue_on_error at the step",
    "outputs": "write output",
    "parallel": "steps whose needs have ended run in parallel; write needs: [] for one that waits for nothing",
    "retries": "write retry",
    "run": "write uses: shell.run, with the program and its arguments under with",
    "timeout-minutes": "write timeout, such as 10m",
    "triggers": "write schedule for a start by the clock; other starts need no word",
    "when": "write if",
    "wait": "write sleep for a time, wait_for for a signal",
    "while": "write repeat, which ends when its until holds",
}
"""Words that other tools use for what is called something else here."""
_OF_INPUTS = dict.fromkeys(("enum", "options", "values"), "write choices, with type: choice")
_STRUCTURES = frozenset({"model_type", "dict_type", "list_type", "tuple_type"})
"""What has parts of its own, of which some may hold expressions."""

_NAMES = "lower-case letters, digits, - and _, starting with a letter, such as check_site"
_WHO = '"@group", "@person", "#channel" or "role:name", in quotes, such as "@oncall", or an expression in ${{ }}'
_STARTS = '"@group", "@person", "#channel" or "role:name", in quotes, such as "@release-managers"'
_CLOCK = 'a time of the day in quotes, such as "09:00"'
_DATE = "a date such as 2030-12-25"
_QUORUM = "a number of people such as 2, any or all"
_USES = "the name of a step, such as http.request or http.request@1"
_MODEL = "a provider and its model, such as openai:gpt-5-mini"
_CRON = "five fields: minute, hour, day of the month, month, day of the week, such as 30 9 * * 1-5"
_NAMED = (
    "id|needs.#|set.*|workflow.name|workflow.input.*|wait_for.signal|wait_for.payload.*",
    "approval.edit.*|approval.stages.#.name|approval.covers.#|approval.request_changes",
    "name|input.*|labels.*|schedule.#.input.*",
)
_SHAPES: Mapping[str, str] = {
    "steps.#.uses": _USES,
    "steps.#.undo.uses": _USES,
    "steps.#.llm.model": _MODEL,
    "steps.#.llm.key": _NAMES,
    "steps.#.correct.model": _MODEL,
    "steps.#.correct.may_change.#": "the name of an argument of the step, such as prompt",
    "steps.#.agent.model": _MODEL,
    "steps.#.agent.tools.#.uses": _USES,
    "steps.#.agent.tools.#.name": _NAMES,
    "steps.#.agent.tools.#.workflow": _NAMES,
    "steps.#.agent.tools.#.approval.approvers.#": _WHO,
    "steps.#.agent.tools.#.approval.escalate.#.to": _WHO,
    "steps.#.approval.approvers.#": _WHO,
    "steps.#.approval.stages.#.approvers.#": _WHO,
    "steps.#.approval.escalate.#.to": _WHO,
    "steps.#.approval.hours.from": _CLOCK,
    "steps.#.approval.hours.to": _CLOCK,
    "steps.#.approval.hours.holidays.#": _DATE,
    "steps.#.workflow.definition": "the hash of a definition, which is filled in by itself; leave it out",
    "schedule.#.cron": _CRON,
    "who_can_run.#": _STARTS,
    **{f"steps.#.{word}": _NAMES for words in _NAMED[:2] for word in words.split("|")},
    **dict.fromkeys(_NAMED[2].split("|"), _NAMES),
}
_EITHER: Mapping[str, str] = {
    "steps.#.sleep.for": "a duration such as 30s, 15m or 3d, or an expression in ${{ }}",
    "steps.#.for_each.items": "a list, or an expression in ${{ }} that gives one",
    "steps.#.agent.tools.#.approval.quorum": _QUORUM,
    "steps.#.approval.quorum": _QUORUM,
    "steps.#.approval.stages.#.quorum": _QUORUM,
}
"""What may be of two kinds; the library complains of each kind by itself."""
_SHORT: Mapping[str, str] = {
    "steps.#.agent.tools.#.approval": "required, or a mapping that says who decides",
    "steps.#.sleep": "a duration such as 30s or 3d, or a mapping with for or until",
    "steps.#.wait_for": "the name of a signal, or a mapping with signal",
    "steps.#.workflow": "the name of a workflow, or a mapping with name and input",
}
"""What has a short form besides the mapping."""
_PARTS: Mapping[str, str] = {
    "budget": "{limit: 2.00 USD}",
    "concurrency": "{key: …}",
    "schedule": '[{cron: "30 9 * * 1-5"}]',
    "schedule.#": '{cron: "30 9 * * 1-5"}',
    "steps.#.for_each": "{items: …, max_items: 50}",
    "steps.#.repeat": "{until: …, max: 10}",
    "steps.#.retry": "{attempts: 3}",
}
"""What people write as one value, and what has parts."""
_CAPS: Mapping[str, str] = {
    "steps.#.for_each.max_items": "say how many items there may be, such as max_items: 50; more fail the step",
    "steps.#.for_each.items": "give a list, or an expression such as ${{ input.sites }}",
    "steps.#.repeat.max": "say how many passes there may be, such as max: 10",
    "steps.#.repeat.until": "give the condition that ends it, such as steps.check.output.healthy",
    "steps.#.llm.model": "say which model, such as openai:gpt-5-mini; local:echo needs no key",
    "steps.#.llm.prompt": "say what it is asked",
    "steps.#.llm.max_tokens": "say how long the answer may be, such as max_tokens: 1000",
    "steps.#.correct.model": "say which model proposes, such as openai:gpt-5-mini",
    "steps.#.correct.may_change": "name the arguments that may be changed, such as [prompt]",
    "steps.#.agent.model": "say which model, such as openai:gpt-5-mini",
    "steps.#.agent.prompt": "say what it is to do",
    "steps.#.agent.max_turns": "say how often the model may be asked, such as max_turns: 10",
    "steps.#.agent.max_tokens": "say how long one answer may be, such as max_tokens: 1000",
    "steps.#.agent.tools.#.description": "say what the tool does, for the model",
    "steps.#.wait_for.signal": "give the name of the signal, such as payment_received",
    "steps.#.workflow.name": "give the name of the workflow to run",
    "steps.#.approval.stages.#.name": "say what people call the stage, such as security",
    "steps.#.approval.stages.#.approvers": 'say who decides in this stage, such as ["@security"]',
    "steps.#.approval.edit.*.value": "say what it is unless somebody changes it, such as ${{ input.count }}",
    "steps.#.id": "give every step an id, such as build",
    "steps.#.undo.uses": "name the step that undoes it",
    "concurrency.key": "runs with the same key are counted together, such as deploy-${{ input.env }}",
    "budget.limit": "say how much a run may spend, such as limit: 2.00 USD",
    "schedule.#.cron": "give the five fields, such as 30 9 * * 1-5",
}
"""What to do about a word that is missing."""


def validate(data: object) -> tuple[Workflow | None, list[Finding]]:
    """The workflow that ``data`` describes, or everything in its shape that does not fit."""
    if not isinstance(data, dict):
        what = "the file is empty" if data is None else f"the file is {kind(data)}, not a workflow"
        return None, [Finding((), what, "a workflow has a name and steps")]
    try:
        return Workflow.model_validate(data, by_alias=True, by_name=False), []
    except ValidationError as error:
        found = [_finding(details) for details in error.errors(include_url=False) if not _is_echo(details)]
        return None, list(dict.fromkeys(found))


def _is_echo(error: ErrorDetails) -> bool:
    """The library calls a list too short if its items did not fit; the items have findings of their own."""
    return error["type"] == "too_short" and bool(error["input"])


def _finding(error: ErrorDetails) -> Finding:
    path, written, kind_of = _path_of(error), error["input"], error["type"]
    pattern = pattern_of(path)
    either = _EITHER.get(pattern)
    if either is not None and kind_of != "missing":
        return Finding(path, f"must be {either}{_wrote(written)}")
    if kind_of == "missing":
        return Finding(path, "is missing", _CAPS.get(pattern, ""))
    if kind_of == "extra_forbidden":
        return _unknown_key(path)
    if isinstance(written, str) and "${{" in written and kind_of not in _STRUCTURES:
        return Finding(path, f"cannot hold an expression{_wrote(written)}", "write the value itself")
    if kind_of == "value_error":
        return Finding(path, _own_words(error))
    shape = _SHAPES.get(pattern)
    if kind_of == "string_pattern_mismatch" or (kind_of == "string_type" and shape in (_WHO, _STARTS)):
        return Finding(path, f"must be {shape or 'in another form'}{_wrote(written)}")
    if kind_of in ("enum", "literal_error"):
        return Finding(path, f"must be {_choices(error)}{_wrote(written)}", _nearest_choice(error, written))
    if kind_of in _STRUCTURES and pattern in _PARTS:
        return Finding(path, f"must be {_expected(error)}{_wrote(written)}", f"write {_PARTS[pattern]}")
    if kind_of == "model_type" and pattern in _SHORT:
        return Finding(path, f"must be {_SHORT[pattern]}{_wrote(written)}")
    return Finding(path, f"must be {_expected(error)}{_wrote(written)}", _advice(kind_of, written))


def _path_of(error: ErrorDetails) -> Path:
    """Where the error is in the data; the library also names keys, and the kinds that a union may be of."""
    path: list[str | int] = []
    for part in error["loc"]:
        if pattern_of(tuple(path)) in _EITHER and isinstance(part, str):
            break
        if part != "[key]":
            path.append(part)
    return tuple(path)


def _unknown_key(path: Path) -> Finding:
    word = str(path[-1])
    known = words_at(path[:-1])
    if word in LATER:
        return Finding(path, "is not supported by this version")
    if word in _OF_INPUTS and pattern_of(path[:-1]) == "input.*":
        return Finding(path, "is not a word that belongs here", _OF_INPUTS[word])
    if word in ELSEWHERE and len(path) <= 1 + 2 * _depth(path):
        return Finding(path, "is not a word that belongs here", ELSEWHERE[word])
    return Finding(path, "is not a word that belongs here", did_you_mean(word, known))


def words_at(path: Path) -> list[str]:
    """The keys that may stand in the mapping at ``path``, as they are written."""
    model = _MODELS.get(pattern_of(path))
    return [field.alias or name for name, field in model.model_fields.items()] if model else []


_MODELS: Mapping[str, type[BaseModel]] = {
    "": Workflow,
    "input.*": InputField,
    "concurrency": Concurrency,
    "budget": Budget,
    "schedule.#": Schedule,
    "steps.#": Step,
    "steps.#.retry": Retry,
    "steps.#.retry.classes.*": RetryRule,
    "steps.#.correct": Correct,
    "steps.#.undo": Undo,
    "steps.#.undo.retry": Retry,
    "steps.#.undo.retry.classes.*": RetryRule,
    "steps.#.approval": Approval,
    "steps.#.approval.stages.#": Stage,
    "steps.#.approval.edit.*": EditField,
    "steps.#.approval.escalate.#": Rung,
    "steps.#.approval.hours": Hours,
    "steps.#.llm": Llm,
    "steps.#.agent": Agent,
    "steps.#.agent.tools.#": Tool,
    "steps.#.agent.tools.#.retry": Retry,
    "steps.#.agent.tools.#.retry.classes.*": RetryRule,
    "steps.#.agent.tools.#.approval": ToolApproval,
    "steps.#.agent.tools.#.approval.escalate.#": Rung,
    "steps.#.sleep": Sleep,
    "steps.#.wait_for": WaitFor,
    "steps.#.wait_for.payload.*": InputField,
    "steps.#.workflow": Call,
    "steps.#.for_each": ForEach,
    "steps.#.repeat": Repeat,
}
_FREE = re.compile(
    r"^(input|labels|schedule\.#\.input|steps\.#\.(?:set|with|agent\.tools\.#\.with|agent\.output|llm\.output|workflow\.input|wait_for\.payload|approval\.edit|(?:undo\.|agent\.tools\.#\.)?retry\.classes))"
    r"\.[^.]*"
)
"""Mappings whose keys the author chooses."""


def _depth(path: Path) -> int:
    """How many steps the path leads into, each inside of the one before."""
    depth = 0
    while (
        len(path) > 2 * depth + 1
        and path[2 * depth] in ("steps", "on_failure")
        and isinstance(path[2 * depth + 1], int)
    ):
        depth += 1
    return depth


def pattern_of(path: Path) -> str:
    """The kind of place that ``path`` is: ``steps.#.retry`` for any step's, also of one that is inside of others."""
    depth = _depth(path)
    rest = [*(("steps", 0) if depth else ()), *path[2 * depth :]]
    spelled = ".".join("#" if isinstance(part, int) else part for part in rest)
    return _FREE.sub(r"\1.*", spelled)


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
    return f"one of {listed(words, len(words))}" if len(words) > 1 else listed(words)


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
