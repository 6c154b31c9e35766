"""`vb request-changes`, `vb delegate` and `vb snooze`: what people do at gates besides deciding, from a terminal.

The one rule: each is what the button of that name does in Slack, by the same right and as the same command.
"""

from __future__ import annotations

from bot.config.settings import Settings
from bot.config.wiring import reading_engine
from bot.console.atgate import acting
from bot.console.launch import DONE, Misuse
from bot.console.output import note, say
from bot.console.workers import say_who_goes_on
from bot.people import acts
from bot.text.plain import one_line
from engine.core.delegations import Delegation
from engine.core.durations import parse_duration
from engine.core.instants import key_instant


async def request_changes(settings: Settings, ref: str, gate: str, comment: str) -> int:
    """Send the run back to where the gate says, with the comment. Raises as ``Acting``."""
    if not comment.strip():
        raise Misuse('Say what has to change: vb request-changes RUN GATE "name the migration"')
    async with acting(settings) as here:
        asking = await here.asking(ref, gate)
        state = await here.act(asking, acts.request_changes(comment))
        say(f"{state.run} goes back to {asking.gate.request.request_changes}; {gate} asks again after that.")
        await say_who_goes_on(here.engine, state.run)
    return DONE


async def delegate(settings: Settings, ref: str, gate: str, to: str, *, reason: str) -> int:
    """Let somebody else decide at one gate. Raises as ``Acting``."""
    async with acting(settings) as here:
        asking, chosen = await here.asking(ref, gate), await here.named(to)
        state = await here.act(asking, acts.delegate(chosen, reason))
        say(one_line(f"{chosen.name} may decide on {gate} of {state.run} in your place, and is told so in Slack."))
    return DONE


async def delegate_for(settings: Settings, to: str, time: str, *, reason: str) -> int:
    """Let somebody decide everywhere for a while. Raises as ``Acting``, and ``WorkspaceRefused``."""
    span = _span(time)
    async with acting(settings) as here:
        by, chosen = await here.member(), await here.named(to)
        until = here.engine.clock.now() + span
        held = await here.engine.gates.delegate(chosen, until, by=by, reason=reason)
        say(one_line(f"{_told(held)}. A gate may forbid it, and you may still decide yourself."))
    return DONE


async def take_back(settings: Settings) -> int:
    """End what one has delegated for a while. Raises as ``Acting``."""
    async with acting(settings) as here:
        ended = await here.engine.gates.end_delegation(by=await here.member())
        say("Nobody decides in your place any more." if ended else "You had not let anybody decide in your place.")
    return DONE


async def list_delegations(settings: Settings) -> int:
    """Who decides in whose place now; to know that, nobody has to be let decide here."""
    async with reading_engine(settings) as engine:
        known = await engine.gates.delegations()
        for one in known:
            say(one_line(_told(one), 600))
        if not known:
            note("Nobody decides in the place of others now.")
    return DONE


async def snooze(settings: Settings, ref: str, gate: str, time: str) -> int:
    """Be left in peace by the gate's reminders for so long. Raises as ``Acting``."""
    span = _span(time)
    async with acting(settings) as here:
        await here.member()
        until = here.engine.clock.now() + span
        state = await here.act(await here.asking(ref, gate), acts.snooze(until))
        say(
            f"You are not reminded of {gate} of {state.run} before {key_instant(until)}; it stays open, and others are "
            "asked as planned."
        )
    return DONE


def _span(time: str) -> int:
    try:
        return parse_duration(time)
    except ValueError as problem:
        raise Misuse(f"--for: {problem}") from None


def _told(one: Delegation) -> str:
    event = one.event
    why = f" ({event.reason})" if event.reason else ""
    return f"{event.to.name} decides for {event.by.name} until {key_instant(event.until)}{why}"
