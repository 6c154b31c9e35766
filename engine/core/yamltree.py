"""YAML text as plain data, with the place of every member, and everything that is wrong with it at once.

The one rule: only what JSON can hold gets in. Plain scalars follow a JSON-like schema (``true``, ``false``, ``null``,
numbers), so that ``on``, ``yes`` and ``0123`` stay text; keys are always text. Anchors, aliases and tags are refused,
and so are files beyond the limits, since definitions may come from anybody who can open a pull request.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import yaml
from pydantic import JsonValue

from engine.core.problems import Finding, Mark, Path

MAX_BYTES = 256 * 1024
MAX_DEPTH = 30

_TOO_DEEP = f"it is nested more than {MAX_DEPTH} levels deep"
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]{1,3})?")
_WORDS: dict[str, JsonValue] = {"": None, "~": None, "null": None, "true": True, "false": False}


@dataclass(slots=True)
class Document:
    """``data`` is None if the text is no YAML at all. ``marks`` has the key's place for each member, by its path."""

    data: JsonValue = None
    marks: dict[Path, Mark] = field(default_factory=dict[Path, Mark])
    findings: list[Finding] = field(default_factory=list[Finding])

    def refuse(self, mark: Mark, message: str, hint: str = "", path: Path = ()) -> None:
        self.findings.append(Finding(path, message, hint, mark))


def read(text: str) -> Document:
    """The data of ``text`` and what is wrong with it as YAML. Never raises."""
    document = Document()
    start = Mark(1, 1)
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        document.refuse(start, f"the file is larger than {MAX_BYTES // 1024} KiB", "split the workflow")
        return document
    try:
        reader = _Reader(document, yaml.parse(text, Loader=_LOADER))
        document.data = reader.document()
    except yaml.MarkedYAMLError as error:
        place = error.problem_mark or error.context_mark
        mark = Mark(place.line + 1, place.column + 1) if place else start
        document.refuse(mark, _say(error))
    except (yaml.YAMLError, UnicodeError):
        document.refuse(start, "this is not YAML: it has characters that no text file has", "save it as UTF-8")
    except _Refused as refused:
        document.refuse(refused.mark, refused.message, refused.hint)
    return document


class _Refused(Exception):
    def __init__(self, mark: Mark, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.mark, self.message, self.hint = mark, message, hint


class _Reader:
    """Builds the data from the parser's events; the depth limit bounds its recursion."""

    def __init__(self, document: Document, events: Any) -> None:
        self._document = document
        self._events: Iterator[Any] = iter(events)

    def document(self) -> JsonValue:
        next(self._events)
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            return None
        event = next(self._events)
        self._document.marks[()] = _mark(event)
        data = self._node(event, (), 0)
        next(self._events)
        event = next(self._events)
        if not isinstance(event, yaml.StreamEndEvent):
            raise _Refused(_mark(event), "a second document starts here", "write one workflow per file, without ---")
        return data

    def _node(self, event: Any, path: Path, depth: int) -> JsonValue:
        if depth > MAX_DEPTH:
            raise _Refused(_mark(event), _TOO_DEEP)
        if getattr(event, "anchor", None) is not None:
            raise _Refused(
                _mark(event), "anchors and aliases (& and *) are not supported", "write the value out, or quote it"
            )
        if getattr(event, "tag", None) is not None:
            raise _Refused(_mark(event), f"tags ({event.tag}) are not supported", "quote the value to make it text")
        if isinstance(event, yaml.SequenceStartEvent):
            return self._list(path, depth)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path, depth)
        return _scalar(event.value) if event.implicit[0] else cast("str", event.value)

    def _list(self, path: Path, depth: int) -> JsonValue:
        items: list[JsonValue] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            here = (*path, len(items))
            self._document.marks[here] = _mark(event)
            items.append(self._node(event, here, depth + 1))
        return items

    def _mapping(self, path: Path, depth: int) -> JsonValue:
        members: dict[str, JsonValue] = {}
        first: dict[str, int] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            mark = _mark(event)
            if not isinstance(event, yaml.ScalarEvent):
                raise _Refused(
                    mark, "a key has to be a plain word", "templates such as ${{ … }} need quotes around them"
                )
            key = event.value
            here = (*path, key)
            if key in first:
                self._document.refuse(mark, f"is written twice, first on line {first[key]}", path=here)
                self._node(next(self._events), (*path, ""), depth + 1)
                continue
            first[key] = mark.line
            self._document.marks[here] = mark
            members[key] = self._node(next(self._events), here, depth + 1)
        return members


def _mark(event: Any) -> Mark:
    return Mark(event.start_mark.line + 1, event.start_mark.column + 1)


def _scalar(text: str) -> JsonValue:
    """The value of an unquoted scalar. Numbers that JSON readers would round or reject stay text."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text) and math.isfinite(number := float(text)) and not text.lstrip("+-").isdigit():
        return number
    return text


_PLAINER = (
    (
        "cannot start any token",
        'a tab, @ or ` starts something here; indent with spaces, and quote texts such as "@team"',
    ),
    ("tab character that violates indentation", "a tab is used for indentation; use spaces"),
    ("mapping values are not allowed", "a colon is not expected here; quote the text, or check the indentation"),
    ("did not find expected key", "the indentation or a quote does not fit the lines above"),
    ("did not find expected '-' indicator", "the indentation does not fit the list above"),
    ("did not find expected ',' or", "a bracket is not closed here; quote values that contain ${{ }}"),
    ("could not find expected ':'", "a colon is missing after the key"),
    ("unexpected end of stream", "a quote is not closed"),
)


def _say(error: yaml.MarkedYAMLError) -> str:
    """The parser's words, or plainer ones for what people meet most."""
    problem = error.problem or "it cannot be read"
    if "maximum nesting depth" in problem:  # newer parsers have a limit of their own, which they may meet first
        return _TOO_DEEP
    return f"this is not YAML: {next((words for theirs, words in _PLAINER if theirs in problem), problem)}"
