"""Kill switches in a whole engine: what runs is stopped, nothing starts, and all of it goes on once they are lifted."""

from __future__ import annotations

import asyncio
import shutil
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path

import pytest

from engine.core.state import RunState, RunStatus, StepStatus
from engine.engine import Engine
from engine.handle import Handle
from engine.steps.context import StepContext
from engine.steps.registry import step
from engine.steps.shell import ShellPolicy, shell_run
from engine.worker import CONTROL_EVERY
from engine.workspace import WorkspaceRefused
from tests.engine.conftest import ANA, BEN, Setup, ended, until, workflow
from tests.engine.flows import begin, reaches, sound, step_is, told
from tests.store.build import tamper

HOLDS = workflow({"id": "a", "uses": "t.hold"}, {"id": "b", "uses": "t.echo", "with": {"text": "after"}})


async def throw(engine: Engine, key: str = "workspace") -> None:
    await engine.switches.throw(key, by=BEN, reason="too much at once")


async def lift(engine: Engine, key: str = "workspace") -> None:
    await engine.switches.lift(key, by=ANA)


async def stopped(condition: Callable[[], bool]) -> None:
    """What ran is over, which would never be so by itself."""

    async def holds() -> bool:
        return condition()

    await until(holds)


def test_of_a_second_a_worker_waits_a_quarter_before_it_looks_for_switches() -> None:
    assert CONTROL_EVERY <= 0.25


@pytest.mark.parametrize("key", ["workspace", "workflow:wf", "step:t.slow", "everything"])
async def test_a_running_step_is_stopped_and_goes_on_when_the_switch_is_lifted(setup: Setup, key: str) -> None:
    over: list[str] = []

    @step("t.slow")
    async def slow(ctx: StepContext) -> str:
        try:
            await setup.world.open.wait()
        finally:
            over.append(f"attempt {ctx.attempt}")
        return "done"

    setup.more = (slow,)
    uses = workflow({"id": "a", "uses": "t.slow"}, {"id": "b", "uses": "t.echo", "with": {"text": "after"}})
    async with setup.working(uses) as engine:
        run = await begin(engine)
        await step_is(engine, run, "a", StepStatus.RUNNING)
        reach = await engine.switches.reach(key, 60)
        assert (reach.runs, reach.steps, reach.more) == (1, 1, False)

        await throw(engine, key)
        await stopped(lambda: over == ["attempt 1"])
        state = await step_is(engine, run, "a", StepStatus.HELD)
        assert state.status is RunStatus.WAITING
        assert [one.key for one in await engine.switches.thrown()] == [key]

        setup.world.open.set()
        other = await begin(engine)
        await step_is(engine, other, "a", StepStatus.HELD)
        await lift(engine, key)
        for each in (run, other):
            assert (await ended(engine, each)).status is RunStatus.COMPLETED
        assert over == ["attempt 1"] * 3
        assert await sound(engine)


async def test_what_a_switch_has_stopped_waits_for_no_other_news_whoever_read_of_the_switch_first(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, over = asyncio.Event(), asyncio.Event()
    changed = Handle.changed

    async def never_over(handle: Handle, runs: Collection[str]) -> list[str]:
        looked.set()
        if handle.brakes.known.epoch:
            await asyncio.Event().wait()
        return await changed(handle, runs)

    @step("t.slow")
    async def slow() -> str:
        try:
            await setup.world.open.wait()
        finally:
            over.set()
        return "done"

    monkeypatch.setattr(Handle, "changed", never_over)
    setup.more = (slow,)
    async with setup.working(workflow({"id": "a", "uses": "t.slow"})) as engine:
        await step_is(engine, await begin(engine), "a", StepStatus.RUNNING)
        looked.clear()
        await looked.wait()
        await throw(engine)
        await engine.switches.thrown()
        async with asyncio.timeout(60):
            await over.wait()


async def test_a_program_that_will_not_end_is_not_waited_for(
    setup: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.steps.process.TERM_GRACE", 3_600.0)
    shell = shutil.which("sh")
    assert shell is not None
    setup.more = (shell_run(ShellPolicy({"sh": shell})),)
    begun = tmp_path / "begun"
    script = f"trap '' TERM; echo $$ > {begun}; while :; do sleep 0.05; done"
    stubborn = workflow({"id": "a", "uses": "shell.run", "with": {"program": "sh", "args": ["-c", script]}})
    async with setup.working(stubborn) as engine:
        run = await begin(engine)

        async def runs() -> bool:
            return begun.exists() and begun.read_text().strip() != ""

        await until(runs)
        process = Path("/proc") / begun.read_text().strip()
        await throw(engine, f"run:{run}")
        await stopped(lambda: not process.exists())
        await step_is(engine, run, "a", StepStatus.HELD)
        await engine.cancel(run, by=ANA)
        assert (await ended(engine, run)).status is RunStatus.CANCELLED


async def test_a_step_in_a_thread_is_left_to_itself_and_its_result_changes_nothing(setup: Setup) -> None:
    go_on, over = threading.Event(), threading.Event()
    calls: list[float] = []

    @step("t.blocks")
    def blocks(ctx: StepContext) -> str:
        calls.append(time.monotonic())
        if len(calls) == 1:
            go_on.wait(600)
            try:
                ctx.wait(ctx.log("still there"))
            finally:
                over.set()
        return f"call {len(calls)}"

    setup.more = (blocks,)
    async with setup.working(workflow({"id": "a", "uses": "t.blocks"})) as engine:
        run = await begin(engine)

        async def called() -> bool:
            return bool(calls)

        await until(called)
        await throw(engine)
        await step_is(engine, run, "a", StepStatus.HELD)
        go_on.set()

        async def left() -> bool:
            return over.is_set()

        await until(left)
        assert (await told(engine, run))["STEP_LOGGED"] == 0
        await lift(engine)
        state = await ended(engine, run)
        assert (await engine.history(run))[-2].event.type == "STEP_COMPLETED"
        assert (state.step("a").attempt, len(calls)) == (1, 2)


async def test_an_effect_under_a_thrown_switch_does_not_begin_and_is_made_once_it_is_lifted(setup: Setup) -> None:
    calls: list[str] = []

    @step("t.ask")
    async def ask(ctx: StepContext) -> object:
        async def call(key: str) -> str:
            calls.append(key)
            return "42"

        return await ctx.effect("ask", call, under=("provider:openai", "key:openai/main"))

    setup.more = (ask,)
    async with setup.working(workflow({"id": "a", "uses": "t.ask"})) as engine:
        await throw(engine, "key:openai/main")
        run = await begin(engine)
        held = await step_is(engine, run, "a", StepStatus.HELD)
        hold = held.step("a").hold
        assert hold is not None
        assert "Ben stopped all calls with the key openai/main: too much at once" in hold.words
        await throw(engine, "provider:openai")
        await lift(engine, "key:openai/main")

        def by_provider(state: RunState) -> bool:
            hold = state.step("a").hold
            return hold is not None and hold.keys == ("provider:openai",)

        await reaches(engine, run, by_provider)
        assert calls == []
        await lift(engine, "provider:openai")
        await ended(engine, run)
        assert len(calls) == 1


async def test_a_switch_of_a_run_stops_what_is_done_for_it(setup: Setup) -> None:
    child = workflow({"id": "a", "uses": "t.hold"}, name="child")
    parent = workflow({"id": "call", "workflow": {"name": "child"}}, name="parent")
    async with setup.working(child, parent) as engine:
        run = await begin(engine, "parent")
        state = await step_is(engine, run, "call", StepStatus.CALLING)
        inner = state.step("call").child

        async def works() -> bool:
            return setup.world.calls == ["hold"]

        await until(works)
        await throw(engine, f"run:{run}")
        await step_is(engine, inner, "a", StepStatus.HELD)
        setup.world.open.set()
        await lift(engine, f"run:{run}")
        assert (await ended(engine, run)).status is RunStatus.COMPLETED


async def test_switches_are_thrown_once_with_a_reason_and_everything_at_home(setup: Setup) -> None:
    async with setup.engine(HOLDS) as engine:
        with pytest.raises(WorkspaceRefused, match="needs a reason"):
            await engine.switches.throw("workspace", by=ANA, reason=" ")
        await throw(engine)
        with pytest.raises(WorkspaceRefused, match="Ben has stopped all runs of this workspace already: too much"):
            await throw(engine)
        with pytest.raises(WorkspaceRefused, match="o switch workflow:wf is thrown; there is: workspace"):
            await lift(engine, "workflow:wf")
        elsewhere = engine.within("ws_elsewhere")
        with pytest.raises(WorkspaceRefused, match="vb kill everything"):
            await throw(elsewhere, "everything")
        assert await elsewhere.switches.thrown() == []
        await throw(engine, "everything")
        assert [one.key for one in await elsewhere.switches.thrown()] == ["everything"]
        assert await sound(engine)


async def test_a_cache_of_switches_that_was_changed_is_found(setup: Setup) -> None:
    async with setup.engine(HOLDS) as engine:
        await throw(engine)
        await tamper(engine.store, "DELETE FROM switches")
        await tamper(engine.store, "UPDATE epochs SET number = 0")
        found = [one.what for one in (await engine.verify()).findings]
        assert found == [
            "the switch workspace is thrown, but holds nothing",
            "the epoch is 0, but the events say 1 at least",
        ]


async def test_workspaces_throw_at_once(setup: Setup) -> None:
    async with setup.engine(HOLDS) as one, setup.engine(HOLDS) as two:
        await asyncio.gather(*(throw((one, two)[n % 2].within(f"ws_{n}")) for n in range(5)))
        epochs = [(await one.within(f"ws_{n}").switches.thrown())[0].epoch for n in range(5)]
        assert sorted(epochs) == [1, 2, 3, 4, 5]
