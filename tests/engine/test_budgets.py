"""Budgets in earnest: runs that spend from them, people who set them, and what they hold."""

from __future__ import annotations

import asyncio
from typing import Any

from engine.core import events as e
from engine.core.definition import Workflow
from engine.core.money import USD
from engine.core.spending import Spend
from engine.core.state import RunStatus, StepStatus
from engine.steps.context import Paid, StepContext
from engine.steps.registry import StepFunction, step
from tests.engine.conftest import ANA, BEN, Setup, ended, until, workflow
from tests.engine.flows import begin, finish, reaches, sound, step_is, told

CENT = USD // 100
ASK = {"id": "ask", "uses": "t.ask", "with": {"worst": "${{ input.worst }}", "cost": "${{ input.cost }}"}}
INPUT = {"worst": {"type": "integer"}, "cost": {"type": "integer"}}


def asking(made: list[str], wait: asyncio.Event | None = None) -> StepFunction:
    """A step that costs what its arguments say, in cents."""

    @step("t.ask")
    async def ask(ctx: StepContext, worst: int, cost: int) -> object:
        async def call(key: str) -> Paid:
            made.append(key)
            if wait is not None:
                await wait.wait()
            return Paid("42", cost * CENT, {"output_tokens": cost})

        return await ctx.effect("call", call, spend=Spend(worst * CENT, "gpt-x", "openai"))

    return ask


def asks(**more: Any) -> Workflow:
    return workflow(ASK, input=INPUT, **more)


async def test_what_runs_cost_is_in_the_ledger_and_agrees_with_what_they_recorded(setup: Setup) -> None:
    setup.more = (asking([]),)
    async with setup.working(asks()) as engine:
        runs = [await finish(engine, worst=50, cost=cost) for cost in (10, 20, 30)]
        assert [state.spent for state in runs] == [10 * CENT, 20 * CENT, 30 * CENT]
        for name in ("workspace/day", "workspace/month", "workflow:wf/day", "person:cli:ana/month"):
            (info,) = await engine.budgets.of([name])
            assert (info.spent, info.reserved) == (60 * CENT, 0), name
        assert await sound(engine)


async def test_a_used_up_budget_holds_the_step_and_raising_it_lets_it_go_on_at_once(setup: Setup) -> None:
    made: list[str] = []
    setup.more = (asking(made),)
    async with setup.working(asks()) as engine:
        await engine.budgets.set("workspace/day", 60 * CENT, by=ANA, reason="to begin with")
        await finish(engine, worst=50, cost=50)
        run = await begin(engine, worst=50, cost=50)
        state = await step_is(engine, run, "ask", StepStatus.HELD)
        assert (await told(engine, run))["BUDGET_EXCEEDED"] == 1
        assert len(made) == 1, "nothing was sent"
        assert state.status is RunStatus.WAITING
        await engine.budgets.set("workspace/day", 100 * CENT, by=BEN, reason="the release")
        state = await ended(engine, run)
        assert state.status is RunStatus.COMPLETED
        assert state.step("ask").attempt == 1
        (info,) = await engine.budgets.of(["workspace/day"])
        assert (info.spent, info.limit) == (100 * CENT, 100 * CENT)
        assert info.budget is not None
        assert info.budget.by == BEN


async def test_a_run_has_the_budget_of_its_definition_and_its_children_spend_from_it(setup: Setup) -> None:
    setup.more = (asking([]),)
    child = workflow(ASK, input=INPUT, name="child")
    call = {"workflow": {"name": "child", "input": {"worst": 50, "cost": 40}}}
    parent = workflow({"id": "one", **call}, {"id": "two", **call}, name="parent", budget={"limit": "0.70 USD"})
    async with setup.working(child, parent) as engine:
        run = await begin(engine, "parent")
        await reaches(engine, run, lambda state: state.step("two").status is StepStatus.CALLING)
        held = (await engine.state(run)).step("two").child

        async def begun() -> bool:
            return any(one.id == held for one in await engine.runs())

        await until(begun)
        state = await step_is(engine, held, "ask", StepStatus.HELD)
        hold = state.step("ask").hold
        assert hold is not None
        assert hold.keys == (f"run:{run}",)
        await engine.budgets.set(f"run:{run}", 2 * USD, by=BEN)
        assert (await ended(engine, run)).status is RunStatus.COMPLETED
        (info,) = await engine.budgets.of([f"run:{run}"])
        assert info.spent == 80 * CENT


async def test_a_held_run_can_be_stopped(setup: Setup) -> None:
    setup.more = (asking([]),)
    async with setup.working(asks(budget={"limit": "0.10 USD"})) as engine:
        run = await begin(engine, worst=50, cost=50)
        await step_is(engine, run, "ask", StepStatus.HELD)
        await engine.cancel(run, by=ANA, reason="too dear")
        assert (await ended(engine, run)).status is RunStatus.CANCELLED


async def test_whoever_waits_for_what_others_have_set_aside_goes_on_when_they_give_it_back(setup: Setup) -> None:
    wait = asyncio.Event()
    setup.more = (asking([], wait),)
    async with setup.working(asks()) as engine:
        await engine.budgets.set("workspace/day", 60 * CENT, by=ANA)
        first = await begin(engine, worst=50, cost=5)
        await reaches(engine, first, lambda state: state.reserved > 0)
        second = await begin(engine, worst=50, cost=5)
        hold = (await step_is(engine, second, "ask", StepStatus.HELD)).step("ask").hold
        assert hold is not None
        assert not hold.asks
        wait.set()
        assert (await ended(engine, first)).status is RunStatus.COMPLETED
        assert (await ended(engine, second)).status is RunStatus.COMPLETED
        assert (await told(engine, second))["BUDGET_EXCEEDED"] == 0


async def test_each_threshold_is_told_once_by_the_run_that_passes_it(setup: Setup) -> None:
    setup.more = (asking([]),)
    async with setup.working(asks()) as engine:
        await engine.budgets.set("workflow:wf/month", 100 * CENT, by=ANA, alert_at=(50, 80))
        runs = [(await finish(engine, worst=20, cost=19)).run for _ in range(5)]
        alerts = [
            (index, one.event.budget.passes, one.event.budget.spent)
            for index, run in enumerate(runs)
            for one in await engine.history(run)
            if isinstance(one.event, e.BudgetAlerted)
        ]
        assert alerts == [(2, (50,), 57 * CENT), (4, (80,), 95 * CENT)]


async def test_days_are_those_of_the_workspace(setup: Setup) -> None:
    setup.more = (asking([]),)
    async with setup.working(asks()) as engine:
        assert await engine.budgets.set_timezone("Pacific/Kiritimati", by=ANA)
        state = await finish(engine, worst=20, cost=19)
        assert state.started.timezone == "Pacific/Kiritimati"
        (info,) = await engine.budgets.of(["workspace/day"])
        assert info.spent == 19 * CENT


async def test_verifying_finds_costs_that_the_ledger_does_not_have(setup: Setup) -> None:
    setup.more = (asking([]),)
    async with setup.working(asks()) as engine:
        run = (await finish(engine, worst=50, cost=10)).run
        assert await sound(engine)
        sql = "DELETE FROM ledger WHERE kind = 'settle' AND budget LIKE '%run:%'"
        await engine.store.database.write(lambda connection: connection.exec_driver_sql(sql))
        problems = {one.what for one in (await engine.verify(run)).findings}
        assert problems == {
            f"the ledger has 0 spent for it, but the events say {10 * CENT}",
            f"the ledger has {50 * CENT} set aside for it, but the events say 0",
        }
