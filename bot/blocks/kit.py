"""A message as it goes to Slack, and the few Block Kit shapes that all messages are made of.

The one rule: whoever makes a message gives its whole meaning as ``text`` too; screen readers, phones and search see
nothing else. Shapes and limits: docs.slack.dev/reference/block-kit/blocks.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Block = dict[str, Any]

TEXT_LIMIT = 4_000
"""Characters of a message's top-level text that ``chat.update`` accepts."""

SECTION_LIMIT = 3_000
HEADER_LIMIT = 150


@dataclass(frozen=True, slots=True)
class Message:
    """``text`` (mrkdwn) says everything that ``blocks`` say; a message without blocks is its text."""

    text: str
    blocks: tuple[Block, ...] = ()

    @property
    def digest(self) -> str:
        """sha256, in hex, of the canonical JSON of exactly what is shown."""
        shown = {"blocks": list(self.blocks), "text": self.text}
        canonical = json.dumps(shown, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()


def escape(text: str) -> str:
    """Text for mrkdwn, with Slack's three control characters as entities."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def clip(text: str, limit: int) -> str:
    """At most ``limit`` characters; what was cut is shown by an ellipsis."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def clip_markup(text: str, limit: int) -> str:
    """As ``clip``, for mrkdwn: a token (``<…>``) or an entity (``&…;``) at the cut is left out whole."""
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    for opening, closing in (("<", ">"), ("&", ";")):
        start = cut.rfind(opening)
        if start > cut.rfind(closing):
            cut = cut[:start]
    return f"{cut}…"


def title(text: str) -> Block:
    """A message's title, from a text that is not escaped.

    It is a header, which is plain text; but a text with Slack's control characters is bold mrkdwn instead, since how
    plain text treats those is not documented.
    """
    if any(character in text for character in "&<>"):
        return section(f"*{escape(clip(text, HEADER_LIMIT))}*")
    return {"type": "header", "text": {"type": "plain_text", "text": clip(text, HEADER_LIMIT), "emoji": False}}


def section(markup: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": clip_markup(markup, SECTION_LIMIT), "verbatim": True}}


def context(markup: str) -> Block:
    return {
        "type": "context",
        "elements": [{"type": "mrkdwn", "text": clip_markup(markup, SECTION_LIMIT), "verbatim": True}],
    }


def literal(text: str) -> Block:
    """Text shown exactly as it is, spaces and line breaks included; nothing in it is markup."""
    return {
        "type": "rich_text",
        "elements": [{"type": "rich_text_preformatted", "elements": [{"type": "text", "text": text}]}],
    }


def plain_text(text: str, limit: int = SECTION_LIMIT) -> Block:
    """Data as a text in which nothing is markup, of at most ``limit`` characters."""
    return {"type": "plain_text", "text": clip(text, limit), "emoji": False}


def actions(block_id: str, elements: Sequence[Block]) -> Block:
    return {"type": "actions", "block_id": block_id, "elements": list(elements)}


def button(label: str, action_id: str, value: str, style: str | None = None) -> Block:
    """``style`` is ``primary``, ``danger`` or None."""
    made: Block = {
        "type": "button",
        "text": {"type": "plain_text", "text": label, "emoji": False},
        "action_id": action_id,
        "value": value,
    }
    return made if style is None else {**made, "style": style}
