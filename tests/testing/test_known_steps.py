"""Rehearsals that know the steps: their contracts, their classes of failures, and their own code where it is wanted."""

from __future__ import annotations

from typing import Any, cast

import pytest

from engine.core.definition import Workflow
from engine.core.errors import InvalidDefinition
from engine.core.failures import FailureClass
from engine.steps.context import StepContext
from engine.steps.registry import Registry, step
from engine.testing import Rehearsal, RehearsalError


def calling(**more: Any) -> Workflow:
    return Workflow.model_validate({"name": "wf", "steps": [{"id": "a", "uses": "x.real", "with": {"n": 3}, **more}]})


@step("x.real", repeatable=False, failures={KeyError: FailureClass.TRANSIENT})
async def real(ctx: StepContext, *, n: int) -> dict[str, int]:
    made = await ctx.effect("make", lambda key: _made(n))
    await ctx.log("made it")
    return {"made": cast("int", made)}


async def _made(n: int) -> int:
    return n + 1


def test_a_steps_own_code_runs_only_where_that_was_asked_for() -> None:
    definition = calling()
    registry = Registry([real])
    run = Rehearsal(definition, registry=registry, real=["x.real"]).run()
    assert run.outputs["a"] == {"made": 4}
    assert run.types[2:5] == ["EFFECT_STARTED", "EFFECT_RECORDED", "STEP_LOGGED"]
    with pytest.raises(RehearsalError, match=r"no stub says what it gives"):
        Rehearsal(definition, registry=registry).run()


async def test_a_steps_own_code_runs_in_an_async_test_too() -> None:
    assert Rehearsal(calling(), registry=Registry([real]), real=["x.real"]).run().completed


def test_with_a_registry_definitions_are_held_to_its_contracts() -> None:
    with pytest.raises(InvalidDefinition, match=r"x\.real takes no m"):
        Rehearsal(calling(**{"with": {"m": 3}}), registry=Registry([real]))


def test_with_a_registry_a_stubs_exceptions_have_the_classes_that_the_step_gives_them() -> None:
    definition = calling(repeatable=True, retry={"attempts": 2})
    run = Rehearsal(definition, {"a": [KeyError("k"), {"made": 1}]}, registry=Registry([real])).run()
    assert run.completed
