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
_JOINER = re.compile(f"[{_JOINERS}]")
_RIGHT_TO_LEFT = frozenset({"R", "AL"})


@dataclass(frozen=True, slots=True)
class Message:
    """``text`` (mrkdwn) says everything that ``blocks`` say; a message without blocks is its text.

    ``plain``: its blocks for workspaces that do not take all of ``blocks``; none, if every workspace takes them.
    """

    text: str
    blocks: tuple[Block, ...] = ()
    plain: tuple[Block, ...] = ()

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
    return _seen(text, set(text))


def _seen(text: str, characters: set[str]) -> str:
    """The same for a text that has no other characters than these."""
    shown = _named(text, characters) if any(map(_is_unseen, characters)) else text
    if any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in characters):
        return "\n".join(f"\u2068{line}\u2069" if line else "" for line in shown.split("\n"))
    return shown


def _is_unseen(character: str) -> bool:
    return unicodedata.category(character) in _UNSEEN and character not in "\n\t"


def _named(text: str, characters: set[str]) -> str:
    """``text``, which has these characters, with the unseen ones named."""
    names = {ord(each): _name(each) for each in characters if each not in _JOINERS and _is_unseen(each)}
    joined = _JOINER.sub(lambda found: found[0] if _joins(text, found.start()) else _name(found[0]), text)
    return joined.translate(names)


def _name(character: str) -> str:
    return f"[U+{ord(character):04X}]"


def _joins(text: str, place: int) -> bool:
    """Whether the joiner there is within an emoji, or within a word of a script that needs it."""
    before = text[place - 1 : place]
    return before > "\x7f" and unicodedata.category(before)[0] in "SML"


def fitting(text: str, limit: int, line_break: int = 1) -> int:
    """How many characters at its beginning take at most ``limit`` characters once they are escaped.

    ``line_break``: what each line takes besides its characters, one at least.
    """
    if len(text) * len("[U+10FFFF]") <= limit:
        return len(text)
    looked_at = text[: max(limit, 0) + 1]  # each takes one at least
    room = {each: len(_name(each) if _is_unseen(each) else entities(each)) for each in set(looked_at)}
    room["\n"] = line_break
    taken = 0
    for place, character in enumerate(looked_at):
        taken += 1 if character in _JOINERS and _joins(text, place) else room[character]
        if taken > limit:
            return place
    return len(text)


def fit(text: str, limit: int) -> str:
    """Data that takes at most ``limit`` characters once it is escaped; what was cut is shown by an ellipsis."""
    return text if fitting(text, limit) == len(text) else f"{text[: fitting(text, limit - 1)]}…"


def clip(text: str, limit: int) -> str:
    """At most ``limit`` characters; what was cut is shown by an ellipsis."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _clipped(text: str, limit: int) -> str:
    """Data as it is seen, of at most ``limit`` characters; how long it is beyond them costs hardly anything."""
    return clip(_seen(text[: limit + 1], set(text)), limit)


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
    return {"type": "header", "text": {"type": "plain_text", "text": _clipped(flat, HEADER_LIMIT), "emoji": False}}


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
    return {"type": "plain_text", "text": _clipped(text, limit), "emoji": False}


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
