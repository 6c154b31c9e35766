"""Opened keys and secrets are taken out of whatever leaves an attempt: results, errors, lines, tracebacks, logs.

The one rule: a value is looked for in every form in which software passes texts on (as it is, escaped for JSON, for
URLs, for HTML, for Python, as base64 wherever it begins, as hex), and ``[secret NAME]`` stands in its place.

While a value is open anywhere in this process, every log record is looked through as it is made, whoever makes it.
"""

from __future__ import annotations

import base64
import html
import json
import logging
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import quote, quote_plus

from pydantic import JsonValue

from engine.core.keys import mask

_SHORTEST = 8
"""Characters of a form that are looked for: a shorter one would be found in texts that have nothing to do with it."""
_BEGINNING = 6
"""Characters of a value, or more, that are taken out at the end of a text that was cut off."""
_CUT = re.compile(r"(?:…|\n\[\d+ more bytes cut off\])?$")
_PERCENT = re.compile(r"%[0-9A-F]{2}")

_format = logging.Formatter()


class Redactor:
    """Knows the values that are open, and takes them out of texts."""

    def __init__(self) -> None:
        self._known: Counter[tuple[str, str]] = Counter()
        self._forms: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        return f"Redactor({len(self._known)} values)"

    @property
    def is_empty(self) -> bool:
        return not self._forms

    def add(self, name: str, value: str) -> None:
        """Take ``value`` out from now on; as often as it is added it must be forgotten."""
        self._known[name, value] += 1
        self._learn()
        if self is not _LOGGED:
            _LOGGED.add(name, value)
            _watch_logs()

    def forget(self) -> None:
        """All that was added is no longer open."""
        for (name, value), times in self._known.items():
            _LOGGED._drop(name, value, times)
        self._known.clear()
        self._learn()

    def text(self, text: str) -> str:
        """The text without any of the values."""
        for form, masked in self._forms:
            if form in text:
                text = text.replace(form, masked)
        for name, value in tuple(self._known):
            text = _without_beginning(text, value, mask(name))
        return text

    def value(self, value: JsonValue) -> JsonValue:
        """JSON without any of the values, in its texts, its numbers and the names of its members."""
        if self.is_empty or value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, int | float):
            text = str(value)
            clean = self.text(text)
            return value if clean == text else clean
        if isinstance(value, list):
            return [self.value(part) for part in value]
        return {self.text(name): self.value(part) for name, part in value.items()}

    def _drop(self, name: str, value: str, times: int) -> None:
        self._known[name, value] -= times
        self._known = +self._known
        self._learn()

    def _learn(self) -> None:
        """The longest form first, so that no part of it is replaced before."""
        found = {form: mask(name) for name, value in self._known for form in _forms(value)}
        self._forms = tuple(sorted(found.items(), key=lambda one: -len(one[0])))


_LOGGED = Redactor()
"""Everything that is open in this process."""


def _forms(value: str) -> Iterator[str]:
    """The value as other software may write it."""
    raw = value.encode()
    lines = [line for line in value.splitlines() if not line.startswith("-----")]
    for text in dict.fromkeys((value, *lines)):
        escaped = json.dumps(text)[1:-1]
        percent = (quote(text, safe=""), quote(text), quote_plus(text))
        written = (text, escaped, json.dumps(text, ensure_ascii=False)[1:-1], json.dumps(escaped)[1:-1])
        for form in (*written, repr(text)[1:-1], html.escape(text), *percent, *map(_lower, percent)):
            if len(form) >= _SHORTEST:
                yield form
    yield raw.hex()
    yield raw.hex().upper()
    for offset in range(3):
        yield from _base64(raw, offset)


def _lower(percent: str) -> str:
    return _PERCENT.sub(lambda found: found[0].lower(), percent)


def _base64(raw: bytes, offset: int) -> Iterator[str]:
    """The characters that depend on nothing but ``raw``, if so many bytes (mod 3) come before it."""
    first, last = -(-offset * 8 // 6), (offset + len(raw)) * 8 // 6
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(bytes(offset) + raw).decode()[first:last]


def _without_beginning(text: str, value: str, masked: str) -> str:
    """A text that was cut off may end within the value."""
    if value[:_BEGINNING] not in text[-len(value) - 60 :]:
        return text
    end = cast("re.Match[str]", _CUT.search(text)).start()
    for length in range(min(len(value) - 1, end), _BEGINNING - 1, -1):
        if text.endswith(value[:length], 0, end):
            return text[: end - length] + masked + text[end:]
    return text


def _watch_logs() -> None:
    """Records are looked through where they are made, so that no handler, of whichever library, is forgotten."""
    make = logging.getLogRecordFactory()
    if getattr(make, "redacts", False):
        return

    def redacted(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        if not _LOGGED.is_empty:
            _redact(record)
        return record

    redacted.redacts = True  # pyright: ignore[reportFunctionMemberAccess]
    logging.setLogRecordFactory(redacted)


def _redact(record: logging.LogRecord) -> None:
    try:
        said = record.getMessage()
    except Exception:  # noqa: BLE001 - logging would print the arguments as they are
        said = f"{record.msg} {record.args}"
        record.msg, record.args = said, None
    if (clean := _LOGGED.text(said)) != said:
        record.msg, record.args = clean, None
    if record.exc_info:
        trace = _format.formatException(cast("Any", record.exc_info))
        if (clean := _LOGGED.text(trace)) != trace:
            record.exc_text, record.exc_info = clean, None
    if record.stack_info:
        record.stack_info = _LOGGED.text(record.stack_info)
