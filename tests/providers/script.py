"""What a provider of the tests is to answer next, and what it was asked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Say:
    """An answer: a text and calls of tools, whose arguments may be any text, JSON or not.

    ``hang_after`` and ``break_after``: so many events come, and then none, or the connection is closed. ``overloaded``:
    the provider says so within its answer, before its end. ``usage`` is counted unless it is given.
    """

    text: str = ""
    calls: tuple[tuple[str, str], ...] = ()
    usage: tuple[int, int] | None = None
    hang_after: int | None = None
    break_after: int | None = None
    overloaded: bool = False
    cached: int = 0
    """So many of the tokens that were asked had been kept."""
    counted: bool = True
    """False: nothing is said of tokens."""

    @classmethod
    def calling(cls, tool: str, text: str = "", /, **arguments: Any) -> Say:
        return cls(text, ((tool, json.dumps(arguments)),))


@dataclass(frozen=True)
class Refuse:
    """An error instead of an answer. ``raw``: a body that is not the provider's."""

    status: int
    message: str = "no"
    kind: str = ""
    code: str | None = None
    retry_after: str | None = None
    raw: str | None = None


@dataclass(frozen=True)
class Hang:
    """No answer at all, until the other side gives up."""


Answer = Say | Refuse | Hang


@dataclass(frozen=True)
class Seen:
    """A request that came in: ``refused`` says what was wrong with it, if anything was."""

    wire: str
    headers: dict[str, str]
    body: dict[str, Any]
    refused: str = ""

    @property
    def sent_as(self) -> str:
        return self.headers.get("idempotency-key", "")


class Wrong(Exception):
    """The request is not as the provider's documentation has it."""

    def __init__(self, message: str, status: int = 400, kind: str = "invalid_request_error", code: str | None = None):
        super().__init__(message)
        self.refusal = Refuse(status, message, kind, code)


def tokens(text: str) -> int:
    """As the providers here count them."""
    return -(-len(text.encode()) // 4)


def within(said: Say, most: int) -> tuple[Say, bool]:
    """The answer, cut off at so many tokens; and whether it was."""
    if tokens(said.text) <= most:
        return said, False
    return Say(said.text[: most * 4], (), said.usage, said.hang_after, said.break_after), True


def pieces(text: str) -> list[str]:
    """A text as it comes, a few characters at a time."""
    return [text[at : at + 12] for at in range(0, len(text), 12)]
