"""``local:echo`` and ``local:brief``: models that are none, on this machine, so that examples and demos need no key.

The one rule: they say that they are a local model wherever they say anything, and the same question gives the same
answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, cast

from pydantic import JsonValue

from engine.core.models import LOCAL
from engine.steps.agent import Question, Said, ToolSpec, Usage
from engine.steps.models.replies import CUT_OFF, RawCall, Reply

LABEL = "(local model)"
_CHARACTERS_PER_TOKEN = 4
_DEEPEST = 10


def echo(question: Question, name: str = "echo") -> Reply:
    """Gives back what it was told: as a text; as a value that fits; or, of an agent, after a call of each tool."""
    told = [said for said in question.messages if said.role == "user"]
    results = [said for said in question.messages if said.role == "tool"]
    usage = Usage(input_tokens=sum(_tokens(said.text) for said in question.messages))
    reply = Reply(model=f"{LOCAL}:{name}", usage=usage, finish="stop")
    if question.tools and not results:
        calls = [_call(tool, told[0].text, number) for number, tool in enumerate(question.tools, 1)]
        return reply.model_copy(
            update={"text": f"{LABEL} I call each tool once.", "calls": calls, "finish": "tool_call"}
        )
    if question.output is not None:
        value = _example(question.output, f"{LABEL} {_first_line(told[0].text)}", cast("Any", question.output))
        return _cut(reply.model_copy(update={"given": json.dumps(value, ensure_ascii=False)}), question.max_tokens)
    text = told[-1].text if not results else "\n".join(_result(said) for said in results)
    return _cut(reply.model_copy(update={"text": f"{LABEL} {text}"}), question.max_tokens)


def brief(question: Question) -> Reply:
    """As ``echo``, of the first half of what it was told; asked to correct an attempt, it halves what may change."""
    asked = _attempt_to_correct(question)
    if asked is None:
        told = [said.model_copy(update={"text": first_half(said.text)}) for said in question.messages]
        return echo(question.model_copy(update={"messages": told}), "brief")
    why, texts = asked
    value = {
        "seen": f"{LABEL} {_first_line(why)}",
        "changes": {name: first_half(text) for name, text in texts.items()},
        "why": f"{LABEL} half of it may do",
    }
    usage = Usage(input_tokens=sum(_tokens(said.text) for said in question.messages))
    reply = Reply(model=f"{LOCAL}:brief", usage=usage, finish="stop", given=json.dumps(value, ensure_ascii=False))
    return _cut(reply, question.max_tokens)


MODELS: Mapping[str, Callable[[Question], Reply]] = {"echo": echo, "brief": brief}
"""By name."""


def first_half(text: str) -> str:
    """Whole lines of it, or whole words where the half has no whole line; never nothing of something."""
    half = text[: -(-len(text) // 2)]
    for end in ("\n", " "):
        if end in half.strip():
            return half[: half.rstrip().rindex(end)].rstrip()
    return half.strip() or half


def _attempt_to_correct(question: Question) -> tuple[str, dict[str, str]] | None:
    """What failed, and the texts that may be changed, if a correction is asked for (``engine.steps.correct``)."""
    wanted: Any = (question.output or {}).get("properties")
    if not isinstance(wanted, dict) or "changes" not in wanted:
        return None
    try:
        told: Any = json.loads(question.messages[0].text)
        before, names = cast("dict[str, Any]", told["attempt"]), cast("list[str]", told["may_change"])
        return str(told["error"]["message"]), {one: before[one] for one in names if isinstance(before.get(one), str)}
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def _result(said: Said) -> str:
    return f"{said.tool} {'failed' if said.failed else 'said'}: {_first_line(said.text)}"


def _call(tool: ToolSpec, prompt: str, number: int) -> RawCall:
    arguments = _example(tool.parameters, _first_line(prompt), tool.parameters)
    return RawCall(id=f"call_{number}", tool=tool.name, arguments=json.dumps(arguments, ensure_ascii=False))


def _cut(reply: Reply, max_tokens: int) -> Reply:
    written = reply.text if reply.given is None else reply.given
    count, most = _tokens(written), max_tokens * _CHARACTERS_PER_TOKEN
    usage = reply.usage.model_copy(update={"output_tokens": min(count, max_tokens)})
    if count <= max_tokens:
        return reply.model_copy(update={"usage": usage})
    field = "text" if reply.given is None else "given"
    return reply.model_copy(update={"usage": usage, field: written[:most], "finish": CUT_OFF})


def _example(schema: JsonValue, text: str, whole: dict[str, Any], deep: int = 0) -> JsonValue:
    """A small value that fits the schema, of the parts that it names; ``text`` where one is wanted."""
    if not isinstance(schema, dict) or deep > _DEEPEST:
        return None
    if isinstance(reference := schema.get("$ref"), str):
        return _example(_referred(reference, whole), text, whole, deep + 1)
    for word in ("const", "default"):
        if word in schema:
            return schema[word]
    for word in ("enum", "examples"):
        if isinstance(known := schema.get(word), list) and known:
            return known[0]
    for word in ("anyOf", "oneOf", "allOf"):
        if isinstance(choices := schema.get(word), list) and choices:
            return _example(choices[0], text, whole, deep + 1)
    return _of_type(schema, text, whole, deep)


def _of_type(schema: dict[str, Any], text: str, whole: dict[str, Any], deep: int) -> JsonValue:
    kinds = cast("list[str] | str | None", schema.get("type"))
    match kinds[0] if isinstance(kinds, list) and kinds else kinds:
        case "object":
            named = cast("dict[str, Any]", schema.get("properties", {}))
            wanted = [name for name in named if name in schema.get("required", []) or deep == 0]
            return {name: _example(named[name], text, whole, deep + 1) for name in wanted}
        case "array":
            count = max(1, int(schema.get("minItems", 1)))
            return [_example(schema.get("items", {}), text, whole, deep + 1) for _ in range(count)]
        case "string":
            return text[: schema.get("maxLength", len(text))]
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case _:
            return None


def _referred(reference: str, whole: dict[str, Any]) -> JsonValue:
    found: JsonValue = whole
    for part in reference.removeprefix("#").strip("/").split("/"):
        found = found.get(part) if isinstance(found, dict) and part else found
    return found


def _tokens(text: str) -> int:
    return -(-len(text) // _CHARACTERS_PER_TOKEN)


def _first_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[0][:200]
