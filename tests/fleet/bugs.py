"""Bugs that are planted in a fleet's processes, so that its checker is seen to find them.

The one rule: each breaks one promise of the engine from outside, by putting something around one call of it; nothing in
the engine knows of them.

    effect-repeated    the record of an effect is not looked up: each attempt makes it again
    late-recorded      a result is recorded although its attempt was declared lost
    claim-forgotten    activations are acknowledged before the claim, and runs have no due: nobody looks at them again
    completed-twice    now and then a completion is appended twice
    decided-twice      a click on a gate that is decided decides it once more
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import engine.handle
from engine.core import commands as c
from engine.core import events as e
from engine.core.state import Recorded
from engine.steps.context import StepContext
from engine.steps.jsonvalue import to_json_value
from engine.store import Log
from engine.streams import Streams

_decide: Any = engine.handle.decide


def _effect_repeated() -> None:
    async def effect(ctx: Any, name: str, fn: Any) -> Any:
        await ctx._effects.begin(name, None)
        result = to_json_value(await fn(ctx.key_for(name)))
        await ctx._effects.record(name, result, None)
        return result

    setattr(StepContext, "effect", effect)  # noqa: B010 - assigning to a method is what is meant


def _late_recorded() -> None:
    def decide(state: Any, command: Any, *more: Any) -> Any:
        decision = _decide(state, command, *more)
        if not isinstance(command, c.Succeed):
            return decision
        events = tuple(
            one._replace(event=e.StepCompleted(step=command.step, attempt=one.event.attempt, output=command.output))
            if isinstance(one.event, e.LateResultRefused)
            else one
            for one in decision.events
        )
        return replace(decision, events=events)

    setattr(engine.handle, "decide", decide)  # noqa: B010


def _claim_forgotten() -> None:
    append, read = Log.append, Streams.read

    async def append_without_due(log: Log, what: Any) -> Any:
        return await append(log, replace(what, due=None) if what.due_kind in ("ready", "running") else what)

    async def read_and_acknowledge(streams: Streams, *arguments: Any) -> Any:
        activations = await read(streams, *arguments)
        await streams.acknowledge(activations)
        return activations

    setattr(Log, "append", append_without_due)  # noqa: B010
    setattr(Streams, "read", read_and_acknowledge)  # noqa: B010


def _completed_twice() -> None:
    def decide(state: Any, command: Any, *more: Any) -> Any:
        decision = _decide(state, command, *more)
        completed = [one for one in decision.events if isinstance(one.event, e.StepCompleted)]
        return _and_again(decision, completed[0].event) if completed and decision.state.seq % 7 == 0 else decision

    setattr(engine.handle, "decide", decide)  # noqa: B010


def _decided_twice() -> None:
    def decide(state: Any, command: Any, *more: Any) -> Any:
        decision = _decide(state, command, *more)
        if isinstance(decision.reply, c.AlreadyDecided) and state.end is None:
            return _and_again(decision, e.ApprovalGranted(step=command.step, by=command.by))
        return decision

    setattr(engine.handle, "decide", decide)  # noqa: B010


def _and_again(decision: Any, event: e.Event) -> Any:
    """The decision with one more event at its end, of which the state knows but the number."""
    seq = decision.state.seq + 1
    last = Recorded(seq, decision.state.at, event)
    return replace(decision, events=(*decision.events, last), state=decision.state._replace(seq=seq))


BUGS: dict[str, Callable[[], None]] = {
    "effect-repeated": _effect_repeated,
    "late-recorded": _late_recorded,
    "claim-forgotten": _claim_forgotten,
    "completed-twice": _completed_twice,
    "decided-twice": _decided_twice,
}


def plant(bug: str | None) -> None:
    """Plant the bug of that name in this process, if any."""
    if bug is not None:
        BUGS[bug]()
