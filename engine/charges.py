"""Between the core's conditions about money and what the store does to budgets; in either direction.

The one rule: a budget is its workspace's own, so its name in the store begins with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from engine.core import events as e
from engine.core import workspace_events as w
from engine.core.decide import Decision
from engine.core.spending import Account, Reserving, Settling, account, of_run
from engine.core.state import RunState
from engine.store import Account as StoredAccount
from engine.store import Limit, Posting, Purpose, Refused, Reserve, Settle


def postings_of(state: RunState, decisions: Sequence[Decision], *, starts: bool) -> tuple[Posting, ...]:
    """What the decisions do to budgets, in their order. A run's own begins with it, unless it is a part of another."""
    found: list[Posting] = []
    budget = state.plan.workflow.budget
    if starts and budget is not None and state.started.part is None:
        found.append(Limit(_budget(state, of_run(state.run)), budget.limit, budget.alert_at))
    for one in (one for decision in decisions for one in decision.conditions):
        if isinstance(one, Reserving):
            purpose = Purpose(state.run, one.step, one.effect, one.model)
            found.append(Reserve(one.amount, _accounts(state, one.accounts), purpose, takes=bool(one.effect)))
        elif isinstance(one, Settling):
            passes = frozenset((_account(state, name), share) for name, share in one.passes)
            purpose = Purpose(state.run, one.step, one.effect, one.model)
            kind = "release" if one.unsent else "settle"
            charged = _accounts(state, one.accounts)
            found.append(Settle(one.cost, one.reserved, charged, purpose, kind, passes))
    return tuple(found)


def spend_money(decision: Decision) -> bool:
    """Whether the decision does anything to budgets."""
    return any(isinstance(one, Reserving | Settling) for one in decision.conditions)


def limits_of(workspace: str, events: Iterable[w.WorkspaceEvent]) -> tuple[Limit, ...]:
    """What budgets that are set may spend."""
    return tuple(
        Limit(f"{workspace}/{one.budget}", one.limit, one.alert_at) for one in events if isinstance(one, w.BudgetSet)
    )


def standings_of(refused: Refused, state: RunState) -> Mapping[tuple[str, str], tuple[e.Standing, ...]] | None:
    """How the accounts stand that are why, by the (step, effect) that was refused; None if it was not about money."""
    if not isinstance(refused.guard, Reserve | Settle):
        return None
    prefix = f"{state.started.workspace}/"
    found = (
        e.Standing(
            account=Account(one.account.budget.removeprefix(prefix), one.account.period).name,
            spent=one.spent,
            reserved=one.reserved,
            limit=one.limit or 0,
            passes=one.passes,
        )
        for one in refused.balances
    )
    return {(refused.guard.purpose.step, refused.guard.purpose.effect): tuple(found)}


def _accounts(state: RunState, names: Sequence[str]) -> tuple[StoredAccount, ...]:
    return tuple(_account(state, name) for name in names)


def _account(state: RunState, name: str) -> StoredAccount:
    known = account(name)
    return StoredAccount(_budget(state, known.budget), known.period)


def _budget(state: RunState, name: str) -> str:
    """Budgets are the workspace's own, as concurrency keys are."""
    return f"{state.started.workspace}/{name}"
