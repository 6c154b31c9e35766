"""Child runs through the whole engine: their results, their failures, their end with their parent, their definition."""

from __future__ import annotations

from engine.core import commands as c
from engine.core.definition import Workflow
from engine.core.state import RunState, RunStatus, StepStatus
from engine.engine import Engine
from engine.store import RunFilter
from tests.engine.conftest import BEN, Setup, World, ended, until, workflow
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

    async def there() -> bool:
        return child in await engine.store.heads([child])

    await until(there)
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
