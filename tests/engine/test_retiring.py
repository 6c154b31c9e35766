"""An older worker lets go of what it can no longer report, and goes on under another id."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.core import commands as c
from engine.core.events import EVENTS, RunPaused
from engine.core.state import RunStatus
from engine.worker import WorkerSettings
from tests.engine.conftest import ANA, BEN, Setup, World, ended, until, workflow
from tests.engine.desk import desk


async def test_a_step_whose_run_became_unreadable_is_taken_over_long_before_its_timeout(
    setup: Setup, world: World, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = workflow({"id": "h", "uses": "t.hold"})
    setup.settings = replace(setup.settings, worker=WorkerSettings(lease=3_000, grace=2.0))
    async with setup.engine(hold) as engine, engine.work() as first:
        run = (await engine.start("wf", {}, by=ANA)).run

        async def holds() -> bool:
            return world.calls == ["hold"]

        async def another_works() -> bool:
            ids = [worker.id for worker in await engine.workers()]
            return bool(ids) and first.id not in ids

        await until(holds)
        async with desk(database_url) as newer:
            await newer.handle.submit(run, c.Pause(BEN))
            monkeypatch.delitem(EVENTS, RunPaused.type)
            world.open.set()
            await until(another_works)
            monkeypatch.undo()
            await newer.handle.submit(run, c.Resume(BEN))
        state = await ended(engine, run)
    assert state.status is RunStatus.COMPLETED
    assert world.calls == ["hold", "hold"]
