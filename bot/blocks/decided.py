"""Decisions that are typed: the form that an approval takes, what came of the rest, and who decides for whom.

The one rule: nobody approves what was not before them; the form shows it, and is about that version alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.blocks import gate_forms
from bot.blocks.approval import click_value, title_of
from bot.blocks.evidence import evidence
from bot.blocks.forms import Place, View
from bot.blocks.kit import Message, clip
from bot.blocks.operated import named_run
from bot.blocks.replies import paragraphs, said
from bot.blocks.words import because, date, named, one_line
from engine.core.delegations import Delegation
from engine.core.events import Actor
from engine.core.gates import Gate, same
from engine.core.state import RunState


def approve_form(state: RunState, step: str, gate: Gate, place: Place, why: str) -> View:
    """Shows what would be approved, as it is now. ``why`` is the reason, as far as it was typed before."""
    about = replace(place, about=click_value(state, step, gate))
    view = gate_forms.approve_form(state, gate, about)
    (what, asked) = view["blocks"]
    shown = [block for item in evidence(gate) for block in item.blocks()]
    if why:
        asked["element"]["initial_value"] = clip(why, gate_forms.LONGEST_REASON)
    return {**view, "blocks": [what, *shown, asked]}


def denied(state: RunState, step: str) -> Message:
    """The denial is recorded; ``state`` is the run since."""
    gate = state.step(step).gate
    what = f"Denied: *{title_of(step, gate)}*." if gate is not None else "Denied."
    return said(f"{what} {named_run(state)} takes note of it.")


def nothing_to_edit(step: str, gate: Gate) -> Message:
    return said(f"There is nothing to change at *{title_of(step, gate)}*. Nothing was changed.")


def sent_back(step: str, gate: Gate) -> Message:
    """Changes were asked for."""
    to = one_line(gate.request.request_changes or "", 80)
    return said(f"*{title_of(step, gate)}* goes back to {to} with what you wrote, and asks again after that.")


def snoozed(step: str, gate: Gate, until: int) -> Message:
    return said(
        f"You are not reminded of *{title_of(step, gate)}* before {date(until)}. It stays open, and others are asked "
        "as planned."
    )


def nothing_open(state: RunState) -> Message:
    return said(f"Nothing of {named_run(state)} waits for a decision. Nothing was changed.")


def delegated(step: str, gate: Gate, to: Actor) -> Message:
    """Once, at one gate."""
    return said(f"{named(to)} may decide on *{title_of(step, gate)}* in your place, and is told so there.")


def handed_over(delegation: Delegation) -> Message:
    event = delegation.event
    return said(
        f"{named(event.to)} decides in your place until {date(event.until)}{because(event.reason)}. A gate may forbid "
        "it, and you may still decide yourself."
    )


def taken_back(*, ended: bool) -> Message:
    return said("Nobody decides in your place any more." if ended else "You had not let anybody decide in your place.")


def delegations(command: str, person: Actor, known: Sequence[Delegation]) -> Message:
    """Who decides for whom now; what is about the person first."""
    if not known:
        return said(f"Nobody decides in the place of others now. `{command} help delegate` says how to let somebody.")
    own = [one for one in known if same(one.event.by, person) or same(one.event.to, person)]
    return paragraphs([_delegation(one) for one in (*own, *(one for one in known if one not in own))])


def _delegation(one: Delegation) -> str:
    event = one.event
    return f"{named(event.to)} decides for {named(event.by)} until {date(event.until)}{because(event.reason)}"
