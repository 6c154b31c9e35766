"""What compensates a cancelled run is not itself cancelled."""

from __future__ import annotations

from engine.core import commands as c
from engine.core.state import RunStatus, StepStatus
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
        await engine._handle.submit(run, c.Label({"seen": "yes"}, ANA))  # pyright: ignore[reportPrivateUsage]
        world.open.set()
        state = await ended(engine, run)
    assert state.status is RunStatus.CANCELLED
    assert state.step("first!undo").status is StepStatus.COMPLETED
