"""What came back over HTTP, and the words for what did not.

The one rule: nothing here repeats a header's value, a query or a password of a URL: an error goes into the log and the
chat, and any of those may be a secret.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, NoReturn

import aiohttp
from pydantic import JsonValue
from yarl import URL

from engine.core.failures import FailureClass, StepError, http_failure_class
from engine.steps.jsonvalue import to_json_value

LONGEST_WAIT = 7 * 86_400_000
"""A ``Retry-After`` beyond this (ms) is taken as this."""

_NETWORK_WORDS = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset",
    errno.EHOSTUNREACH: "no route to the host",
    errno.ENETUNREACH: "network unreachable",
    errno.ETIMEDOUT: "the connection timed out",
}


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """The result of ``http.request``. ``headers`` have lower-case names; cookies are left out, for they are secrets.

    ``body`` is text (undecodable bytes become U+FFFD); ``json`` is the parsed body if the answer is declared to be
    JSON, and is, else None.
    """

    status: int
    headers: dict[str, str]
    body: str
    json: JsonValue


def answer_of(response: aiohttp.ClientResponse, body: bytes) -> HttpAnswer:
    """The answer with its whole ``body``."""
    names = dict.fromkeys(name.lower() for name in response.headers)
    return HttpAnswer(
        status=response.status,
        headers={name: ", ".join(response.headers.getall(name)) for name in names if name != "set-cookie"},
        body=_text(response.charset, body),
        json=_parsed(response.content_type, body),
    )


def raise_for_status(
    what: str, answer: HttpAnswer, expected: Sequence[range], declared: FailureClass | None = None
) -> None:
    """``StepError`` of the status's class if it is in none of ``expected``, with the wait that is asked for.

    ``declared``: the class that whoever asked gives to this status, before the general table.
    """
    status = answer.status
    if any(status in numbers for numbers in expected):
        return
    cls = declared or http_failure_class(status) or FailureClass.PERMANENT
    wait = retry_after(answer.headers) if cls in (FailureClass.TRANSIENT, FailureClass.RATE_LIMITED) else None
    raise StepError(f"{what} answered {status} {_phrase(status)}".rstrip(), cls, retry_after=wait)


def retry_after(headers: Mapping[str, str]) -> int | None:
    """The wait asked for by ``Retry-After`` (RFC 9110, 10.2.3) in ms: seconds, or a date counted from ``Date``."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(int(text[:12]) * 1_000, LONGEST_WAIT)
    try:
        until, now = (parsedate_to_datetime(date) for date in (text, headers.get("date", "")))
        wait = round((until - now).total_seconds() * 1_000)
    except (TypeError, ValueError):
        return None
    return min(max(wait, 0), LONGEST_WAIT)


def say_url(url: URL) -> str:
    """``url`` without what may be secret in it: user, password, query, fragment."""
    bare = url.with_user(None).with_fragment(None)
    return f"{bare.with_query(None)}?…" if url.raw_query_string else str(bare)


def raise_in_words(what: str, error: aiohttp.ClientError | OSError, refused: Sequence[str]) -> NoReturn:
    """``StepError`` for a request that got no answer; ``refused`` are the addresses that the policy kept it from."""
    if refused:
        raise StepError(
            f"{what}: {refused[0]} is not a public address; the operator has to allow it first",
            FailureClass.PERMISSION,
        )
    match error:
        case aiohttp.ClientConnectorDNSError():
            raise StepError(f"{what}: no address is known for the host {error.host}", FailureClass.TRANSIENT)
        case aiohttp.ClientConnectorCertificateError():
            raise StepError(f"{what}: the host's TLS certificate is not trusted", FailureClass.PERMANENT)
        case aiohttp.ClientSSLError():
            raise StepError(f"{what}: no TLS connection could be made", FailureClass.PERMANENT)
        case aiohttp.InvalidURL():
            raise StepError(f"{what}: the URL cannot be used", FailureClass.INVALID_INPUT)
        case aiohttp.ServerDisconnectedError():
            raise StepError(f"{what}: the connection was closed before an answer came", FailureClass.TRANSIENT)
        case aiohttp.ClientPayloadError():
            raise StepError(f"{what}: the answer broke off", FailureClass.TRANSIENT)
        case aiohttp.ClientResponseError():
            raise StepError(f"{what}: the answer is not valid HTTP", FailureClass.PERMANENT)
        case OSError():
            raise StepError(f"{what}: {_network_words(error)}", FailureClass.TRANSIENT)
        case _:
            raise StepError(f"{what}: the request failed ({type(error).__name__})", FailureClass.TRANSIENT)


def _network_words(error: OSError) -> str:
    return _NETWORK_WORDS.get(error.errno or 0, "the connection failed")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _text(charset: str | None, body: bytes) -> str:
    try:
        return body.decode(charset or "utf-8", errors="replace")
    except LookupError:
        return body.decode(errors="replace")


def _parsed(content_type: str, body: bytes) -> JsonValue:
    if content_type != "application/json" and not content_type.endswith("+json"):
        return None
    try:
        parsed: Any = json.loads(body)
        return to_json_value(parsed)
    except (ValueError, RecursionError):
        return None
