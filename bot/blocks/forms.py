"""Modals: the inputs of a workflow, the picker, and the shapes that every modal is made of.

The one rule: a form is made from the definition alone, and its blocks are named after the inputs, so that what is
wrong with an input is said at its field. Shapes and limits: docs.slack.dev/reference/views/modal-views and
docs.slack.dev/reference/block-kit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bot.blocks.kit import Block, plain_text, section
from bot.blocks.words import one_line
from engine.core.definition import Workflow
from engine.core.inputs import LONGEST, example_of
from engine.core.kinds import InputField, InputType

View = dict[str, Any]

PICKER = "picker_form"
START = "start_form"

FIELD = "value"
"""The action id of every field; fields differ by their blocks."""

WORKFLOW_BLOCK = "workflow"

MOST_FIELDS = 95
"""Of the 100 blocks of a modal; the rest is for what is said above the fields."""

_OPTIONS = 100
_INPUT = "input_"
_TITLE = 24
_LONGEST_TEXT = 3_000
_LONGEST_VALUE = 150
_NUMBERS = (InputType.INTEGER, InputType.NUMBER)


@dataclass(frozen=True, slots=True)
class Place:
    """What a form remembers from the moment it was opened: where, and what it is about.

    ``about``: the workflow that it starts, or the value of the button that opened it.
    """

    channel: str
    about: str = ""
    thread: str = ""

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


def can_be_shown(workflow: Workflow) -> bool:
    """Whether all its inputs fit into one form."""
    return len(workflow.input) <= MOST_FIELDS


# Starting


def start_form(
    workflow: Workflow, place: Place, given: Mapping[str, str], problems: Mapping[str, str], notes: Sequence[str] = ()
) -> View:
    """The inputs of ``workflow``, filled with what was ``given``.

    ``problems`` has a sentence for each field that is wrong, ``notes`` says what was wrong besides. Both are said above
    the fields: the place at a field is for what is wrong with it when the form is sent, and shows that by itself.
    """
    wrong = [*notes, *(problems[name] for name in workflow.input if name in problems)]
    blocks: list[Block] = []
    if wrong:
        blocks.append(section("\n".join(f"✗ {one_line(each)}." for each in wrong)))
    blocks += [section(about)] if (about := _about(workflow)) else []
    blocks += [field_block(name, field, given.get(name)) for name, field in workflow.input.items()]
    return modal(START, _start_title(workflow), "Start", place, blocks)


def _about(workflow: Workflow) -> str:
    """What is not said by the form's title and fields; the title has no room for a long name."""
    told = [f"*{workflow.name}*"] if len(_start_title(workflow)) > _TITLE else []
    told += [one_line(workflow.description)] if workflow.description else []
    told += [] if workflow.input else ["It takes no inputs."]
    return "\n".join(told)


def _start_title(workflow: Workflow) -> str:
    return f"Start {workflow.name}"


def read_fields(values: Mapping[str, Any]) -> dict[str, str]:
    """What was entered, by field, from a submitted form's ``state.values``; fields left empty are not there."""
    entered: dict[str, str] = {}
    for block, fields in values.items():
        value = entered_in(fields.get(FIELD) or {})
        if block.startswith(_INPUT) and value is not None:
            entered[block.removeprefix(_INPUT)] = value
    return entered


def entered_in(state: Mapping[str, Any]) -> str | None:
    option: Mapping[str, str] | None = state.get("selected_option")
    return state.get("value") if option is None else option["value"]


def field_block(name: str, field: InputField, given: str | None) -> Block:
    block: Block = {
        "type": "input",
        "block_id": block_of(name),
        "label": plain_text(name),
        "optional": not field.is_required,
        "element": {"action_id": FIELD, **_element(field, _initial(field, given))},
    }
    if hint := field.description.rstrip("."):
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
    if field.type is InputType.BOOLEAN:
        options = [option("Yes", "true"), option("No", "false")]
        return _with_initial_option({"type": "radio_buttons", "options": options}, initial.lower())
    if field.type is InputType.CHOICE and _selectable(field.choices):
        options = [option(choice, choice) for choice in field.choices]
        return _with_initial_option({"type": "static_select", "options": options}, initial)
    if field.type in _NUMBERS:
        number: Block = {"type": "number_input", "is_decimal_allowed": field.type is InputType.NUMBER}
        return number | ({"initial_value": initial} if _is_number(field, initial) else {})
    return _text(field, initial)


def _selectable(choices: Sequence[str]) -> bool:
    return len(choices) <= _OPTIONS and all(choice.strip() and len(choice) <= _LONGEST_VALUE for choice in choices)


def _is_number(field: InputField, text: str) -> bool:
    whole, _, fraction = text.removeprefix("-").partition(".")
    is_fraction = "." in text and field.type is InputType.NUMBER and fraction.isdecimal()
    return text.isascii() and whole.isdecimal() and ("." not in text or is_fraction)


def _text(field: InputField, initial: str) -> Block:
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


def picker(workflows: Sequence[Workflow], place: Place) -> View:
    """A choice of the workflows, which leads to the form of the chosen one. At least one is needed."""
    options = [option(workflow.name, workflow.name, workflow.description) for workflow in workflows[:_OPTIONS]]
    blocks: list[Block] = [
        {
            "type": "input",
            "block_id": WORKFLOW_BLOCK,
            "label": plain_text("Workflow"),
            "element": {"type": "static_select", "action_id": FIELD, "options": options},
        }
    ]
    if len(workflows) > _OPTIONS:
        blocks.append(section(f"These are the first {_OPTIONS} of {len(workflows)}; start others by name."))
    return modal(PICKER, "Start a workflow", "Next", place, blocks)


def read_picker(values: Mapping[str, Any]) -> str:
    """The chosen workflow's name."""
    return values[WORKFLOW_BLOCK][FIELD]["selected_option"]["value"]


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
    return {**option, "description": plain_text(" ".join(description.split()), 75)} if description else option
