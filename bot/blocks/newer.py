"""Blocks that not every workspace takes, and the same message without them.

The one rule: a message means the same with and without them, and its text is the same; only how it looks differs. So
whoever makes one with newer blocks gives it plain ones too.

A plan and its tasks are for messages alone, as a table is; an alert is for modals alone. Shapes and surfaces:
docs.slack.dev/reference/block-kit/blocks, docs.slack.dev/blocks.json; slackapi/python-slack-sdk#1865.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

from bot.blocks.kit import Block, Message, clip, fit, seen

TITLE_LIMIT = 150
"""Characters of a title; Slack does not publish how many there may be."""


ROWS_LIMIT = 100
"""Rows of a table, with its head."""

CELL_LIMIT = 300
EMPTY = "–"
"""In a cell that says nothing."""


class TaskStatus(StrEnum):
    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETE = "complete"
    ERROR = "error"


def task(number: int, title: str, status: TaskStatus, note: str = "") -> Block:
    """One thing that is to be done, from texts that are not escaped; ``number`` tells it from others of its plan."""
    made: Block = {"type": "task_card", "task_id": f"task_{number}", "title": _title(title), "status": status.value}
    return {**made, "details": _rich(note)} if note else made


def plan(title: str, tasks: Sequence[Block]) -> Block:
    """What is to be done, and how far it is; the title is not escaped."""
    return {"type": "plan", "title": _title(title), "tasks": list(tasks)}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Block:
    """Texts that are not escaped, in rows below a head; columns that say nothing are left out."""
    kept = [column for column in range(len(head)) if any(row[column] for row in rows)]
    lines = [[line[column] for column in kept] for line in (head, *rows)]
    return {"type": "table", "rows": [[_cell(text) for text in line] for line in lines]}


def _cell(text: str) -> Block:
    return {"type": "raw_text", "text": seen(fit(" ".join(text.split()), CELL_LIMIT)) or EMPTY}


def is_newer(message: Message) -> bool:
    """Whether a workspace may refuse the message because it does not know one of its blocks."""
    return bool(message.plain)


def degrade(message: Message) -> Message:
    """The message without newer blocks."""
    return replace(message, blocks=message.plain, plain=()) if message.plain else message


def _title(text: str) -> str:
    return clip(seen(" ".join(text.split())), TITLE_LIMIT)


def _rich(text: str) -> Block:
    section = {"type": "rich_text_section", "elements": [{"type": "text", "text": seen(text)}]}
    return {"type": "rich_text", "elements": [section]}
