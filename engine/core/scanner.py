"""Reads CEL source just far enough to know where an expression ends and which names it uses.

The one rule: text inside string literals and comments is never taken for a name. Parsing and evaluating stay with the
library; this only answers what the library's own list of variables cannot: ``steps.changes.output``, not ``steps``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|//[^\n]*)
  | (?P<string>[rRbB]{0,2}(?:\"\"\".*?\"\"\"|'''.*?'''))
  | (?P<raw>(?:[rR][bB]?|[bB][rR])(?:"[^"\n]*"|'[^'\n]*'))
  | (?P<quoted>[bB]?(?:"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<number>(?:0[xX][0-9a-fA-F]+|(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?)[uU]?)
  | (?P<sign>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_RESERVED = frozenset({"true", "false", "null", "in"})
_BINDERS = frozenset({"all", "exists", "exists_one", "map", "filter"})


class Token(NamedTuple):
    kind: str
    text: str
    end: int


@dataclass(frozen=True, slots=True)
class Path:
    """A name with the members that are selected from it by name: ``steps.a.output``, ``input["b"]``."""

    parts: tuple[str, ...]
    guarded: bool = False
    """Stands alone in ``has(…)``, so that its last member may be missing."""

    def __str__(self) -> str:
        return spell(self.parts)


@dataclass(frozen=True, slots=True)
class Names:
    """What an expression uses: every path, and whether the expression is nothing but one path."""

    paths: tuple[Path, ...]
    plain: bool


def spell(parts: tuple[str, ...]) -> str:
    """``parts`` as CEL spells them: ``steps["check-site"].output``."""
    head, *rest = parts
    return head + "".join(f".{part}" if part.isidentifier() else f'["{part}"]' for part in rest)


def tokens(source: str, start: int = 0) -> Iterator[Token]:
    """The tokens of ``source`` from ``start`` on, spaces and comments left out."""
    for match in _TOKEN.finditer(source, start):
        if match.lastgroup != "space":
            yield Token(match.lastgroup or "", match.group(), match.end())


def closing(text: str, start: int) -> int | None:
    """Where the ``}}`` that ends an expression starting at ``start`` begins, or None if there is none."""
    depth = 0
    for token in tokens(text, start):
        if token.text == "{":
            depth += 1
        elif token.text == "}":
            if depth == 0:
                return token.end - 1 if text.startswith("}}", token.end - 1) else None
            depth -= 1
    return None


def names(source: str) -> Names:
    """The paths that ``source`` uses, without the variables that its own macros bind."""
    stream = list(tokens(source))
    bound = _bound(stream)
    paths: list[Path] = []
    covered = 0
    at = 0
    while at < len(stream):
        if not _starts_path(stream, at):
            at += 1
            continue
        parts, after = _path(stream, at)
        covered = max(covered, after - at)
        if parts[0] not in bound:
            paths.append(Path(parts, guarded=_in_has(stream, at, after)))
        at = after
    plain = len(paths) == 1 and covered == len(stream) and not any(token.text == "[" for token in stream)
    return Names(tuple(paths), plain)


def _bound(stream: list[Token]) -> frozenset[str]:
    found: set[str] = set()
    for at in range(len(stream) - 4):
        dot, macro, bracket, variable, comma = stream[at : at + 5]
        if dot.text == "." and macro.text in _BINDERS and bracket.text == "(" and comma.text == ",":
            found.add(variable.text)
    return frozenset(found)


def _starts_path(stream: list[Token], at: int) -> bool:
    """A name that is neither a member, nor a function, nor a word of the language, nor a key of a mapping."""
    token = stream[at]
    if token.kind != "name" or token.text in _RESERVED:
        return False
    return (at == 0 or stream[at - 1].text != ".") and _text(stream, at + 1) != "("


def _path(stream: list[Token], at: int) -> tuple[tuple[str, ...], int]:
    parts = [stream[at].text]
    at += 1
    while True:
        if _text(stream, at) == "." and _kind(stream, at + 1) == "name":
            if _text(stream, at + 2) == "(":
                return tuple(parts), at
            parts.append(stream[at + 1].text)
            at += 2
        elif _text(stream, at) == "[" and _kind(stream, at + 1) == "quoted" and _text(stream, at + 2) == "]":
            literal = stream[at + 1].text
            if "\\" in literal or literal[0] in "bB":
                return tuple(parts), at
            parts.append(literal[1:-1])
            at += 3
        else:
            return tuple(parts), at


def _in_has(stream: list[Token], start: int, after: int) -> bool:
    return (
        start >= 2 and stream[start - 1].text == "(" and stream[start - 2].text == "has" and _text(stream, after) == ")"
    )


def _text(stream: list[Token], at: int) -> str:
    return stream[at].text if at < len(stream) else ""


def _kind(stream: list[Token], at: int) -> str:
    return stream[at].kind if at < len(stream) else ""
