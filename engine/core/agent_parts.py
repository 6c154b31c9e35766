"""What an agent becomes when its definition is pinned: a ``repeat``, and the steps of one pass.

The one rule: the tools' schemas and the expansion are pinned with everything else, so that what a run does never
changes under it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from pydantic import JsonValue

from engine.core.agents import CALLS, GATE, TURN, Agent, Tool, ToolApproval
from engine.core.definition import Step, Workflow
from engine.core.kinds import InputField, InputType
from engine.core.models import literal
from engine.core.money import USD, Micros
from engine.core.stepspec import Catalog

TURN_CODE = "agent.turn"
MOST_CALLS = 20
"""In one answer of a model; one with more is refused."""
Parts = tuple[dict[str, Any], list[dict[str, Any]]]
_EDITED = {"string": "text", "integer": "integer", "number": "number", "boolean": "boolean"}
"""The types of arguments that a person may change, by JSON Schema, and the field that they are changed in."""
_TYPES = {InputType.INTEGER: "integer", InputType.NUMBER: "number", InputType.BOOLEAN: "boolean"}


def parts_of(step: Step, agent: Agent, catalog: Catalog, callees: Mapping[str, Workflow]) -> Parts:
    """The ``repeat`` and the ``steps`` that the agent is, as their data. ``KeyError`` for tools that are not there."""
    tools = [(tool, _parameters(tool, catalog, callees)) for tool in agent.tools]
    given = agent.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"tools", "output"})
    described: list[JsonValue] = [
        {"name": tool.called, "description": tool.description, "parameters": parameters} for tool, parameters in tools
    ]
    fixed = {"tools": literal(described), "output": literal(agent.output)}
    asked = {
        "id": TURN,
        "uses": TURN_CODE,
        "with": {**given, **fixed, "turn": "${{ iteration }}", "history": "${{ history }}"},
        **step.model_dump(mode="json", include={"retry", "timeout"}),
    }
    steps: list[dict[str, Any]] = [asked]
    if tools:
        inside = [step for tool, parameters in tools for step in _call(tool, parameters)]
        items = {
            "items": f"${{{{ steps.{TURN}.output.calls }}}}",
            "max_items": MOST_CALLS,
            "on_item_failure": "continue",
        }
        steps.append({"id": CALLS, "for_each": items, "steps": inside})
    return {"until": f"size(steps.{TURN}.output.calls) == 0", "max": agent.max_turns}, steps


def answer_of(outputs: JsonValue, spent: Micros) -> JsonValue:
    """The output of an agent, from what its last pass gave, and what all turns have cost."""
    turn = cast("dict[str, Any]", cast("dict[str, Any]", outputs)[TURN])
    total = turn["total"]
    return {
        "text": turn["text"],
        "value": turn["value"],
        "turns": total["turns"],
        "usage": {"input_tokens": total["input_tokens"], "output_tokens": total["output_tokens"]},
        "cost": spent / USD,
    }


def _parameters(tool: Tool, catalog: Catalog, callees: Mapping[str, Workflow]) -> dict[str, Any]:
    """The JSON Schema of what the model may choose."""
    if tool.workflow is not None:
        schema = _schema_of(callees[tool.workflow].input)
    else:
        name, _, version = (tool.uses or "").partition("@")
        schema = dict(catalog[name].version(int(version) if version else None).arguments)
    chosen = {name: part for name, part in schema.get("properties", {}).items() if name not in tool.with_}
    required = [name for name in schema.get("required", []) if name not in tool.with_]
    rest = {"$defs": schema["$defs"]} if "$defs" in schema else {}
    return {"type": "object", "properties": chosen, "required": required, "additionalProperties": False, **rest}


def _call(tool: Tool, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The steps of one call: the gate, if there is one, and what it does."""
    name, when = tool.called, f"item.tool == {json.dumps(tool.called)}"
    arguments: dict[str, Any] = {
        word: f"${{{{ {_chosen(word, part, parameters)} }}}}" for word, part in parameters["properties"].items()
    }
    steps: list[dict[str, Any]] = []
    needs: list[str] = []
    if tool.approval is not None:
        steps.append(_gate(tool, tool.approval, arguments, parameters, when))
        needs = [f"{GATE}{name}"]
        edited = f"steps.{needs[0]}.output.fields"
        arguments |= {word: f"${{{{ {edited}.{word} }}}}" for word in _editable(parameters)}
    arguments |= tool.with_
    doing = {"workflow": {"name": tool.workflow, "input": arguments}}
    if tool.uses is not None:
        doing = {"uses": tool.uses, "with": arguments}
    retry = tool.retry.model_dump(mode="json")
    return [*steps, {"id": name, "if": when, "needs": needs, "retry": retry, **doing}]


def _gate(
    tool: Tool, rules: ToolApproval, arguments: Mapping[str, str], parameters: Mapping[str, Any], when: str
) -> dict[str, Any]:
    editable = _editable(parameters)
    fixed = {word: value for word, value in arguments.items() if word not in editable}
    shown = {"the model says": f"${{{{ steps.{TURN}.output.text }}}}", **fixed, **tool.with_}
    edit = {
        word: {"type": field, "value": arguments[word], "description": _said(parameters["properties"][word])}
        for word, field in editable.items()
    }
    words = rules.model_dump(mode="json", by_alias=True, exclude_none=True)
    gate = {**words, "title": f"Let the model call {tool.called}?", "show": shown, "edit": edit}
    return {"id": f"{GATE}{tool.called}", "if": when, "needs": [], "approval": gate}


def _editable(parameters: Mapping[str, Any]) -> dict[str, str]:
    """The arguments that a person may change, with the type of their field: those that always have a value."""
    there = {
        word: part.get("type", "")
        for word, part in parameters["properties"].items()
        if word in parameters["required"] or part.get("default") is not None
    }
    return {word: _EDITED[kind] for word, kind in there.items() if kind in _EDITED and _is_field_name(word)}


def _is_field_name(word: str) -> bool:
    return word.isidentifier() and word == word.lower() and not word.startswith("_")


def _said(part: Mapping[str, Any]) -> str:
    return str(part.get("description", ""))[:200]


def _chosen(word: str, part: Mapping[str, Any], parameters: Mapping[str, Any]) -> str:
    """The expression for an argument: what the model chose, or its default where that was left out."""
    place = f"item.arguments.{word}" if word.isidentifier() else f"item.arguments[{json.dumps(word)}]"
    if word in parameters["required"]:
        return place
    default = json.dumps(part.get("default"), ensure_ascii=False)
    return f"{json.dumps(word)} in item.arguments ? {place} : {default}"


def _schema_of(fields: Mapping[str, InputField]) -> dict[str, Any]:
    """What a workflow takes, as a JSON Schema for a model."""
    return {
        "properties": {name: _schema_of_field(field) for name, field in fields.items()},
        "required": [name for name, field in fields.items() if field.is_required],
    }


def _schema_of_field(field: InputField) -> dict[str, Any]:
    kind = _TYPES.get(field.type, "string")
    limits = {"enum": list(field.choices) or None, "pattern": field.pattern, "minimum": field.min, "maximum": field.max}
    shape = (
        ""
        if kind != "string" or field.type in (InputType.STRING, InputType.TEXT, InputType.CHOICE)
        else field.type.value
    )
    said = ": ".join(part for part in (shape, field.description) if part)
    known = {"type": kind, "description": said or None, "default": field.default, **limits}
    return {word: value for word, value in known.items() if value is not None}
