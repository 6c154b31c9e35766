"""A checkpoint saves the load of what came before it, and is left aside wherever it could be wrong."""

import pytest
from sqlalchemy import Connection, event

from engine.store import Checkpoint, Head, Log
from tests.store.build import append, appended, query, tamper
from tests.store.build import event as new_event


async def chain(log: Log, stream: str, length: int) -> list[Head]:
    heads = [Head.EMPTY]
    for number in range(length):
        heads.append(await appended(log, append(stream, heads[-1], new_event(f"E{number + 1}"))))
    return heads


async def seen(log: Log, stream: str = "run_a", version: int = 1) -> tuple[str | None, list[str], int]:
    checkpoint, events, head = await log.load_run(stream, version)
    assert (await log.load(stream))[1] == head
    return checkpoint and checkpoint.text, [e.type for e in events], head.seq


async def test_without_a_checkpoint_all_events_are_loaded(log: Log) -> None:
    await chain(log, "run_a", 2)

    assert await seen(log) == (None, ["E1", "E2"], 2)
    assert await log.load_run("run_none", 1) == (None, [], Head.EMPTY)


async def test_only_what_came_after_the_newest_checkpoint_is_loaded(log: Log, other: Log) -> None:
    heads = await chain(log, "run_a", 5)
    await chain(log, "run_b", 5)

    assert await log.put_checkpoint("run_a", 2, 1, "state at 2")
    assert await log.put_checkpoint("run_a", 4, 1, "state ✓ at 4")

    assert await other.load_run("run_a", 1) == (
        Checkpoint("run_a", 4, 1, heads[4].hash, "state ✓ at 4"), (await log.load("run_a", after=4))[0], heads[5]
    )  # fmt: skip
    assert await seen(log, "run_b") == (None, ["E1", "E2", "E3", "E4", "E5"], 5)
    assert await query(log, "SELECT stream, seq FROM checkpoints") == [("run_a", 4)]


async def test_a_checkpoint_at_the_head_leaves_nothing_to_load(log: Log) -> None:
    await chain(log, "run_a", 3)
    await log.put_checkpoint("run_a", 3, 1, "all")

    assert await seen(log) == ("all", [], 3)


async def test_a_checkpoint_put_again_is_replaced_and_an_older_one_does_not_win(log: Log) -> None:
    await chain(log, "run_a", 3)
    for seq, text in ((2, "once"), (2, "again"), (1, "late")):
        await log.put_checkpoint("run_a", seq, 1, text)

    assert await seen(log) == ("again", ["E3"], 3)


async def test_folds_of_two_releases_do_not_see_each_other_s(log: Log) -> None:
    await chain(log, "run_a", 3)
    await log.put_checkpoint("run_a", 1, 1, "old")
    await log.put_checkpoint("run_a", 2, 2, "new")

    assert [await seen(log, version=version) for version in (1, 2, 3)] == [
        ("old", ["E2", "E3"], 3), ("new", ["E3"], 3), (None, ["E1", "E2", "E3"], 3)
    ]  # fmt: skip
    await log.put_checkpoint("run_a", 3, 3, "newest")
    assert await query(log, "SELECT version FROM checkpoints ORDER BY version") == [(2,), (3,)]


async def test_a_checkpoint_of_an_event_that_is_not_there_is_not_kept(log: Log) -> None:
    heads = await chain(log, "run_a", 2)

    assert not await log.put_checkpoint("run_a", 3, 1, "ahead")
    assert not await log.put_checkpoint("run_a", 1, 1, "of another past", head_hash=heads[2].hash)
    assert await log.put_checkpoint("run_a", 1, 1, "right", head_hash=heads[1].hash)
    assert await seen(log) == ("right", ["E2"], 2)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE checkpoints SET text = 'forged'",
        "UPDATE checkpoints SET mac = 'forged'",
        "UPDATE checkpoints SET seq = 1",
        "UPDATE checkpoints SET stream = 'run_b'",
        "UPDATE checkpoints SET version = 2",
        "UPDATE checkpoints SET hash = 'forged'",
        "UPDATE events SET hash = 'changed' WHERE seq = 2",
        "UPDATE checkpoints SET seq = 1, hash = (SELECT hash FROM events WHERE stream = 'run_a' AND seq = 1)",
    ],
)
async def test_a_checkpoint_that_does_not_fit_the_chain_is_left_aside(log: Log, change: str) -> None:
    await chain(log, "run_a", 3)
    await chain(log, "run_b", 3)
    await log.put_checkpoint("run_a", 2, 1, "state")
    assert await tamper(log, change)

    for stream in ("run_a", "run_b"):
        for version in (1, 2):
            assert await seen(log, stream, version) == (None, ["E1", "E2", "E3"], 3)


async def test_the_load_of_a_run_is_one_statement_and_one_tail(log: Log) -> None:
    await chain(log, "run_a", 30)
    await log.put_checkpoint("run_a", 29, 1, "state")
    statements: list[str] = []

    def count(_c: Connection, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    def listened(connection: Connection) -> None:
        event.listen(connection.engine, "before_cursor_execute", count)

    await log.database.read(listened)
    assert await seen(log) == ("state", ["E30"], 30)
    # The other is the plain load of `seen`.
    assert sum("checkpoints" in statement for statement in statements) == 1
    assert len(statements) == 2
