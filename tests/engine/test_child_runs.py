"""Child runs are started once, whoever does it and however often, and are stopped with the run that called them."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from engine.core import commands as c
from engine.core.definition import Workflow
from engine.core.events import RunStarted
from engine.core.pinning import pin
from engine.core.state import RunStatus, StepStatus
from engine.errands import Errands
from engine.ids import run_id
from engine.plans import Plans
from tests.engine.conftest import ANA, BEN, Setup, World, ended, until, workflow
from tests.engine.desk import Desk, desk
from tests.store.build import query

INNER = workflow({"id": "h", "uses": "t.hold@1"}, name="inner")
CALL: dict[str, object] = {"id": "call", "workflow": "inner"}
OUTER = pin(workflow(CALL, name="outer"), {}, {"inner": INNER})


@pytest.fixture
async def here(database_url: str) -> AsyncGenerator[Desk]:
    """A process that appends, and runs no errands: as if it always died right after."""
    async with desk(database_url) as opened:
        yield opened


async def call(here: Desk, outer: Workflow = OUTER) -> str:
    """A run that has asked for its child and waits for it; nobody has started the child."""
    plan = await Plans(here.log).pin(outer, {INNER.hash: INNER})
    event = RunStarted(workspace="ws_local", workflow="outer", definition=outer.hash, input={}, by=ANA)
    return (await here.handle.start(run_id(), plan, event)).run


async def children(here: Desk, parent: str) -> list[str]:
    rows = await query(here.log, "SELECT id FROM runs WHERE parent = :parent ORDER BY id", parent=parent)
    return [run for (run,) in rows]


async def test_a_child_that_many_find_missing_is_started_once(here: Desk, database_url: str) -> None:
    run = await call(here)
    state = await here.handle.state(run)
    assert await children(here, run) == []
    async with desk(database_url) as there:
        others = [Errands(each.log, each.handle, Plans(each.log)) for each in (here, there)]
        for errands in (*others, *others):
            errands.check(state)
        for errands in others:
            await errands.close()
            errands.check(state)
            await errands.close()
    assert await children(here, run) == [state.step("call").child]
    [event] = (await here.log.load(state.step("call").child))[0]
    assert event.type == "RUN_STARTED"


async def test_a_cancellation_whose_word_was_lost_reaches_the_child(setup: Setup, world: World, here: Desk) -> None:
    run = await call(here)
    async with setup.working() as engine:

        async def holds() -> bool:
            return world.calls == ["hold"]

        await until(holds)
        [child] = await children(here, run)
        await here.handle.submit(run, c.Cancel(BEN, "enough"))
        assert (await ended(engine, run)).status is RunStatus.CANCELLED
        state = await engine.state(child)
    assert state.status is RunStatus.CANCELLED
    assert state.end is not None
    assert state.end.reason == "enough"


async def test_where_the_word_of_a_stop_comes_after_the_redrive_another_child_takes_the_place(here: Desk) -> None:
    broken: dict[str, object] = {"id": "broken", "set": {"n": "${{ 1 / 0 }}"}, "needs": []}
    run = await call(here, pin(workflow(CALL, broken, name="outer"), {}, {"inner": INNER}))
    stopping = await here.handle.state(run)
    assert stopping.stopping
    await here.handle.submit(run, c.SkipStep("broken", BEN, "not needed"))
    errands = Errands(here.log, here.handle, Plans(here.log))
    errands.check(stopping)
    await errands.close()
    first = await here.handle.state(stopping.step("call").child)
    assert first.status is RunStatus.CANCELLED
    assert first.cancel is not None
    assert first.cancel.order == stopping.seq, "it says at which place in its parent's history to look for the reason"
    errands.check(await here.handle.state(run))
    await errands.close()
    state = await here.handle.state(run)
    assert not state.stopping
    assert first.run != state.step("call").child
    errands.check(state)
    await errands.close()
    assert await children(here, run) == [first.run, state.step("call").child]


async def test_a_child_that_handles_a_failure_is_not_stopped_by_it(setup: Setup, world: World, here: Desk) -> None:
    broken: dict[str, object] = {"id": "gone", "uses": "t.flaky@1", "with": {"name": "gone"}}
    told: dict[str, object] = {"id": "tell", "workflow": "inner"}
    outer = pin(workflow(broken, name="outer", on_failure=[told]), {}, {"inner": INNER})
    world.failures = {"gone": 1}
    run = await call(here, outer)
    async with setup.working() as engine:

        async def holds() -> bool:
            return "hold" in world.calls

        await until(holds)
        errands = Errands(here.log, here.handle, Plans(here.log))
        errands.check(await here.handle.state(run))
        await errands.close()
        [child] = await children(here, run)
        assert (await here.handle.state(child)).cancel is None
        world.open.set()
        state = await ended(engine, run)
    assert state.status is RunStatus.FAILED
    assert state.step("on_failure/tell").status is StepStatus.COMPLETED
