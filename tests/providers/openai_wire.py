"""The chat completions of OpenAI, as far as its documentation says what is taken and what comes back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.providers.script import Refuse, Say, Wrong, pieces, tokens, within

KNOWN = frozenset(
    {
        *("model", "messages", "stream", "stream_options", "max_completion_tokens", "max_tokens", "temperature"),
        *("tools", "tool_choice", "parallel_tool_calls", "response_format", "top_p", "seed", "stop", "n", "user"),
    }
)
_TOOL = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def check(body: dict[str, Any]) -> None:
    """Raises ``Wrong`` for what the real one refuses."""
    for word in body:
        if word not in KNOWN:
            raise Wrong(f"Unrecognized request argument supplied: {word}")
    model = body.get("model")
    if not isinstance(model, str):
        raise Wrong("you must provide a model parameter")
    if "nope" in model:
        raise Wrong(f"The model `{model}` does not exist or you do not have access to it.", 404, code="model_not_found")
    if "max_tokens" in body and model.startswith(("gpt-5", "o")):
        raise Wrong("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
    if not 0 <= body.get("temperature", 1) <= 2:
        raise Wrong("Invalid 'temperature': must be between 0 and 2.")
    _check_messages(body.get("messages"))
    _check_tools(body)


def _check_messages(messages: list[dict[str, Any]] | None) -> None:
    if not messages:
        raise Wrong("Invalid 'messages': empty array.")
    open_calls: list[str] = []
    for message in messages:
        role = message.get("role")
        if role not in ("system", "developer", "user", "assistant", "tool"):
            raise Wrong(f"Invalid value: {role!r} for role")
        if role == "tool":
            if message.get("tool_call_id") not in open_calls:
                raise Wrong("messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.")
            open_calls.remove(message["tool_call_id"])
            continue
        if open_calls:
            raise Wrong("An assistant message with 'tool_calls' must be followed by tool messages for each of them.")
        if role == "assistant":
            calls: list[dict[str, Any]] = message.get("tool_calls") or []
            open_calls = [call["id"] for call in calls]
        elif not message.get("content"):
            raise Wrong(f"Invalid value for 'content': expected a string, got {message.get('content')!r}.")
    if open_calls:
        raise Wrong("An assistant message with 'tool_calls' must be followed by tool messages for each of them.")


def _check_tools(body: dict[str, Any]) -> None:
    for tool in body.get("tools", ()):
        function = tool.get("function", {})
        if tool.get("type") != "function" or not _TOOL.fullmatch(str(function.get("name", ""))):
            raise Wrong("Invalid 'tools[0].function.name'")
        if function.get("parameters", {}).get("type") != "object":
            raise Wrong(f"Invalid schema for function '{function['name']}': schema must be type 'object'")
    if "tool_choice" in body and not body.get("tools"):
        raise Wrong("'tool_choice' is only allowed when 'tools' are specified.")


def error(refusal: Refuse) -> dict[str, Any]:
    kind = refusal.kind or ("rate_limit_error" if refusal.status == 429 else "server_error")
    code = refusal.code or ("rate_limit_exceeded" if refusal.status == 429 else None)
    return {"error": {"message": refusal.message, "type": kind, "param": None, "code": code}}


def stream(body: dict[str, Any], said: Say) -> Iterator[str]:
    """The events of an answer, one text each."""
    said, cut = within(said, body.get("max_completion_tokens") or body.get("max_tokens") or 10_000)
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": body["model"]}

    def chunk(delta: dict[str, Any], finish: str | None = None) -> str:
        return _event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    yield chunk({"role": "assistant", "content": ""})
    for piece in pieces(said.text):
        yield chunk({"content": piece})
    for at, (name, arguments) in enumerate(said.calls):
        begun = {"index": at, "id": f"call_{at}", "type": "function", "function": {"name": name, "arguments": ""}}
        yield chunk({"tool_calls": [begun]})
        for piece in pieces(arguments):
            yield chunk({"tool_calls": [{"index": at, "function": {"arguments": piece}}]})
    if said.overloaded:
        yield _event(error(Refuse(503, "The server is overloaded", "server_error", "server_overloaded")))
        return
    yield chunk({}, "length" if cut else "tool_calls" if said.calls else "stop")
    options: dict[str, Any] = body.get("stream_options") or {}
    if said.counted and options.get("include_usage"):
        asked, answered = said.usage or (_asked(body), _answered(said))
        usage = {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered}
        usage |= {"prompt_tokens_details": {"cached_tokens": said.cached}}
        yield _event({**head, "choices": [], "usage": usage})
    yield "data: [DONE]\n\n"


def _asked(body: dict[str, Any]) -> int:
    return tokens(json.dumps([body["messages"], body.get("tools", [])], ensure_ascii=False))


def _answered(said: Say) -> int:
    return tokens(said.text + "".join(arguments for _, arguments in said.calls))


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data)}\n\n"
