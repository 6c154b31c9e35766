"""What one person can do at a gate, as commands of the engine, from whichever surface it comes.

The one rule: an act is about one asking, with the right that its person was seen to have at it a moment ago.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from bot.people.authority import Right
from engine.core import commands as c
from engine.core.approval import EditField
from engine.core.events import Actor
from engine.core.gates import Gate
from engine.core.inputs import read_value
from engine.core.state import RunState
from engine.core.words import did_you_mean


@dataclass(frozen=True, slots=True)
class Asking:
    """One request for a decision, and the right of the person who may act on it now."""

    state: RunState
    step: str
    gate: Gate
    right: Right

    @property
    def editable(self) -> dict[str, EditField]:
        """The values that may be changed, as the definition describes them."""
        approval = self.state.plan.node(self.step).step.approval
        known = {} if approval is None else approval.edit
        return {name: known[name] for name in self.gate.fields if name in known}

    @property
    def common(self) -> dict[str, Any]:
        """What every command at a gate carries: where, who, and about which version."""
        return {"step": self.step, "by": self.right.by, "version": self.gate.version, "seat": self.right.seat}


Act = Callable[[Asking], c.AtGate | c.InvalidFields]
"""Makes the command of what a person does, or says which of the values that they gave cannot be so."""


Change = Callable[[Asking], c.EditGate | c.InvalidFields]


def vote(*, granted: bool, reason: str = "") -> Act:
    """Approve, or deny."""
    return lambda asking: c.Vote(granted=granted, reason=reason, authority=asking.right.authority, **asking.common)


def edit(entered: Mapping[str, str]) -> Change:
    """Change values before the decision, all of them: as a person fills in a form, where what is left empty is not."""
    return lambda asking: _edited(asking, {name: entered.get(name, "") for name in asking.editable})


def change(given: Mapping[str, str]) -> Change:
    """Change the values that are named, as a person types them, and no other ones."""
    return lambda asking: _edited(asking, given)


def _edited(asking: Asking, typed: Mapping[str, str]) -> c.EditGate | c.InvalidFields:
    values: dict[str, JsonValue] = {}
    problems: dict[str, str] = {}
    for name, text in typed.items():
        known = asking.editable.get(name)
        if known is None:
            problems[name] = f"there is no {name} to change here; {did_you_mean(name, asking.editable) or 'nothing is'}"
            continue
        try:
            values[name] = read_value(name, known, text, text=True)
        except ValueError as error:
            problems[name] = str(error)
    if problems:
        return c.InvalidFields(problems)
    return c.EditGate(fields=values, authority=asking.right.authority, **asking.common)


def request_changes(comment: str) -> Act:
    """Send the run back, to be done anew."""
    return lambda asking: c.RequestChanges(comment=comment, authority=asking.right.authority, **asking.common)


def delegate(to: Actor, reason: str = "") -> Act:
    """Let somebody else decide at this gate."""
    return lambda asking: c.Delegate(to=to, reason=reason, authority=asking.right.authority, **asking.common)


def snooze(until: int) -> Act:
    """Be left in peace by reminders until then."""
    return lambda asking: c.Snooze(until=until, **asking.common)
