"""Modals about a gate: why it is denied or approved, what is changed, sent back, handed on or put off.

The one rule: a form says what sending it does, and to what; its button is the verb. It is about the value of the button
that opened it, so that a form about something older than what is asked now is refused as that button would be.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.blocks.approval import click_value
from bot.blocks.forms import FIELD, Place, View, entered_in, field_block, modal, option
from bot.blocks.gate_words import changed_words
from bot.blocks.kit import Block, Message, escape, plain_text, section
from bot.blocks.words import one_line, plain, run_title
from engine.core.approval import EditField
from engine.core.durations import say_duration
from engine.core.gates import Gate
from engine.core.kinds import InputField, InputType
from engine.core.state import RunState

APPROVE_FORM = "gate_approve_form"
DENY_FORM = "gate_deny_form"
EDIT_FORM = "gate_edit_form"
CHANGES_FORM = "gate_changes_form"
DELEGATE_FORM = "gate_delegate_form"
SNOOZE_FORM = "gate_snooze_form"

REASON_BLOCK = "reason"
PERSON_BLOCK = "person"
UNTIL_BLOCK = "until"
PAUSE_BLOCK = "pause"

LONGEST_REASON = 1_000
_KEPT = "Shown in the run's thread and kept in its history."

MINUTE = 60_000
PAUSES = (30, 60, 240, 480, 1_440)
"""For how many minutes reminders can be put off."""


def approve_form(state: RunState, gate: Gate, place: Place) -> View:
    """Asks for the reason of an approval."""
    what = f"{_title(gate)}\nYour approval lets {_run(state)} go on, once nobody else's is needed."
    why = reason_block("Why?", _KEPT, optional=gate.request.reason != "always")
    return modal(APPROVE_FORM, "Approve", "Approve", place, [section(what), why])


def deny_form(state: RunState, gate: Gate, place: Place) -> View:
    """Asks for the reason of a denial, and says what it will do."""
    what = f"{_title(gate)}\nDenying ends the run {_run(state)}."
    optional = bool(gate.evidence) and gate.request.reason == "never"
    return modal(DENY_FORM, "Deny", "Deny", place, [section(what), reason_block("Why?", _KEPT, optional=optional)])


def changes_form(state: RunState, gate: Gate, place: Place) -> View:
    """Asks what is to be done differently."""
    to = one_line(gate.request.request_changes or "")
    what = (
        f"{_title(gate)}\n{_run(state)} goes back to {to}, and does all from there anew; its steps can read what you "
        "write. Approvals so far do not count any more, and you are asked again after that."
    )
    asked = reason_block("What has to change?", _KEPT)
    return modal(CHANGES_FORM, "Request changes", "Request changes", place, [section(what), asked])


def edit_form(gate: Gate, fields: Mapping[str, EditField], place: Place) -> View:
    """The values that may be changed, as they are now."""
    votes = f" {len(gate.votes)} so far." if gate.votes else ""
    what = f"{_title(gate)}\nIf you change a value, approvals from before do not count any more.{votes}"
    blocks = [field_block(name, _input(field), _typed(gate.fields[name])) for name, field in fields.items()]
    return modal(EDIT_FORM, "Edit", "Save", place, [section(what), *blocks])


def edited_form(state: RunState, step: str, before: Gate, now: Gate, place: Place) -> View:
    """What an edit has changed; sending it approves that."""
    new = {name: value for name, value in now.fields.items() if before.fields.get(name) != value}
    void = " Approvals from before do not count any more." if before.votes else ""
    what = f"{_title(now)}\nYou changed {changed_words(before.fields, new)}.{void}"
    blocks = [
        section(what),
        section("It is not approved yet. Approve it as it is now, or close this and think it over."),
    ]
    about = Place(place.channel, click_value(state, step, now), place.thread)
    words = reason_block("Why?", _KEPT, optional=now.request.reason != "always")
    return modal(APPROVE_FORM, "Saved", "Approve", about, [*blocks, words])


def _input(field: EditField) -> InputField:
    """As an input of a form. A text may be left empty."""
    required = field.type not in (InputType.STRING, InputType.TEXT)
    return InputField.model_validate({**field.model_dump(exclude={"value"}), "required": required})


def _typed(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else "" if value is None else plain(value)


def delegate_form(gate: Gate, place: Place) -> View:
    """Asks who is to decide instead, here or for a while."""
    what = f"{_title(gate)}\nWhoever you choose can decide here for you. You can still decide yourself."
    person: Block = {
        "type": "input",
        "block_id": PERSON_BLOCK,
        "label": plain_text("Who decides for you?"),
        "element": {"type": "users_select", "action_id": FIELD},
    }
    until: Block = {
        "type": "input",
        "block_id": UNTIL_BLOCK,
        "optional": True,
        "label": plain_text("And everywhere else where you are asked, until"),
        "hint": plain_text("Leave it empty to let them decide here only."),
        "element": {"type": "datetimepicker", "action_id": FIELD},
    }
    why = reason_block("Why?", _KEPT, optional=True)
    return modal(DELEGATE_FORM, "Delegate", "Delegate", place, [section(what), person, until, why])


def snooze_form(gate: Gate, place: Place) -> View:
    """Asks for how long the person wants no reminders."""
    what = f"{_title(gate)}\nYou are not reminded for so long. The request stays open, and others are asked as planned."
    options = [option(say_duration(minutes * MINUTE), str(minutes)) for minutes in PAUSES]
    pause: Block = {
        "type": "input",
        "block_id": PAUSE_BLOCK,
        "label": plain_text("No reminders for"),
        "element": {"type": "static_select", "action_id": FIELD, "options": options, "initial_option": options[1]},
    }
    return modal(SNOOZE_FORM, "Snooze", "Snooze", place, [section(what), pause])


# Reading


def read_reason(values: Mapping[str, Any]) -> str:
    """Why somebody does it; empty if only spaces were entered."""
    return (entered_in(values[REASON_BLOCK][FIELD]) or "").strip()


def read_person(values: Mapping[str, Any]) -> str:
    """The id of the person who was chosen."""
    return str(values[PERSON_BLOCK][FIELD].get("selected_user") or "")


def read_until(values: Mapping[str, Any]) -> int | None:
    """The chosen instant in epoch milliseconds, if one was chosen."""
    chosen = values[UNTIL_BLOCK][FIELD].get("selected_date_time")
    return None if chosen is None else int(chosen) * 1_000


def read_pause(values: Mapping[str, Any]) -> int:
    """For how many milliseconds."""
    minutes = int(entered_in(values[PAUSE_BLOCK][FIELD]) or 0)
    return minutes * MINUTE if minutes in PAUSES else PAUSES[0] * MINUTE


# Shapes


def shown(title: str, message: Message) -> View:
    """A message in the place of a form, without the buttons that it has elsewhere."""
    kept = [block for block in message.blocks if block["type"] != "actions"] or [section(message.text)]
    return {"type": "modal", "title": plain_text(title, 24), "close": plain_text("Close"), "blocks": kept}


def _title(gate: Gate) -> str:
    return f"*{one_line(gate.request.title, 200) or 'A decision'}*"


def _run(state: RunState) -> str:
    return escape(run_title(state))


def reason_block(label: str, hint: str, *, optional: bool = False) -> Block:
    """The field for what somebody says about what they do."""
    return {
        "type": "input",
        "block_id": REASON_BLOCK,
        "optional": optional,
        "label": plain_text(label),
        "hint": plain_text(hint),
        "element": {
            "type": "plain_text_input",
            "action_id": FIELD,
            "multiline": True,
            "max_length": LONGEST_REASON,
            "focus_on_load": not optional,
        },
    }
