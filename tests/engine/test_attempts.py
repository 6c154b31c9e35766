"""One attempt, from its arguments to its report: whatever its code does, the log hears of it once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import pytest

from engine.attempts import Attempt, Limits, Stop
from engine.core import commands as c
from engine.core.errors import UnknownEvent
from engine.core.events import EVENTS, RunPaused
from engine.core.failures import Failure, FailureClass, NotYet, StepError
from engine.core.state import RunState, RunStatus, StepStatus
from engine.handle import Answer
from engine.steps.context import StepContext
from engine.steps.registry import Registry, StepFunction, step
from engine.store import StoreUnavailable
from tests.engine.conftest import BEN, until, workflow
from tests.engine.desk import Desk, desk

TWO = workflow({"id": "a", "uses": "t.hold@1"}, {"id": "b", "uses": "t.hold@1"})


@pytest.fixture
async def here(database_url: str) -> AsyncGenerator[Desk]:
    async with desk(database_url) as opened:
        yield opened


class Bench:
    """Runs the first step of a new run as a worker would, its code being a test's."""

    def __init__(self, here: Desk) -> None:
        self.here = here
        self.claims: list[c.Claim] = []
        self.run = ""
        self.limits = Limits()
        self.work = TWO

    async def attempt(self, function: StepFunction) -> Attempt:
        self.run = await self.here.start(self.work)
        state = await self.here.look(self.run)
        now = await self.here.log.now()

        def claim() -> c.Claim:
            at = now + len(self.claims)
            self.claims.append(c.Claim("wrk_1", frozenset({"t.hold@1"}), 1, at, at + 15_000))
            return self.claims[-1]

        return Attempt(state, "a", self.here.handle, Registry([function]), self.here.log, claim, self.limits)

    async def outcome(self, function: StepFunction) -> RunState:
        async with asyncio.timeout(60):
            answer = await (await self.attempt(function)).run()
        assert isinstance(answer, Answer)
        return answer.state

    async def failure(self, function: StepFunction) -> Failure:
        state = await self.outcome(function)
        assert state.status is RunStatus.FAILED
        failure = state.step("a").failure
        assert failure is not None
        return failure

    def unreachable(self, times: int) -> None:
        """Let the next appends find no database."""
        left = iter(range(times))

        async def fail() -> None:
            if next(left, None) is not None:
                raise StoreUnavailable("the database is away")

        self.here.log.before_append = fail


@pytest.fixture
def bench(here: Desk) -> Bench:
    return Bench(here)


async def test_a_step_that_cancels_itself_has_failed(bench: Bench) -> None:
    @step("t.hold")
    async def hold() -> str:
        raise asyncio.CancelledError

    failure = await bench.failure(hold)
    assert failure.message == "the step cancelled itself"


async def test_words_that_no_database_holds_are_reported_all_the_same(bench: Bench) -> None:
    @step("t.hold")
    async def hold() -> str:
        raise StepError("a\0b \ud800")

    assert (await bench.failure(hold)).message == "a\ufffdb ?"


async def test_a_result_too_large_for_the_history_is_a_failure_that_says_so(bench: Bench) -> None:
    @step("t.hold")
    async def hold() -> str:
        return "x" * 3 * 2**20

    bench.limits = Limits(largest=2 * 2**20)
    failure = await bench.failure(hold)
    assert failure.cls == "invalid_output"
    assert failure.message.startswith("its result has 3 MiB, and 2 MiB are the most")


async def test_an_effect_too_large_for_the_history_is_made_and_fails_its_step(bench: Bench) -> None:
    @step("t.hold")
    async def hold(ctx: StepContext) -> object:
        async def download(key: str) -> str:
            return "x" * 200

        return await ctx.effect("download", download)

    bench.limits = Limits(largest=100)
    assert "the result of the effect download has" in (await bench.failure(hold)).message


async def test_the_classes_of_failure_are_those_of_the_steps_author_first(bench: Bench) -> None:
    @step("t.hold", failures={KeyError: FailureClass.PERMISSION})
    async def hold() -> str:
        raise KeyError("token")

    assert (await bench.failure(hold)).cls == "permission"


async def test_a_long_step_finds_its_cursor_in_the_next_attempt(bench: Bench) -> None:
    cursor = {"row": 100, "seen": "x" * 70_000}
    found: list[object] = []

    @step("t.hold")
    async def hold(ctx: StepContext) -> str:
        found.append(ctx.cursor)
        await ctx.progress({"row": 1})
        await ctx.progress(cursor)
        raise StepError("try again", FailureClass.TRANSIENT)

    bench.work = workflow({"id": "a", "uses": "t.hold@1", "retry": {"attempts": 2, "initial": "1ms"}})
    attempt = await bench.attempt(hold)
    assert await attempt.run() is not None
    state = await bench.here.look(bench.run)
    again = Attempt(state, "a", bench.here.handle, Registry([hold]), bench.here.log, lambda: None)
    assert await again.run() is not None
    assert found == [None, cursor]


async def test_code_that_will_not_stop_is_given_up_and_its_late_result_refused(bench: Bench) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    @step("t.hold")
    async def hold(ctx: StepContext) -> str:
        begun.set()
        while not go_on.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await go_on.wait()
        assert ctx.cancelled.is_set()
        return "late"

    bench.limits = Limits(grace=0.05)
    attempt = await bench.attempt(hold)
    running = asyncio.create_task(attempt.run())
    async with asyncio.timeout(60):
        await begun.wait()
        await bench.here.handle.submit(bench.run, c.Cancel(BEN))
        attempt.stop(Stop.CANCELLED)
        answer = await running
    assert answer is not None
    assert answer.state.status is RunStatus.CANCELLED
    go_on.set()

    async def refused() -> bool:
        return (await bench.here.log.load(bench.run))[0][-1].type == "LATE_RESULT_REFUSED"

    await until(refused)


async def test_code_that_ignores_its_timeout_is_given_up(bench: Bench) -> None:
    @step("t.hold")
    async def hold() -> None:
        while not go_on.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await go_on.wait()

    go_on = asyncio.Event()
    bench.limits = Limits(grace=0.05)
    bench.work = workflow({"id": "a", "uses": "t.hold@1", "timeout": "50ms"})
    failure = await bench.failure(hold)
    go_on.set()
    assert failure.cls == "timeout"


async def test_an_effect_waits_for_the_database_instead_of_failing_its_step(bench: Bench) -> None:
    made: list[str] = []

    @step("t.hold")
    async def hold(ctx: StepContext) -> object:
        async def charge(key: str) -> str:
            made.append(key)
            bench.unreachable(2)
            return "receipt"

        receipt = await ctx.effect("charge", charge)
        await ctx.log("charged")
        return receipt

    state = await bench.outcome(hold)
    assert state.step("a").output == "receipt"
    assert made == [f"{bench.run}/a/charge/1"]


async def test_a_report_that_had_to_wait_carries_a_claim_of_its_own_time(bench: Bench) -> None:
    @step("t.hold")
    async def hold() -> str:
        bench.unreachable(2)
        return "done"

    state = await bench.outcome(hold)
    assert len(bench.claims) == 3
    assert state.step("b").lease_until == bench.claims[-1].until


@pytest.mark.parametrize("why", list(Stop))
async def test_a_step_that_fails_while_it_is_stopped_was_stopped(bench: Bench, why: Stop) -> None:
    begun = asyncio.Event()

    @step("t.hold")
    async def hold() -> str:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise RuntimeError("the connection is gone")

    attempt = await bench.attempt(hold)
    running = asyncio.create_task(attempt.run())
    async with asyncio.timeout(60):
        await begun.wait()
    attempt.stop(why)
    answer = await running
    state = await bench.here.handle.state(bench.run)
    match why:
        case Stop.SHUTDOWN | Stop.KILLED:
            assert state.step("a").status is StepStatus.READY
        case Stop.CANCELLED:
            failure = state.step("a").failure
            assert failure is not None
            assert failure.cls == "cancelled"
        case Stop.LATE:
            failure = state.step("a").failure
            assert failure is not None
            assert failure.cls == "timeout"
        case Stop.LOST:
            assert answer is None
            assert state.step("a").status is StepStatus.RUNNING


async def test_a_step_that_may_not_go_on_yet_is_put_off(bench: Bench) -> None:
    @step("t.hold")
    async def hold() -> str:
        raise NotYet("openai's limit", 12_000)

    state = await bench.outcome(hold)
    put_off = state.step("a")
    assert (put_off.status, put_off.postponed, put_off.attempt) == (StepStatus.RETRYING, "openai's limit", 1)
    assert put_off.retry_at == state.at + 12_000


async def test_the_result_of_a_lost_attempt_is_refused_and_told(bench: Bench) -> None:
    @step("t.hold")
    async def hold() -> str:
        token = (await bench.here.handle.state(bench.run)).step("a").token
        await bench.here.handle.submit(bench.run, c.HandBack("a", token, "wrk_1"))
        await bench.here.look(bench.run, "wrk_2")
        return "late"

    attempt = await bench.attempt(hold)
    answer = await attempt.run()
    assert isinstance(answer, Answer)
    assert isinstance(answer.reply, c.Stale)
    assert answer.state.step("a").worker == "wrk_2"
    events, _ = await bench.here.log.load(bench.run)
    assert events[-1].type == "LATE_RESULT_REFUSED"


async def test_nothing_is_recorded_by_a_lost_attempt(bench: Bench) -> None:
    @step("t.hold")
    async def hold(ctx: StepContext) -> object:
        await bench.here.handle.submit(bench.run, c.Cancel(BEN))
        token = (await bench.here.handle.state(bench.run)).step("a").token
        await bench.here.handle.submit(bench.run, c.HandBack("a", token, "wrk_1"))

        async def never(key: str) -> str:
            raise AssertionError(key)

        return await ctx.effect("charge", never)

    assert await (await bench.attempt(hold)).run() is None


async def test_a_step_of_a_run_that_a_newer_release_has_written_to_is_stopped_and_not_failed(
    bench: Bench, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    caught: list[Exception] = []

    @step("t.hold")
    async def hold(ctx: StepContext) -> None:
        async with desk(database_url) as newer:
            await newer.handle.submit(bench.run, c.Pause(BEN))
        monkeypatch.delitem(EVENTS, RunPaused.type)
        try:
            await ctx.log("half done")
        except Exception as error:  # noqa: BLE001 - a step that goes on whatever happens
            caught.append(error)

    async with asyncio.timeout(60):
        with pytest.raises(UnknownEvent):
            await (await bench.attempt(hold)).run()
    assert caught == []
    monkeypatch.undo()
    state = await bench.here.handle.state(bench.run)
    assert state.step("a").status is StepStatus.RUNNING, "others take it over once this worker's lease has ended"
