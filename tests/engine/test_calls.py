"""Child runs through the whole engine: their results, their failures, their end with their parent, their definition."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from engine.core import commands as c
from engine.core.children import child_start
from engine.core.definition import Workflow
from engine.core.events import ChildStarted, RunStarted
from engine.core.state import RunState, RunStatus, StepStatus
from engine.engine import Engine
from engine.ids import run_id
from engine.plans import Plans
from engine.store import RunFilter
from tests.engine.conftest import ANA, BEN, Setup, World, ended, until, workflow
from tests.engine.desk import Desk, desk
from tests.engine.flows import begin, finish, run_is, sound, step_is, told

INNER = workflow(
    {"id": "e", "uses": "t.echo", "with": {"text": "${{ input.word }}"}},
    name="inner",
    input={"word": {"type": "string"}},
    output={"said": "${{ steps.e.output }}"},
)
HELD = workflow({"id": "h", "uses": "t.hold"}, name="inner")
CALL = {"id": "c", "workflow": "inner"}


def outer(**more: object) -> Workflow:
    return workflow({**CALL, **more}, name="outer", output="${{ steps.c.output }}")


async def child_of(engine: Engine, run: str) -> str:
    return (await step_is(engine, run, "c", StepStatus.CALLING)).step("c").child


async def started(engine: Engine, run: str) -> RunState:
    """The child of the step ``c``, with its step running."""
    child = await child_of(engine, run)

    await until(lambda: exists(engine, child))
    return await step_is(engine, child, "h", StepStatus.RUNNING)


async def test_a_child_gives_its_output_to_its_caller(setup: Setup) -> None:
    call = outer(workflow={"name": "inner", "input": {"word": "hi"}})
    async with setup.working(INNER, call) as engine:
        run = await begin(engine, "outer")
        state = await ended(engine, run)
        assert state.end is not None
        assert state.end.output == {"said": "hi"}
        [child] = await engine.runs(RunFilter(parent=run))
        assert (await engine.state(child.id)).started.parent is not None
        assert await sound(engine)


async def test_a_child_that_fails_is_called_again_where_the_definition_says_so(setup: Setup, world: World) -> None:
    world.failures = {"f": 1}
    inner = workflow({"id": "f", "uses": "t.flaky", "with": {"name": "f"}}, name="inner")
    again = {"classes": {"permanent": {"attempts": 2, "initial": "10ms"}}}
    async with setup.working(inner, outer(retry=again)) as engine:
        run = await begin(engine, "outer")
        assert (await ended(engine, run)).status is RunStatus.COMPLETED
        assert (await told(engine, run))["CHILD_STARTED"] == 2
        children = await engine.runs(RunFilter(parent=run))
        assert sorted(row.status for row in children) == ["completed", "failed"]
        world.failures = {"f": 9}
        state = await finish(engine, "outer")
        assert state.end is not None
        assert state.end.reason.endswith("failed: f: connection refused")
        assert await sound(engine)


async def test_a_child_is_cancelled_with_its_parent_and_paused_with_it(setup: Setup, world: World) -> None:
    async with setup.working(HELD, outer()) as engine:
        run = await begin(engine, "outer")
        child = await started(engine, run)
        await engine.operations.pause(run, by=BEN)
        await run_is(engine, child.run, RunStatus.PAUSED)
        await engine.operations.resume(run, by=BEN)
        await run_is(engine, child.run, RunStatus.RUNNING)
        await engine.cancel(run, by=BEN, reason="enough")
        state = await ended(engine, run)
        assert state.status is RunStatus.CANCELLED
        end = (await ended(engine, child.run)).end
        assert end is not None
        assert (end.status, end.reason) == (RunStatus.CANCELLED, "enough")
        assert await sound(engine)


async def test_a_child_is_that_which_its_caller_was_started_with(setup: Setup, world: World) -> None:
    gate = {"id": "ok", "approval": {"title": "Go?", "approvers": ["@all"]}}
    calling = workflow(gate, {**CALL, "workflow": {"name": "inner", "input": {"word": "a"}}}, name="outer")
    changed = INNER.model_copy(update={"output": "changed"})
    async with setup.engine(INNER, calling) as engine:
        run = await begin(engine, "outer")
    async with setup.working(changed, calling) as engine:
        await engine.vote(run, c.Vote("ok", granted=True, by=BEN))
        assert (await ended(engine, run)).step("c").output == {"said": "a"}


@pytest.fixture
async def silent(database_url: str) -> AsyncGenerator[Desk]:
    """A process that appends, and dies each time before it can tell another run of it."""
    async with desk(database_url) as opened:
        yield opened


async def asked_for(engine: Engine, silent: Desk) -> RunState:
    """A run that has asked for its child, which nobody has started."""
    calling = engine.workflow("outer")
    plan = await Plans(silent.log).pin(calling, engine.catalog.children(calling))
    event = RunStarted(workspace="ws_local", workflow="outer", definition=calling.hash, input={}, by=ANA)
    return await silent.handle.state((await silent.handle.start(run_id(), plan, event)).run)


async def test_a_child_that_is_started_after_its_parent_was_paused_is_paused_too(setup: Setup, silent: Desk) -> None:
    async with setup.working(HELD, outer()) as engine:
        parent = await asked_for(engine, silent)
        await silent.handle.submit(parent.run, c.Pause(BEN, "incident"))
        child = parent.step("c").child
        await until(lambda: exists(engine, child))
        state = await run_is(engine, child, RunStatus.PAUSED)
        assert state.paused is not None
        assert state.paused.reason == "incident"


async def test_the_end_of_a_child_that_nobody_told_is_found(setup: Setup, world: World, silent: Desk) -> None:
    async with setup.engine(HELD, outer()) as engine:
        parent = await asked_for(engine, silent)
        [asked] = [one.event for one in await engine.history(parent.run) if isinstance(one.event, ChildStarted)]
        plan = await Plans(silent.log).of(asked.definition)
        await silent.handle.start(asked.run, plan, child_start(parent, asked))
        child = await silent.look(asked.run)
        await silent.handle.submit(asked.run, c.Succeed("h", child.step("h").token, "wrk_1", "held"))
    async with setup.working() as engine:
        assert (await ended(engine, parent.run)).status is RunStatus.COMPLETED
        assert world.calls == []
        assert await sound(engine)


async def exists(engine: Engine, run: str) -> bool:
    return run in await engine.store.heads([run])
