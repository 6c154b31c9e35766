"""Open work, leases, definitions and lists."""

import asyncio
import threading
from typing import Any

import pytest

from engine.store import PUSH, Head, LeaseKeeper, Log, RunFilter
from tests.store.build import T0, append, appended, query, run_row


async def taken(log: Log, now: int, limit: int) -> list[str]:
    return [due.run for due in await log.take_due(now, limit)]


async def test_due_runs_are_taken_once_and_pushed(log: Log) -> None:
    for number in range(5):
        await appended(log, append(f"run_{number}", due=T0 + number))

    assert await log.next_due() == T0
    assert await taken(log, T0 - 1, 10) == []
    assert sorted(await taken(log, T0 + 2, 2)) == ["run_0", "run_1"]
    assert await taken(log, T0 + 2, 10) == ["run_2"]
    assert await taken(log, T0 + 2, 10) == []
    assert await query(log, "SELECT run, due FROM open_work ORDER BY run") == [
        ("run_0", T0 + 2002), ("run_1", T0 + 2002), ("run_2", T0 + 2002), ("run_3", T0 + 3), ("run_4", T0 + 4),
    ]  # fmt: skip


async def test_each_due_run_goes_to_one_of_many_takers(log: Log, other: Log) -> None:
    runs = [f"run_{number:03d}" for number in range(100)]
    await asyncio.gather(*(appended(log, append(run, due=T0)) for run in runs))

    parts = await asyncio.gather(*(taken((log, other)[n % 2], T0, 10) for n in range(20)))

    got = [run for part in parts for run in part]
    assert len(got) == len(set(got))
    assert sorted(got + await taken(log, T0, 100)) == runs


async def test_due_is_set_kept_and_deleted_by_appends(log: Log) -> None:
    head = await appended(log, append("run_a", due=T0, due_kind="running"))
    head = await appended(log, append("run_a", head))
    assert await query(log, "SELECT due, kind FROM open_work") == [(T0, "running")]

    head = await appended(log, append("run_a", head, due=T0 + 7, due_kind="timer"))
    assert await query(log, "SELECT due, kind FROM open_work") == [(T0 + 7, "timer")]

    await appended(log, append("run_a", head, due=None))
    assert await query(log, "SELECT due, kind FROM open_work") == []
    assert await log.next_due() is None


async def test_after_a_lost_stream_all_but_parked_runs_become_due(log: Log) -> None:
    for kind in PUSH:
        await appended(log, append(f"run_{kind}", due=T0 + 60_000, due_kind=kind))

    assert await log.make_all_due(T0) == 4
    assert sorted(await taken(log, T0, 10)) == ["run_awaited", "run_held", "run_ready", "run_running"]


async def test_a_lease_is_renewed_on_the_database_s_clock_and_released(log: Log) -> None:
    before = await log.now()
    until = await log.renew("wrk_a", 10_000)
    after = await log.now()

    assert before + 10_000 <= until <= after + 10_000
    assert await log.renew("wrk_a", 20_000) >= until + 10_000
    await log.release("wrk_a")
    assert await query(log, "SELECT * FROM leases") == []


async def test_a_released_lease_takes_those_of_the_long_dead_with_it(log: Log) -> None:
    for owner, ttl in (("wrk_a", 1000), ("wrk_dead", -2 * 24 * 3_600_000), ("wrk_late", -1000)):
        await log.renew(owner, ttl)

    await log.release("wrk_a")

    assert await query(log, "SELECT owner FROM leases") == [("wrk_late",)]


async def test_heads_are_given_for_the_runs_that_exist(log: Log) -> None:
    head = await appended(log, append("run_a"))
    await appended(log, append("run_a", head))
    await appended(log, append("run_b"))

    assert await log.heads(["run_a", "run_b", "run_none"]) == {"run_a": 2, "run_b": 1}
    assert await log.heads([]) == {}


async def test_a_plain_thread_keeps_a_lease_while_the_loop_is_blocked(log: Log, database_url: str) -> None:
    renewed: list[int] = []

    def keep() -> None:
        with LeaseKeeper(database_url) as keeper:
            renewed.extend(keeper.renew("wrk_a", 10_000) for _ in range(3))

    thread = threading.Thread(target=keep)
    thread.start()
    thread.join(30)  # on the loop's own thread: nothing of the log's can run meanwhile

    assert len(renewed) == 3
    assert await query(log, "SELECT owner, until FROM leases") == [("wrk_a", renewed[-1])]


async def test_a_definition_is_kept_once_under_its_hash(log: Log, other: Log) -> None:
    assert await log.definition("abc") is None
    await log.put_definition("abc", "publish_release", "{}")
    await other.put_definition("abc", "publish_release", "another text")
    await log.put_definition("abc", "publish_release", "{}")

    assert await other.definition("abc") == "{}"
    assert await query(log, "SELECT hash, workspace, name FROM definitions") == [("abc", "ws_local", "publish_release")]


async def test_runs_are_listed_newest_first_page_by_page(log: Log) -> None:
    for number in range(6):
        row = run_row(status="completed" if number % 2 else "running", workflow="a" if number < 3 else "b")
        await appended(log, append(f"run_{number}", run=row))
    await appended(log, append("run_9", run=run_row("ws_other")))

    async def ids(**filters: Any) -> list[str]:
        page = {name: filters.pop(name) for name in ("limit", "before") if name in filters}
        found = await log.runs(workspace="ws_local", where=RunFilter(**filters), **page)
        return [info.id for info in found]

    assert await ids() == ["run_5", "run_4", "run_3", "run_2", "run_1", "run_0"]
    assert await ids(limit=2) == ["run_5", "run_4"]
    assert await ids(limit=2, before="run_4") == ["run_3", "run_2"]
    assert await ids(workflow="a", statuses=["running"]) == ["run_2", "run_0"]
    assert await ids(statuses=[]) == []


@pytest.mark.parametrize("prefix", ["01ab", "run_01ab"])
async def test_runs_are_found_by_a_prefix_of_their_id(log: Log, prefix: str) -> None:
    for run in ("run_01aa9", "run_01abx", "run_01aby", "run_01b00"):
        await appended(log, append(run))
    await appended(log, append("run_01abz", run=run_row("ws_other")))

    assert await log.find_runs("ws_local", prefix, 10) == ["run_01abx", "run_01aby"]
    assert await log.find_runs("ws_local", prefix, 1) == ["run_01abx"]
    assert await log.find_runs("ws_local", prefix + "%", 1) == []


async def test_one_run_s_row_is_read_back(log: Log) -> None:
    head = await appended(log, append("run_a", Head.EMPTY, run=run_row(dedupe_key="Ev1")))
    info = await log.run("run_a")

    assert info is not None
    assert (info.id, info.last_seq, info.dedupe_key, info.started_by) == ("run_a", head.seq, "Ev1", "Ana")
    assert await log.run("run_none") is None


async def test_a_run_with_nothing_to_do_rests_until_its_time(log: Log) -> None:
    later = 4_000_000_000_000
    head = await appended(log, append("run_a", due=T0, due_kind="timer"))
    assert await taken(log, await log.now(), 10) == ["run_a"]
    await log.rest("run_a", head.seq, later)
    assert await log.next_due() == later
    await log.rest("run_a", head.seq, later - 1)
    assert await log.next_due() == later, "it is due later anyway"


async def test_a_run_that_somebody_has_just_made_due_or_written_to_does_not_rest(log: Log) -> None:
    later = 4_000_000_000_000
    head = await appended(log, append("run_a", due=T0, due_kind="timer"))
    await log.rest("run_a", head.seq, later)
    assert await log.next_due() == T0
    soon = await log.now() + 60_000
    newer = await appended(log, append("run_a", head, due=soon, due_kind="timer"))
    await log.rest("run_a", head.seq, later)
    assert await log.next_due() == soon
    await log.rest("run_a", newer.seq, later)
    assert await log.next_due() == later
