"""Durations as people write them (``90s``, ``15m``, ``1h30m``, ``2d``), held as integer milliseconds."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from engine.core.words import kind

_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
LONGEST = 3_650 * _UNITS["d"]
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_WHOLE = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d|w))+")


def parse_duration(text: object) -> int:
    """Milliseconds of ``text``; a bare number is refused, since nobody can tell its unit.

    Raises ``ValueError`` with an example that works.
    """
    if isinstance(text, str):
        squeezed = text.replace(" ", "")
        if _WHOLE.fullmatch(squeezed):
            ms = sum(float(n) * _UNITS[unit] for n, unit in _PART.findall(squeezed))
            if ms > LONGEST:
                raise ValueError(f"{text[:20]!r} is too long; {format_duration(LONGEST)} is the longest duration")
            return round(ms)
    raise ValueError(f"{_said(text)} is not a duration; write a number with its unit, such as 30s, 15m, 24h or 1h30m")


def _said(value: object) -> str:
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else f"{value[:40]}…")
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number else kind(value)


def format_duration(ms: int) -> str:
    """The shortest exact spelling that ``parse_duration`` reads back: ``90000`` is ``1m30s``."""
    if ms <= 0:
        return "0s"
    parts: list[str] = []
    for unit in ("d", "h", "m", "s", "ms"):
        count, ms = divmod(ms, _UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def say_duration(ms: int) -> str:
    """At most two units, as one says it in a sentence: ``1 h 30 min``, ``30 s``, ``under 1 s``."""
    if ms < 1_000:
        return "under 1 s"
    names = (("d", "d"), ("h", "h"), ("m", "min"), ("s", "s"))
    parts: list[str] = []
    rest = ms
    for unit, name in names:
        count, rest = divmod(rest, _UNITS[unit])
        if count:
            parts.append(f"{count} {name}")
        elif parts:
            break
    return " ".join(parts[:2])


Duration = Annotated[
    int,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\s*(\d+(\.\d+)?\s*(ms|s|m|h|d|w)\s*)+$"}),
]
"""A pydantic field that reads ``15m`` and holds 900000."""
