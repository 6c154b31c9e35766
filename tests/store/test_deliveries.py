"""Cursors and deliveries: one reader per stream, nothing skipped, each intent once."""

import asyncio

import pytest

from engine.store import Deliveries, Log
from tests.store.build import append, appended, query, tamper

TTL = 60_000


@pytest.fixture
def deliveries(log: Log) -> Deliveries:
    return Deliveries(log)


async def test_streams_with_unread_events_are_claimed_by_one_owner(log: Log, deliveries: Deliveries) -> None:
    before = await appended(log, append("run_before"))
    first = await deliveries.claim_cursors("threads", "wrk_a", TTL, 10)
    await appended(log, append("run_after"))
    second = await deliveries.claim_cursors("threads", "wrk_b", TTL, 10)

    assert [(c.stream, c.seq, c.last_seq) for c in first] == [("run_before", 0, before.seq)]
    assert [(c.stream, c.seq, c.last_seq) for c in second] == [("run_after", 0, 1)]
    assert await deliveries.claim_cursors("threads", "wrk_c", TTL, 10) == []
    # Its own are offered again, and another consumer has cursors of its own.
    assert [c.stream for c in await deliveries.claim_cursors("threads", "wrk_a", TTL, 10)] == ["run_before"]
    assert len(await deliveries.claim_cursors("audit", "wrk_c", TTL, 10)) == 2


async def test_claims_at_the_same_time_share_the_streams(log: Log, other: Log) -> None:
    runs = [f"run_{number:02d}" for number in range(40)]
    await asyncio.gather(*(appended(log, append(run)) for run in runs))
    readers = Deliveries(log), Deliveries(other)

    claims = await asyncio.gather(*(readers[n % 2].claim_cursors("threads", f"wrk_{n}", TTL, 10) for n in range(8)))

    claimed = [cursor.stream for claim in claims for cursor in claim]
    assert len(claimed) == len(set(claimed))
    left = await readers[0].claim_cursors("threads", "wrk_last", TTL, 40)
    assert sorted(claimed + [cursor.stream for cursor in left]) == runs


async def test_no_run_is_missed_that_starts_while_the_consumer_becomes_known(log: Log, other: Log) -> None:
    starts = [asyncio.create_task(log.append(append(f"run_{number:02d}"))) for number in range(30)]
    deliveries = Deliveries(other)

    first = await deliveries.claim_cursors("threads", "wrk_a", TTL, 100)
    await asyncio.gather(*starts)
    rest = await deliveries.claim_cursors("threads", "wrk_a", TTL, 100)

    assert {cursor.stream for cursor in (*first, *rest)} == {f"run_{number:02d}" for number in range(30)}


async def test_a_consumer_may_begin_with_one_stream(log: Log, deliveries: Deliveries) -> None:
    await appended(log, append("run_one"))
    await appended(log, append("run_two"))
    one = await deliveries.claim_cursor("threads", "run_one", "wrk_a", TTL)
    assert one is not None

    claimed = await deliveries.claim_cursors("threads", "wrk_b", TTL, 10)

    assert [cursor.stream for cursor in claimed] == ["run_two"]


async def test_a_read_stream_comes_back_with_new_events_and_a_done_one_does_not(
    log: Log, deliveries: Deliveries
) -> None:
    head = await appended(log, append("run_a"))
    await deliveries.claim_cursors("threads", "wrk_a", TTL, 10)

    assert await deliveries.advance("threads", "run_a", "wrk_a", 1)
    assert await deliveries.claim_cursors("threads", "wrk_a", TTL, 10) == []
    head = await appended(log, append("run_a", head))
    assert [c.seq for c in await deliveries.claim_cursors("threads", "wrk_a", TTL, 10)] == [1]
    assert await deliveries.advance("threads", "run_a", "wrk_a", 2, done=True)
    await appended(log, append("run_a", head))
    assert await deliveries.claim_cursors("threads", "wrk_a", TTL, 10) == []


async def test_only_the_holder_moves_a_cursor_and_only_forward(log: Log, deliveries: Deliveries) -> None:
    await appended(log, append("run_a"))
    await deliveries.claim_cursors("threads", "wrk_a", TTL, 10)

    assert not await deliveries.advance("threads", "run_a", "wrk_b", 1)
    assert await deliveries.advance("threads", "run_a", "wrk_a", 1)
    assert not await deliveries.advance("threads", "run_a", "wrk_a", 0)
    await deliveries.release_cursor("threads", "run_a", "wrk_b")
    assert await deliveries.claim_cursor("threads", "run_a", "wrk_b", TTL) is None
    await deliveries.release_cursor("threads", "run_a", "wrk_a")
    taken = await deliveries.claim_cursor("threads", "run_a", "wrk_b", TTL)
    assert taken is not None
    assert taken.seq == 1
    assert not await deliveries.advance("threads", "run_a", "wrk_a", 1)


async def test_a_lease_that_has_ended_is_taken_over(log: Log, deliveries: Deliveries) -> None:
    await appended(log, append("run_a"))
    await deliveries.claim_cursors("threads", "wrk_a", TTL, 10)
    await tamper(log, "UPDATE cursors SET until = until - :ttl - 1", ttl=TTL)

    assert [c.stream for c in await deliveries.claim_cursors("threads", "wrk_b", TTL, 10)] == ["run_a"]
    assert not await deliveries.advance("threads", "run_a", "wrk_a", 1)


async def test_a_cursor_of_no_run_is_none(deliveries: Deliveries) -> None:
    assert await deliveries.claim_cursor("threads", "run_none", "wrk_a", TTL) is None


async def test_runs_are_found_by_what_they_have_deliveries_of_as_long_as_the_consumer_is_not_done(
    log: Log, deliveries: Deliveries
) -> None:
    for run, key in (("run_a", "alert:1"), ("run_b", "alert:2:ops"), ("run_c", "alerted"), ("run_d", "aleru")):
        await appended(log, append(run))
        await deliveries.intend("threads", run, key, 1, {})
    await deliveries.claim_cursors("threads", "wrk_a", TTL, 10)
    assert await deliveries.open_with("threads", "ws_local", "alert:") == ["run_a", "run_b"]

    assert await deliveries.advance("threads", "run_a", "wrk_a", 1, done=True)
    assert await deliveries.open_with("threads", "ws_local", "alert:") == ["run_b"]
    assert await deliveries.open_with("threads", "ws_other", "alert:") == []
    assert await deliveries.open_with("audit", "ws_local", "alert:") == []


async def test_an_intent_is_written_once(deliveries: Deliveries, other: Log) -> None:
    intents = await asyncio.gather(
        *((deliveries, Deliveries(other))[n % 2].intend("threads", "run_a", "card", 1, {"n": n}) for n in range(6))
    )

    assert len({str(intent) for intent in intents}) == 1
    assert [d.key for d in await deliveries.unconfirmed("threads")] == ["card"]


async def test_a_delivery_is_confirmed_once_updated_and_found(log: Log, deliveries: Deliveries) -> None:
    intent = await deliveries.intend("threads", "run_a", "card", 1, {"text": "naïve ✓"})
    assert (intent.receipt, intent.confirmed_at) == (None, None)

    assert not await deliveries.update_receipt("threads", "run_a", "card", {})
    assert await deliveries.confirm("threads", "run_a", "card", {"ts": "17.1"}, receipt_key="C1/17.1")
    assert not await deliveries.confirm("threads", "run_a", "card", {"ts": "99.9"}, receipt_key="C1/99.9")
    assert not await deliveries.confirm("threads", "run_a", "unknown", {})
    assert await deliveries.update_receipt("threads", "run_a", "card", {"ts": "17.1", "hash": "x"})

    found = await deliveries.find_delivery("threads", "C1/17.1")
    assert found is not None
    assert (found.intent, found.receipt) == ({"text": "naïve ✓"}, {"ts": "17.1", "hash": "x"})
    assert found.confirmed_at is not None
    assert await deliveries.find_delivery("threads", "C1/99.9") is None
    assert await deliveries.find_delivery("audit", "C1/17.1") is None
    assert await deliveries.deliveries("threads", "run_a") == [found]
    assert await deliveries.unconfirmed("threads") == []
    assert await query(log, "SELECT count(*) FROM deliveries") == [(1,)]
