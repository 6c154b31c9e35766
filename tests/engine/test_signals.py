"""Signals: before the wait and after it, to a run and to whoever knows the correlation, once however often sent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.core import commands as c
from engine.core.state import RunStatus, StepStatus
from tests.engine.conftest import BEN, Setup, World, ended, workflow
from tests.engine.flows import begin, sound, step_is, told

TYPED = {"signal": "paid", "payload": {"amount": {"type": "integer"}}}
TELL = {"id": "z", "uses": "t.echo", "with": {"text": "${{ string(steps.w.output.amount) }}"}}
HOLD = {"id": "h", "uses": "t.hold"}
WAITING = workflow({"id": "w", "wait_for": TYPED}, TELL)
ORDER = workflow(
    HOLD,
    {"id": "w", "wait_for": {**TYPED, "correlation": "order ${{ input.order }}"}},
    TELL,
    input={"order": {"type": "string"}},
)


async def test_a_signal_that_comes_before_the_wait_is_kept(setup: Setup, world: World) -> None:
    async with setup.working(workflow(HOLD, {"id": "w", "wait_for": TYPED}, TELL)) as engine:
        run = await begin(engine)
        await step_is(engine, run, "h", StepStatus.RUNNING)
        assert isinstance(await engine.operations.signal("paid", {"amount": 7}, by=BEN, id="1", run=run), c.Accepted)
        world.open.set()
        assert (await ended(engine, run)).step("z").output == "7"
        assert await sound(engine)


async def test_a_signal_ends_the_wait_and_counts_once(setup: Setup) -> None:
    async with setup.working(WAITING) as engine:
        run = await begin(engine)
        await step_is(engine, run, "w", StepStatus.LISTENING)
        wrong = await engine.operations.signal("paid", {"amount": "much"}, by=BEN, id="0", run=run)
        assert isinstance(wrong, c.NotAllowed)
        unknown = await engine.operations.signal("payed", {}, by=BEN, id="0", run=run)
        assert isinstance(unknown, c.NotAllowed)
        assert "did you mean paid?" in unknown.reason
        for _ in range(2):
            await engine.operations.signal("paid", {"amount": 7}, by=BEN, id="1", run=run)
        assert (await ended(engine, run)).step("z").output == "7"
        assert (await told(engine, run))["SIGNAL_RECEIVED"] == 1
        assert await sound(engine)


async def test_a_signal_too_large_for_the_history_is_refused(setup: Setup) -> None:
    async with setup.working(WAITING) as engine:
        run = await begin(engine)
        refused = await engine.operations.signal("paid", "x" * 17 * 2**20, by=BEN, id="1", run=run)
        assert isinstance(refused, c.NotAllowed)
        assert refused.reason.startswith("the payload has 17 MiB, and 16 MiB are the most")


async def test_correlations_are_compared_as_they_are_kept(setup: Setup, world: World) -> None:
    world.open.set()
    long = "17" + "x" * 600
    async with setup.working(ORDER) as engine:
        run = await begin(engine, order=long)
        await step_is(engine, run, "w", StepStatus.LISTENING)
        await engine.operations.signal("paid", {"amount": 9}, by=BEN, id="1", correlation=f"order {long}")
        assert (await ended(engine, run)).step("z").output == "9"


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_signal_reaches_whoever_waits_for_its_correlation(setup: Setup, world: World, when: str) -> None:
    async def send() -> None:
        for _ in range(2):
            await engine.operations.signal("paid", {"amount": 9}, by=BEN, id="1", correlation="order 17")

    async with setup.working(ORDER) as engine, setup.working(ORDER):
        if when == "before":
            await send()
        other = await begin(engine, order="18")
        run = await begin(engine, order="17")
        world.open.set()
        await step_is(engine, other, "w", StepStatus.LISTENING)
        if when == "after":
            await step_is(engine, run, "w", StepStatus.LISTENING)
            await send()
        assert (await ended(engine, run)).step("z").output == "9"
        assert (await engine.state(other)).step("w").status is StepStatus.LISTENING
        with pytest.raises(ValueError, match="give one of them"):
            await engine.operations.signal("paid", {}, by=BEN, id="2")
        assert await sound(engine)


async def test_what_an_operator_does_meanwhile_does_not_hide_a_signal(setup: Setup, world: World) -> None:
    world.open.set()
    async with setup.working(ORDER) as engine:
        run = await begin(engine, order="17")
        await step_is(engine, run, "w", StepStatus.LISTENING)
    async with setup.engine(ORDER) as engine:
        await engine.operations.signal("paid", {"amount": 9}, by=BEN, id="1", correlation="order 17")
        await engine.operations.pause(run, by=BEN)
        await engine.operations.resume(run, by=BEN)
    setup.settings = replace(setup.settings, namespace=f"{setup.settings.namespace}-anew")  # a Redis that was emptied
    async with setup.working(ORDER) as engine:
        assert (await ended(engine, run)).step("z").output == "9"


@pytest.mark.parametrize("policy", ["fail", "continue"])
async def test_a_wait_that_is_over_fails_the_run_or_goes_on_with_nothing(setup: Setup, policy: str) -> None:
    wait = {"id": "w", "wait_for": {"signal": "paid", "timeout": "1h", "on_timeout": policy}}
    async with setup.working(workflow(wait, {"id": "z", "set": {"got": "${{ steps.w.output }}"}})) as engine:
        run = await begin(engine)
        await step_is(engine, run, "w", StepStatus.LISTENING)
        setup.clock.advance(3_600_000)
        state = await ended(engine, run)
        assert state.end is not None
        if policy == "fail":
            assert (state.status, state.end.reason) == (RunStatus.FAILED, "no signal paid came in time")
        else:
            assert state.step("z").output == {"got": None}
        assert await sound(engine)
