"""How runs end that do not simply complete: what is undone and when, who handles a failure, what is tolerated."""

from __future__ import annotations

from engine.core import checkpoint
from engine.core import commands as c
from engine.core.state import RunStatus, StepStatus
from engine.handle import CHECKPOINT_AFTER
from tests.engine.conftest import BEN, Setup, World, ended, workflow
from tests.engine.flows import begin, finish, reaches, run_is, sound, step_is, told


def undoable(id_: str) -> dict[str, object]:
    undo = {"uses": "t.echo", "with": {"text": f"undo {id_} ${{{{ steps.{id_}.output }}}}"}}
    return {"id": id_, "uses": "t.echo", "with": {"text": id_}, "undo": undo}


FLAKY = {"id": "f", "uses": "t.flaky", "with": {"name": "f"}}
TELL = {"id": "tell", "uses": "t.echo", "with": {"text": "${{ failure.step }}: ${{ failure.reason }}"}}


async def test_what_was_done_is_undone_in_reverse_and_then_told(setup: Setup, world: World) -> None:
    world.failures = {"f": 9}
    work = workflow(undoable("a"), undoable("b"), FLAKY, on_failure=[TELL])
    async with setup.working(work) as engine:
        run = await begin(engine)
        state = await ended(engine, run)
        assert state.end is not None
        assert (state.status, state.end.reason) == (RunStatus.FAILED, "connection refused")
        said = [call for call in world.calls if "undo" in call or ":" in call]
        assert said == ["echo undo b b", "echo undo a a", "echo f: connection refused"]
        assert isinstance(await engine.operations.redrive(run, by=BEN), c.NotAllowed)
        assert await sound(engine)


async def test_undoing_goes_on_in_another_process(setup: Setup, world: World) -> None:
    held = {**undoable("b"), "undo": {"uses": "t.hold"}}
    world.failures = {"f": 9}
    async with setup.working(workflow(undoable("a"), held, FLAKY)) as engine:
        run = await begin(engine)
        await step_is(engine, run, "b!undo", StepStatus.RUNNING)
    assert "echo undo a a" not in world.calls
    world.open.set()
    async with setup.working() as engine:
        assert (await ended(engine, run)).status is RunStatus.FAILED
        assert world.calls.count("echo undo a a") == 1
        assert await sound(engine)


async def test_a_cancelled_run_undoes_what_it_did(setup: Setup, world: World) -> None:
    async with setup.working(workflow(undoable("a"), {"id": "h", "uses": "t.hold"}, on_failure=[TELL])) as engine:
        run = await begin(engine)
        await step_is(engine, run, "h", StepStatus.RUNNING)
        await engine.cancel(run, by=BEN)
        assert (await ended(engine, run)).status is RunStatus.CANCELLED
        assert world.calls == ["echo a", "hold", "echo undo a a"], "who cancels needs nobody to tell them"
        assert await sound(engine)


async def test_a_tolerated_failure_is_seen_by_what_follows(setup: Setup, world: World) -> None:
    world.failures = {"f": 9}
    last = {"id": "z", "set": {"was": "${{ steps.f.status }}", "why": "${{ steps.f.error }}"}}
    work = workflow({**FLAKY, "continue_on_error": True}, last, output="${{ steps.z.output }}")
    async with setup.working(work) as engine:
        run = await begin(engine)
        state = await ended(engine, run)
        assert state.end is not None
        assert state.end.output == {"was": "failed", "why": "connection refused"}
        assert "STEP_DEAD_LETTERED" not in await told(engine, run)
        assert await sound(engine)


async def test_a_run_that_takes_too_long_fails_and_may_be_redriven(setup: Setup, world: World) -> None:
    gate = {"id": "ok", "approval": {"title": "Go?", "approvers": ["@all"], "expires_in": "3d"}}
    async with setup.working(workflow(gate, timeout="1d")) as engine:
        run = await begin(engine)
        await run_is(engine, run, RunStatus.WAITING)
        setup.clock.advance(86_400_000)
        state = await ended(engine, run)
        assert state.end is not None
        assert (state.end.kind, state.end.reason) == ("timeout", "the run took longer than it may")
        assert await engine.bulk.dead_letters() == []
        assert isinstance(await engine.operations.redrive(run, by=BEN), c.Accepted)
        await engine.vote(run, c.Vote("ok", granted=True, by=BEN))
        assert (await ended(engine, run)).status is RunStatus.COMPLETED
        assert await sound(engine)


async def test_a_run_whose_output_cannot_be_made_has_failed(setup: Setup) -> None:
    work = workflow({"id": "v", "set": {"n": "${{ 0 }}"}}, output="${{ 1 / steps.v.output.n }}")
    async with setup.working(work) as engine:
        state = await finish(engine)
        assert state.end is not None
        assert state.end.reason.startswith("its output cannot be made:")
        assert await sound(engine)


async def test_a_long_run_is_loaded_from_its_checkpoint(setup: Setup, world: World) -> None:
    world.open.set()
    passes = {"until": "iteration >= 150", "max": 400}
    loop = {"id": "loop", "repeat": passes, "steps": [{"id": "e", "uses": "t.echo", "with": {"text": "x"}}]}
    gate = {"id": "ok", "approval": {"title": "Go?", "approvers": ["@all"]}}
    async with setup.working(workflow(loop, gate)) as engine:
        run = await begin(engine)
        known = await reaches(engine, run, lambda state: state.step("ok").gate is not None)
        assert known.seq > 2 * CHECKPOINT_AFTER
    async with setup.engine() as engine:
        saved, events, _ = await engine.store.load_run(run, checkpoint.VERSION)
        assert saved is not None
        assert len(events) < CHECKPOINT_AFTER + 50
        assert await engine.state(run) == known
        assert await sound(engine)
