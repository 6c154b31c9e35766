"""The step ``http.request``: one HTTP exchange, redirects included, within limits of size, time and reach.

The one rule: each hop is a request of its own to the policy: a redirect opens no door that the first URL would not.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from json import dumps
from typing import Annotated, Literal

import aiohttp
from multidict import CIMultiDict
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    TypeAdapter,
    field_validator,
    model_validator,
)
from yarl import URL

from engine.core.failures import FailureClass, StepError
from engine.steps.arguments import Timeout, say_limit
from engine.steps.context import StepContext
from engine.steps.http_answer import HttpAnswer, answer_of, raise_for_status, raise_in_words, say_url
from engine.steps.http_policy import HttpPolicy, SocketGuard
from engine.steps.registry import StepFunction, step

MAX_REDIRECTS = 5
MAX_BYTES_LIMIT = 16 * 1_048_576
EFFECT = "request"

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "upgrade"})
"""Headers that frame the message or aim it: never the definition's to set."""
_HARMLESS = frozenset({"accept", "accept-language", "content-type", "idempotency-key", "user-agent"})
"""The only headers that follow a redirect to another origin: each other one may hold a secret meant for the first."""
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_STATUSES = re.compile(r"([1-5]\d\d)(?:-([1-5]\d\d))?")
_ANSWER = TypeAdapter(HttpAnswer)


def _statuses(entry: int | str) -> int | str:
    if not _STATUSES.fullmatch(str(entry)):
        raise ValueError("must be a status such as 200 or a range such as 200-299")
    return entry


_Status = Annotated[str, AfterValidator(_statuses)]
_Class = Literal[
    "transient", "rate_limited", "timeout", "invalid_input", "invalid_output", "permission", "permanent"
]  # fmt: skip


class HttpRequest(BaseModel):
    """The arguments of ``http.request``.

    ``failures`` gives statuses (``"404"``, ``"500-599"``) another class than the general table does; of several that
    fit the narrowest counts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(max_length=8_000)
    method: Literal["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    headers: dict[str, str] = {}
    json_: JsonValue = Field(default=None, alias="json")
    body: str | None = None
    timeout: Timeout = Field(default=30_000, json_schema_extra={"default": "30s"})
    expect_status: tuple[Annotated[int | str, AfterValidator(_statuses)], ...] = ("200-399",)
    failures: dict[_Status, _Class] = {}
    max_bytes: int = Field(default=1_048_576, ge=1, le=MAX_BYTES_LIMIT)
    follow_redirects: bool = True

    @field_validator("url")
    @classmethod
    def _absolute(cls, url: str) -> str:
        try:
            parsed = URL(url)
        except ValueError:
            raise ValueError("is not a URL") from None
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise ValueError("must begin with http:// or https:// and name a host")
        return url

    @field_validator("headers")
    @classmethod
    def _plain(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not _HEADER_NAME.fullmatch(name) or name.lower() in _OURS:
                raise ValueError(f"{name!r} cannot be set")
            if not value.isprintable():
                raise ValueError(f"the value of {name} holds a line break or another control character")
        return headers

    @model_validator(mode="after")
    def _one_body(self) -> HttpRequest:
        if self.json_ is not None and self.body is not None:
            raise ValueError("give json or body, not both")
        return self

    @property
    def expected(self) -> list[range]:
        """``expect_status`` as ranges of statuses."""
        return [_range(entry) for entry in self.expect_status]

    def class_of(self, status: int) -> FailureClass | None:
        """The class that the definition gives this status; None if it says nothing of it."""
        said = [(len(numbers), cls) for entry, cls in self.failures.items() if status in (numbers := _range(entry))]
        return FailureClass(min(said)[1]) if said else None


def _range(entry: int | str) -> range:
    first, _, last = str(entry).partition("-")
    return range(int(first), int(last or first) + 1)


@dataclass(frozen=True, slots=True)
class _Hop:
    """One request of the exchange: what a redirect may change."""

    method: str
    url: URL
    headers: CIMultiDict[str]
    body: bytes | None

    @classmethod
    def first(cls, args: HttpRequest) -> _Hop:
        headers = CIMultiDict(args.headers)
        headers.setdefault("User-Agent", "Vectorbea")
        body = args.body
        if args.json_ is not None:
            body = dumps(args.json_)
            headers.setdefault("Content-Type", "application/json")
        elif body is not None:
            headers.setdefault("Content-Type", "text/plain; charset=utf-8")
        return cls(args.method, URL(args.url), headers, None if body is None else body.encode())

    def __str__(self) -> str:
        return f"{self.method} {say_url(self.url)}"


def http_request(policy: HttpPolicy) -> StepFunction:
    """The step ``http.request`` for what ``policy`` lets it reach."""

    @step("http.request")
    async def request(ctx: StepContext, args: HttpRequest, /) -> HttpAnswer:
        first = _Hop.first(args)

        async def send(key: str) -> HttpAnswer:
            first.headers.setdefault("Idempotency-Key", key)
            return await _within_time(args, policy, first)

        if args.method in _SAFE:
            return await _within_time(args, policy, first)
        return _ANSWER.validate_python(await ctx.effect(EFFECT, send))

    return request


async def _within_time(args: HttpRequest, policy: HttpPolicy, first: _Hop) -> HttpAnswer:
    try:
        async with asyncio.timeout(args.timeout / 1_000):
            return await _exchange(args, policy, first)
    except TimeoutError:
        raise StepError(f"{first} did not answer within {say_limit(args.timeout)}", FailureClass.TIMEOUT) from None


async def _exchange(args: HttpRequest, policy: HttpPolicy, first: _Hop) -> HttpAnswer:
    hop = first
    for _ in range(MAX_REDIRECTS + 1):
        answer = await _ask(args, policy, hop)
        location = answer.headers.get("location")
        if answer.status not in _REDIRECTS or location is None or not args.follow_redirects:
            raise_for_status(str(hop), answer, args.expected, args.class_of(answer.status))
            return answer
        hop = _next_hop(hop, answer.status, location)
    raise StepError(f"{first} was redirected more than {MAX_REDIRECTS} times")


async def _ask(args: HttpRequest, policy: HttpPolicy, hop: _Hop) -> HttpAnswer:
    """One request and its whole answer, on a connection of its own, so that each is judged by its own host."""
    guard = SocketGuard(policy, hop.url.host or "")
    connector = aiohttp.TCPConnector(socket_factory=guard, force_close=True)
    try:
        async with (
            aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
            ) as session,
            session.request(hop.method, hop.url, headers=hop.headers, data=hop.body, allow_redirects=False) as response,
        ):
            return answer_of(response, await _read(response, hop, args.max_bytes))
    except (aiohttp.ClientError, OSError) as error:
        raise_in_words(str(hop), error, guard.refused)


async def _read(response: aiohttp.ClientResponse, hop: _Hop, limit: int) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(65_536):
        body += chunk
        if len(body) > limit:
            raise StepError(f"{hop} answered with more than max_bytes ({limit} bytes)")
    return bytes(body)


def _next_hop(hop: _Hop, status: int, location: str) -> _Hop:
    """Where a redirect leads (RFC 9110, 15.4): a method that is not kept becomes GET, without the body."""
    try:
        url = hop.url.join(URL(location))
        origin = url.origin()
    except ValueError:
        raise StepError(f"{hop} was redirected to something that is not a URL") from None
    if url.scheme not in ("http", "https"):
        raise StepError(f"{hop} was redirected to a {url.scheme} address; only http and https are followed")
    becomes_get = (status == 303 and hop.method != "HEAD") or (status in (301, 302) and hop.method == "POST")
    headers = hop.headers
    if origin != hop.url.origin():
        headers = CIMultiDict((name, value) for name, value in headers.items() if name.lower() in _HARMLESS)
    return _Hop("GET" if becomes_get else hop.method, url, headers, None if becomes_get else hop.body)
