"""Data as text that steers no terminal.

The one rule: every control character is shown as a space or a mark, and a line is never broken where nobody wrote a
break.
"""

from __future__ import annotations

import unicodedata


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
