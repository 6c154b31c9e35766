"""What came of a decision that was typed, and who decides for whom; only who asked sees it.

The one rule: it says what the decision has led to, from the gate as it is then: who is still waited for, or what the
run does now.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.blocks.approval import title_of
from bot.blocks.kit import Message
from bot.blocks.operated import named_run
from bot.blocks.replies import paragraphs, said
from bot.blocks.words import because, counted, date, either, named, one_line
from engine.core.delegations import Delegation
from engine.core.events import Actor
from engine.core.gates import Gate, same
from engine.core.state import RunState, Verdict


def voted(state: RunState, step: str, *, granted: bool) -> Message:
    """The vote is recorded; ``state`` is the run since."""
    gate = state.step(step).gate
    if gate is None:
        return said(f"{'Approved' if granted else 'Denied'}. {named_run(state)} has gone on since.")
    what = f"*{title_of(step, gate)}*"
    if gate.decision is None:
        return said(f"Your approval of {what} counts. {_still_needed(gate)}")
    word = "Approved" if gate.decision.verdict is Verdict.GRANTED else "Denied"
    then = "goes on" if gate.decision.verdict is Verdict.GRANTED else "takes note of it"
    return said(f"{word}: {what}. {named_run(state)} {then}.")


def _still_needed(gate: Gate) -> str:
    where = f" of {one_line(gate.current.name)}" if gate.current.name else ""
    whom = either(gate.asked)
    if gate.needed is None:
        return f"Everybody{where} has to approve: {whom}."
    return f"It takes {counted(gate.needed, 'more approval')}{where}, by {whom}."


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
