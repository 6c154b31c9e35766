"""The shapes that every modal is made of: fields for values of each type, and the frame around them.

The one rule: a field is made from its type alone, and its block is named after it, so that what is wrong with a value
is said at its field. Shapes and limits: docs.slack.dev/reference/views/modal-views and
docs.slack.dev/reference/block-kit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bot.blocks.kit import Block, plain_text, section
from engine.core.inputs import LONGEST, example_of, read_value
from engine.core.kinds import InputField, InputType

View = dict[str, Any]

FIELD = "value"
"""The action id of every field; fields differ by their blocks."""

MOST_FIELDS = 95
"""Of the 100 blocks of a modal; the rest is for what is said above the fields."""

_OPTIONS = 100
_INPUT = "input_"
_TITLE = 24
_LONGEST_TEXT = 3_000
_LONGEST_VALUE = 150
_LONGEST_LABEL = 75
_FEW = 4
"""Choices that are all in sight at once."""
_PLAIN = ("value", "selected_date", "selected_time")
_ADDRESSES = {InputType.EMAIL: "email_text_input", InputType.URL: "url_text_input"}
_USER_ID = re.compile(r"@[UW][A-Z0-9]{3,}")
_CHANNEL_ID = re.compile(r"#[CG][A-Z0-9]{3,}")


@dataclass(frozen=True, slots=True)
class Place:
    """What a form remembers from the moment it was opened: where, and what it is about.

    ``about``: the workflow that it starts, or the value of the button that opened it. ``message`` and ``link``: of the
    message on which it was opened.
    """

    channel: str
    about: str = ""
    thread: str = ""
    message: str = ""
    link: str = ""

    @property
    def is_message(self) -> bool:
        """Whether the form was opened on a message."""
        return bool(self.message or self.link)

    def packed(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def unpacked(cls, text: str) -> Place:
        """Reads ``packed``. Raises ``ValueError`` for anything else."""
        try:
            return cls(**json.loads(text))
        except TypeError as error:
            raise ValueError(f"not the place of a form: {error}") from None


def block_of(name: str) -> str:
    """The block of the input ``name``, at which its problem is shown."""
    return f"{_INPUT}{name}"


# Fields


def read_fields(values: Mapping[str, Any]) -> dict[str, str]:
    """What was entered, by field, from a submitted form's ``state.values``; fields left empty are not there."""
    entered: dict[str, str] = {}
    for block, fields in values.items():
        value = entered_in(fields.get(FIELD) or {})
        if block.startswith(_INPUT) and value is not None:
            entered[block.removeprefix(_INPUT)] = value
    return entered


def entered_in(state: Mapping[str, Any]) -> str | None:
    """What one field holds. People and channels are ids with the sign of their names: ``@U0ABC``, ``#C0ABC``."""
    option: Mapping[str, str] | None = state.get("selected_option")
    if option is not None:
        return option["value"]
    if (user := state.get("selected_user")) is not None:
        return f"@{user}"
    if (channel := state.get("selected_conversation")) is not None:
        return f"#{channel}"
    return next((state[name] for name in _PLAIN if state.get(name) is not None), None)


def field_block(name: str, field: InputField, given: str | None) -> Block:
    block: Block = {
        "type": "input",
        "block_id": block_of(name),
        "label": plain_text(name),
        "optional": not field.is_required,
        "element": {"action_id": FIELD, **_element(field, _initial(field, given))},
    }
    if hint := field.description.strip().rstrip("."):
        block["hint"] = plain_text(hint, 2_000)
    return block


def _initial(field: InputField, given: str | None) -> str:
    """What the field holds at first: what was typed, else the default."""
    if given is not None:
        return given
    if isinstance(field.default, bool):
        return "true" if field.default else "false"
    return "" if field.default is None else str(field.default)


def _element(field: InputField, initial: str) -> Block:
    match field.type:
        case InputType.BOOLEAN:
            options = [option("Yes", "true"), option("No", "false")]
            return _with_initial_option({"type": "radio_buttons", "options": options}, initial.lower())
        case InputType.CHOICE if _selectable(field.choices):
            return _choice(field, initial)
        case InputType.INTEGER | InputType.NUMBER:
            number: Block = {"type": "number_input", "is_decimal_allowed": field.type is InputType.NUMBER}
            return number | ({"initial_value": initial} if _is_number(field, initial) else {})
        case InputType.DATE | InputType.TIME:
            return _picked(field, initial)
        case InputType.USER | InputType.CHANNEL:
            return _named(field, initial)
        case _:
            return _text(field, initial)


def _choice(field: InputField, initial: str) -> Block:
    """A few choices are all in sight; but who has chosen among those cannot choose nothing any more."""
    options = [option(choice, choice) for choice in field.choices]
    is_plain = all(len(choice) <= _LONGEST_LABEL for choice in field.choices)
    in_sight = len(options) <= _FEW and is_plain and (field.is_required or field.default is not None)
    return _with_initial_option({"type": "radio_buttons" if in_sight else "static_select", "options": options}, initial)


def _picked(field: InputField, initial: str) -> Block:
    """A calendar or a clock, set to what was given if that is a date or a time."""
    kind, value = ("datepicker", "initial_date") if field.type is InputType.DATE else ("timepicker", "initial_time")
    return {"type": kind, **({value: initial} if _is_taken(field, initial) else {})}


def _named(field: InputField, initial: str) -> Block:
    """A list of people or of channels. Slack takes their ids alone; a name is left for the person to choose anew."""
    if field.type is InputType.USER:
        known = {"initial_user": initial[1:]} if _USER_ID.fullmatch(initial) else {}
        return {"type": "users_select", **known}
    known = {"initial_conversation": initial[1:]} if _CHANNEL_ID.fullmatch(initial) else {}
    return {"type": "conversations_select", "filter": {"include": ["public", "private"]}, **known}


def _is_taken(field: InputField, initial: str) -> bool:
    try:
        return bool(initial) and read_value("it", field, initial) == initial
    except ValueError:
        return False


def _selectable(choices: Sequence[str]) -> bool:
    return len(choices) <= _OPTIONS and all(choice.strip() and len(choice) <= _LONGEST_VALUE for choice in choices)


def _is_number(field: InputField, text: str) -> bool:
    whole, _, fraction = text.removeprefix("-").partition(".")
    is_fraction = "." in text and field.type is InputType.NUMBER and fraction.isdecimal()
    return text.isascii() and whole.isdecimal() and ("." not in text or is_fraction)


def _text(field: InputField, initial: str) -> Block:
    if field.type in _ADDRESSES:
        return {"type": _ADDRESSES[field.type], **({"initial_value": initial} if initial else {})}
    element: Block = {"type": "plain_text_input", "max_length": min(_LONGEST_TEXT, LONGEST.get(field.type, 1_000))}
    if field.type is InputType.TEXT:
        element["multiline"] = True
    example = example_of(field.pattern) if field.pattern else None
    if example:
        element["placeholder"] = plain_text(f"such as {example}", 150)
    if initial:
        element["initial_value"] = initial[: element["max_length"]]
    return element


def _with_initial_option(element: Block, value: str) -> Block:
    chosen = [option for option in element["options"] if option["value"] == value]
    return {**element, "initial_option": chosen[0]} if chosen else element


def notice(title: str, text: str) -> View:
    """A modal that only says something (mrkdwn), in the place of a form that has become useless."""
    return {
        "type": "modal",
        "title": plain_text(title, _TITLE),
        "close": plain_text("Close"),
        "blocks": [section(text)],
    }


# Shapes


def modal(callback_id: str, title: str, submit: str, place: Place, blocks: Sequence[Block]) -> View:
    return {
        "type": "modal",
        "callback_id": callback_id,
        "title": plain_text(title, _TITLE),
        "submit": plain_text(submit),
        "close": plain_text("Cancel"),
        "private_metadata": place.packed(),
        "blocks": list(blocks),
    }


def option(label: str, value: str, description: str = "") -> Block:
    option: Block = {"text": plain_text(label, 75), "value": value}
    about = " ".join(description.split())
    return {**option, "description": plain_text(about, 75)} if about else option
