"""Concurrency keys: who waits, who goes first, who is skipped, who is cancelled; labels and searches beside them."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.definition import Workflow
from engine.core.errors import InvalidInput
from engine.core.state import RunStatus, StepStatus
from engine.store import RunFilter
from tests.engine.conftest import BEN, Setup, World, ended, workflow
from tests.engine.flows import begin, run_is, sound, step_is, told

HOLD = {"id": "h", "uses": "t.hold"}
INPUT = {"repo": {"type": "string"}}


def keyed(on_limit: str = "queue", name: str = "wf", **more: Any) -> Workflow:
    concurrency = {"key": "deploy ${{ input.repo }}", "limit": 1, "on_limit": on_limit}
    return workflow(HOLD, name=name, input=INPUT, concurrency=concurrency, **more)


async def test_one_run_at_a_time_has_the_key_and_the_urgent_one_is_next(setup: Setup, world: World) -> None:
    async with setup.working(keyed(), keyed(name="urgent", priority="high")) as engine, setup.working():
        first = await begin(engine, repo="a")
        await step_is(engine, first, "h", StepStatus.RUNNING)
        later, urgent = await begin(engine, repo="a"), await begin(engine, "urgent", repo="a")
        elsewhere = await begin(engine, repo="b")
        await step_is(engine, elsewhere, "h", StepStatus.RUNNING)
        assert {(await engine.state(run)).status for run in (later, urgent)} == {RunStatus.QUEUED}
        [row] = await engine.runs(RunFilter(statuses=["queued"], workflow="wf"))
        assert row.summary == "in line for deploy a"
        world.open.set()
        states = [await ended(engine, run) for run in (first, urgent, later)]
        starts = [state.step("h").started_at for state in states]
        assert starts == sorted(starts)
        assert (await told(engine, urgent))["RUN_ADMITTED"] == 1
        assert await sound(engine)


async def test_one_more_is_skipped_where_the_definition_says_so(setup: Setup, world: World) -> None:
    async with setup.working(keyed("skip")) as engine:
        first = await begin(engine, repo="a")
        await step_is(engine, first, "h", StepStatus.RUNNING)
        state = await ended(engine, await begin(engine, repo="a"))
        assert state.end is not None
        assert (state.status, state.end.reason) == (RunStatus.CANCELLED, "skipped: 1 run has deploy a already")
        world.open.set()
        assert (await ended(engine, first)).status is RunStatus.COMPLETED


async def test_one_more_takes_the_place_of_the_one_that_runs(setup: Setup, world: World) -> None:
    async with setup.working(keyed("cancel_running")) as engine:
        first = await begin(engine, repo="a")
        await step_is(engine, first, "h", StepStatus.RUNNING)
        second = await begin(engine, repo="a")
        state = await ended(engine, first)
        assert state.end is not None
        assert (state.status, state.end.reason) == (RunStatus.CANCELLED, f"{second} takes its place for deploy a")
        await step_is(engine, second, "h", StepStatus.RUNNING)
        world.open.set()
        assert (await ended(engine, second)).status is RunStatus.COMPLETED
        assert await sound(engine)


async def test_a_child_in_the_same_line_as_its_parent_goes_on_in_its_place(setup: Setup, world: World) -> None:
    world.open.set()
    call = {"id": "c", "workflow": {"name": "inner", "input": {"repo": "${{ input.repo }}"}}}
    outer = keyed(name="outer").model_copy(update={"steps": workflow(call).steps})
    async with setup.working(keyed(name="inner"), outer) as engine:
        assert (await ended(engine, await begin(engine, "outer", repo="a"))).status is RunStatus.COMPLETED
        assert await sound(engine)


async def test_runs_are_found_by_what_their_definition_and_people_call_them(setup: Setup, world: World) -> None:
    labelled = workflow(HOLD, input=INPUT, labels={"repo": "${{ input.repo }}", "kind": "deploy"})
    async with setup.working(labelled) as engine:
        first, second = await begin(engine, repo="Alpha"), await begin(engine, repo="beta")
        assert [row.id for row in await engine.runs(RunFilter(labels={"repo": "Alpha"}))] == [first]
        assert len(await engine.runs(RunFilter(labels={"kind": "deploy"}))) == 2
        assert [row.id for row in await engine.runs(RunFilter(text="alph"))] == [first]
        await engine.operations.label(second, {"ticket": "OPS-7", "kind": None}, by=BEN)
        [row] = await engine.runs(RunFilter(labels={"ticket": "OPS-7"}))
        assert (row.id, dict(row.labels)) == (second, {"repo": "beta", "ticket": "OPS-7"})
        world.open.set()
        await run_is(engine, second, RunStatus.COMPLETED)
        await engine.operations.label(second, {"ticket": None}, by=BEN)
        assert await engine.runs(RunFilter(labels={"ticket": "OPS-7"})) == []
        assert await sound(engine)


async def test_a_line_without_a_name_is_told_at_the_start(setup: Setup) -> None:
    async with setup.engine(keyed()) as engine:
        with pytest.raises(InvalidInput, match="the concurrency key has 607 characters"):
            await begin(engine, repo="x" * 600)
        assert await engine.runs() == []
