"""Runs told although Slack, the network or the process fails: nothing is lost, nothing is said twice."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import Connection, update

from bot.people.directory import Directory
from bot.simulator.calls import Fault
from bot.simulator.simulator import Simulator
from bot.telling.shared import Pace
from engine.core import commands as c
from engine.store import Deliveries
from engine.store.schema import events
from tests.bot.conftest import ACTOR, Setup, ended, until
from tests.bot.front import unanswered
from tests.bot.telling import ANA, CHAIN, DANA, GATED, TWO_VOTES, Bench
from tests.bot.truth import check_told


@pytest.fixture
async def bench(
    setup: Setup, simulator: Simulator, client: AsyncWebClient, directory: Directory
) -> AsyncIterator[Bench]:
    async with setup.working(CHAIN, GATED, TWO_VOTES) as engine:
        yield Bench(engine, client, directory, simulator)


async def test_a_post_whose_answer_was_lost_is_found_again(bench: Bench) -> None:
    bench.simulator.fail_next("chat.postMessage", Fault(drop="after"), 3)
    async with bench.telling():
        run = await bench.start("gated")
        await bench.shows("please decide")
        await bench.vote(run)
        await bench.shows("gated: ✓ Completed", "✓ Completed in")
        await bench.told(run)
    assert len(bench.keys()) == len(set(bench.keys()))


async def test_a_post_that_never_arrived_is_made_again(bench: Bench) -> None:
    bench.simulator.fail_next("chat.postMessage", Fault(drop="before"), 2)
    bench.simulator.fail_next("chat.postMessage", Fault(status=503))
    async with bench.telling():
        run = await bench.start("chain", word="hi")
        await bench.shows("chain · hi: ✓ Completed", "✓ Completed in")
        await bench.told(run)
    assert len(bench.keys()) == len(set(bench.keys()))


@pytest.mark.parametrize("post", range(1, 5))
async def test_a_process_that_ends_between_a_post_and_its_record_leaves_no_double(bench: Bench, post: int) -> None:
    """The post of that number reaches Slack, but its process never hears of it, nor gets to look for it."""
    posting, looking = "chat.postMessage", ("conversations.history", "conversations.replies")
    bench.simulator.fail_next(posting, Fault(), post - 1)
    bench.simulator.fail_next(posting, Fault(drop="after"))
    run = await bench.start_and_wait_at_gate()
    with unanswered(bench.simulator, looking[0]), unanswered(bench.simulator, looking[1]):
        async with bench.telling():
            if post > 3:
                await bench.shows("please decide")
                await bench.vote(run)
            await bench.until(lambda: any(call.answer is None for call in bench.simulator.calls(posting)))
        assert len(bench.simulator.calls(posting)) == post
        assert not any(bench.simulator.calls(method) for method in looking)

    if post == 3:
        await bench.vote(run)  # the request that nobody has on record is there, with its buttons
    async with bench.telling():
        if post < 3:
            await bench.shows("please decide")
            await bench.vote(run)
        await bench.shows("gated: ✓ Completed", "✓ Completed in", "✓ Approved by Ana")
        await bench.told(run)
    assert len(bench.keys()) == len(set(bench.keys())), "a message was posted twice"
    assert len([line for line in bench.lines() if line.startswith("✓ Completed in")]) == 1


async def test_where_nothing_can_be_looked_up_lines_are_not_repeated_but_requests_are(bench: Bench) -> None:
    bench.simulator.fail_next("chat.postMessage", Fault(), 1)
    bench.simulator.fail_next("chat.postMessage", Fault(drop="after"), 2)
    bench.simulator.fail_next("conversations.replies", Fault(error="not_in_channel"), 10)
    run = await bench.start_and_wait_at_gate()
    async with bench.telling():
        await bench.until(lambda: sum("please decide" in text for text in bench.texts()) == 2)
        await bench.vote(run)
        await bench.shows("gated: ✓ Completed")
        await bench.told(run)
    assert sum(line.startswith("→ Ben") for line in bench.lines()) == 1


async def test_a_card_that_cannot_be_looked_up_is_not_posted_there_again(bench: Bench) -> None:
    bench.simulator.fail_next("chat.postMessage", Fault(drop="after"))
    bench.simulator.fail_next("conversations.history", Fault(error="not_in_channel"), 10)
    async with bench.telling():
        run = await bench.start("chain", word="hi")
        await bench.until(lambda: any("✓ Completed in" in m.text for m in bench.simulator.direct_messages("ben")))
        await bench.told(run)
    assert len(bench.messages()) == 1


async def test_slack_asks_for_a_pause_and_gets_it(bench: Bench) -> None:
    bench.simulator.fail_next("chat.postMessage", Fault(retry_after_s=1))
    async with bench.telling():
        run = await bench.start("chain", word="hi")
        await bench.shows("✓ Completed in")
        await bench.told(run)
    calls = bench.simulator.calls("chat.postMessage")
    assert (calls[0].status, calls[1].status) == (429, 200)
    assert calls[1].at - calls[0].at >= 1_000
    assert len(calls) == 3


async def test_several_processes_tell_each_run_once(bench: Bench) -> None:
    async with bench.telling(), bench.telling(), bench.telling():
        runs = [await bench.start("chain", word=str(number)) for number in range(2)]
        for run in runs:
            await ended(bench.engine, run)
        await bench.until(lambda: sum("✓ Completed in" in text for text in bench.texts()) == 2)
        for run in runs:
            await bench.told(run)
    found = [
        (m.metadata["event_payload"]["run"], m.metadata["event_payload"]["key"]) for m in bench.messages() if m.metadata
    ]
    assert len(found) == len(set(found))
    assert sum(1 for _, key in found if key == "card") == 2


async def test_what_happened_while_no_process_ran_is_told_in_the_end(bench: Bench) -> None:
    run = await bench.start("chain", word="hi")
    await ended(bench.engine, run)
    async with bench.telling():
        await bench.shows("✓ Completed in")
        await bench.told(run)
    assert len(bench.messages()) == 2
    assert bench.simulator.calls("chat.update") == [], "the card was right from the start"


async def test_the_last_state_of_a_card_is_shown_even_if_slack_was_away(bench: Bench) -> None:
    async with bench.telling():
        run = await bench.start("gated")
        await bench.shows("please decide", "Waiting for a decision")
        bench.simulator.fail_next("chat.update", Fault(drop="before"), 2)
        bench.simulator.fail_next("chat.update", Fault(status=500), 1)
        await bench.vote(run)
        await bench.shows("gated: ✓ Completed", "✓ Approved by Ana Ruiz")
        await bench.told(run)


async def test_a_run_is_left_to_the_process_that_has_its_cursor(bench: Bench) -> None:
    cursors = Deliveries(bench.engine.store)
    run = await bench.start_and_wait_at_gate()
    assert [cursor.stream for cursor in await cursors.claim_cursors("slack", "wrk_other", 60_000, 1)] == [run]
    async with bench.telling() as threads:
        threads.wake(run)
        other = await bench.start("chain", word="hi")
        await bench.told(other)
        assert {m.metadata["event_payload"]["run"] for m in bench.messages() if m.metadata} == {other}
        await cursors.release_cursor("slack", run, "wrk_other")
        await bench.shows("please decide")


def make_newer(connection: Connection, run: str) -> None:
    """Its steps were started by a release that this one does not know."""
    started = (events.c.stream == run, events.c.type == "STEP_STARTED")
    connection.execute(update(events).where(*started).values(version=99))


async def test_a_run_that_only_a_newer_release_can_read_is_left_to_it(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    cursors = Deliveries(bench.engine.store)
    run = await bench.start_and_wait_at_gate()
    await bench.engine.store.database.write(make_newer, run)

    async def is_free() -> bool:
        return await cursors.claim_cursor("slack", run, "wrk_newer", 60_000) is not None

    async with bench.telling():
        await until(lambda: f"{run} is not told here" in caplog.text)
        await until(is_free, within=60)


async def test_a_process_that_lost_the_cursor_stops_telling(bench: Bench) -> None:
    cursors = Deliveries(bench.engine.store)
    run = await bench.start_and_wait_at_gate()
    async with bench.telling(pace=Pace(lease=1.0, card=0.05, read=0.01, linger=30)) as threads:
        await bench.shows("please decide")

        async def taken() -> bool:
            await cursors.release_cursor("slack", run, threads.owner)
            return await cursors.claim_cursor("slack", run, "wrk_other", 60_000) is not None

        await until(taken)
        before = len(bench.simulator.calls())
        await bench.vote(run)
        await ended(bench.engine, run)
        later = (await bench.engine.start("chain", {"word": "hi"}, by=ACTOR, origin={"channel": "C0OPSXXXXX"})).run
        await bench.told(later)
    calls = [call for call in bench.simulator.calls()[before:] if call.method.startswith("chat.")]
    assert {call.args["channel"] for call in calls} == {"C0OPSXXXXX"}


async def test_processes_that_tell_a_run_in_turns_neither_repeat_nor_leave_out_a_line(bench: Bench) -> None:
    one, other = bench.threads(), bench.threads()
    run = await bench.start_and_wait_at_gate("two_votes")
    await one.tell(run)
    await bench.engine.vote(run, c.Vote("publish", True, ANA, "in @release-managers"))
    await other.tell(run)
    await bench.engine.vote(run, c.Vote("publish", True, DANA, "in @release-managers"))
    await ended(bench.engine, run)
    await one.tell(run)
    await check_told(bench.engine, run, bench.messages())
    assert sum("approves, 1 more" in line for line in bench.lines()) == 1
    assert sum("publish approved by Dana" in line for line in bench.lines()) == 1
