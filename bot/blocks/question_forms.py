"""Modals that say how a step goes on: what it gave, what to try it with, and why it is accepted, run again or fails.

The one rule: a field is read as the type that the step takes or gives. One about the last attempt holds what that had,
and a value that no field can hold is left as it was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from pydantic import JsonValue

from bot.blocks.forms import Place, View, block_of, field_block, modal, read_fields
from bot.blocks.gate_forms import reason_block
from bot.blocks.kit import Block, Message, section
from bot.blocks.operated import named_run
from bot.blocks.questions import Question, answer_words
from bot.blocks.replies import said
from bot.blocks.words import listed, one_line
from engine.core.inputs import read_value
from engine.core.kinds import InputField, InputType
from engine.core.questions import WHOLE, OpenQuestion
from engine.core.state import RunState

HAPPENED_FORM = "question_happened_form"
AGAIN_FORM = "question_again_form"
RETRY_FORM = "question_retry_form"
ACCEPT_FORM = "question_accept_form"
FAIL_FORM = "question_fail_form"

LONGEST = 3_000
"""Characters that a field of a form can hold."""

_SIMPLE: Mapping[str, InputType] = {
    "string": InputType.TEXT,
    "integer": InputType.INTEGER,
    "number": InputType.NUMBER,
    "boolean": InputType.BOOLEAN,
}
_TYPED = frozenset({"type", "enum", "const", "anyOf", "oneOf", "allOf", "$ref"})
"""The words of a schema that say which values it takes."""
_KEPT = "Shown in the run's thread and kept in its history."
_TOO_LONG = "Too long to be shown here. Leave it empty to keep it as it was."
_AS_JSON = "Written as JSON."
_ANYTHING = "Written as JSON; what is no JSON is taken as text. Leave it empty if it gives nothing."
_HOW_SURE = "How is that known?"


def happened_form(state: RunState, open_: OpenQuestion, place: Place) -> View:
    """Asks what the step gave, by the fields of its result, and how that is known."""
    step = one_line(open_.step, 120)
    what = f"*{step} happened*\n{named_run(state)} goes on with what you say that it gave, and it is not run again."
    blocks = [section(what), *(_result_field(open_, name) for name in open_.names), reason_block(_HOW_SURE, _KEPT)]
    return modal(HAPPENED_FORM, "It happened", "It happened", place, blocks)


def again_form(state: RunState, open_: OpenQuestion, place: Place) -> View:
    """Asks how it is known that nothing happened."""
    step = one_line(open_.step, 120)
    what = f"*{step} did not happen*\n{step} of {named_run(state)} is run again. If it did happen, it happens twice."
    return modal(
        AGAIN_FORM, "It did not happen", "Run it again", place, [section(what), reason_block(_HOW_SURE, _KEPT)]
    )


def retry_form(state: RunState, open_: OpenQuestion, place: Place) -> View:
    """The arguments that may be changed, as the last attempt had them."""
    names = listed(open_.names)
    what = f"*Try {one_line(open_.step, 120)} again with your change*\nOf {named_run(state)}. You may change {names}."
    fields = [_field(open_, name) for name in open_.names]
    blocks = [section(what), *fields, reason_block("Why?", _KEPT, optional=True)]
    return modal(RETRY_FORM, "Retry with my change", "Try it", place, blocks)


def accept_form(state: RunState, open_: OpenQuestion, place: Place) -> View:
    """Asks why what there is will do."""
    step = one_line(open_.step, 120)
    what = f"*Accept what {step} gave*\n{named_run(state)} goes on with it, as if {step} had been done without trouble."
    return modal(ACCEPT_FORM, "Accept", "Accept", place, [section(what), reason_block("Why?", _KEPT)])


def fail_form(state: RunState, open_: OpenQuestion, place: Place) -> View:
    """Asks why it is given up for good."""
    what = f"*Let {one_line(open_.step, 120)} fail*\n{named_run(state)} goes on as with any step that has failed."
    return modal(FAIL_FORM, "Fail", "Let it fail", place, [section(what), reason_block("Why?", _KEPT)])


def read_changes(open_: OpenQuestion, values: Mapping[str, Any]) -> tuple[dict[str, JsonValue], dict[str, str]]:
    """What was changed in the form, and one sentence for each value that cannot be read."""
    entered = read_fields(values)
    changes: dict[str, JsonValue] = {}
    problems: dict[str, str] = {}
    for name in open_.names:
        text = entered.get(name, "")
        if text == _shown(open_, name)[0]:
            continue
        try:
            changes[name] = _read(_kind(open_, name), name, text)
        except ValueError as error:
            problems[name] = str(error)
    return changes, problems


def read_result(open_: OpenQuestion, values: Mapping[str, Any]) -> tuple[JsonValue, dict[str, str]]:
    """What the step gave, as the form says, and one sentence for each value that cannot be read.

    A field that is left empty is not there, unless it may be nothing.
    """
    entered = read_fields(values)
    found: dict[str, JsonValue] = {}
    problems: dict[str, str] = {}
    for name in open_.names:
        kind, text = _kind(open_, name), entered.get(name, "")
        try:
            if text:
                found[name] = _anything(text) if kind.is_open else _read(kind, name, text)
            elif kind.nullable:
                found[name] = None
        except ValueError as error:
            problems[name] = str(error)
    return (found.get(WHOLE) if open_.is_whole else found if open_.names else None), problems


# Who was first


def answered_before(asked: Question) -> Message:
    """A click finds the question answered, or not open any more."""
    if asked.answer is None:
        return said("This question is not open any more: the run has gone on since. Nothing was changed.")
    return said(f"This was answered before. {answer_words(asked.answer)}\nNothing was changed by your click.")


# Fields


class _Kind(NamedTuple):
    """What a field takes. ``as_json``: what is typed is JSON, rather than the text itself; ``is_open``: or either."""

    type: InputType
    choices: tuple[str, ...] = ()
    nullable: bool = False
    as_json: bool = False
    is_open: bool = False

    @property
    def input(self) -> InputField:
        return InputField(type=self.type, choices=self.choices, required=False)


def _kind(open_: OpenQuestion, name: str) -> _Kind:
    """By what the step takes; by the value of the last attempt where its code is not known here."""
    schema = open_.schemas.get(name) or _schema_of(open_.may_change.get(name))
    is_open = open_.is_unknown and _TYPED.isdisjoint(open_.schemas.get(name, {}))
    options: list[Mapping[str, Any]] = [*schema.get("anyOf", ())]
    nullable = any(one.get("type") == "null" for one in options)
    left = [one for one in options if one.get("type") != "null"]
    if options:
        schema = left[0] if len(left) == 1 else _schema_of(None)
    choices: list[Any] = [*schema.get("enum", ())]
    if choices and all(isinstance(each, str) and each for each in choices):
        return _Kind(InputType.CHOICE, tuple(choices), nullable)
    simple = _SIMPLE.get(str(schema.get("type")))
    return _Kind(simple or InputType.TEXT, nullable=nullable, as_json=simple is None, is_open=is_open)


def _schema_of(value: JsonValue) -> Mapping[str, Any]:
    names: Mapping[type, str] = {str: "string", bool: "boolean", int: "integer", float: "number"}
    return {"type": names.get(type(value), "")}


def _result_field(open_: OpenQuestion, name: str) -> Block:
    kind = _kind(open_, name)
    hint = _ANYTHING if kind.is_open else _AS_JSON if kind.as_json else ""
    is_needed = not kind.is_open and not kind.nullable and "default" not in open_.schemas.get(name, {})
    block = field_block(name, kind.input.model_copy(update={"required": is_needed, "description": hint}), None)
    if kind.type is InputType.TEXT:
        block["element"]["max_length"] = LONGEST
    return block


def _field(open_: OpenQuestion, name: str) -> Block:
    kind, (text, hint) = _kind(open_, name), _shown(open_, name)
    is_needed = bool(text) and kind.type is not InputType.TEXT and not kind.nullable
    block = field_block(name, kind.input.model_copy(update={"required": is_needed, "description": hint}), text)
    if kind.type is InputType.TEXT:
        block["element"] |= {"max_length": LONGEST, **({"initial_value": text} if text else {})}
    return block


def _shown(open_: OpenQuestion, name: str) -> tuple[str, str]:
    """What the field holds at first, and what is said below it."""
    value, kind = open_.may_change.get(name), _kind(open_, name)
    text = "" if value is None else value if isinstance(value, str) and not kind.as_json else _json(value)
    if len(text) > LONGEST:
        return "", _TOO_LONG
    return text, _AS_JSON if kind.as_json else ""


def _json(value: JsonValue) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1 if isinstance(value, dict | list) else None)


def _read(kind: _Kind, name: str, text: str) -> JsonValue:
    """Raises ``ValueError`` with a sentence."""
    if kind.type is InputType.TEXT and not kind.as_json:
        return text
    if not text:
        if kind.nullable:
            return None
        raise ValueError(f"{name} is missing")
    if not kind.as_json:
        return read_value(name, kind.input, text, text=True)
    try:
        return _json_of(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{name} is no JSON ({error.msg} at character {error.pos + 1})") from None


def _anything(text: str) -> JsonValue:
    try:
        return _json_of(text)
    except ValueError:
        return text


def _json_of(text: str) -> JsonValue:
    return cast("JsonValue", json.loads(text, parse_constant=_no_number))


def _no_number(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON; write null")


def problem_blocks(names: Mapping[str, str], open_: OpenQuestion) -> dict[str, str]:
    """Each problem at its field; one of something that has no field, at the first."""
    found: dict[str, str] = {}
    for name, problem in names.items():
        block = block_of(name if name in open_.names else open_.names[0])
        found[block] = f"{found[block]}; {problem}" if block in found else problem
    return found
