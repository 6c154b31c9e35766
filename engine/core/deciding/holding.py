"""What holds a step although it could start: a switch that is thrown, or a budget that is used up.

The one rule: a step starts and an effect begins only if nothing holds it, and on the condition that this has not
changed when it is recorded. A person lifts what holds a step; then, and not before, it is looked at again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from engine.core import events as e
from engine.core.commands import AtEpoch
from engine.core.deciding.draft import Draft
from engine.core.spending import Spend
from engine.core.state import Hold, RunState, StepState
from engine.core.switches import WORKSPACE, Switch, Switches, words_of


def keys_of(state: RunState, path: str) -> Iterator[str]:
    """The keys of the switches that a step is under: also those of the runs that its run is done for."""
    yield WORKSPACE
    yield f"workflow:{state.started.workflow}"
    yield f"run:{state.run}"
    yield from (around for around in state.started.charged_around if around.startswith(("run:", "workflow:")))
    uses = state.plan.node(path).step.uses
    if uses is not None:
        yield f"step:{uses.partition('@')[0]}"


def effect_keys(spend: Spend | None) -> tuple[str, ...]:
    """The keys of the switches that an effect is under because of whom it is paid to."""
    if spend is None:
        return ()
    names = ((f"provider:{spend.provider}", spend.provider), (f"model:{spend.model}", spend.model))
    return tuple(key for key, name in names if name)


def stopping(switches: Switches, state: RunState, path: str, under: Iterable[str] = ()) -> tuple[Switch, ...]:
    """The thrown switches that hold the step, or what it has begun ``under`` further keys."""
    if not switches.thrown:
        return ()
    begun = (key for effect in state.step(path).effects.values() if not effect.recorded for key in effect.under)
    return tuple(switches.under(state.started.workspace, (*keys_of(state, path), *begun, *under)))


def held_by_switch(draft: Draft, path: str, under: Iterable[str] = ()) -> bool:
    """Whether a switch keeps the step from starting, or an effect ``under`` these keys from beginning; then it is held.

    Either way what is recorded depends on it.
    """
    depend(draft)
    found = stopping(draft.around.switches, draft.state, path, under)
    if found:
        keys = tuple(one.key for one in found)
        hold(draft, path, Hold("switch", keys, words_of(found), draft.around.switches.epoch, draft.now))
    return bool(found)


def hold(draft: Draft, path: str, why: Hold) -> None:
    """The step is held, until ``why`` is over; nothing is recorded if it is held for that already."""
    depend(draft)
    step = draft.state.step(path)
    if step.hold is not None and step.hold[:3] == why[:3]:
        return
    draft.record(
        e.StepHeld(
            step=path,
            attempt=max(step.attempt, 1),
            cause=why.cause,
            keys=why.keys,
            words=why.words,
            epoch=why.epoch,
            until=why.until,
            amount=why.amount,
            asks=why.asks,
        )
    )


def release(draft: Draft, path: str, step: StepState) -> bool:
    """Make a held step ready if something was lifted since, and no switch holds it; whether it is."""
    held, switches = step.hold, draft.around.switches
    if held is None:
        raise ValueError(f"{path} is held by nothing")
    if switches.epoch <= held.epoch and not (held.until is not None and held.until <= draft.now):
        return False
    under = held.keys if held.cause == "switch" else ()
    if stopping(switches, draft.state, path, under):
        return not held_by_switch(draft, path, under)
    draft.record(e.StepReleased(step=path))
    return True


def depend(draft: Draft) -> None:
    """What is recorded holds only if nothing was thrown or lifted meanwhile."""
    condition = AtEpoch(draft.around.switches.epoch)
    if condition not in draft.conditions:
        draft.conditions.append(condition)
