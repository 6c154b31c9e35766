"""Reading a run while it grows and when it is done: following, exporting, long values, and many runs at once."""

from __future__ import annotations

import asyncio
import hashlib
import json

import pytest

from engine.bulk import Tally
from engine.core import events as e
from engine.core.errors import UnknownRun
from engine.core.state import Recorded, RunStatus, StepStatus
from engine.engine import Engine
from engine.steps.context import StepContext
from engine.steps.registry import step
from engine.store import RunFilter
from tests.engine.conftest import BEN, Setup, World, ended, workflow
from tests.engine.flows import begin, finish, run_is, sound, step_is, told

HOLD = workflow({"id": "h", "uses": "t.hold"}, {"id": "z", "uses": "t.echo", "with": {"text": "z"}})
FLAKY = workflow({"id": "f", "uses": "t.flaky", "with": {"name": "f"}})


async def followed(engine: Engine, run: str, after: int = 0) -> list[Recorded]:
    async with asyncio.timeout(60):
        return [one async for one in engine.follow(run, after)]


async def test_a_run_is_followed_to_its_end_here_and_from_another_process(setup: Setup, world: World) -> None:
    async with setup.working(HOLD) as engine, setup.engine() as other:
        run = await begin(engine)
        readers = [asyncio.create_task(followed(each, run)) for each in (engine, other, other)]
        await step_is(engine, run, "h", StepStatus.RUNNING)
        world.open.set()
        history = await engine.history(run) if (await ended(engine, run)).end else []
        assert [await reader for reader in readers] == [history] * 3
        assert await followed(other, run, after=3) == history[3:]
        with pytest.raises(UnknownRun):
            await followed(other, "run_nowhere")


async def test_a_reader_may_go_on_beyond_the_end(setup: Setup, world: World) -> None:
    world.failures = {"f": 1}
    async with setup.working(FLAKY) as engine:
        run = await begin(engine)
        types: list[str] = []
        async with asyncio.timeout(60):
            async for one in engine.follow(run, beyond_end=True):
                types.append(one.event.type)
                if types[-1] == "RUN_FAILED":
                    await engine.operations.redrive(run, by=BEN)
                if types[-1] == "RUN_COMPLETED":
                    break
        assert types.count("RUN_REOPENED") == 1


BIG = 100_000
LONG_INPUT = {name: {"type": "text"} for name in "abcde"}
LONG = dict.fromkeys(LONG_INPUT, "i" * 20_000)


def big(setup: Setup) -> None:
    """Let the engine have a step that gives, and takes as an effect, more than an event holds."""

    @step("t.big")
    async def big_(ctx: StepContext) -> object:
        async def download(key: str) -> str:
            return "e" * BIG

        effect = await ctx.effect("download", download)
        if ctx.attempt == 1:
            raise ConnectionResetError("by peer")
        return {"text": "r" * BIG, "effect": effect}

    setup.more = (big_,)


async def test_long_values_lie_beside_the_log_and_are_whole_for_all_who_read(setup: Setup) -> None:
    big(setup)
    work = workflow(
        {"id": "b", "uses": "t.big", "retry": {"attempts": 2, "initial": "1ms"}},
        {"id": "n", "set": {"n": "${{ size(steps.b.output.text) + size(steps.b.output.effect) }}"}},
        input=LONG_INPUT,
        output="${{ steps.b.output }}",
    )
    value = {"text": "r" * BIG, "effect": "e" * BIG}
    async with setup.working(work) as engine:
        run = await begin(engine, **LONG)
        state = await ended(engine, run)
        assert state.step("n").output == {"n": 2 * BIG}
        assert (await told(engine, run))["EFFECT_STARTED"] == 1, "the second attempt was given the first one's effect"
        history = await engine.history(run)
        last = history[-1].event
        assert isinstance(last, e.RunCompleted)
        assert last.output == value
        stored, _ = await engine.store.load(run)
        assert max(len(event.payload) for event in stored[1:]) < 1_000
        lines = [json.loads(line) async for line in engine.export(run)]
        assert lines[-1]["value"] == value
        assert [line["hash"] for line in lines] == [event.hash for event in stored]
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        assert lines[-1]["payload"]["output"]["$blob"] == hashlib.sha256(text.encode()).hexdigest()
        assert await sound(engine)
    async with setup.engine() as engine:
        assert (await engine.state(run)).started.input == LONG


async def test_a_child_takes_over_long_inputs_and_gives_long_results(setup: Setup) -> None:
    own = {name: f"${{{{ input.{name} }}}}" for name in LONG_INPUT}
    inner = workflow({"id": "v", "set": own}, name="inner", input=LONG_INPUT, output="${{ steps.v.output }}")
    call = {"id": "c", "workflow": {"name": "inner", "input": own}}
    outer = workflow(call, name="outer", input=LONG_INPUT, output="${{ size(steps.c.output.a) }}")
    async with setup.working(inner, outer) as engine:
        state = await finish(engine, "outer", **LONG)
        assert state.end is not None
        assert state.end.output == 20_000
        assert await sound(engine)


async def test_many_runs_are_paused_resumed_redriven_and_cancelled_by_a_filter(setup: Setup, world: World) -> None:
    gate = {"id": "ok", "approval": {"title": "Go?", "approvers": ["@all"]}}
    gated = workflow(gate, name="gated")
    world.failures = {"f": 3}
    mine, all_failed = RunFilter(workflow="gated"), RunFilter(workflow="wf")
    heard: list[int] = []

    def hear(tally: Tally) -> None:
        heard.append(tally.done)

    async with setup.working(FLAKY, gated) as engine:
        parked = [await begin(engine, "gated") for _ in range(25)]
        failed = [await finish(engine) for _ in range(3)]
        await run_is(engine, parked[-1], RunStatus.WAITING)
        assert await engine.bulk.count("pause", mine) == 25
        tally = await engine.bulk.apply("pause", mine, by=BEN, reason="incident", told=hear)
        assert (tally.done, tally.refused, heard) == (25, {}, [20, 25])
        assert await engine.bulk.count("pause", mine) == 0
        assert (await engine.bulk.apply("resume", mine, by=BEN)).done == 25
        assert (await engine.bulk.apply("cancel", mine, by=BEN)).done == 25
        assert (await engine.bulk.apply("redrive", all_failed, by=BEN)).done == 3
        for state in failed:
            assert (await ended(engine, state.run)).status is RunStatus.COMPLETED
        assert await engine.bulk.count("redrive", all_failed) == 0
        assert await sound(engine)
