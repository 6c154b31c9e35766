"""Whole runs through the facade: start, steps, gates, cancelling, on SQLite and PostgreSQL with a real Redis."""

from __future__ import annotations

import asyncio

import pytest

from engine.core import commands as c
from engine.core.errors import InvalidInput, UnknownRun, UnknownWorkflow
from engine.core.state import RunStatus, StepStatus
from tests.engine.conftest import ANA, BEN, Setup, World, ended, until, workflow
from tests.store.build import tamper

ECHO = workflow(
    {"id": "one", "uses": "t.echo", "with": {"text": "${{ input.word }}"}},
    {"id": "two", "uses": "t.echo", "with": {"text": "${{ steps.one.output }}!"}},
    input={"word": {"type": "string"}},
)
GATED = workflow(
    {"id": "one", "uses": "t.echo", "with": {"text": "before"}},
    {
        "id": "ok",
        "approval": {
            "title": "Go?",
            "approvers": ["@all"],
            "expires_in": "1h",
            "escalate": [{"after": "15m", "to": "@oncall"}],
        },
    },
    {"id": "two", "uses": "t.echo", "with": {"text": "after"}},
)


async def test_a_chain_runs_to_its_end(setup: Setup, world: World) -> None:
    async with setup.working(ECHO) as engine:
        begun = await engine.start("wf", {"word": "hi"}, by=ANA)
        state = await ended(engine, begun.run)
    assert state.status is RunStatus.COMPLETED
    assert world.calls == ["echo hi", "echo hi!"]
    assert state.step("two").output == "hi!"


async def test_history_is_complete_and_verifies(setup: Setup) -> None:
    async with setup.working(ECHO) as engine:
        run = (await engine.start("wf", {"word": "hi"}, by=ANA)).run
        await ended(engine, run)
        types = [one.event.type for one in await engine.history(run)]
        report = await engine.verify()
    assert types == [
        "RUN_STARTED",
        "STEP_STARTED",
        "STEP_COMPLETED",
        "STEP_STARTED",
        "STEP_COMPLETED",
        "RUN_COMPLETED",
    ]
    assert report.ok


async def test_two_starts_with_one_key_are_one_run(setup: Setup, world: World) -> None:
    async with setup.working(ECHO) as engine:
        both = await asyncio.gather(
            *(engine.start("wf", {"word": "x"}, by=ANA, dedupe_key="slack:1") for _ in range(2))
        )
        assert both[0].run == both[1].run
        assert sorted(one.duplicate for one in both) == [False, True]
        await ended(engine, both[0].run)
    assert world.calls.count("echo x") == 1


async def test_bad_starts_store_nothing(setup: Setup) -> None:
    async with setup.engine(ECHO) as engine:
        with pytest.raises(UnknownWorkflow, match="did you mean wf"):
            await engine.start("wff", {}, by=ANA)
        with pytest.raises(InvalidInput, match="word is missing"):
            await engine.start("wf", {}, by=ANA)
        assert await engine.runs() == []
        with pytest.raises(UnknownRun):
            await engine.state("run_nowhere")


async def test_a_gate_waits_and_goes_on_after_the_decision(setup: Setup, world: World) -> None:
    async with setup.working(GATED) as engine:
        run = (await engine.start("wf", {}, by=ANA)).run

        async def waiting() -> bool:
            return (await engine.state(run)).status is RunStatus.WAITING

        await until(waiting)
        assert world.calls == ["echo before"]
        assert isinstance(await engine.vote(run, c.Vote("ok", granted=True, by=BEN)), c.Accepted)
        assert isinstance(await engine.vote(run, c.Vote("ok", granted=False, by=ANA)), c.AlreadyDecided)
        state = await ended(engine, run)
    assert state.status is RunStatus.COMPLETED
    assert world.calls == ["echo before", "echo after"]


async def test_an_escalation_and_an_expiry_come_by_the_clock(setup: Setup) -> None:
    async with setup.working(GATED) as engine:
        run = (await engine.start("wf", {}, by=ANA)).run

        async def asked(count: int) -> bool:
            gate = (await engine.state(run)).step("ok").gate
            return gate is not None and len(gate.asked) == count

        await until(lambda: asked(1))
        setup.clock.advance(15 * 60_000)
        await until(lambda: asked(2))
        setup.clock.advance(60 * 60_000)
        state = await ended(engine, run)
    assert state.end is not None
    assert state.end.kind == "expired"


async def test_a_run_waits_for_a_human_across_a_restart(setup: Setup, world: World) -> None:
    async with setup.working(GATED) as engine:
        run = (await engine.start("wf", {}, by=ANA)).run

        async def waiting() -> bool:
            return (await engine.state(run)).status is RunStatus.WAITING

        await until(waiting)
    async with setup.working() as engine:  # not even the definition is here any more: the run has its snapshot
        await engine.vote(run, c.Vote("ok", granted=True, by=BEN))
        state = await ended(engine, run)
    assert state.status is RunStatus.COMPLETED
    assert world.calls == ["echo before", "echo after"]


async def test_a_failing_step_is_retried_and_its_recorded_effect_is_not_repeated(setup: Setup, world: World) -> None:
    world.failures = {"p": 1}
    paying = workflow(
        {"id": "pay", "uses": "t.pay", "with": {"name": "p"}, "retry": {"attempts": 3, "initial": "100ms"}}
    )
    async with setup.working(paying) as engine:
        run = (await engine.start("wf", {}, by=ANA)).run
        state = await ended(engine, run)
    assert state.step("pay").attempt == 2
    assert state.step("pay").output == "receipt"
    assert world.calls == ["charge pay/charge/1"]


async def test_exhausted_attempts_end_the_run_with_the_reason(setup: Setup, world: World) -> None:
    world.failures = {"f": 9}
    flaky = workflow({"id": "f", "uses": "t.flaky", "with": {"name": "f"}, "retry": {"attempts": 2, "initial": "50ms"}})
    async with setup.working(flaky) as engine:
        state = await ended(engine, (await engine.start("wf", {}, by=ANA)).run)
    assert state.end is not None
    assert (state.end.status, state.end.reason) == (RunStatus.FAILED, "connection refused")
    assert len(world.calls) == 2


async def test_a_timeout_is_a_failure_of_its_own_class(setup: Setup) -> None:
    slow = workflow({"id": "h", "uses": "t.hold", "timeout": "200ms"})
    async with setup.working(slow) as engine:
        state = await ended(engine, (await engine.start("wf", {}, by=ANA)).run)
    failure = state.step("h").failure
    assert failure is not None
    assert failure.cls == "timeout"


async def test_cancel_stops_a_running_step_of_another_process(setup: Setup, world: World) -> None:
    holding = workflow({"id": "h", "uses": "t.hold"})
    async with setup.working(holding) as engine, setup.engine(holding) as other:
        run = (await engine.start("wf", {}, by=ANA)).run

        async def holds() -> bool:
            return world.calls == ["hold"]

        await until(holds)
        await other.cancel(run, by=BEN, reason="wrong one")
        state = await ended(other, run)
    assert state.status is RunStatus.CANCELLED
    assert state.end is not None
    assert state.end.reason == "wrong one"


async def test_a_plain_function_runs_in_a_thread_and_may_log(setup: Setup) -> None:
    async with setup.working(workflow({"id": "p", "uses": "t.plain", "with": {"text": "x"}})) as engine:
        run = (await engine.start("wf", {}, by=ANA)).run
        state = await ended(engine, run)
        types = [one.event.type for one in await engine.history(run)]
    assert state.step("p").output == "X"
    assert "STEP_LOGGED" in types


async def test_a_stopping_worker_hands_back_what_it_cannot_finish(setup: Setup, world: World) -> None:
    holding = workflow({"id": "h", "uses": "t.hold"})
    async with setup.engine(holding) as engine:
        async with engine.work():
            run = (await engine.start("wf", {}, by=ANA)).run

            async def holds() -> bool:
                return world.calls == ["hold"]

            await until(holds)
        assert (await engine.state(run)).step("h").status is StepStatus.READY
        world.open.set()
        async with engine.work():
            state = await ended(engine, run)
    assert state.status is RunStatus.COMPLETED
    assert state.step("h").attempt == 1


async def test_many_runs_at_once(setup: Setup) -> None:
    async with setup.working(ECHO) as engine:
        runs = [(await engine.start("wf", {"word": str(n)}, by=ANA)).run for n in range(60)]
        states = [await ended(engine, run) for run in runs]
        report = await engine.verify()
    assert {state.status for state in states} == {RunStatus.COMPLETED}
    assert report.ok


async def test_a_whole_run_that_was_removed_is_missed(setup: Setup) -> None:
    async with setup.working(ECHO) as engine:
        run = (await engine.start("wf", {"word": "hi"}, by=ANA)).run
        await ended(engine, run)
    async with setup.engine(ECHO) as engine:
        for table, column in (("cursors", "stream"), ("events", "stream"), ("runs", "id")):
            await tamper(engine.store, f"DELETE FROM {table} WHERE {column} = :run", run=run)  # noqa: S608 - own names
        report = await engine.verify()
    assert {finding.stream for finding in report.findings} == {run}
