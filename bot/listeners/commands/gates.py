"""What people do at gates, without a button: ``approve``, ``edit``, ``delegate`` and the others.

The one rule: it takes the way of a click; by what right somebody acts is established there. An approval is of what was
shown, and a change of what was there, so these words only open the form that shows it.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.blocks import decided, gate_forms, guide, replies
from bot.blocks.approval import click_value
from bot.blocks.forms import Place
from bot.blocks.kit import Message, escape
from bot.blocks.vocabulary import WORDS
from bot.blocks.words import one_line
from bot.listeners import deciding
from bot.listeners.commands.runs import which_run
from bot.listeners.commands.typed import Answer, Typed, split
from bot.listeners.deciding import Refusal
from bot.listeners.desk import Desk
from bot.listeners.mentioned import unescape
from bot.people import acts
from bot.people.authority import actor
from bot.people.policy import Refused, may_hand_over
from bot.people.roles import person_named
from engine.core.durations import parse_duration
from engine.core.events import Actor
from engine.core.gates import Gate
from engine.core.state import RunState, StepStatus
from engine.core.words import listed

TO, FOR, STOP = "to", "for", "stop"


@dataclass(frozen=True, slots=True)
class Asked:
    """An open gate of a run, and what was typed after it."""

    state: RunState
    step: str
    gate: Gate
    rest: str


async def approve(desk: Desk, typed: Typed) -> Answer:
    """Show what would be approved, to those who may; sending that approves it."""
    found = await _checked(desk, typed)
    if not isinstance(found, tuple):
        return found
    asked, asking = found
    place = Place(typed.where.channel, thread=typed.where.thread)
    return decided.approve_form(asking.state, asking.step, asking.gate, place, unescape(asked.rest))


async def deny(desk: Desk, typed: Typed) -> Answer:
    """Deny, and say why."""
    asked = await _asked(desk, typed)
    if not isinstance(asked, Asked):
        return asked
    vote = acts.vote(granted=False, reason=unescape(asked.rest))
    outcome = await deciding.act(desk, _value(asked), typed.user, vote)
    if isinstance(outcome, Refusal):
        return _incomplete(typed, "Why?") if outcome.wants_reason is not None else outcome.message
    return decided.denied(await desk.engine.state(asked.state.run), asked.step)


async def edit(desk: Desk, typed: Typed) -> Answer:
    """Show the values that may be changed, to those who may; sending that changes them."""
    found = await _checked(desk, typed)
    if not isinstance(found, tuple):
        return found
    asked, asking = found
    if not asking.editable:
        return decided.nothing_to_edit(asking.step, asking.gate)
    place = Place(typed.where.channel, _value(asked), typed.where.thread)
    return gate_forms.edit_form(asking.gate, asking.editable, place)


async def request_changes(desk: Desk, typed: Typed) -> Answer:
    """Send the run back, and say what has to change."""
    asked = await _asked(desk, typed)
    if not isinstance(asked, Asked):
        return asked
    comment = unescape(asked.rest)
    outcome = await deciding.act(desk, _value(asked), typed.user, acts.request_changes(comment))
    if isinstance(outcome, Refusal):
        return _incomplete(typed, "What has to change?") if outcome.wants_reason is not None else outcome.message
    return decided.sent_back(asked.step, asked.gate)


async def snooze(desk: Desk, typed: Typed) -> Answer:
    """Be left in peace by a gate's reminders for a while."""
    asked = await _asked(desk, typed)
    if not isinstance(asked, Asked):
        return asked
    word, time = split(asked.rest)
    if word != FOR or not time:
        return _incomplete(typed, "For how long?")
    try:
        until = desk.engine.clock.now() + parse_duration(time)
    except ValueError as problem:
        return _incomplete(typed, escape(str(problem)))
    outcome = await deciding.act(desk, _value(asked), typed.user, acts.snooze(until))
    return outcome.message if isinstance(outcome, Refusal) else decided.snoozed(asked.step, asked.gate, until)


async def delegate(desk: Desk, typed: Typed) -> Answer:
    """Let somebody else decide: at one gate, or everywhere for a while; or end that; or say who does for whom."""
    first = split(typed.rest)[0]
    if not first:
        return await _delegations(desk, typed)
    if first == STOP:
        return await _stop(desk, typed)
    if first == TO:
        return await _for_a_while(desk, typed)
    asked = await _asked(desk, typed)
    if not isinstance(asked, Asked):
        return asked
    if split(asked.rest)[0] != TO:
        return _incomplete(typed, "To whom?")
    to = await _whom(desk, typed)
    if isinstance(to, Message):
        return to
    reason = unescape(split(split(asked.rest)[1])[1])
    outcome = await deciding.act(desk, _value(asked), typed.user, acts.delegate(to, reason))
    if isinstance(outcome, Refusal):
        return outcome.message
    return decided.delegated(asked.step, asked.gate, to)


async def _asked(desk: Desk, typed: Typed) -> Asked | Answer:
    """The open gate that is meant: the one that is named, or the only one."""
    ref, rest = split(typed.rest)
    if not ref:
        return await which_run(desk, typed)
    state = await desk.engine.state(await desk.engine.find(ref))
    opened = {path: step.gate for path, step in state.opened(StepStatus.WAITING) if step.gate is not None}
    first, after = split(rest)
    if first in opened:
        return Asked(state, first, opened[first], after)
    if len(opened) == 1:
        ((step, gate),) = opened.items()
        return Asked(state, step, gate, rest)
    if not opened:
        return decided.nothing_open(state)
    return _incomplete(typed, f"Which gate? There is: {escape(listed(list(opened), 20))}")


async def _checked(desk: Desk, typed: Typed) -> tuple[Asked, acts.Asking] | Answer:
    """The open gate that is meant, for whoever may act at it."""
    asked = await _asked(desk, typed)
    if not isinstance(asked, Asked):
        return asked
    outcome = await deciding.check(desk, _value(asked), typed.user)
    return outcome.message if isinstance(outcome, Refusal) else (asked, outcome)


def _value(asked: Asked) -> str:
    return click_value(asked.state, asked.step, asked.gate)


# Letting others decide


async def _for_a_while(desk: Desk, typed: Typed) -> Answer:
    names = typed.rest.split()
    if len(names) < 4 or names[2] != FOR:
        return _incomplete(typed, "For how long?" if len(names) > 1 else "To whom?")
    try:
        time = parse_duration(names[3])
    except ValueError as problem:
        return _incomplete(typed, escape(str(problem)))
    by = await member(desk, typed)
    if isinstance(by, Message):
        return by
    to = await _whom(desk, typed)
    if isinstance(to, Message):
        return to
    reason = unescape(" ".join(names[4:]))
    until = desk.engine.clock.now() + time
    return decided.handed_over(await desk.engine.gates.delegate(to, until, by=by, reason=reason))


async def _stop(desk: Desk, typed: Typed) -> Answer:
    by = await member(desk, typed)
    if isinstance(by, Message):
        return by
    return decided.taken_back(ended=await desk.engine.gates.end_delegation(by=by))


async def _delegations(desk: Desk, typed: Typed) -> Answer:
    by = await member(desk, typed)
    if isinstance(by, Message):
        return by
    return decided.delegations(typed.command, by, await desk.engine.gates.delegations())


async def member(desk: Desk, typed: Typed) -> Actor | Message:
    """Whoever typed it, if they are a full member; guests decide nothing, and have nothing to hand over."""
    verdict = may_hand_over(await desk.from_slack(desk.directory.person(typed.user)))
    return replies.said(verdict.sentence) if isinstance(verdict, Refused) else actor(verdict.person)


async def _whom(desk: Desk, typed: Typed) -> Actor | Message:
    """The person after the word ``to``; or that there is nobody like that."""
    names, ids = typed.rest.split(), typed.ids.split()
    at = names.index(TO) + 1
    if at >= len(names):
        return _incomplete(typed, "To whom?")
    person = await desk.from_slack(person_named(desk.directory, names[at], ids[at]))
    if person is None or person.standing != "member":
        return replies.mistake(f"There is no {one_line(names[at])} here who could decide; name one full member.")
    return actor(person)


def _incomplete(typed: Typed, problem: str) -> Message:
    return guide.incomplete(typed.command, WORDS[typed.word], problem)
