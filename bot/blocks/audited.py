"""A report of what is on record, in a modal; where none can be opened, as much of it as a message has room for.

The one rule: nothing in it is markup, and what is left out is said.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from bot.blocks.forms import View
from bot.blocks.kit import BAR, Message, barred, escape, fitting, literal, plain_text, section, seen

MOST_BLOCKS = 90
_BLOCK = 2_900
_MESSAGE = 3_000
_MOST_BYTES = 200_000
"""Of the 250,000 of a modal."""

_TITLE = 24


def report(title: str, lines: Sequence[str], more: str) -> View:
    """The whole report; ``more`` says where to have it where even a modal is too small."""
    parts = _parts(lines)
    blocks = [literal(part) for part in parts[: _in_room(parts)]]
    if len(blocks) < len(parts):
        blocks.append(section(f"There is more: {escape(more)}."))
    return {"type": "modal", "title": plain_text(title, _TITLE), "close": plain_text("Close"), "blocks": blocks}


def beginning(lines: Sequence[str], more: str) -> Message:
    """The beginning of the report, as a message."""
    whole = "\n".join(lines).strip() or "Nothing is on record."
    first = whole[: fitting(whole, _MESSAGE, 1 + len(BAR))]
    told = [barred(first)] + ([f"There is more: {escape(more)}."] if len(first) < len(whole) else [])
    return Message("\n".join(told), (literal(first), *(section(each) for each in told[1:])))


def _in_room(parts: Sequence[str]) -> int:
    """How many of them a modal takes."""
    taken = 0
    for count, part in enumerate(parts[:MOST_BLOCKS]):
        taken += len(json.dumps(seen(part), ensure_ascii=False).encode())
        if taken > _MOST_BYTES:
            return count
    return min(len(parts), MOST_BLOCKS)


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
