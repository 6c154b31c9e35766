"""The keys under which the world outside sees effects: the same until it is known that the effect did not happen."""

from __future__ import annotations

from typing import Literal

import pytest

from engine.core import commands as c
from engine.core.state import StepStatus
from engine.steps.context import StepContext
from engine.steps.registry import StepFunction, step
from tests.engine.conftest import ANA, BEN, Setup, ended, until, workflow


def paying(keys: list[str]) -> StepFunction:
    """A step whose first request gets no answer, after it may or may not have been served."""

    @step("t.charge")
    async def charge(ctx: StepContext) -> object:
        async def ask(key: str) -> str:
            keys.append(key.split("/", 1)[1])
            if len(keys) == 1:
                raise ConnectionResetError("by peer")
            return "receipt"

        return await ctx.effect("pay", ask)

    return charge


async def test_another_attempt_at_an_effect_of_unknown_outcome_has_the_same_key(setup: Setup) -> None:
    keys: list[str] = []
    setup.more = (paying(keys),)
    retried = workflow({"id": "a", "uses": "t.charge", "retry": {"attempts": 2, "initial": "10ms", "max": "10ms"}})
    async with setup.working(retried) as engine:
        state = await ended(engine, (await engine.start("wf", {}, by=ANA)).run)
    assert state.step("a").output == "receipt"
    assert keys == ["a/pay/1", "a/pay/1"]


@pytest.mark.parametrize(("answer", "seen"), [("did_not_happen", ["a/pay/1", "a/pay/2"]), ("happened", ["a/pay/1"])])
async def test_what_cannot_be_repeated_waits_for_a_person_and_has_a_new_key_once_it_did_not_happen(
    setup: Setup, answer: Literal["did_not_happen", "happened"], seen: list[str]
) -> None:
    keys: list[str] = []
    setup.more = (paying(keys),)
    once = workflow({"id": "a", "uses": "t.charge", "repeatable": False, "retry": {"attempts": 5}})
    async with setup.working(once) as engine:
        run = (await engine.start("wf", {}, by=ANA)).run

        async def uncertain() -> bool:
            return (await engine.state(run)).step("a").status is StepStatus.UNCERTAIN

        await until(uncertain)
        setup.clock.advance(86_400_000)
        await engine.store.make_all_due(setup.clock.now())
        assert keys == ["a/pay/1"]
        await engine.operations.submit(run, c.Settle("a", answer, BEN, result="receipt"))
        assert (await ended(engine, run)).step("a").output == "receipt"
    assert keys == seen
