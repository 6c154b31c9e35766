"""Money in a decision: what an effect reserves before it is made, and what is settled afterwards.

The one rule: what was reserved is given back only if the effect provably never left; whatever ends an attempt in
another way settles it at the reservation, here and nowhere else.
"""

from __future__ import annotations

from typing import NamedTuple

from engine.core import events as e
from engine.core.commands import BeginEffect
from engine.core.deciding.draft import BY_ENGINE, Draft
from engine.core.money import say_money
from engine.core.spending import Cost, accounts
from engine.core.state import Effect, RunState, StepStatus


class Reservation(NamedTuple):
    """What the attempt ``token`` of a step has set aside for an effect that is under way."""

    path: str
    token: int
    name: str
    effect: Effect


def begin_effect(draft: Draft, command: BeginEffect, under: tuple[str, ...]) -> None:
    """Record that it begins, and set aside what it may cost. ``under``: the switches that stop it."""
    path, name, key, spend = command.step, command.effect, command.key, command.spend
    epoch = draft.around.switches.epoch
    if spend is None:
        draft.record(e.EffectStarted(step=path, effect=name, key=key, under=under, epoch=epoch))
        return
    charged = accounts(draft.state.run, draft.state.started, draft.now)
    started = e.EffectStarted(
        step=path,
        effect=name,
        key=key,
        reserved=spend.worst,
        model=spend.model,
        provider=spend.provider,
        accounts=charged,
        under=under,
        epoch=epoch,
    )
    draft.record(started)


def settle(draft: Draft, path: str, name: str, effect: Effect, cost: Cost | None) -> None:
    """What the effect has cost; None: nobody knows, so it is the most that it could have been."""
    micros = effect.reserved if cost is None else cost.micros
    recorded = e.CostRecorded(
        step=path,
        effect=name,
        cost=micros,
        reserved=effect.reserved,
        model=effect.model,
        provider=effect.provider,
        usage={} if cost is None else dict(cost.usage),
        accounts=effect.accounts,
        assumed=cost is None,
    )
    draft.record(recorded)
    if micros > effect.reserved:
        _overrun(draft, path, name, micros, effect.reserved)


def unsent(draft: Draft, path: str, name: str, effect: Effect) -> None:
    """The effect never left: as if it had not been begun."""
    draft.record(e.EffectUnsent(step=path, effect=name, reserved=effect.reserved, accounts=effect.accounts))


def reservations(state: RunState) -> list[Reservation]:
    """What is set aside for effects under way."""
    if not state.reserved:
        return []
    return [
        Reservation(path, step.token, name, effect)
        for path, step in state.opened(StepStatus.RUNNING)
        for name, effect in sorted(step.effects.items())
        if effect.reserved
    ]


def settle_left(draft: Draft, under_way: list[Reservation]) -> None:
    """Settle what attempts have left that no longer count, however they ended."""
    if not under_way or not draft.events:
        return
    at_work = {step.token for _, step in draft.state.opened(StepStatus.RUNNING)}
    for path, token, name, effect in under_way:
        if token not in at_work:
            settle(draft, path, name, effect, None)


def _overrun(draft: Draft, path: str, name: str, cost: int, reserved: int) -> None:
    """It was told truthfully and cannot be undone; before more of it happens, a person looks at it."""
    if draft.state.own_pause is not None:
        return
    words = f"{name} of {path} cost {say_money(cost)}, more than the {say_money(reserved)} that were set aside for it"
    draft.record(e.RunPaused(by=BY_ENGINE, reason=f"{words}; resume the run once you have seen why"))
