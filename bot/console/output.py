"""Text for a terminal or a pipe.

The one rule: no data can steer the terminal. Every control character is shown as a space or a mark, and a line is never
broken where nobody wrote a break.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager

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


def table(head: Sequence[str], rows: Sequence[Sequence[str]], styles: Mapping[str, str] | None = None) -> list[Text]:
    """Aligned columns; no cell is ever cut or wrapped, so that ids can be copied and lines searched.

    ``styles``: of cells, by their text.
    """
    cells = [[one_line(cell, 100) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines: list[Text] = []
    for row in cells:
        line = Text()
        for column, (cell, width) in enumerate(zip(row, widths, strict=True)):
            last = column == len(row) - 1
            line.append(cell if last else cell.ljust(width), (styles or {}).get(cell, ""))
            line.append("" if last else "  ")
        lines.append(line)
    lines[0].stylize("dim")
    return lines


@contextmanager
def progress() -> Generator[Callable[[str], None]]:
    """Shows how far something long has come: on a terminal in one line that changes, elsewhere not at all."""
    if not err.is_terminal:
        yield lambda text: None
        return
    with err.status("") as status:
        yield status.update


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
