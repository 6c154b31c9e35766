"""Money in a decision: what an effect reserves before it is made, and what is settled afterwards.

The one rule: what was reserved is given back only if the effect provably never left; whatever ends an attempt in
another way settles it at the reservation, here and nowhere else.
"""

from __future__ import annotations

from typing import NamedTuple

from engine.core import events as e
from engine.core.commands import BeginEffect
from engine.core.deciding.draft import BY_ENGINE, Draft
from engine.core.deciding.holding import held_by_switch, hold, release, stopping
from engine.core.money import say_money
from engine.core.spending import Cost, Reserving, Settling, Standing, accounts, budget_words, next_period
from engine.core.state import Effect, Hold, RunState, StepState, StepStatus

LOOK_AGAIN = 2_000
"""After this many ms a step looks again whether others have given back what it waits for, if nobody tells it before."""


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
        price=spend.price,
    )
    draft.conditions.append(Reserving(path, name, spend.worst, charged, spend.model))
    draft.record(started)


def cannot_afford(draft: Draft, command: BeginEffect) -> bool:
    """Whether a budget is known to have no room for what the effect may cost; then its step is held."""
    short = draft.around.money.get((command.step, command.effect), ())
    if not short or command.spend is None:
        return False
    _hold(draft, command.step, command.effect, command.spend.worst, short)
    return True


def let_go(draft: Draft, path: str, step: StepState, *, may_start: bool) -> bool:
    """Make a held step ready if nothing holds it any more; whether it is.

    One that a budget holds is, where it may start at once, on the condition that there is room for it now.
    """
    if step.hold is None or step.hold.cause == "switch":
        return release(draft, path, step)
    if not may_start:
        return False
    if stopping(draft.around.switches, draft.state, path):
        return not held_by_switch(draft, path)
    if short := draft.around.money.get((path, "")):
        _hold(draft, path, "", step.hold.amount, short)
        return False
    charged = accounts(draft.state.run, draft.state.started, draft.now)
    draft.conditions.append(Reserving(path, "", step.hold.amount, charged))
    draft.record(e.StepReleased(step=path))
    return True


def _hold(draft: Draft, path: str, name: str, amount: int, short: tuple[Standing, ...]) -> None:
    """Wait for those who will give back what they have set aside; where that cannot do, for a person or a new period.

    Nothing is recorded if the step is held for that already.
    """
    used_up = tuple(one for one in short if one.spent + amount > one.limit)
    why = used_up or short
    words = "; ".join(_words(draft.state.run, one, amount, bool(used_up)) for one in why)
    anew = [at for one in used_up if (at := next_period(one.account, draft.state.started.timezone)) is not None]
    until = min(anew, default=None) if used_up else draft.now + LOOK_AGAIN
    known = draft.state.step(path).hold
    if used_up and (known is None or known.words != words):
        draft.record(e.BudgetExceeded(step=path, effect=name, amount=amount, accounts=why))
    epoch = draft.around.switches.epoch
    keys = tuple(one.account for one in why)
    hold(draft, path, Hold("budget", keys, words, epoch, draft.now, until, amount, bool(used_up)))


def _words(run: str, one: Standing, amount: int, used_up: bool) -> str:
    budget, limit = budget_words(one.account, run), say_money(one.limit)
    if used_up:
        return f"{budget} ({limit}) has no room left for what comes next, which may cost {say_money(amount)}"
    return f"what is left of {budget} ({limit}) is set aside for other steps, which give back what they do not spend"


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
    _settling(draft, path, name, effect, micros, unsent=False)
    if micros > effect.reserved:
        _overrun(draft, path, name, micros, effect.reserved)


def unsent(draft: Draft, path: str, name: str, effect: Effect) -> None:
    """The effect never left: as if it had not been begun."""
    draft.record(e.EffectUnsent(step=path, effect=name, reserved=effect.reserved, accounts=effect.accounts))
    if effect.reserved:
        _settling(draft, path, name, effect, 0, unsent=True)


def _settling(draft: Draft, path: str, name: str, effect: Effect, cost: int, *, unsent: bool) -> None:
    """Tell people what accounts pass by it: in the same append, on the condition that it is so, and so exactly once."""
    passing = draft.around.money.get((path, name), ())
    for one in passing:
        draft.record(e.BudgetAlerted(step=path, effect=name, budget=one))
    passes = tuple((one.account, share) for one in passing for share in one.passes)
    draft.conditions.append(Settling(path, name, cost, effect.reserved, effect.accounts, effect.model, unsent, passes))


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
