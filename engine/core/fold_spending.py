"""The arms of the fold for money: what is set aside, what was spent."""

from __future__ import annotations

from typing import assert_never

from engine.core import events as e
from engine.core import paths
from engine.core.state import RunState
from engine.core.transitions import put


def evolve_spending(state: RunState, event: e.SpendingEvent) -> RunState:
    step = state.step(event.step)
    known = step.effects.get(event.effect)
    match event:
        case e.CostRecorded():
            state = state._replace(reserved=state.reserved - event.reserved, spent=state.spent + event.cost)
            state = _charge_agent(_charge_correction(state, event), event)
            if known is None:
                return state  # what has ended, or was begun anew, no longer knows its effects
            paid = step.effects.set(event.effect, known._replace(reserved=0))
            return put(state, event.step, step._replace(effects=paid))
        case e.EffectUnsent():
            state = state._replace(reserved=state.reserved - event.reserved)
            return put(state, event.step, step._replace(effects=step.effects.delete(event.effect)))
        case e.BudgetAlerted() | e.BudgetExceeded():
            return state  # what people are told; how budgets stand is known to the store alone
        case _:
            assert_never(event)


def _charge_correction(state: RunState, event: e.CostRecorded) -> RunState:
    """What asking for a correction costs counts whatever comes of it: a limit is one for failed questions, too."""
    path = paths.corrected_by(event.step)
    if path is None:
        return state
    step = state.step(path)
    if step.correction is None:
        return state
    charged = step.correction._replace(cost=step.correction.cost + event.cost)
    return put(state, path, step._replace(correction=charged))


def _charge_agent(state: RunState, event: e.CostRecorded) -> RunState:
    """What a turn costs counts whatever comes of it: the agent's limit is one for failed turns, too."""
    path = state.plan.agent_of(event.step)
    if path is None:
        return state
    step = state.step(path)
    if step.loop is None:
        return state
    return put(state, path, step._replace(loop=step.loop._replace(spent=step.loop.spent + event.cost)))
