"""Text for a terminal or a pipe.

The one rule: no data can steer the terminal. Every control character is shown as a space or a mark, and a line is never
broken where nobody wrote a break.
"""

from __future__ import annotations

import json
import unicodedata

from pydantic import JsonValue
from rich.console import Console
from rich.text import Text

out = Console(soft_wrap=True, highlight=False, markup=False, emoji=False)
err = Console(soft_wrap=True, highlight=False, markup=False, emoji=False, stderr=True)


def say(text: str | Text) -> None:
    """A result."""
    out.print(text)


def note(text: str) -> None:
    """A remark that is no result: a hint, progress, an error."""
    err.print(clean(text))


def say_json(value: JsonValue) -> None:
    """One JSON document on one line: data for a program, which no console may colour or wrap."""
    out.out(json.dumps(value, ensure_ascii=False), highlight=False)


def clean(text: str) -> str:
    """``text`` with control characters (escape sequences, direction marks) made visible; line breaks stay."""
    return "".join(char if char == "\n" or not _steers(char) else "�" for char in text.replace("\t", " "))


def one_line(text: str, limit: int = 300) -> str:
    """Data within a line: on one line, clean, cut to ``limit`` characters."""
    flat = clean(" ".join(text.split()))
    return flat if len(flat) <= limit else f"{flat[: limit - 1]}…"


def _steers(char: str) -> bool:
    # Cc: escape sequences begin with one; Cf: joins emoji too, but turns the reading direction as well.
    return unicodedata.category(char) in ("Cc", "Cf", "Cs") and char != "\u200d"
