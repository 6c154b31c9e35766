"""Estimates in earnest: made when a run starts, kept with it, and better after each run."""

from __future__ import annotations

from dataclasses import replace

from engine.audit import audit
from engine.core.estimate import Past, Range, cost_words
from engine.core.graph import Plan
from engine.core.prices import Price
from engine.core.spending import Spend
from engine.core.state import RunState
from engine.engine import Engine
from engine.forecasts import past_of
from engine.prices import Prices
from engine.steps.context import Paid, StepContext
from engine.steps.registry import StepFunction, step
from engine.store import StepCost
from tests.core.definitions import CHILD, CHILD_PLAN
from tests.engine.conftest import ANA, Setup, ended, workflow

ASK = {"id": "ask", "uses": "llm", "with": {"model": "p:cheap", "prompt": "abcdabcd", "max_tokens": 100}}
EACH = {"id": "each", "for_each": {"items": [1, 2], "max_items": 9}, "steps": [ASK]}
PRICES = Prices({"p:cheap": Price(1_000_000, 10_000_000)})
ONE = Range(102, 502, 1_002)
"""Of ``ASK``: two tokens in at a micro-dollar, and 10, 50 or 100 out at ten."""


def asking(cost: int) -> StepFunction:
    @step("llm")
    async def llm(ctx: StepContext, model: str, prompt: str, max_tokens: int) -> object:
        async def call(key: str) -> Paid:
            return Paid("42", cost)

        return await ctx.effect("request", call, spend=Spend(10_000, model, "p"))

    return llm


async def finished(engine: Engine) -> RunState:
    return await ended(engine, (await engine.start("wf", {}, by=ANA)).run)


async def test_a_run_keeps_what_it_was_estimated_to_cost_and_the_next_one_knows_what_it_did(setup: Setup) -> None:
    setup.more = (asking(300),)
    setup.settings = replace(setup.settings, prices=PRICES)
    asks = workflow(EACH, name="wf")
    async with setup.working(asks) as engine:
        first = await finished(engine)
        assert first.spent == 600
        guess = first.started.estimate
        assert guess is not None
        assert (guess.low, guess.likely, guess.high) == tuple(2 * one for one in ONE)
        second = (await finished(engine)).started.estimate
        assert second is not None
        assert (second.low, second.likely, second.high) == (2 * ONE.low, 600, 2 * ONE.high)
        found = await engine.forecasts.of(engine.workflow("wf"), {})
        assert found is not None
        assert found.steps[0].reasons[-1] == "likely, as in the last 2 runs"


async def test_what_child_runs_cost_is_held_against_the_estimate_too(setup: Setup) -> None:
    setup.more = (asking(300),)
    setup.settings = replace(setup.settings, prices=PRICES)
    child = workflow(EACH, name="child")
    each = {"id": "call", "workflow": {"name": "child"}, "for_each": {"items": [1, 2], "max_items": 5}}
    async with setup.working(child, workflow(ASK, each, name="wf")) as engine:
        state = await finished(engine)
        guess = state.started.estimate
        assert guess is not None
        assert (guess.low, guess.high) == (5 * ONE.low, 5 * ONE.high)
        assert (state.spent, state.whole_cost) == (300, 1_500)
        assert cost_words(state) == (
            "$0.0015 spent, $0.0012 of it by runs that it called, estimated about $0.0025, between $0.00051 and $0.005"
        )
        second = (await finished(engine)).started.estimate
        assert second is not None
        assert second.likely == 1_500
        (whole,) = await engine.budgets.of([f"run:{state.run}"])
        assert whole.spent == state.whole_cost
        assert (await audit(engine.store)).findings == []


def test_what_is_spent_counts_where_it_is_estimated() -> None:
    agent = {"id": "turn", "uses": "agent.turn", "with": {"model": "p:cheap", "prompt": "x", "max_tokens": 1}}
    look = {"id": "look", "repeat": {"until": "true", "max": 3}, "steps": [agent]}
    call = {"id": "call", "workflow": {"name": CHILD.name, "definition": CHILD.hash}}
    made = workflow(EACH, look, call, name="wf")
    plan = Plan.of(made, {CHILD.hash: CHILD_PLAN})
    costs = [
        StepCost(made.hash, "each[0]/ask", 10),
        StepCost(made.hash, "each[12]/ask", 20),
        StepCost(made.hash, "each[1]/ask!correct", 4),
        StepCost(made.hash, "look#1/turn", 6),
        StepCost(made.hash, "look#2/turn", 6),
        StepCost(CHILD.hash, "only", 8),
        StepCost("another", "x", 99),
    ]
    assert past_of(plan, 2, costs) == {
        "each[]/ask": Past(2, 15),
        "each[]/ask (corrections)": Past(2, 2),
        "look": Past(2, 6),
        "call > only": Past(2, 4),
    }
    twice = workflow(call, {**call, "id": "again"}, name="wf")
    assert past_of(Plan.of(twice, {CHILD.hash: CHILD_PLAN}), 1, costs) == {}, "nobody knows which of the two it was"
