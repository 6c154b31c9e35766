"""The append: order, compare-and-set, deduplication, guards, caches, and that one bad append spoils no other."""

import asyncio
from collections.abc import Sequence

import pytest

from engine.store import (
    Append,
    Appended,
    Conflict,
    Duplicate,
    Head,
    LeaseExpired,
    Log,
    NewEvent,
    Refused,
    StoredEvent,
    StoreError,
)
from tests.store.build import T0, append, appended, event, query, run_row, tamper


async def test_what_is_appended_is_loaded_byte_for_byte(log: Log) -> None:
    payload = '{"text": "naïve \\u0000 ✓ 𝄞", "n":  1}'
    head = await appended(log, append("run_a", Head.EMPTY, event(payload=payload), event("STEP_COMPLETED", at=T0 + 5)))

    events, loaded = await log.load("run_a")

    assert loaded == head
    assert [(e.seq, e.type, e.version, e.at, e.payload) for e in events] == [
        (1, "STEP_STARTED", 1, "2026-11-22T04:20:00.123Z", payload),
        (2, "STEP_COMPLETED", 1, "2026-11-22T04:20:00.128Z", '{"step":"tag"}'),
    ]
    assert events[1].hash == head.hash


async def test_load_after_a_seq_gives_the_tail_and_the_same_head(log: Log) -> None:
    first = await appended(log, append("run_a"))
    head = await appended(log, append("run_a", first, event("A"), event("B")))

    tail, tail_head = await log.load("run_a", after=1)
    nothing, end_head = await log.load("run_a", after=3)

    assert ([e.type for e in tail], tail_head) == (["A", "B"], head)
    assert (nothing, end_head) == ([], head)


async def test_a_stream_that_nobody_knows_is_empty(log: Log) -> None:
    assert await log.load("run_none") == ([], Head.EMPTY)


async def test_of_two_writers_one_wins_and_the_other_learns_the_head(log: Log, other: Log) -> None:
    start = await appended(log, append("run_a"))

    outcomes = await asyncio.gather(
        *(
            writer.append(append("run_a", start, event(payload=f'{{"by":{number}}}')))
            for number, writer in enumerate((log, other) * 10)
        )
    )

    won = [outcome for outcome in outcomes if isinstance(outcome, Appended)]
    assert len(won) == 1
    events, head = await log.load("run_a")
    assert len(events) == 2
    assert won[0].head == head
    # Each loser was told a head at least as far as the winner's; here nothing came after it.
    assert {outcome.head for outcome in outcomes if isinstance(outcome, Conflict)} == {head}


async def test_a_head_that_is_not_the_stream_s_is_a_conflict(log: Log) -> None:
    head = await appended(log, append("run_a"))

    assert await log.append(append("run_a", Head(2, head.hash))) == Conflict(head)
    assert await log.append(append("run_a", Head(1, "0" * 64))) == Conflict(head)
    assert (await log.load("run_a"))[1] == head


async def test_starting_a_stream_twice_or_going_on_with_none_is_a_conflict(log: Log) -> None:
    head = await appended(log, append("run_a"))

    assert await log.append(append("run_a")) == Conflict(head)
    assert await log.append(append("run_b", Head(3, "0" * 64))) == Conflict(Head.EMPTY)


async def test_a_deduplication_key_starts_one_run_per_workspace(log: Log, other: Log) -> None:
    def start(number: int, workspace: str = "ws_local") -> Append:
        return append(f"run_{number}", run=run_row(workspace, dedupe_key="Ev123"))

    outcomes = await asyncio.gather(*((log, other)[number % 2].append(start(number)) for number in range(20)))

    started = [number for number, outcome in enumerate(outcomes) if isinstance(outcome, Appended)]
    assert len(started) == 1
    duplicates = {outcome for outcome in outcomes if isinstance(outcome, Duplicate)}
    assert duplicates == {Duplicate(f"run_{started[0]}")}
    assert len(await log.runs(workspace="ws_local")) == 1
    assert isinstance(await log.append(start(99, "ws_elsewhere")), Appended)


async def test_many_streams_at_once_each_get_their_own_chain(log: Log) -> None:
    async def chain(stream: str) -> Head:
        head = Head.EMPTY
        for _ in range(5):
            head = await appended(log, append(stream, head, event(), event()))
        return head

    streams = [f"run_{number:03d}" for number in range(100)]
    heads = await asyncio.gather(*map(chain, streams))

    for stream, head in zip(streams, heads, strict=True):
        events, loaded = await log.load(stream)
        assert [e.seq for e in events] == list(range(1, 11))
        assert loaded == head
    assert await query(log, "SELECT count(*) FROM runs WHERE last_seq = 10") == [(100,)]


async def test_appends_to_one_stream_that_wait_together_are_compared_one_after_the_other(log: Log) -> None:
    outcomes = await asyncio.gather(*(log.append(append("run_a")) for _ in range(5)))

    assert [type(outcome) for outcome in outcomes] == [Appended, Conflict, Conflict, Conflict, Conflict]


async def test_the_run_s_row_follows_the_append_that_has_one(log: Log) -> None:
    head = await appended(log, append("run_a", run=run_row(summary="tag: running")))
    head = await appended(log, append("run_a", head))
    kept = await log.run("run_a")
    await appended(log, append("run_a", head, run=run_row(status="completed", summary="done", ended_at=T0 + 9)))
    changed = await log.run("run_a")

    assert kept is not None
    assert changed is not None
    assert (kept.status, kept.summary, kept.ended_at, kept.last_seq) == ("running", "tag: running", None, 2)
    assert (changed.status, changed.summary, changed.ended_at, changed.last_seq) == ("completed", "done", T0 + 9, 3)


async def test_a_workspace_has_a_stream_of_its_own(log: Log) -> None:
    head = await appended(log, append("ws_a", Head.EMPTY, event("SWITCH_THROWN")))
    head = await appended(log, append("ws_a", head, event("SWITCH_RELEASED")))

    assert await log.append(append("ws_a")) == Conflict(head)
    assert [e.type for e in (await log.load("ws_a"))[0]] == ["SWITCH_THROWN", "SWITCH_RELEASED"]
    assert await query(log, "SELECT id, last_seq FROM workspaces") == [("ws_a", 2)]
    assert await query(log, "SELECT id FROM runs") == []


async def test_a_guard_holds_only_when_the_lease_has_ended(log: Log) -> None:
    head = await appended(log, append("run_a"))
    until = await log.renew("wrk_a", 60_000)
    alive, gone = LeaseExpired("wrk_a"), LeaseExpired("wrk_gone")

    assert await log.append(append("run_a", head, guards=(gone, alive))) == Refused(alive)
    assert await log.append(append("run_a", head, guards=(LeaseExpired("wrk_a", cap=until),))) == Refused(
        LeaseExpired("wrk_a", cap=until)
    )
    head = await appended(log, append("run_a", head, guards=(gone,)))
    head = await appended(log, append("run_a", head, guards=(LeaseExpired("wrk_a", cap=until - 120_000),)))
    await log.release("wrk_a")
    await appended(log, append("run_a", head, guards=(alive,)))


async def test_a_refused_append_does_not_hold_up_the_others_of_its_batch(log: Log) -> None:
    heads = await asyncio.gather(*(appended(log, append(f"run_{n}")) for n in range(4)))
    await log.renew("wrk_a", 60_000)
    guard = LeaseExpired("wrk_a")

    outcomes = await asyncio.gather(
        *(log.append(append(f"run_{n}", head, guards=(guard,) if n == 1 else ())) for n, head in enumerate(heads))
    )

    assert [type(outcome) for outcome in outcomes] == [Appended, Refused, Appended, Appended]


async def test_an_append_that_the_tables_reject_fails_alone(log: Log) -> None:
    heads = await asyncio.gather(*(appended(log, append(f"run_{n}")) for n in range(4)))
    # A head that was set back by hand: the primary key of events is the backstop.
    forged = Head(1, heads[2].hash)
    await appended(log, append("run_2", heads[2]))
    await tamper(log, "UPDATE runs SET last_seq = 1, head_hash = :hash WHERE id = 'run_2'", hash=forged.hash)

    outcomes = await asyncio.gather(
        *(log.append(append(f"run_{n}", head)) for n, head in enumerate(heads)), return_exceptions=True
    )

    assert [type(outcome) for outcome in outcomes] == [Appended, Appended, StoreError, Appended]


@pytest.mark.parametrize(
    "item",
    [
        Append(stream="run_a", after=Head.EMPTY, events=(), run=run_row()),
        Append(stream="run_a", after=Head.EMPTY, events=(event(),)),
        Append(stream="ws_a", after=Head.EMPTY, events=(event(),), run=run_row()),
        append("run_a", Head.EMPTY, NewEvent("X", 1, T0, "\0")),
        append("run_a", Head.EMPTY, NewEvent("X", 1, T0, '"\ud800"')),
    ],
    ids=["no events", "no row", "a workspace with a row", "NUL", "half a surrogate pair"],
)
async def test_an_append_that_can_never_be_written_is_a_value_error(log: Log, item: Append) -> None:
    with pytest.raises(ValueError, match=r"."):
        await log.append(item)
    assert await log.load(item.stream) == ([], Head.EMPTY)


async def test_a_cancelled_caller_does_not_stop_the_append(log: Log) -> None:
    task = asyncio.create_task(log.append(append("run_a")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    # The next append of the stream waits behind it.
    outcome = await log.append(append("run_a"))

    assert isinstance(outcome, Conflict)
    assert outcome.head.seq == 1


async def test_close_settles_what_was_handed_in(log: Log, other: Log) -> None:
    tasks = [asyncio.create_task(other.append(append(f"run_{n}"))) for n in range(50)]
    await asyncio.sleep(0)

    await other.close()

    assert all(isinstance(outcome, Appended) for outcome in await asyncio.gather(*tasks))
    assert await query(log, "SELECT count(*) FROM events") == [(50,)]


async def test_a_writer_that_locks_first_cannot_lose(log: Log, other: Log) -> None:
    start = await appended(log, append("run_a"))

    def decide(events: Sequence[StoredEvent], head: Head) -> Append:
        return append("run_a", head, event(payload=f'{{"saw":{len(events)}}}'))

    outcomes = await asyncio.gather(*((log, other)[n % 2].append_locked("run_a", start, decide) for n in range(10)))

    assert all(isinstance(outcome, Appended) for outcome in outcomes)
    events, _ = await log.load("run_a", after=1)
    assert [e.payload for e in events] == [f'{{"saw":{n}}}' for n in range(10)]


async def test_a_locked_append_may_decide_on_nothing_and_its_errors_are_the_caller_s(log: Log) -> None:
    head = await appended(log, append("run_a"))

    assert await log.append_locked("run_a", head, lambda _events, _head: None) is None
    with pytest.raises(ZeroDivisionError):
        await log.append_locked("run_a", head, lambda _events, _head: append("run_a", head) if 1 // 0 else None)
    assert (await log.load("run_a"))[1] == head
