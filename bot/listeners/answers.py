"""What becomes of a form that was sent: closed, replaced by another view, or left open with problems at its fields.

Shapes: docs.slack.dev/surfaces/modals.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.blocks.forms import View, notice

Answer = dict[str, Any]

CLOSED: Answer = {}


def replaced(view: View) -> Answer:
    return {"response_action": "update", "view": view}


def wrong(errors: Mapping[str, str]) -> Answer:
    """The form stays open; ``errors`` has a sentence for each block."""
    return {"response_action": "errors", "errors": dict(errors)}


def told(title: str, markup: str) -> Answer:
    """The form has become useless; what is said instead is mrkdwn."""
    return replaced(notice(title, markup))
