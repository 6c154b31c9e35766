"""Providers of models on loopback, for the real SDKs: scripted answers over the wires of OpenAI and Anthropic.

The one rule: they refuse what the real ones refuse, and keep a log of every request.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from engine.steps.models.wire import load_sdks
from tests.httpd import listening
from tests.providers import anthropic_wire, openai_wire
from tests.providers.script import Answer, Hang, Refuse, Say, Seen, Wrong

KEY = "sk-test-4f3c2b1a09d8e7f6a5b4c3d2e1f0-canary"


class Providers:
    """``next`` are the answers to come, whoever is asked; after them, ``otherwise`` says what is answered."""

    def __init__(self) -> None:
        self.next: list[Answer] = []
        self.otherwise: Callable[[Seen], Answer] = lambda _: Say("ok")
        self.seen: list[Seen] = []
        self.keys = {KEY}
        self.port = 0

    @property
    def openai(self) -> str:
        return f"http://127.0.0.1:{self.port}/openai/v1"

    @property
    def anthropic(self) -> str:
        return f"http://127.0.0.1:{self.port}/anthropic"

    @property
    def entries(self) -> list[str]:
        """For the setting that names providers."""
        return [f"openai={self.openai}", f"anthropic={self.anthropic}"]

    @property
    def refused(self) -> list[str]:
        """What was wrong with requests; a test that is not about that expects nothing."""
        return [one.refused for one in self.seen if one.refused]

    async def ask_openai(self, request: web.Request) -> web.StreamResponse:
        seen, key = await _read("openai", request), _key(request)
        answer = self._answer(seen, key, lambda: openai_wire.check(seen.body), _incorrect(key))
        return await _respond(request, answer, openai_wire.error, lambda said: openai_wire.stream(seen.body, said))

    async def ask_anthropic(self, request: web.Request) -> web.StreamResponse:
        seen, key = await _read("anthropic", request), _key(request)
        invalid = Refuse(401, f"invalid x-api-key: {key}")
        answer = self._answer(seen, key, lambda: anthropic_wire.check(seen.headers, seen.body), invalid)
        return await _respond(
            request, answer, anthropic_wire.error, lambda said: anthropic_wire.stream(seen.body, said)
        )

    def _answer(self, seen: Seen, key: str, check: Callable[[], None], unknown: Refuse) -> Answer:
        if key not in self.keys:
            self.seen.append(Seen(seen.wire, seen.headers, seen.body, "its key"))
            return unknown
        try:
            check()
        except Wrong as wrong:
            self.seen.append(Seen(seen.wire, seen.headers, seen.body, str(wrong)))
            return wrong.refusal
        self.seen.append(seen)
        return self.next.pop(0) if self.next else self.otherwise(seen)

    async def list_models(self, request: web.Request) -> web.Response:
        """What a key is checked with."""
        is_openai, key = request.path.startswith("/openai"), _key(request)
        if key not in self.keys:
            refusal = _incorrect(key) if is_openai else Refuse(401, f"invalid x-api-key: {key}")
            return web.json_response((openai_wire if is_openai else anthropic_wire).error(refusal), status=401)
        return web.json_response({"object": "list", "data": [], "has_more": False})


def _key(request: web.Request) -> str:
    return request.headers.get("x-api-key") or request.headers.get("Authorization", "").removeprefix("Bearer ")


def _incorrect(key: str) -> Refuse:
    """Echoes the key, as the real one does in part."""
    return Refuse(401, f"Incorrect API key provided: {key}.", "invalid_request_error", "invalid_api_key")


async def _read(wire: str, request: web.Request) -> Seen:
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Seen(wire, headers, json.loads(await request.read()))


async def _respond(
    request: web.Request,
    answer: Answer,
    error: Callable[[Refuse], dict[str, Any]],
    stream: Callable[[Say], Iterator[str]],
) -> web.StreamResponse:
    if isinstance(answer, Hang):
        await asyncio.Event().wait()
        raise AssertionError("the other side never gives up")
    if isinstance(answer, Refuse):
        headers = {} if answer.retry_after is None else {"Retry-After": answer.retry_after}
        if answer.raw is not None:
            return web.Response(status=answer.status, text=answer.raw, headers=headers)
        return web.json_response(error(answer), status=answer.status, headers=headers)
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for sent, event in enumerate(stream(answer)):
        if sent == answer.hang_after:
            await asyncio.Event().wait()
        if sent == answer.break_after and request.transport is not None:
            request.transport.abort()
            return response
        await response.write(event.encode())
    return response


@asynccontextmanager
async def providers() -> AsyncGenerator[Providers]:
    """Both providers, on a port that the system chose. The SDKs are imported by then, which takes seconds."""
    load_sdks()
    found = Providers()
    app = web.Application()
    app.router.add_post("/openai/v1/chat/completions", found.ask_openai)
    app.router.add_post("/anthropic/v1/messages", found.ask_anthropic)
    app.router.add_get("/openai/v1/models", found.list_models)
    app.router.add_get("/anthropic/v1/models", found.list_models)
    async with listening(app) as found.port:
        yield found
