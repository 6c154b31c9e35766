"""A message as it goes to Slack, and the few Block Kit shapes that all messages are made of.

The one rule: whoever makes a message gives its whole meaning as ``text`` too; screen readers, phones and search see
nothing else. Shapes and limits: docs.slack.dev/reference/block-kit/blocks.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Block = dict[str, Any]

TEXT_LIMIT = 4_000
"""Characters of a message's top-level text that ``chat.update`` accepts."""

SECTION_LIMIT = 3_000
HEADER_LIMIT = 150

_LOOKALIKES = str.maketrans({"*": "∗", "~": "∼", "`": "ˋ"})
_EDGE_UNDERSCORES = re.compile(r"(?<![^\W_])_+|_+(?![^\W_])")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories of characters that show nothing, but change what is around them or make two texts look alike."""

_JOINERS = "\u200c\u200d"
_RIGHT_TO_LEFT = frozenset({"R", "AL"})


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


def entities(text: str) -> str:
    """Text with Slack's three control characters as entities: nothing in it is a mention or a link any more."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def escape(text: str) -> str:
    """Data for mrkdwn, where it is text and nothing else: it neither pings, links nor formats, and hides nothing.

    mrkdwn has no escape for the marks of bold, struck out, italics and code, so those that could begin or end such a
    passage are shown as characters that look like them.
    """
    plain = _EDGE_UNDERSCORES.sub(lambda marks: "ˍ" * len(marks[0]), seen(text).translate(_LOOKALIKES))
    return entities(plain)


def seen(text: str) -> str:
    """Data for any text: characters that nobody sees are named (``[U+202E]``), but for line breaks and tabs.

    Text that is written from right to left is set apart, so that it does not turn what stands beside it around.
    """
    characters = set(text)
    shown = text
    if any(unicodedata.category(character) in _UNSEEN for character in characters - set("\n\t")):
        shown = "".join(_named_if_unseen(text, place) for place in range(len(text)))
    if any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in characters):
        return "\n".join(f"\u2068{line}\u2069" if line else "" for line in shown.split("\n"))
    return shown


def _named_if_unseen(text: str, place: int) -> str:
    character = text[place]
    if unicodedata.category(character) not in _UNSEEN or character in "\n\t":
        return character
    if (
        character in _JOINERS
        and place
        and unicodedata.category(text[place - 1])[0] in "SML"
        and text[place - 1] > "\x7f"
    ):
        return character  # within emoji, and within words of scripts that need it
    return f"[U+{ord(character):04X}]"


def fitting(text: str, limit: int, line_break: int = 1) -> int:
    """How many characters at its beginning take at most ``limit`` characters once they are escaped.

    ``line_break``: what each line takes besides its characters.
    """
    if len(text) * len("[U+10FFFF]") <= limit:
        return len(text)
    taken = 0
    for place in range(len(text)):
        taken += line_break if text[place] == "\n" else len(entities(_named_if_unseen(text, place)))
        if taken > limit:
            return place
    return len(text)


def fit(text: str, limit: int) -> str:
    """Data that takes at most ``limit`` characters once it is escaped; what was cut is shown by an ellipsis."""
    return text if fitting(text, limit) == len(text) else f"{text[: fitting(text, limit - 1)]}…"


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
    flat = " ".join(text.split())
    if any(character in flat for character in "&<>"):
        return section(f"*{escape(clip(flat, HEADER_LIMIT))}*")
    return {"type": "header", "text": {"type": "plain_text", "text": clip(seen(flat), HEADER_LIMIT), "emoji": False}}


def section(markup: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": clip_markup(markup, SECTION_LIMIT), "verbatim": True}}


def context(markup: str) -> Block:
    return {
        "type": "context",
        "elements": [{"type": "mrkdwn", "text": clip_markup(markup, SECTION_LIMIT), "verbatim": True}],
    }


def literal(text: str) -> Block:
    """Data shown exactly as it is, spaces and line breaks included; nothing in it is markup."""
    return {
        "type": "rich_text",
        "elements": [{"type": "rich_text_preformatted", "elements": [{"type": "text", "text": seen(text)}]}],
    }


BAR = "│ "
"""Before each line of data in a text, so that none can pose as one of the bot's own."""


def barred(text: str) -> str:
    """Data of many lines for mrkdwn, with a bar before each."""
    return "\n".join(f"{BAR}{line}" for line in escape(text).splitlines())


def plain_text(text: str, limit: int = SECTION_LIMIT) -> Block:
    """Data as a text in which nothing is markup, of at most ``limit`` characters."""
    return {"type": "plain_text", "text": clip(seen(text), limit), "emoji": False}


def actions(block_id: str, elements: Sequence[Block]) -> Block:
    return {"type": "actions", "block_id": block_id, "elements": list(elements)}


def button(label: str, action_id: str, value: str, style: str | None = None) -> Block:
    """``style`` is ``primary``, ``danger`` or None."""
    made: Block = {
        "type": "button",
        "text": plain_text(label),
        "action_id": action_id,
        "value": value,
    }
    return made if style is None else {**made, "style": style}
