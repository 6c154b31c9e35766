"""Modals about a gate, such as the one that asks why it is denied.

The one rule: a form says what sending it does, and to what; its button is the verb. It is about the value of the button
that opened it, so that a form about something older than what is asked now is refused as that button would be.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.blocks.forms import FIELD, Place, View, entered_in, modal
from bot.blocks.kit import Block, escape, plain_text, section
from bot.blocks.words import one_line, run_title
from engine.core.state import Gate, RunState

DENY_FORM = "gate_deny_form"

REASON_BLOCK = "reason"
LONGEST_REASON = 1_000


def deny_form(state: RunState, gate: Gate, place: Place) -> View:
    """Asks for the reason of a denial, and says what it will do."""
    what = f"{_title(gate)}\nDenying ends the run {escape(run_title(state))}."
    return modal(DENY_FORM, "Deny", "Deny", place, [section(what), _reason("Why?")])


def read_reason(values: Mapping[str, Any]) -> str:
    """Why somebody does it; empty if only spaces were entered."""
    return (entered_in(values[REASON_BLOCK][FIELD]) or "").strip()


def _title(gate: Gate) -> str:
    return f"*{one_line(gate.request.title, 200) or 'A decision'}*"


def _reason(label: str) -> Block:
    return {
        "type": "input",
        "block_id": REASON_BLOCK,
        "label": plain_text(label),
        "hint": plain_text("Shown in the run's thread and kept in its history."),
        "element": {
            "type": "plain_text_input",
            "action_id": FIELD,
            "multiline": True,
            "max_length": LONGEST_REASON,
            "focus_on_load": True,
        },
    }
