"""Pruning removes what ended long ago and nothing else, in steps, and leaves proof of what it removed."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import Connection
from sqlalchemy.event import listen
from sqlalchemy.util import await_only

from engine.store import Appended, Blob, Conflict, Deliveries, Head, Log, Prunable, Pruned, RunRow, Signal, verify
from engine.store.notes import RUNS_PRUNED
from engine.store.prune import Order, prune_some, pruned_runs
from engine.store.statements import Statements
from tests.services import PostgresServer
from tests.store.build import KEY, T0, append, appended, event, query, run_row, tamper
from tests.store.test_blobs import blob

NOW = T0 + 1_000_000


async def ended(log: Log, run: str, at: int = T0, *blobs: Blob, workspace: str = "ws_local") -> Head:
    head = await appended(log, append(run, run=run_row(workspace), due=T0))
    done = replace(run_row(workspace, status="completed", ended_at=at), labels={"team": "blue"})
    return await appended(log, append(run, head, event("RUN_COMPLETED"), run=done, due=None, blobs=blobs))


async def pruned(log: Log, before: int = T0 + 1, limit: int = 100) -> Pruned:
    return await log.prune("ws_local", before, now=NOW, by="Ana", limit=limit)


async def left(log: Log) -> list[str]:
    return [run for (run,) in await query(log, "SELECT id FROM runs ORDER BY id")]


async def test_only_runs_that_ended_before_the_instant_go(log: Log) -> None:
    await ended(log, "run_old")
    await ended(log, "run_new", T0 + 1)
    await ended(log, "run_elsewhere", workspace="ws_other")
    await appended(log, append("run_open"))

    assert await log.prunable("ws_local", T0 + 1) == Prunable(1, 2)
    assert await pruned(log) == Pruned(1, 2, 0)
    assert await pruned(log) == Pruned(0, 0, 0)

    assert await left(log) == ["run_elsewhere", "run_new", "run_open"]
    assert await log.load("run_old") == ([], Head.EMPTY)
    assert (await verify(log)).findings == []


async def test_all_that_belongs_to_a_run_goes_with_it_and_what_others_use_stays(log: Log) -> None:
    deliveries = Deliveries(log)
    own, shared = blob("own"), blob("shared")
    for run, blobs in (("run_a", (own, shared)), ("run_b", (shared,))):
        head = await ended(log, run, T0 if run == "run_a" else NOW, *blobs)
        await log.put_signal(Signal(id=run, workspace="ws_local", name=run, correlation="", payload="{}", at=1))
        await log.take_signals(run, run, "", "ws_local")
        await log.put_checkpoint(run, head.seq, 1, "state")
        await deliveries.claim_cursors("threads", "wrk_a", 1000, 10)
        await deliveries.intend("threads", run, "card", 1, {})

    assert await pruned(log) == Pruned(1, 2, 1)

    assert await log.blobs([own.hash, shared.hash]) == {shared.hash: "shared"}
    for table, column in (("events", "stream"), ("checkpoints", "stream"), ("cursors", "stream"),
                          ("deliveries", "stream"), ("blob_refs", "stream"), ("run_labels", "run"),
                          ("signals", "run"), ("runs", "id")):  # fmt: skip
        rows = await query(log, f"SELECT DISTINCT {column} FROM {table} WHERE {column} LIKE 'run%'")  # noqa: S608
        assert rows == [("run_b",)], table
    assert (await verify(log)).findings == []


async def test_it_goes_on_step_by_step_oldest_first(log: Log) -> None:
    for number in range(5):
        await ended(log, f"run_{number}", T0 - number)

    assert (await pruned(log, limit=2)).runs == 2
    assert await left(log) == ["run_0", "run_1", "run_2"]
    assert [(await pruned(log, limit=2)).runs for _ in range(3)] == [2, 1, 0]


async def test_many_at_it_at_once_prune_each_run_once(log: Log, other: Log) -> None:
    await asyncio.gather(*(ended(log, f"run_{number:02d}") for number in range(30)))

    done = await asyncio.gather(*(pruned((log, other)[n % 2], limit=7) for n in range(8)))

    while (more := await pruned(log)).runs:
        done.append(more)
    assert sum(step.runs for step in done) == 30
    assert await query(log, "SELECT count(*) FROM pruned") == [(30,)]
    assert (await verify(log)).findings == []


async def test_what_is_left_says_which_runs_went_and_by_whose_order(log: Log) -> None:
    head = await ended(log, "run_a")
    await pruned(log)

    assert await query(log, "SELECT run, workflow, ended_at, pruned_at, last_seq, head_hash FROM pruned") == [
        ("run_a", "publish_release", T0, NOW, 2, head.hash)
    ]
    last = (await log.load("ws_local"))[0][-1]
    assert (last.type, pruned_runs(last.payload)) == (RUNS_PRUNED, {"run_a": head})
    assert '"by":"Ana"' in last.payload


async def test_an_append_to_a_pruned_run_is_a_conflict(log: Log) -> None:
    head = await ended(log, "run_a")
    await pruned(log)

    assert await log.append(append("run_a", head)) == Conflict(Head.EMPTY)


async def test_a_blob_that_an_append_needs_just_now_survives_the_prune_of_its_last_user(log: Log, other: Log) -> None:
    shared = blob("shared")
    for number in range(20):
        await ended(log, f"run_old{number}", T0, shared)
        outcome, _ = await asyncio.gather(other.append(append(f"run_new{number}", blobs=(shared,))), pruned(log))
        assert isinstance(outcome, Appended)
        assert await log.blobs([shared.hash]) == {shared.hash: "shared"}
        assert isinstance(await log.append(append(f"run_new{number}", outcome.head, event("RUN_COMPLETED"),
                                                  run=run_row(status="completed", ended_at=T0))), Appended)  # fmt: skip
        await pruned(log)
        assert await log.blobs([shared.hash]) == {}


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM pruned",
        "UPDATE pruned SET last_seq = 1",
        "UPDATE pruned SET workflow = 'another'",
        "UPDATE pruned SET run = 'run_b'",
        "UPDATE pruned SET mac = 'forged'",
    ],
)
async def test_a_run_that_was_deleted_does_not_pass_for_a_pruned_one(log: Log, change: str) -> None:
    await ended(log, "run_a")
    await pruned(log)
    assert await tamper(log, change)

    found = [str(finding) for finding in (await verify(log)).findings]
    assert any("what is left of the pruned run is not what " in one for one in found if one.startswith("run_a")), found


async def test_a_family_of_runs_stays_as_long_as_one_of_it_is_open(log: Log) -> None:
    async def run(name: str, parent: str | None, *, is_open: bool = False) -> Head:
        row = replace(run_row(), parent=parent)
        head = await appended(log, append(name, run=row))
        return head if is_open else await end(name, head, row)

    async def end(name: str, head: Head, row: RunRow) -> Head:
        done = replace(row, status="completed", ended_at=T0)
        return await appended(log, append(name, head, event("RUN_COMPLETED"), run=done, due=None))

    await run("run_1parent", None)
    open_child = await run("run_2open", "run_1parent", is_open=True)
    await run("run_3grandchild", "run_2open")
    await run("run_4alone", None)
    await run("run_5orphan", "run_gone")

    assert (await log.prunable("ws_local", T0 + 1)).runs == 2
    await pruned(log)
    assert await left(log) == ["run_1parent", "run_2open", "run_3grandchild"]

    await end("run_2open", open_child, replace(run_row(), parent="run_1parent"))
    await pruned(log)
    assert await left(log) == []
    assert (await verify(log)).findings == []


async def test_a_long_run_is_a_step_of_its_own(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.store.prune.MOST_EVENTS", 3)
    for number in range(3):
        await ended(log, f"run_{number}", T0 + number)

    assert [(await pruned(log, T0 + 9)).runs for _ in range(4)] == [1, 1, 1, 0]


@pytest.mark.postgresql
async def test_a_prune_waits_for_an_append_that_has_found_the_text_it_would_remove(
    postgres_server: PostgresServer,
) -> None:
    with postgres_server.database() as url:
        log, other = await Log.open(url, KEY), await Log.open(url, KEY)
        await ended(log, "run_old", T0, blob())
        pruning: list[asyncio.Task[Pruned]] = []

        def prune_now(_connection: Connection, _cursor: object, statement: str, *_rest: object) -> None:
            if statement.startswith("INSERT INTO blobs "):
                pruning.append(asyncio.create_task(pruned(log)))
                # It cannot end while it waits for this transaction, and had better not end before it.
                await_only(asyncio.wait(pruning, timeout=1))

        await other.database.write(lambda connection: listen(connection.engine, "after_cursor_execute", prune_now))
        await appended(other, append("run_new", blobs=(blob(),)))

        assert (await pruning[0]).blobs == 0
        assert await log.blobs([blob().hash]) == {blob().hash: blob().text}
        await log.close()
        await other.close()


async def test_a_run_whose_last_head_is_not_anchored_stays(log: Log) -> None:
    head = await ended(log, "run_a")
    await log.anchor("ws_local", NOW)
    await appended(log, append("run_a", head, event("COST_RECORDED")))
    order = Order(before=T0 + 1, by="Ana", now=NOW, limit=9)

    assert await log.database.write(
        prune_some, Statements.build(log.database.dialect), KEY, "ws_local", order
    ) == Pruned(0, 0, 0)
    assert (await pruned(log)).runs == 1
