"""The steps that a fleet's workers have. They do as they are told, the same on every worker and every attempt.

The one rule: an output says which worker made it, so that a checker can tell whose result was recorded.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from dataclasses import dataclass

import aiohttp

from engine.core.failures import FailureClass, StepError
from engine.steps.context import StepContext
from engine.steps.registry import Registry, step
from tests.fleet.stories import answer

NEWER = "fleet.talk"
"""The step that an older worker does not have; it alone writes the event type that the older one does not know."""

Output = dict[str, object]


@dataclass
class Me:
    """The worker of this process: its id, once it has one, and where its effects go."""

    pay_url: str
    worker: str = ""


async def trouble(ctx: StepContext, troubles: list[str]) -> None:
    """Fail this attempt as it was told to."""
    if ctx.attempt > len(troubles):
        return
    told = troubles[ctx.attempt - 1]
    if told == "timeout":
        await asyncio.sleep(60)
    raise StepError(f"told to fail ({told})", FailureClass(told), retry_after=80 if told == "rate_limited" else None)


def registry(me: Me, *, older: bool = False) -> Registry:
    """The steps of a worker; those of an ``older`` one lack ``NEWER``."""

    def output(value: str, **more: object) -> Output:
        return {"value": answer(value), "by": me.worker or None, **more}

    @step("fleet.work")
    async def work(ctx: StepContext, value: str, troubles: list[str], ms: int = 0) -> Output:
        await asyncio.sleep(ms / 1_000)
        await trouble(ctx, troubles)
        return output(value)

    @step("fleet.plain")
    def plain(ctx: StepContext, value: str, troubles: list[str], ms: int = 0) -> Output:
        time.sleep(ms / 1_000)
        ctx.wait(trouble(ctx, troubles))
        return output(value)

    @step("fleet.block")
    async def block(ctx: StepContext, value: str, troubles: list[str], ms: int = 0) -> Output:
        time.sleep(ms / 1_000)  # noqa: ASYNC251 - to block the event loop is what is meant
        await trouble(ctx, troubles)
        return output(value)

    @step(NEWER)
    async def talk(ctx: StepContext, value: str, troubles: list[str], lines: int) -> Output:
        for line in range(lines):
            await ctx.log(f"line {line}")
        await trouble(ctx, troubles)
        return output(value)

    @step("fleet.bulk")
    async def bulk(ctx: StepContext, value: str, troubles: list[str], size: int) -> Output:
        await trouble(ctx, troubles)
        return output(value, bulk="x" * size)

    @step("fleet.pay")
    async def pay(ctx: StepContext, value: str, troubles: list[str], effects: int, ms: int = 0) -> Output:
        began = time.time_ns() // 1_000_000

        async def charge(key: str) -> object:
            headers = {"Idempotency-Key": key, "Worker": me.worker, "Began": str(began), "Process": str(os.getpid())}
            async with aiohttp.ClientSession() as session, session.post(me.pay_url, headers=headers) as response:
                return await response.json()

        receipts = [await ctx.effect(f"pay{number}", charge) for number in range(effects)]
        await asyncio.sleep(ms / 1_000)
        await trouble(ctx, troubles)
        return output(value, receipts=receipts)

    @step("fleet.poison")
    async def poison(value: str) -> Output:
        os.kill(os.getpid(), signal.SIGKILL)
        return output(value)

    functions = [work, plain, block, bulk, pay, talk, poison]
    return Registry([function for function in functions if not (older and function is talk)])
