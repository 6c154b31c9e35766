"""Several workspaces in one engine: each sees its own runs and definitions, and nothing of another's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import pytest

from engine.core import commands as c
from engine.core import events as e
from engine.core.errors import UnknownRun, UnknownWorkflow
from engine.core.state import Recorded, RunState, RunStatus
from engine.definitions import Frozen
from engine.deploying import ALL
from engine.engine import Engine
from engine.handle import Observer
from engine.store import RunFilter
from tests.engine.conftest import ANA, BEN, Setup, ended, until, workflow

ECHO = workflow({"id": "one", "uses": "t.echo", "with": {"text": "hi"}}, name="echo")
GATED = workflow({"id": "ask", "approval": {"title": "Go?", "approvers": ["@leads"], "expires_in": "1h"}}, name="gated")
OURS, THEIRS = "ws_T0OURS", "ws_T0THEIRS"
MINUTE = 60_000

VOTE = c.Vote("ask", granted=True, by=BEN, authority="@leads", version=2)


async def drained(items: AsyncIterator[object]) -> list[object]:
    return [item async for item in items]


LOOKUPS: dict[str, Callable[[Engine, str], Awaitable[object]]] = {
    "find": lambda engine, run: engine.find(run),
    "state": lambda engine, run: engine.state(run),
    "history": lambda engine, run: engine.history(run),
    "follow": lambda engine, run: drained(engine.follow(run)),
    "export": lambda engine, run: drained(engine.export(run)),
    "wait": lambda engine, run: engine.wait(run),
    "vote": lambda engine, run: engine.vote(run, VOTE),
    "present": lambda engine, run: engine.present(run, "ask", {"C1/1.2": "0" * 64}),
    "cancel": lambda engine, run: engine.cancel(run, by=BEN),
    "pause": lambda engine, run: engine.operations.pause(run, by=BEN),
    "redrive": lambda engine, run: engine.operations.redrive(run, by=BEN),
    "fork": lambda engine, run: engine.operations.fork(run, "ask", by=BEN),
    "move": lambda engine, run: engine.operations.move(run, by=BEN),
    "label": lambda engine, run: engine.operations.label(run, {"a": "b"}, by=BEN),
    "signal": lambda engine, run: engine.operations.signal("go", None, by=BEN, id="s1", run=run),
}


async def test_a_run_of_another_workspace_is_as_unknown_as_none(setup: Setup) -> None:
    async with setup.working(GATED) as engine:
        ours, theirs = engine.within(OURS), engine.within(THEIRS)
        run = (await ours.start("gated", {}, by=ANA)).run

        async def asked() -> bool:
            return (await ours.state(run)).step("ask").gate is not None

        await until(asked)
        seq = (await ours.state(run)).seq
        for name, look in LOOKUPS.items():
            with pytest.raises(UnknownRun):
                assert await look(theirs, run), name
        tally = await theirs.bulk.apply("cancel", RunFilter(), by=BEN)
        assert (tally.done, await theirs.runs(), await engine.runs()) == (0, [], [])
        assert [one.id for one in await ours.runs()] == [run]
        assert (await ours.state(run)).seq == seq


async def test_one_worker_serves_all_and_tells_each_of_its_own(setup: Setup) -> None:
    async with setup.working(ECHO) as engine:
        ours, theirs = engine.within(OURS), engine.within(THEIRS)
        heard: dict[str, set[str]] = {OURS: set(), THEIRS: set()}

        def into(workspace: str) -> Observer:
            def hear(state: RunState, events: Sequence[Recorded]) -> None:
                heard[workspace].add(state.run)

            return hear

        stop = ours.observe(into(OURS))
        theirs.observe(into(THEIRS))
        # The same key in two workspaces is two runs.
        runs = [(await each.start("echo", {}, by=ANA, dedupe_key="same")).run for each in (ours, theirs)]
        for each, run in zip((ours, theirs), runs, strict=True):
            assert (await ended(each, run)).status is RunStatus.COMPLETED
        stop()
        later = (await ours.start("echo", {}, by=ANA)).run
        await ended(ours, later)
    assert heard == {OURS: {runs[0]}, THEIRS: {runs[1]}}


async def test_what_is_deployed_or_frozen_in_one_workspace_is_not_in_another(setup: Setup) -> None:
    async with setup.engine() as engine:
        ours, theirs = engine.within(OURS), engine.within(THEIRS)
        await ours.deploy([ECHO], by=ANA, may=ALL)
        for each in (theirs, engine):
            await each.definitions.refresh()
            assert list(each.workflows) == []
            with pytest.raises(UnknownWorkflow):
                await each.start("echo", {}, by=BEN)
        await theirs.deploy([ECHO], by=ANA, may=ALL)
        await ours.freeze(by=ANA, reason="the audit")
        with pytest.raises(Frozen):
            await ours.start("echo", {}, by=ANA)
        assert (await theirs.start("echo", {}, by=ANA)).run
        assert await theirs.freezes() == []


async def test_a_signal_reaches_who_waits_for_it_in_its_own_workspace(setup: Setup) -> None:
    waits = workflow({"id": "paid", "wait_for": {"signal": "paid", "correlation": "order-1"}}, name="waits")
    async with setup.working(waits) as engine:
        sides = [engine.within(OURS), engine.within(THEIRS)]
        runs = [(await each.start("waits", {}, by=ANA)).run for each in sides]
        # Two senders, who have come to the same id.
        for each in sides:
            await each.operations.signal("paid", each.settings.workspace, by=ANA, id="1", correlation="order-1")
        for each, run in zip(sides, runs, strict=True):
            assert (await ended(each, run)).status is RunStatus.COMPLETED
            told = [one.event for one in await each.history(run) if isinstance(one.event, e.SignalReceived)]
            assert [one.payload for one in told] == [each.settings.workspace]


async def test_the_schedules_of_every_workspace_are_seen_to(setup: Setup) -> None:
    timely = ECHO.model_validate({**ECHO.model_dump(exclude_defaults=True), "schedule": [{"cron": "* * * * *"}]})
    async with setup.engine() as engine:
        await engine.within(OURS).deploy([timely], by=ANA, may=ALL)
    async with setup.working() as engine:
        ours = engine.within(OURS)

        async def kept() -> bool:
            return bool(await ours.timetable._rows.all())  # pyright: ignore[reportPrivateUsage]

        await until(kept)
        setup.clock.advance(MINUTE)

        async def started() -> bool:
            return bool(await ours.runs())

        await until(started)
        assert await engine.runs() == []
