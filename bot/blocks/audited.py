"""A report of what is on record, in a modal; where none can be opened, as much of it as a message has room for.

The one rule: nothing in it is markup, and what is left out is said.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.blocks.forms import View
from bot.blocks.kit import Message, escape, literal, plain_text, section

MOST_BLOCKS = 90
_BLOCK = 2_900
_MESSAGE = 3_000
_TITLE = 24


def report(title: str, lines: Sequence[str], more: str) -> View:
    """The whole report; ``more`` says where to have it where even a modal is too small."""
    parts = _parts(lines)
    blocks = [literal(part) for part in parts[:MOST_BLOCKS]]
    if len(parts) > MOST_BLOCKS:
        blocks.append(section(f"There is more: {escape(more)}."))
    return {"type": "modal", "title": plain_text(title, _TITLE), "close": plain_text("Close"), "blocks": blocks}


def beginning(lines: Sequence[str], more: str) -> Message:
    """The beginning of the report, as a message."""
    (first, *rest) = _parts(lines, _MESSAGE)
    told = f"```\n{escape(first).replace('```', '` ` `')}\n```"
    return Message(f"{told}\nThere is more: {escape(more)}." if rest else told)


def _parts(lines: Sequence[str], room: int = _BLOCK) -> list[str]:
    """The lines, in as few texts as have room for them; a line that is longer is broken."""
    parts = [""]
    for line in lines:
        for start in range(0, len(line) or 1, room - 1):
            piece = f"{line[start : start + room - 1]}\n"
            if len(parts[-1]) + len(piece) > room and parts[-1]:
                parts.append("")
            parts[-1] += piece
    return [part.rstrip("\n") or " " for part in parts]
