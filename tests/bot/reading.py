"""Reads a message as its readers do: every line that its blocks show, as it would appear in its text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bot.blocks.kit import Message
from bot.blocks.words import escape


def unsaid(message: Message) -> list[str]:
    """The lines that its blocks show and its text does not have; marks of bold and code aside."""
    return [line for line in spoken(message) if line not in bare(message.text)]


def spoken(message: Message) -> list[str]:
    """The lines of all blocks but buttons."""
    return [line for block in message.blocks for text in _texts(block) for line in bare(text).splitlines() if line]


def bare(text: str) -> str:
    return text.replace("*", "").replace("`", "")


def _texts(block: dict[str, Any]) -> Iterator[str]:
    match block["type"]:
        case "header":
            yield escape(block["text"]["text"])
        case "section":
            yield block["text"]["text"]
        case "context":
            for element in block["elements"]:
                yield element["text"]
        case "rich_text":
            for element in block["elements"]:
                yield escape("".join(part["text"] for part in element["elements"]))
        case "actions":
            return
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
