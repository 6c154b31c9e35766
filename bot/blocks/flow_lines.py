"""The lines of a thread about loops, pauses, signals and child runs.

The one rule: a line that says that something is waited for says until when, and what happens then.
"""

from __future__ import annotations

from typing import assert_never

from bot.blocks import loops
from bot.blocks.agent_lines import calls_line
from bot.blocks.words import counted, date, named, one_line, short_id
from engine.core import events as e
from engine.core.graph import Kind
from engine.core.kinds import OnTimeout
from engine.core.state import RunState


def flow_line(before: RunState, at: int, event: e.FlowEvent, after: RunState) -> str | None:
    """The line for ``event``; None for one inside of a loop that is summed up, and for what is not worth a line."""
    if isinstance(event, e.SignalReceived):
        return f"· The signal {event.signal} came from {named(event.by)}; it is kept until a step waits for it"
    if isinstance(event, e.ForEachStarted) and (line := calls_line(before, event)) is not None:
        return line
    if loops.in_crowd(before, event.step):
        return None
    match event:
        case e.ForEachStarted():
            return _items(event, after)
        case e.IterationStarted():
            if not loops.is_told_pass(event.iteration) or before.plan.node(event.step).step.agent is not None:
                return None
            return f"↻ {event.step}: {loops.how_far(after, event.step)}"
        case e.TimerSet():
            is_sleep = before.plan.node(event.step).kind is Kind.SLEEP
            return f"… {event.step} sleeps until {date(event.at)}" if is_sleep and event.at > at else None
        case e.TimerFired():
            is_sleep = before.plan.node(event.step).kind is Kind.SLEEP
            return f"✓ {event.step}: the pause is over" if is_sleep else None
        case e.SignalAwaited():
            return _awaited(before, event)
        case e.SignalMatched():
            return f"✓ {event.step} got the signal {before.kept[event.seq].signal}"
        case e.ChildStarted():
            which = f", attempt {event.attempt}" if event.attempt > 1 else ""
            is_part = event.part is not None
            return None if is_part else f"→ {event.step} is done by {event.workflow} `{short_id(event.run)}`{which}"
        case _:
            assert_never(event)


def awaits_words(before: RunState, event: e.SignalAwaited) -> str:
    """``the signal paid (order 42) until …; then it fails``."""
    told = f"the signal {event.signal}"
    if event.correlation is not None:
        told += f" ({one_line(event.correlation, 80)})"
    if event.expires_at is None:
        return told
    waiting = before.plan.node(event.step).step.wait_for
    goes_on = waiting is not None and waiting.on_timeout is OnTimeout.CONTINUE
    then = "the run goes on without it" if goes_on else "it fails"
    return f"{told}; if none comes, {then} {date(event.expires_at)}"


def _awaited(before: RunState, event: e.SignalAwaited) -> str:
    return f"… {event.step} waits for {awaits_words(before, event)}"


def _items(event: e.ForEachStarted, after: RunState) -> str | None:
    settings, loop = after.plan.node(event.step).step.for_each, after.step(event.step).loop
    if settings is None or loop is None or not event.count:
        return None
    at_once = f", {settings.max_parallel} at a time" if settings.max_parallel < event.count else ""
    runs = f", in {counted(loop.units, 'run')} of their own" if loop.unit > 1 else ""
    return f"→ {event.step}: {counted(event.count, 'item')}{at_once}{runs}"
