"""The messages of Anthropic, as far as its documentation says what is taken and what comes back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.providers.script import Refuse, Say, Wrong, pieces, tokens, within

KNOWN = frozenset(
    {
        *(
            "model",
            "messages",
            "max_tokens",
            "system",
            "stream",
            "temperature",
            "tools",
            "tool_choice",
            "stop_sequences",
        ),
        *("metadata", "top_p", "top_k", "thinking"),
    }
)
KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}
_TOOL = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def check(headers: Mapping[str, str], body: dict[str, Any]) -> None:
    """Raises ``Wrong`` for what the real one refuses."""
    if "anthropic-version" not in headers:
        raise Wrong("anthropic-version: header is required")
    for word in body:
        if word not in KNOWN:
            raise Wrong(f"{word}: Extra inputs are not permitted")
    for word in ("model", "messages", "max_tokens"):
        if word not in body:
            raise Wrong(f"{word}: Field required")
    if "nope" in body["model"]:
        raise Wrong(f"model: {body['model']}", 404, "not_found_error")
    if not 0 <= body.get("temperature", 1) <= 1:
        raise Wrong("temperature: range: 0..1")
    if body["max_tokens"] < 1:
        raise Wrong("max_tokens: Input should be greater than or equal to 1")
    _check_messages(body["messages"])
    for at, tool in enumerate(body.get("tools", ())):
        if not _TOOL.fullmatch(tool.get("name", "")) or tool.get("input_schema", {}).get("type") != "object":
            raise Wrong(f"tools.{at}.input_schema.type: Field required")


def _check_messages(messages: list[dict[str, Any]]) -> None:
    if not messages or messages[0]["role"] != "user":
        raise Wrong('messages: first message must use the "user" role')
    called: set[str] = set()
    for at, message in enumerate(messages):
        if message["role"] not in ("user", "assistant"):
            raise Wrong(f"messages.{at}.role: Input should be 'user' or 'assistant'")
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if not blocks or any(block["type"] == "text" and not block["text"].strip() for block in blocks):
            raise Wrong(f"messages.{at}: text content blocks must be non-empty")
        answered = {block["tool_use_id"] for block in blocks if block["type"] == "tool_result"}
        if answered != called:
            what = f"messages.{at}: `tool_use` ids were found without `tool_result` blocks immediately after"
            raise Wrong(
                what if called - answered else f"messages.{at}: unexpected `tool_use_id` in `tool_result` blocks"
            )
        called = {block["id"] for block in blocks if block["type"] == "tool_use"}
    if called:
        raise Wrong("messages: `tool_use` ids were found without `tool_result` blocks immediately after")


def error(refusal: Refuse) -> dict[str, Any]:
    kind = refusal.kind or KINDS.get(refusal.status, "api_error")
    return {"type": "error", "error": {"type": kind, "message": refusal.message}, "request_id": "req_1"}


def stream(body: dict[str, Any], said: Say) -> Iterator[str]:
    """The events of an answer, one text each."""
    said, cut = within(said, body["max_tokens"])
    asked, answered = said.usage or (_asked(body), _answered(said))
    if not said.counted:
        asked = answered = 0
    message: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [],
    }
    usage = {"input_tokens": asked - said.cached, "output_tokens": min(answered, 1)}
    usage |= {"cache_read_input_tokens": said.cached}
    yield _event("message_start", message={**message, "stop_reason": None, "stop_sequence": None, "usage": usage})
    yield _event("ping")
    blocks: list[tuple[dict[str, Any], list[dict[str, Any]]]] = []
    if said.text:
        deltas = [{"type": "text_delta", "text": piece} for piece in pieces(said.text)]
        blocks.append(({"type": "text", "text": ""}, deltas))
    for at, (name, arguments) in enumerate(said.calls):
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces(arguments)]
        blocks.append(({"type": "tool_use", "id": f"toolu_{at}", "name": name, "input": {}}, deltas))
    for index, (block, deltas) in enumerate(blocks):
        yield _event("content_block_start", index=index, content_block=block)
        for delta in deltas:
            yield _event("content_block_delta", index=index, delta=delta)
        yield _event("content_block_stop", index=index)
    if said.overloaded:
        yield _event("error", error={"type": "overloaded_error", "message": "Overloaded"})
        return
    reason = "max_tokens" if cut else "tool_use" if said.calls else "end_turn"
    ended = {"stop_reason": reason, "stop_sequence": None}
    yield _event("message_delta", delta=ended, usage={"output_tokens": answered})
    yield _event("message_stop")


def _asked(body: dict[str, Any]) -> int:
    return tokens(json.dumps([body["messages"], body.get("system", ""), body.get("tools", [])], ensure_ascii=False))


def _answered(said: Say) -> int:
    return tokens(said.text + "".join(arguments for _, arguments in said.calls))


def _event(kind: str, **data: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n"
