"""When the database is away, locked, broken or not one at all: one clear sentence, no lost and no doubled append."""

import asyncio
import hashlib
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Literal

import pytest
from sqlalchemy import Connection, make_url

from engine.store import (
    Appended,
    Blob,
    Conflict,
    Head,
    LeaseKeeper,
    Log,
    OutcomeUnknown,
    StoreError,
    StoreUnavailable,
    verify,
)
from tests.services import PostgresServer
from tests.store.build import KEY, append, appended, event, query, run_row
from tests.store.proxy import CommitCutter, commit_cutter

SECRET = "s3cret-pa55"


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        (f"postgresql://ana:{SECRET}@127.0.0.1:1/vb", "check its address and that its server is running"),
        (f"postgresql://ana:{SECRET}@host.invalid/vb", "check its address and that its server is running"),
        ("sqlite:////proc/none/vb.db", "check that its folder is there, can be written, and has room"),
    ],
    ids=["refused", "no such host", "no such directory"],
)
async def test_a_database_that_cannot_be_reached_is_one_sentence(url: str, remedy: str) -> None:
    with pytest.raises(StoreUnavailable, match=rf"^the database \S+ cannot be reached \(.+\): {remedy}$") as error:
        await Log.open(url, KEY)
    assert SECRET not in str(error.value)
    assert "\n" not in str(error.value)
    assert "Errno" not in str(error.value)
    with pytest.raises(StoreUnavailable):
        await asyncio.to_thread(LeaseKeeper, url)


@pytest.mark.parametrize("url", ["mysql://ana:s3cret-pa55@host/vb", "sqlite://", "sqlite:///:memory:", "vb.db", ""])
async def test_a_url_of_another_form_says_which_forms_there_are(url: str) -> None:
    with pytest.raises(StoreError, match=r"use sqlite:///path/to/vb\.db or postgresql://") as error:
        await Log.open(url, KEY)
    assert SECRET not in str(error.value)


async def test_a_file_that_is_no_database_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "vb.db"
    file.write_bytes(b"this is a text, and a long one at that" * 100)

    with pytest.raises(StoreError, match=r"vb\.db is damaged \(file is not a database\): .* backup$"):
        await Log.open(f"sqlite:///{file}", KEY)


async def test_a_damaged_file_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "vb.db"
    await (await Log.open(f"sqlite:///{file}", KEY)).close()
    size = file.stat().st_size
    with file.open("r+b") as raw:
        raw.seek(4096)
        raw.write(b"\xa5" * (size - 4096))

    with pytest.raises(StoreError, match=r"vb\.db is damaged \(database disk image is malformed\): .* backup$"):
        await Log.open(f"sqlite:///{file}", KEY)


async def test_a_server_without_the_database_is_one_sentence(postgres_server: PostgresServer) -> None:
    with pytest.raises(StoreUnavailable, match='"missing" does not exist'):
        await Log.open(postgres_server.url("missing"), KEY)


class TestSqliteLocked:
    """Another process holds the file's write lock."""

    @pytest.fixture
    async def log(self, tmp_path: Path) -> AsyncIterator[Log]:
        log = await Log.open(f"sqlite:///{tmp_path / 'vb.db'}", KEY)
        yield log
        await log.close()

    async def test_an_append_waits_until_the_lock_is_free(self, log: Log, tmp_path: Path) -> None:
        holder = sqlite3.connect(tmp_path / "vb.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        waiting = asyncio.create_task(log.append(append("run_a")))
        assert await log.load("run_a") == ([], Head.EMPTY)
        assert not waiting.done()
        holder.execute("COMMIT")
        holder.close()

        assert isinstance(await waiting, Appended)

    async def test_a_writer_that_is_killed_leaves_the_file_whole(self, log: Log, tmp_path: Path) -> None:
        holder = sqlite3.connect(tmp_path / "vb.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        holder.execute("UPDATE leases SET until = 0")
        holder.close()

        assert isinstance(await log.append(append("run_a")), Appended)

    async def test_every_commit_is_synced_to_the_disk(self, log: Log) -> None:
        def modes(connection: Connection) -> tuple[object, object]:
            return (
                connection.exec_driver_sql("PRAGMA journal_mode").scalar(),
                connection.exec_driver_sql("PRAGMA synchronous").scalar(),
            )

        assert await log.database.write(modes) == ("wal", 2)


@pytest.mark.postgresql
class TestPostgresLost:
    """The server ends our connections."""

    @pytest.fixture
    def database_url(self, postgres_server: PostgresServer) -> Iterator[str]:
        with postgres_server.database() as url:
            yield url

    @pytest.fixture
    async def cutter(self, postgres_server: PostgresServer, database_url: str) -> AsyncIterator[CommitCutter]:
        database = make_url(database_url).database
        assert database is not None
        async with commit_cutter(postgres_server.socket_directory, database) as cutter:
            yield cutter

    async def test_connections_that_were_cut_are_made_again(self, log: Log, other: Log) -> None:
        head = await appended(log, append("run_a"))
        await cut_connections(other)

        head = await appended(log, append("run_a", head))
        await cut_connections(other)
        assert (await log.load("run_a"))[1] == head

    @pytest.mark.parametrize("at", ["before", "after"])
    async def test_a_commit_of_unknown_outcome_is_written_once(
        self, log: Log, cutter: CommitCutter, at: Literal["before", "after"]
    ) -> None:
        head = await appended(log, append("run_a"))
        far = await Log.open(cutter.url, KEY)
        cutter.at = at

        outcome = await far.append(append("run_a", head, run=run_row()))
        cutter.at = at
        started = await far.append(append("run_b", run=run_row(dedupe_key="Ev1")))
        await far.close()

        assert cutter.cuts == 2
        events, head = await log.load("run_a")
        assert (len(events), outcome) == (2, Appended(head))
        assert started == Appended((await log.load("run_b"))[1])
        assert (await verify(log)).ok

    @pytest.mark.parametrize("at", ["before", "after"])
    async def test_so_is_a_locked_append(self, log: Log, cutter: CommitCutter, at: Literal["before", "after"]) -> None:
        known = await appended(log, append("run_a"))
        far = await Log.open(cutter.url, KEY)
        cutter.at = at

        outcome = await far.append_locked("run_a", known, lambda _events, head: append("run_a", head))
        await far.close()

        assert cutter.cuts == 1
        events, head = await log.load("run_a")
        assert (len(events), outcome) == (2, Appended(head))

    @pytest.mark.parametrize("blobs", [(), (Blob(hashlib.sha256(b"long").hexdigest(), "long"),)])
    async def test_a_batch_of_unknown_outcome_tells_each_append_its_own(
        self, log: Log, cutter: CommitCutter, blobs: tuple[Blob, ...]
    ) -> None:
        heads = [await appended(log, append(f"run_{n}")) for n in range(3)]
        await appended(log, append("run_1", heads[1], event("ANOTHER")))
        far = await Log.open(cutter.url, KEY)
        cutter.at = "after"

        again = [append(f"run_{n}", head, run=run_row(), blobs=blobs) for n, head in enumerate(heads)]
        outcomes = await asyncio.gather(*(far.append(one) for one in again))
        await far.close()

        assert cutter.cuts == 1
        assert [type(outcome) for outcome in outcomes] == [Appended, Conflict, Appended]

    async def test_a_server_that_stays_away_leaves_the_outcome_unknown(
        self, log: Log, cutter: CommitCutter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        far = await Log.open(cutter.url, KEY)
        monkeypatch.setattr(far.database, "patience_s", 0)
        cutter.at = "after"

        with pytest.raises(OutcomeUnknown, match="cannot be reached"):
            await far.append(append("run_a"))
        await far.close()

        assert (await log.load("run_a"))[1].seq == 1

    async def test_a_cancelled_call_runs_to_its_end_and_gives_its_connection_back(self, log: Log, other: Log) -> None:
        for turns in range(1, 20):
            call = asyncio.create_task(other.renew(f"wrk_{turns}", 60_000))
            for _ in range(turns):
                await asyncio.sleep(0)
            call.cancel()
        await other.close()

        assert other.database.connections_in_use() == 0
        assert await query(log, "SELECT count(*) FROM leases") == [(19,)]

    async def test_limits_keep_a_stopped_process_from_holding_its_locks(self, log: Log) -> None:
        names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
        assert [await query(log, f"SHOW {name}") for name in names] == [[("4s",)]] * 3


async def cut_connections(log: Log) -> None:
    """End every connection to the database but the one that asks."""
    await query(
        log,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
