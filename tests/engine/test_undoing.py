"""What compensates a run is not itself cancelled, and goes on wherever the process that began it stops."""

from __future__ import annotations

from dataclasses import replace

from engine.core import commands as c
from engine.core.state import RunStatus, StepStatus
from engine.worker import WorkerSettings
from tests.engine.conftest import ANA, Setup, World, ended, until, workflow


async def test_a_compensation_is_not_stopped_by_the_cancellation_that_asked_for_it(setup: Setup, world: World) -> None:
    undone: dict[str, object] = {"id": "first", "uses": "t.echo", "with": {"text": "done"}, "undo": {"uses": "t.hold"}}
    gate: dict[str, object] = {"id": "gate", "approval": {"title": "Go on?", "approvers": ["@all"]}}
    async with setup.working(workflow(undone, gate)) as engine:
        run = (await engine.start("wf", {}, by=ANA)).run

        async def asked() -> bool:
            return (await engine.state(run)).step("gate").gate is not None

        async def undoing() -> bool:
            return (await engine.state(run)).step("first!undo").status is StepStatus.RUNNING and "hold" in world.calls

        await until(asked)
        await engine.cancel(run, by=ANA)
        await until(undoing)
        # Whatever is recorded makes the worker look whether what it has in hand is still wanted.
        await engine._runtime.handle.submit(run, c.Label({"seen": "yes"}, ANA))  # pyright: ignore[reportPrivateUsage]
        world.open.set()
        state = await ended(engine, run)
    assert state.status is RunStatus.CANCELLED
    assert state.step("first!undo").status is StepStatus.COMPLETED


async def test_another_process_goes_on_undoing_where_the_first_one_stopped(setup: Setup, world: World) -> None:
    steps: list[dict[str, object]] = [
        {"id": name, "uses": "t.echo", "with": {"text": name}, "undo": undo}
        for name, undo in (
            ("a", {"uses": "t.echo", "with": {"text": "undo a"}}),
            ("b", {"uses": "t.hold"}),
            ("c", {"uses": "t.echo", "with": {"text": "undo c"}}),
        )
    ]
    fails: dict[str, object] = {"id": "fails", "uses": "t.flaky", "with": {"name": "fails"}}
    world.failures = {"fails": 1}
    setup.settings = replace(setup.settings, worker=WorkerSettings(lease=3_000, grace=0.05))
    async with setup.working(workflow(*steps, fails)) as engine:
        run = (await engine.start("wf", {}, by=ANA)).run

        async def half_undone() -> bool:
            return "hold" in world.calls

        await until(half_undone)
    world.open.set()
    async with setup.working() as engine:
        state = await ended(engine, run)
        assert (await engine.verify(run)).ok
    assert state.status is RunStatus.FAILED
    done = ["echo a", "echo b", "echo c", "flaky fails attempt 1"]
    assert world.calls == [*done, "echo undo c", "hold", "hold", "echo undo a"], "what was handed back, and the rest"
