"""Asking a provider, at somebody's request, whether it takes a key.

The one rule: of the answer only its status is looked at; a provider's words may repeat the key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import aiohttp

from engine.core import keys as ks
from engine.core.errors import EngineError
from engine.core.events.base import Actor
from engine.core.key_events import KeyChecked
from engine.redaction import Redactor
from engine.store import Log
from engine.vault import open_key
from engine.workspace import Workspace

WITHIN = 10.0
"""Seconds for the provider to answer in."""
_REFUSED = frozenset({401, 403})


class Endpoint(NamedTuple):
    """Where a provider lists its models. ``wire`` is how it is spoken to: ``openai`` or ``anthropic``."""

    wire: str
    url: str

    @classmethod
    def of(cls, wire: str, base: str | None) -> Endpoint:
        """From the address under which it is asked; None: the provider's own."""
        if wire == "anthropic":
            return cls(wire, f"{(base or 'https://api.anthropic.com').rstrip('/')}/v1/models")
        return cls(wire, f"{(base or 'https://api.openai.com/v1').rstrip('/')}/models")

    def headers(self, key: str) -> dict[str, str]:
        """What makes the request that key's."""
        if self.wire == "anthropic":
            return {"x-api-key": key, "anthropic-version": "2023-06-01"}
        return {"Authorization": f"Bearer {key}"}


class NotAsked(EngineError, LookupError):
    def __init__(self, provider: str, known: Iterable[str]) -> None:
        there = ", ".join(sorted(known)) or "none"
        super().__init__(
            f"How to ask {provider} is not known here; there is: {there}. VB_MODEL_PROVIDERS names others."
        )


def endpoint_of(provider: str, endpoints: Mapping[str, Endpoint]) -> Endpoint:
    """Where the provider is asked. Raises ``NotAsked``."""
    try:
        return endpoints[provider]
    except KeyError:
        raise NotAsked(provider, endpoints) from None


async def check_key(
    store: Log, workspace: Workspace, provider: str, name: str, endpoint: Endpoint, *, by: Actor
) -> KeyChecked:
    """What the provider said, which is on record on return. ``StepError`` where there is no such key."""
    uses: list[ks.Use] = []

    async def used(use: ks.Use) -> None:
        uses.append(use)

    redactor = Redactor()
    try:
        async with open_key(store, workspace.name, provider, name, used=used, redactor=redactor) as key:
            accepted, words = await _ask(provider, endpoint, key)
    finally:
        redactor.forget()
    event = KeyChecked(provider=provider, name=name, key=uses[0].id, accepted=accepted, words=words, by=by)
    await workspace.submit(lambda _: ks.NoteCheck(event))
    return event


async def _ask(provider: str, endpoint: Endpoint, key: str) -> tuple[bool | None, str]:
    try:
        async with (
            asyncio.timeout(WITHIN),
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.get(endpoint.url, headers=endpoint.headers(key), allow_redirects=False) as answer,
        ):
            status = answer.status
    except TimeoutError:
        return None, f"{provider} did not answer within {WITHIN:.0f} s"
    except (aiohttp.ClientError, OSError, ValueError):
        return None, f"{provider} cannot be reached"
    if status in _REFUSED:
        return False, f"{provider} does not take it (status {status})"
    if status == 200:
        return True, f"{provider} takes it"
    return None, f"{provider} answered with status {status}, which says nothing of the key"
