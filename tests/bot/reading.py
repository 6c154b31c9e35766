"""Reads a message as its readers do: every line that its blocks show, as it would appear in its text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from bot.blocks.kit import Message, entities
from bot.blocks.newer import EMPTY

_MARKS = re.compile("[*∗`ˋ~∼_ˍ]| [▰▱]+")


def unsaid(message: Message) -> list[str]:
    """The lines that its blocks show and its text does not have; marks of bold and code and bars aside."""
    text = bare(message.text)
    return [line for line in spoken(message) if line not in text]


def spoken(message: Message, *, literals: bool = True) -> list[str]:
    """The lines of all blocks but buttons; without ``literals``, but for data that stands in a frame of its own."""
    blocks = [block for block in message.blocks if literals or block["type"] != "rich_text"]
    return [line for block in blocks for text in _texts(block) for line in bare(text).splitlines() if line]


def bare(text: str) -> str:
    """Without marks, and without the characters that are shown in place of marks."""
    return _MARKS.sub("", text)


def _texts(block: dict[str, Any]) -> Iterator[str]:
    match block["type"]:
        case "header":
            yield entities(block["text"]["text"])
        case "section":
            yield block["text"]["text"]
        case "context":
            for element in block["elements"]:
                yield element["text"]
        case "rich_text":
            for element in block["elements"]:
                yield entities("".join(part["text"] for part in element["elements"]))
        case "actions":
            return
        case "plan":
            yield entities(block["title"])
            for task in block["tasks"]:
                yield entities(task["title"])
                yield from _texts(task["details"]) if "details" in task else ()
        case "table":
            for row in block["rows"][1:]:  # the first says what is in the columns
                yield from (entities(cell["text"]) for cell in row if cell["text"] != EMPTY)
        case other:
            raise AssertionError(f"no reading of {other} is known")


def buttons(message: Message) -> dict[str, str]:
    """The buttons' values by their labels."""
    return {
        element["text"]["text"]: element["value"]
        for block in message.blocks
        if block["type"] == "actions"
        for element in block["elements"]
    }
