"""What runs of one workspace may cost: the estimate of a run before it starts, from prices and from earlier runs.

The one rule: it never keeps a run from starting; what cannot be found out in time, or at all, is left out of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from engine.core.definition import Workflow
from engine.core.estimate import CALLED, Estimate, Past, asks_models, estimate, place_of
from engine.core.graph import Kind, Plan, family_of
from engine.definitions import Definitions
from engine.store import Log, StepCost
from engine.tariffs import PriceBook

PAST_RUNS = 20
"""The newest completed runs of the same definition, which the next one is likely to be like."""


@dataclass(frozen=True, slots=True)
class Forecasts:
    """``prices`` are those that count in the ``workspace``."""

    store: Log
    definitions: Definitions
    prices: PriceBook
    workspace: str

    def is_needed(self, workflow: Workflow) -> bool:
        """Whether a run of it can ask any model."""
        return asks_models(self.definitions.plan(workflow))

    async def of(self, workflow: Workflow, given: Mapping[str, JsonValue]) -> Estimate | None:
        """What a run with these inputs may cost, as far as they are known; None if it asks no model."""
        plan = self.definitions.plan(workflow)
        if not asks_models(plan):
            return None
        past = await self._past(plan)
        prices = await self.prices.now()
        # In a thread: the list of prices takes long to load the first time.
        return await asyncio.to_thread(estimate, plan, given, prices.of, past)

    async def _past(self, plan: Plan) -> dict[str, Past]:
        workflow = plan.workflow
        runs, costs = await self.store.past_costs(self.workspace, workflow.name, workflow.hash, PAST_RUNS)
        return past_of(plan, runs, costs)


def past_of(plan: Plan, runs: int, costs: Iterable[StepCost]) -> dict[str, Past]:
    """By the step's place in the estimate. What a child run has cost counts where one step alone calls its workflow."""
    known: dict[str, tuple[str, Plan] | None] = {}
    _note_callers(plan, "", known)
    known[plan.workflow.hash] = ("", plan)
    spent: dict[str, int] = {}
    for one in costs:
        if (called := known.get(one.definition)) is not None:
            place = f"{called[0]}{place_of(called[1], one.step)}"
            spent[place] = spent.get(place, 0) + one.amount
    return {place: Past(runs, amount // runs) for place, amount in spent.items()}


def _note_callers(plan: Plan, prefix: str, known: dict[str, tuple[str, Plan] | None]) -> None:
    """By the hash of each definition that is called: how its steps' places begin; None where several steps call it."""
    for template, node in plan.nodes.items():
        definition = (node.step.workflow.definition or "") if node.kind is Kind.CALL and node.step.workflow else ""
        child = plan.children.get(definition)
        if child is None:
            continue
        if definition in known:
            known |= dict.fromkeys((definition, *family_of(child)))
        else:
            own = f"{prefix}{template}{CALLED}"
            known[definition] = (own, child)
            _note_callers(child, own, known)
