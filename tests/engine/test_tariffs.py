"""A workspace's own prices in earnest: for its calls alone, from the next one on, and as what is audited."""

from __future__ import annotations

from engine.audit import audit
from engine.core import events as e
from engine.core.prices import Price
from engine.core.spending import Spend
from engine.engine import Engine
from engine.steps.context import Paid, StepContext
from engine.steps.models.asking import asker
from engine.steps.models.config import Models, Unhurried
from engine.steps.models.llm import llm_step
from engine.steps.registry import step
from tests.engine.conftest import ANA, Setup, ended, workflow

ASK = {"id": "ask", "uses": "llm", "with": {"model": "local:echo", "prompt": "abcdabcd", "max_tokens": 100}}


async def paid(engine: Engine) -> tuple[e.EffectStarted, e.CostRecorded]:
    run = (await engine.start("wf", {}, by=ANA)).run
    await ended(engine, run)
    happened = [one.event for one in await engine.history(run)]
    (began,) = [one for one in happened if isinstance(one, e.EffectStarted)]
    (cost,) = [one for one in happened if isinstance(one, e.CostRecorded)]
    return began, cost


async def test_a_price_counts_in_its_workspace_from_the_next_call_on(setup: Setup) -> None:
    models = Models()
    setup.more = (llm_step(asker(models, Unhurried()), models),)
    asks = workflow(ASK, name="wf")
    async with setup.working(asks) as engine:
        began, cost = await paid(engine)
        assert (began.price, cost.cost) == (e.PricedAt(source="local", input=0, output=0), 0)
        dear = Price(1_000_000, 10_000_000, 0)
        assert await engine.prices.set("local:echo", dear, by=ANA)
        began, cost = await paid(engine)
        assert began.price == e.PricedAt(source="workspace", input=1_000_000, output=10_000_000, cached=0)
        tokens = (cost.usage["input_tokens"], cost.usage["output_tokens"])
        assert cost.cost == sum(int(str(one)) * price for one, price in zip(tokens, (1, 10), strict=True)) > 0
        assert began.reserved >= 1_000
        guess = await engine.forecasts.of(engine.workflow("wf"), {})
        assert guess is not None
        assert guess.cost.high == 1_002
        other = engine.within("another")
        assert (await other.prices.now()).of("local:echo") == Price(0, 0)
        await engine.prices.unset("local:echo", by=ANA)
        assert (await paid(engine))[1].cost == 0
        assert (await audit(engine.store)).findings == []


async def test_verifying_finds_a_cost_that_its_price_does_not_come_to(setup: Setup) -> None:
    @step("t.lie")
    async def lie(ctx: StepContext) -> object:
        async def call(key: str) -> Paid:
            return Paid("42", 7, {"input_tokens": 2, "output_tokens": 1})

        price = e.PricedAt(source="workspace", input=1_000_000, output=3_000_000)
        return await ctx.effect("ask", call, spend=Spend(9, "p:m", "p", price))

    setup.more = (lie,)
    async with setup.working(workflow({"id": "a", "uses": "t.lie", "with": {}}, name="wf")) as engine:
        await paid(engine)
        found = [one.what for one in (await audit(engine.store)).findings]
        assert found == ["ask of a is told to have cost 7, but comes to 5"]
