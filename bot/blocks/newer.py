"""Blocks that not every workspace takes, and the same message without them.

The one rule: a message means the same with and without them, and its text is the same; only how it looks differs.
Shapes: docs.slack.dev/reference/block-kit/blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from bot.blocks.kit import Block, Message, clip_markup, section

FAILURE_LIMIT = 200
"""Characters of an alert's text."""


def failure(markup: str) -> Block:
    """What went wrong, in at most ``FAILURE_LIMIT`` characters, set apart from what is merely told."""
    text = {"type": "mrkdwn", "text": clip_markup(markup, FAILURE_LIMIT), "verbatim": True}
    return {"type": "alert", "level": "error", "text": text}


_PLAIN: Mapping[str, Callable[[Block], Block]] = {"alert": lambda block: section(block["text"]["text"])}
"""What is shown in place of each."""


def is_newer(message: Message) -> bool:
    """Whether a workspace may refuse the message because it does not know one of its blocks."""
    return any(block["type"] in _PLAIN for block in message.blocks)


def degrade(message: Message) -> Message:
    """The message without newer blocks."""
    if not is_newer(message):
        return message
    return replace(message, blocks=tuple(_PLAIN.get(block["type"], _same)(block) for block in message.blocks))


def _same(block: Block) -> Block:
    return block
