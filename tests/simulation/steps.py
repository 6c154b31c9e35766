"""The steps of which simulated workflows are made, and what they touch outside the engine.

The one rule: what a step does follows from its arguments and its attempt; whatever else it gives is told by the world.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from functools import cache
from typing import Protocol

from pydantic import JsonValue

from engine.core.failures import FailureClass, StepError
from engine.steps.context import StepContext
from engine.steps.registry import Registry, step

TIMEOUT_MS = 3_000
"""Of each attempt; longer than most leases, so that they must be renewed."""


class Outside(Protocol):
    """What a step touches outside the engine."""

    def execution(self, run: str, path: str) -> int:
        """A number for one execution of the step's code, by which its result is known again."""
        ...

    def recorded(self, run: str, path: str, effect: str) -> bool:
        """Whether the log holds the effect's result by now."""
        ...

    async def pay(self, key: str, again: bool) -> str:
        """Take the payment; a receipt. ``again``: its result was on record before the step asked for it."""
        ...


OUTSIDE: ContextVar[Outside] = ContextVar("outside")


@step("sim.echo")
async def echo(value: JsonValue) -> JsonValue:
    return value


@step("sim.work")
async def work(ctx: StepContext, ms: int, fails: int, late: int, result: str) -> str:
    """Takes its time; the first attempts fail, or are late. The result says which execution it is of."""
    number = OUTSIDE.get().execution(ctx.run, ctx.step)
    await ctx.log(f"attempt {ctx.attempt}")
    await asyncio.sleep(ms / 1000 if ctx.attempt > late else TIMEOUT_MS / 500)
    if ctx.attempt <= fails:
        raise StepError("not yet", FailureClass.TRANSIENT)
    return f"{result} #{number}"


@step("sim.pay")
async def pay(ctx: StepContext, ms: int, fails: int, effects: int) -> list[JsonValue]:
    """Has effects outside, one after another, and then perhaps fails."""
    outside = OUTSIDE.get()
    receipts: list[JsonValue] = []
    for number in range(effects):
        name = f"pay{number}"
        again = outside.recorded(ctx.run, ctx.step, name)

        async def charge(key: str, again: bool = again) -> str:
            await asyncio.sleep(ms / 1000)
            return await outside.pay(key, again)

        receipts.append(await ctx.effect(name, charge))
    if ctx.attempt <= fails:
        raise StepError("after the payment", FailureClass.TRANSIENT)
    return receipts


@step("sim.breaks")
async def breaks() -> str:
    raise StepError("it never works")


@step("sim.undo")
async def undo(of: str, got: JsonValue) -> JsonValue:
    """Compensates; ``got`` is what the step had given that is undone."""
    return [of, got]


@cache
def registry(ignorant: bool = False) -> Registry:
    """``ignorant``: without the step that works."""
    return Registry([echo, pay, breaks, undo] if ignorant else [echo, work, pay, breaks, undo])
