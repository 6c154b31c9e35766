"""Keys of providers and secrets of steps in Slack: the list, and the forms in which one is given or revoked; only who
asked sees them.

The one rule: no view and no message has a value in it. Slack's fields show what is typed into them, and the form says
so. A secret is named as a key of the provider ``SECRETS``, as in the engine.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.blocks.forms import FIELD, Place, View, block_of, modal
from bot.blocks.kit import Block, Message, plain_text, section
from bot.blocks.replies import paragraphs, said
from bot.blocks.words import date, one_line, slash
from engine.core.key_events import KeyChecked
from engine.core.keys import DEFAULT, LONGEST, SECRETS, SHORTEST, Key

ADD, ROTATE, REVOKE = "keys_add", "keys_rotate", "keys_revoke"
"""The callback ids of the forms."""
KEY = "key"
REASON = "reason"

_MOST = 3_000
"""Characters that a field of Slack takes."""
_TYPED = (
    "Slack has no field that hides what is typed: see that nobody looks at your screen. It is in no message; it is "
    "sealed at once, and shown here by its last four characters at most."
)
NO_MASTER_KEY = (
    "There is no master key to seal by. Whoever runs the bot makes one: `vb keys new`, and VB_MASTER_KEY_FILE."
)


def listed(command: str, known: Sequence[tuple[Key, int | None]]) -> Message:
    """All keys, with the last use of each."""
    return _list(command, "keys", known, f"No key is kept here yet. `{command} keys add openai` opens a form for one.")


def secrets(command: str, known: Sequence[tuple[Key, int | None]]) -> Message:
    """All secrets of steps, with the last use of each."""
    none = f"No secret is kept here yet. `{command} secrets add DEPLOY_TOKEN` opens a form for one."
    return _list(command, "secrets", known, none)


def _list(command: str, word: str, known: Sequence[tuple[Key, int | None]], none: str) -> Message:
    if not known:
        return said(none)
    return paragraphs([*(_line(key, used) for key, used in known), f"`{command} help {word}` says how to change them."])


def entry_form(callback: str, provider: str, name: str, place: Place) -> View:
    """Where a value is given: a new one (``ADD``), or another one in the place of what was there (``ROTATE``)."""
    new, kind = callback == ADD, _kind(provider)
    field: Block = {
        "type": "plain_text_input",
        "action_id": FIELD,
        "min_length": SHORTEST,
        "max_length": min(LONGEST, _MOST),
    }
    block: Block = {
        "type": "input",
        "block_id": block_of(KEY),
        "label": plain_text(kind.capitalize()),
        "element": field,
        "hint": plain_text(_TYPED, 2_000),
    }
    what = _what(provider, name)
    if provider == SECRETS:
        does = f"is what `${{{{ secrets.{one_line(name, 60)} }}}}` stands for in the `with` of steps"
    else:
        does = "is used by steps that ask the provider"
    instead = "" if new else " It replaces the one that there is now."
    words = section(f"The {what} {does}, from their next call on.{instead}")
    title = f"{'Add' if new else 'Replace'} a {kind}"
    return modal(callback, title, "Keep it" if new else "Replace", place, [words, block])


def revoke_form(provider: str, name: str, place: Place) -> View:
    """The confirmation, with room for why."""
    issuer = "whoever has issued it" if provider == SECRETS else one_line(provider, 60)
    words = (
        f"The {_what(provider, name)} is destroyed here, for every worker at once. Steps that need it will fail until "
        f"there is another. Take it back at {issuer}, too: that is not told."
    )
    block: Block = {
        "type": "input",
        "block_id": block_of(REASON),
        "optional": True,
        "label": plain_text("Why"),
        "element": {"type": "plain_text_input", "action_id": FIELD, "max_length": 300},
    }
    return modal(REVOKE, f"Revoke a {_kind(provider)}", "Revoke", place, [section(words), block])


def kept(key: Key) -> str:
    """What is said once it is (mrkdwn)."""
    ends = f", and ends in `{key.last_four}`" if key.last_four else ""
    asks = "" if key.provider == SECRETS else f" {_asking(key)} asks whether it is taken there."
    return f"The {_what(key.provider, key.name)} is kept{ends}.{asks}"


def _asking(key: Key) -> str:
    words = (key.provider, *([] if key.name == DEFAULT else [key.name]))
    return slash("keys", "check", *(one_line(word, 60) for word in words))


def checked(event: KeyChecked) -> Message:
    """What the provider has said of a key."""
    sign = {True: "✓", False: "✗", None: "?"}[event.accepted]
    return said(f"{sign} The {_what(event.provider, event.name)}: {one_line(event.words)}.")


def revoked(provider: str, name: str) -> str:
    """What is said once it is (mrkdwn)."""
    return f"The {_what(provider, name)} is revoked: no worker can open it any more."


def _kind(provider: str) -> str:
    return "secret" if provider == SECRETS else "key"


def _what(provider: str, name: str) -> str:
    if provider == SECRETS:
        return f"secret `{one_line(name, 60)}`"
    return f"key {'' if name == DEFAULT else f'`{one_line(name, 60)}` '}of *{one_line(provider, 60)}*"


def _line(key: Key, used: int | None) -> str:
    ends = f" …`{key.last_four}`" if key.last_four else ""
    last = "never used" if used is None else f"last used {date(used)}"
    who = one_line(key.by.name, 80)
    whose = "" if key.provider == SECRETS else f"*{one_line(key.provider, 60)}* "
    return f"{whose}{one_line(key.name, 60)}{ends}, by {who} {date(key.at)}, {last}"
