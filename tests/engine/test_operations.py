"""What operators may do, through the facade: hold, try again, fork, skip, set, settle, move, replace code."""

from __future__ import annotations

import pytest

from engine.core import commands as c
from engine.core.outlook import MISSING_AFTER
from engine.core.state import RunStatus, StepStatus
from engine.engine import Engine
from engine.steps.registry import step
from tests.engine.conftest import BEN, Setup, World, ended, workflow
from tests.engine.flows import begin, finish, reaches, sound, step_is, told

ECHO = {"uses": "t.echo"}
FLAKY = {"id": "f", "uses": "t.flaky", "with": {"name": "f"}}
CHAIN = workflow(
    {"id": "a", **ECHO, "with": {"text": "a"}},
    FLAKY,
    {"id": "z", **ECHO, "with": {"text": "${{ steps.a.output }}-${{ steps.f.output }}"}},
    output="${{ steps.z.output }}",
)
HOLD = workflow({"id": "h", "uses": "t.hold"}, {"id": "z", **ECHO, "with": {"text": "z"}})


async def test_a_paused_run_finishes_what_runs_and_starts_nothing_until_it_is_resumed(
    setup: Setup, world: World
) -> None:
    async with setup.working(HOLD) as engine:
        run = await begin(engine)
        await step_is(engine, run, "h", StepStatus.RUNNING)
        assert isinstance(await engine.operations.pause(run, by=BEN, reason="lunch"), c.Accepted)
        world.open.set()
        state = await step_is(engine, run, "h", StepStatus.COMPLETED)
        assert state.status is RunStatus.PAUSED
        assert [row.summary for row in await engine.bulk.attention("paused")] == ["paused by Ben: lunch"]
        await engine.operations.resume(run, by=BEN)
        assert (await ended(engine, run)).status is RunStatus.COMPLETED
        assert await engine.bulk.attention() == []
        assert await sound(engine)


async def test_a_redriven_run_goes_on_where_it_failed(setup: Setup, world: World) -> None:
    world.failures = {"f": 1}
    async with setup.working(CHAIN) as engine:
        run = (await finish(engine)).run
        [dead] = await engine.bulk.dead_letters()
        assert (dead.run.id, [one.step for one in dead.steps]) == (run, ["f"])
        assert dead.steps[0].summary == (
            "Its only try ended with: connection refused. Its definition asks for no retry."
        )
        assert isinstance(await engine.operations.redrive(run, by=BEN, reason="it is back"), c.Accepted)
        state = await ended(engine, run)
        assert state.end is not None
        assert state.end.output == "a-f"
        assert world.calls.count("echo a") == 1
        assert await engine.bulk.dead_letters() == []
        assert await sound(engine)


async def test_retried_from_a_step_that_step_and_what_follows_are_done_anew(setup: Setup, world: World) -> None:
    world.failures = {"f": 1}
    async with setup.working(CHAIN) as engine:
        run = (await finish(engine)).run
        await engine.operations.retry_from(run, "a", by=BEN)
        assert (await ended(engine, run)).status is RunStatus.COMPLETED
        assert world.calls.count("echo a") == 2
        refused = await engine.operations.retry_from(run, "a", by=BEN)
        assert isinstance(refused, c.NotAllowed)
        assert "fork it" in refused.reason
        assert await sound(engine)


async def test_a_fork_takes_over_the_results_before_its_step(setup: Setup, world: World) -> None:
    world.failures = {"f": 1}
    async with setup.working(CHAIN) as engine:
        failed = await finish(engine)
        begun = await engine.operations.fork(failed.run, "f", by=BEN)
        assert not isinstance(begun, c.NotAllowed)
        state = await ended(engine, begun.run)
        assert state.end is not None
        assert state.end.output == "a-f"
        assert state.started.forked_from is not None
        assert (state.started.forked_from.run, state.started.forked_from.seq) == (failed.run, failed.seq)
        assert (await told(engine, begun.run))["STEP_REUSED"] == 1
        assert world.calls.count("echo a") == 1
        assert (await engine.state(failed.run)).seq == failed.seq
        assert isinstance(await engine.operations.fork(failed.run, "ff", by=BEN), c.NotAllowed)
        assert await sound(engine)


async def test_a_fork_does_not_undo_what_the_other_run_did(setup: Setup, world: World) -> None:
    undone = {"uses": "t.echo", "with": {"text": "undo a"}}
    work = workflow({"id": "a", **ECHO, "with": {"text": "a"}, "undo": undone}, {"id": "h", "uses": "t.hold"}, FLAKY)
    world.failures = {"f": 2}
    async with setup.working(work) as engine:
        run = await begin(engine)
        await step_is(engine, run, "h", StepStatus.RUNNING)
        begun = await engine.operations.fork(run, "f", by=BEN)
        assert not isinstance(begun, c.NotAllowed)
        world.open.set()
        assert (await ended(engine, begun.run)).status is RunStatus.FAILED
        assert "STEP_REUSED" in await told(engine, begun.run)
        await ended(engine, run)
        assert world.calls.count("echo undo a") == 1
        refused = await engine.operations.fork(run, "f", by=BEN)
        assert isinstance(refused, c.NotAllowed)
        assert "undone" in refused.reason


@pytest.mark.parametrize("way", ["skip", "set"])
async def test_a_failed_step_is_skipped_or_given_its_output(setup: Setup, world: World, way: str) -> None:
    world.failures = {"f": 1}
    async with setup.working(CHAIN) as engine:
        run = (await finish(engine)).run
        if way == "skip":
            await engine.operations.skip(run, "f", by=BEN, reason="not needed")
        else:
            await engine.operations.set_output(run, "f", "by hand", by=BEN)
        state = await ended(engine, run)
        assert state.end is not None
        assert state.end.output == {"skip": "a-null", "set": "a-by hand"}[way]
        assert await sound(engine)


LOSING = workflow(
    {"id": "a", "uses": "t.once", "repeatable": False}, {"id": "z", **ECHO, "with": {"text": "${{ steps.a.output }}"}}
)


def losing(setup: Setup, world: World) -> None:
    """Let the step's code lose its connection the first time that it is called, with its effect half done."""

    @step("t.once")
    async def once() -> str:
        world.calls.append("once")
        if world.calls.count("once") == 1:
            raise ConnectionResetError("by peer")
        return "again"

    setup.more = (once,)


@pytest.mark.parametrize("answer", ["happened", "did_not_happen", "fail"])
async def test_an_uncertain_outcome_is_settled_by_a_person(setup: Setup, world: World, answer: str) -> None:
    losing(setup, world)
    async with setup.working(LOSING) as engine:
        run = await begin(engine)
        await step_is(engine, run, "a", StepStatus.UNCERTAIN)
        assert [row.id for row in await engine.bulk.attention("uncertain")] == [run]
        unfit = await engine.operations.settle(run, "a", "happened", by=BEN, result={"id": 1})
        assert unfit == c.InvalidFields({"": "the result must be a valid string"}), (
            "nobody says what it cannot have given"
        )
        await engine.operations.settle(run, "a", answer, by=BEN, result="seen")  # pyright: ignore[reportArgumentType]
        state = await ended(engine, run)
        assert state.status is (RunStatus.FAILED if answer == "fail" else RunStatus.COMPLETED)
        assert state.step("z").output == {"happened": "seen", "did_not_happen": "again", "fail": None}[answer]
        assert isinstance(await engine.operations.settle(run, "a", "fail", by=BEN), c.Ended)
        assert await sound(engine)


async def test_a_run_moves_to_another_definition_with_a_renamed_step(setup: Setup, world: World) -> None:
    gate = {"approval": {"title": "Go?", "approvers": ["@all"]}}
    old = workflow({"id": "ok", **gate}, {"id": "z", **ECHO, "with": {"text": "old"}})
    new = workflow({"id": "agreed", **gate}, {"id": "z", **ECHO, "with": {"text": "new"}})
    async with setup.engine(old) as engine:
        run = await begin(engine)
    async with setup.working(new) as engine:
        stuck = await engine.operations.move(run, by=BEN)
        assert isinstance(stuck, c.NotAllowed)
        assert "ok is open" in stuck.reason
        await engine.operations.move(run, by=BEN, renamed={"ok": "agreed"}, reason="renamed")
        await engine.vote(run, c.Vote("agreed", granted=True, by=BEN))
        assert (await ended(engine, run)).status is RunStatus.COMPLETED
        assert world.calls == ["echo new"]
        assert await sound(engine)


async def test_code_that_is_nowhere_is_asked_about_and_replaced(setup: Setup, world: World) -> None:
    @step("t.echo", version=2)
    async def gone(text: str) -> str:
        return f"gone {text}"

    setup.more = (gone,)
    work = workflow({"id": "a", **ECHO, "with": {"text": "a"}})
    async with setup.engine(work) as engine:
        run, other = await begin(engine), await begin(engine)
    setup.more = ()
    async with setup.working() as engine:
        await _missing(setup, engine, run, other)
        assert {row.id for row in await engine.bulk.attention("missing_step")} == {run, other}
        refused = await engine.operations.recode(run, {"t.echo@2": "t.ekko@1"}, by=BEN)
        assert isinstance(refused, c.NotAllowed)
        unfit = await engine.operations.recode(run, {"t.echo@2": "t.hold@1"}, by=BEN)
        assert unfit == c.NotAllowed("t.hold@1 takes no text, which a gives")
        await engine.operations.recode(run, {"t.echo@2": "t.echo@1"}, by=BEN)
        assert (await ended(engine, run)).step("a").output == "a"
    setup.more = (gone,)
    async with setup.working() as engine:
        setup.clock.advance(10_000)
        assert (await ended(engine, other)).step("a").output == "gone a", "as soon as somebody has the code"
        assert await sound(engine)


async def _missing(setup: Setup, engine: Engine, *runs: str) -> None:
    for run in runs:
        await reaches(engine, run, lambda state: state.step("a").awaited)
    setup.clock.advance(MISSING_AFTER)
    for run in runs:
        await reaches(engine, run, lambda state: state.step("a").missing > 0)


async def test_a_step_at_work_keeps_its_name(setup: Setup, world: World) -> None:
    renamed = workflow({"id": "held", "uses": "t.hold"}, {"id": "z", **ECHO, "with": {"text": "new"}})
    async with setup.working(HOLD) as engine, setup.engine(renamed) as other:
        run = await begin(engine)
        await step_is(engine, run, "h", StepStatus.RUNNING)
        refused = await other.operations.move(run, by=BEN, renamed={"h": "held"})
        assert isinstance(refused, c.NotAllowed)
        assert "h is at work" in refused.reason
        world.open.set()
        assert (await ended(engine, run)).step("z").output == "z"


async def test_who_waits_for_a_failed_run_hears_of_its_redrive_elsewhere(setup: Setup, world: World) -> None:
    world.failures = {"f": 1}
    async with setup.working(CHAIN) as engine, setup.engine(CHAIN) as other:
        run = await begin(engine)
        assert (await ended(other, run)).status is RunStatus.FAILED
        await engine.operations.redrive(run, by=BEN)
        await ended(engine, run)
        assert (await ended(other, run)).status is RunStatus.COMPLETED
