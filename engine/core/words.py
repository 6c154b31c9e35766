"""Small helpers for sentences that people read: the nearest known word, and lists of names.

The one rule: a suggestion is made only if it is close enough to be what was meant.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The known word that ``word`` was probably meant to be, or None if none is close."""
    lowered = {known.lower(): known for known in words}
    meant = word.lower()
    matches = difflib.get_close_matches(meant, list(lowered), n=1, cutoff=0.6)
    matches = matches or [known for known in lowered if min(len(known), len(meant)) > 2 and _abbreviates(known, meant)]
    return lowered[matches[0]] if matches else None


def _abbreviates(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """``did you mean changes?``, else what there is to choose from, else nothing."""
    known = list(words)
    match = nearest(word, known)
    if match is not None:
        return f"did you mean {match}?"
    return f"there is: {listed(known)}" if known else ""


def one_line(text: str) -> str:
    """``text`` with every run of spaces and line breaks as one space."""
    return " ".join(text.split())


def listed(names: Sequence[str], limit: int = 8) -> str:
    """``a, b, c``, in the given order, the rest counted where more than two are beyond ``limit``."""
    if len(names) <= limit + 2:
        return ", ".join(names)
    return f"{', '.join(names[:limit])} and {len(names) - limit} more"


def kind(value: object) -> str:
    """What a person would call the type of a JSON value: ``text``, ``number``, ``list`` …"""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, str):
        return "text"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, list | tuple) else type(value).__name__
