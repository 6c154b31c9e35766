"""Keys of providers in Slack: the list, and the forms in which one is given or revoked; only who asked sees them.

The one rule: no view and no message has a key in it. Slack's fields show what is typed into them, and the form says so.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.blocks.forms import FIELD, Place, View, block_of, modal
from bot.blocks.kit import Block, Message, plain_text, section
from bot.blocks.replies import paragraphs, said
from bot.blocks.words import date, one_line
from engine.core.keys import DEFAULT, LONGEST, SHORTEST, Key

ADD, ROTATE, REVOKE = "keys_add", "keys_rotate", "keys_revoke"
"""The callback ids of the forms."""
KEY = "key"
REASON = "reason"

_MOST = 3_000
"""Characters that a field of Slack takes."""
_TYPED = (
    "Slack has no field that hides what is typed: see that nobody looks at your screen. The key is in no message; it "
    "is sealed at once, and shown here by its last four characters only."
)
NO_MASTER_KEY = (
    "There is no master key to seal keys by. Whoever runs the bot makes one: `vb keys new`, and VB_MASTER_KEY_FILE."
)


def listed(command: str, known: Sequence[tuple[Key, int | None]]) -> Message:
    """All keys, with the last use of each."""
    if not known:
        return said(f"No key is kept here yet. `{command} keys add openai` opens a form for one.")
    return paragraphs([*(_line(key, used) for key, used in known), f"`{command} help keys` says how to change them."])


def entry_form(callback: str, provider: str, name: str, place: Place) -> View:
    """Where a key is given: a new one (``ADD``), or another one in the place of what was there (``ROTATE``)."""
    new = callback == ADD
    field: Block = {
        "type": "plain_text_input",
        "action_id": FIELD,
        "min_length": SHORTEST,
        "max_length": min(LONGEST, _MOST),
    }
    block: Block = {
        "type": "input",
        "block_id": block_of(KEY),
        "label": plain_text("Key"),
        "element": field,
        "hint": plain_text(_TYPED, 2_000),
    }
    does = "will be used by steps that ask" if new else "replaces the one that steps use now to ask"
    words = section(f"The key {_called(name)}{does} *{one_line(provider, 60)}*, from their next call on.")
    return modal(
        callback, "Add a key" if new else "Replace a key", "Keep it" if new else "Replace", place, [words, block]
    )


def revoke_form(provider: str, name: str, place: Place) -> View:
    """The confirmation, with room for why."""
    words = (
        f"The key {_called(name)}of *{one_line(provider, 60)}* is destroyed here, for every worker at once. Steps that "
        f"need it will fail until there is another. Take it back at {one_line(provider, 60)}, too: that is not told."
    )
    block: Block = {
        "type": "input",
        "block_id": block_of(REASON),
        "optional": True,
        "label": plain_text("Why"),
        "element": {"type": "plain_text_input", "action_id": FIELD, "max_length": 300},
    }
    return modal(REVOKE, "Revoke a key", "Revoke", place, [section(words), block])


def kept(key: Key) -> str:
    """What is said once it is (mrkdwn)."""
    ends = f", and ends in `{key.last_four}`" if key.last_four else ""
    return f"The key {_called(key.name)}of *{one_line(key.provider, 60)}* is kept{ends}."


def revoked(provider: str, name: str) -> str:
    """What is said once it is (mrkdwn)."""
    return f"The key {_called(name)}of *{one_line(provider, 60)}* is revoked: no worker can open it any more."


def _called(name: str) -> str:
    return "" if name == DEFAULT else f"`{one_line(name, 60)}` "


def _line(key: Key, used: int | None) -> str:
    ends = f" …`{key.last_four}`" if key.last_four else ""
    last = "never used" if used is None else f"last used {date(used)}"
    who = one_line(key.by.name, 80)
    return f"*{one_line(key.provider, 60)}* {one_line(key.name, 60)}{ends}, by {who} {date(key.at)}, {last}"
