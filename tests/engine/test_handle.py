"""The mailbox, lost races, the locked append and the freshness of answers, on real databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

import pytest

from engine.audit import audit
from engine.core import commands as c
from engine.core.errors import UnknownRun
from engine.core.state import StepStatus
from engine.handle import Answer
from tests.engine.conftest import BEN
from tests.engine.desk import CODE, LEASE, Desk, desk, nothing


@pytest.fixture
async def here(database_url: str) -> AsyncGenerator[Desk]:
    async with desk(database_url) as opened:
        yield opened


@pytest.fixture
async def rival(database_url: str, here: Desk) -> AsyncGenerator[Desk]:
    """Another process on the same database, which came second."""
    async with desk(database_url) as opened:
        yield opened


async def test_what_comes_together_is_one_append(here: Desk) -> None:
    run = await here.start()
    await here.look(run)
    token = here.handle.last_seen(run)
    assert token is not None
    lines = [c.LogLine("a", token.step("a").token, str(number)) for number in range(40)]
    before = here.log.appends
    await asyncio.gather(*(here.handle.submit(run, line) for line in lines))
    assert here.log.appends - before == 1
    assert (await here.handle.state(run)).step("a").log == tuple(map(str, range(40))), "in the order in which they came"


async def test_one_bad_command_does_not_take_the_others_with_it(here: Desk) -> None:
    run = await here.start()
    token = (await here.look(run)).step("a").token
    done, bad, also_done = await asyncio.gather(
        here.handle.submit(run, c.LogLine("a", token, "first")),
        here.handle.submit(run, c.Cancel(BEN, "half a pair \ud800")),
        here.handle.submit(run, c.LogLine("a", token, "last")),
        return_exceptions=True,
    )
    assert isinstance(bad, ValueError)
    assert isinstance(done, Answer)
    assert isinstance(also_done, Answer)
    state = await here.handle.state(run)
    assert state.step("a").log == ("first", "last")
    assert state.cancel is None


async def test_an_unknown_run_is_told_to_every_sender(here: Desk) -> None:
    answers = await asyncio.gather(
        *(here.handle.submit("run_nowhere", c.Look()) for _ in range(3)), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [UnknownRun] * 3


async def test_a_mailbox_that_was_cut_short_leaves_nobody_waiting(here: Desk, rival: Desk) -> None:
    run = await here.start()

    async def cut() -> None:
        rival.log.after_load = nothing
        raise asyncio.CancelledError

    rival.log.after_load = cut
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(60):
            await rival.handle.submit(run, c.Look())
    async with asyncio.timeout(60):
        answer = await rival.handle.submit(run, c.Cancel(BEN))
    assert answer.state.end is not None, "and the next one is served"


async def test_the_loser_of_a_race_decides_again(here: Desk, rival: Desk) -> None:
    run = await here.start()
    await here.look(run, slots=1)
    claimed = await rival.look(run, "wrk_2")
    assert claimed.step("a").worker == "wrk_1"
    assert claimed.step("b").worker == "wrk_2"
    behind = await here.look(run)  # what it remembers says that b is free
    assert behind.step("b").worker == "wrk_2"
    assert behind.seq == claimed.seq


async def test_who_loses_twice_takes_the_lock_and_cannot_lose_again(here: Desk, rival: Desk) -> None:
    run = await here.start()
    await here.look(run)
    count = 0

    async def first() -> None:
        nonlocal count
        count += 1
        assert count < 5, "it loses for ever"
        await rival.note(run, "b", f"rival {count}")

    here.log.before_append = first
    answer = await here.note(run, "a", "at last")
    assert isinstance(answer.reply, c.Accepted)
    assert (count, here.log.locked) == (2, 1)
    assert answer.state.step("b").log == ("rival 1", "rival 2")
    here.log.before_append = nothing
    await here.note(run, "a", "from the head that the locked append left")
    assert here.log.locked == 1
    assert (await audit(here.log, run)).ok


async def test_who_finds_nothing_left_to_do_under_the_lock_is_told_so(here: Desk, rival: Desk) -> None:
    run = await here.start()
    await here.look(run)
    token = (await here.handle.state(run)).step("a").token
    steps: Sequence[Callable[[], Awaitable[object]]] = (
        lambda: rival.note(run, "b", "first"),
        lambda: rival.handle.submit(run, c.Succeed("a", token, "wrk_1", 1)),
    )
    left = iter(steps)

    async def rivals_next() -> None:
        await next(left)()

    here.log.before_append = rivals_next
    answer = await here.handle.submit(run, c.LogLine("a", token, "too late"))
    assert isinstance(answer.reply, c.Stale)


async def test_an_answer_that_changes_nothing_is_given_on_the_newest_state(here: Desk, rival: Desk) -> None:
    run = await here.start()
    await here.look(run)
    seen = await rival.handle.state(run)
    token = seen.step("a").token
    await here.handle.submit(run, c.HandBack("a", token, "wrk_1"))
    answer = await rival.handle.submit(run, c.Look())
    assert isinstance(answer.reply, c.Nothing)
    assert answer.state.step("a").status is StepStatus.READY


async def test_a_slow_load_does_not_hide_a_later_append(here: Desk, rival: Desk) -> None:
    run = await here.start()
    await here.look(run)
    loaded, go_on = asyncio.Event(), asyncio.Event()

    async def dawdle() -> None:
        rival.log.after_load = nothing
        loaded.set()
        await go_on.wait()

    rival.log.after_load = dawdle
    slow = asyncio.create_task(rival.handle.state(run))
    await loaded.wait()
    answer = await rival.note(run, "a", "meanwhile")
    go_on.set()
    assert (await slow).seq == answer.state.seq
    seen = rival.handle.last_seen(run)
    assert seen is not None
    assert seen.seq == answer.state.seq


async def test_a_worker_whose_clock_runs_ahead_declares_nobody_lost(here: Desk) -> None:
    run = await here.start()
    cap = (await here.look(run)).step("a").lease_cap
    ahead = c.Claim("wrk_2", CODE, 1, cap + 60_000, cap + 60_000 + LEASE)
    async with asyncio.timeout(60):
        answer = await here.handle.submit(run, c.Look(ahead))
    assert answer.state.step("a").worker == "wrk_1"
    assert here.log.appends < 10


async def test_two_steps_of_a_lost_worker_are_given_up_in_one_append(here: Desk) -> None:
    run = await here.start()
    state = await here.look(run)
    await here.log.release("wrk_1")
    later = state.step("a").lease_until + 1
    await here.log.renew("wrk_2", LEASE)
    claim = c.Claim("wrk_2", CODE, 10, later, later + LEASE)
    state = (await here.handle.submit(run, c.Look(claim))).state
    assert {state.step(step).worker for step in ("a", "b")} == {"wrk_2"}
