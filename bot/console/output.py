"""Text for a terminal or a pipe.

The one rule: what is printed has gone through ``bot.text.plain``, so that no data can steer the terminal.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager

from pydantic import JsonValue
from rich.console import Console
from rich.text import Text

from bot.text.plain import clean, one_line

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
