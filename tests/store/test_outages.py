"""A server that restarts, a full disk, a wrong password: work waits, says why, and goes on by itself."""

import asyncio
import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, make_url

from engine.store import Append, Appended, Head, Log, StoreUnavailable, verify
from engine.store.database import Busy, Lost
from engine.store.sqlite import SqliteDatabase
from tests.services import PostgresServer, running_postgres
from tests.store.build import KEY, append, event, query

BIG = '{"text":"' + "x" * 4000 + '"}'


async def until_in_trouble(log: Log) -> str:
    async with asyncio.timeout(60):
        while log.trouble is None:
            await asyncio.sleep(0.001)
    return log.trouble


class Writer:
    """Appends one event after the other to a run of its own, each once its predecessor is durable."""

    def __init__(self, log: Log, run: str, payload: str = "{}") -> None:
        self.log, self.run, self.payload = log, run, payload
        self.head = Head.EMPTY
        self.stop = asyncio.Event()

    async def write(self) -> None:
        while not self.stop.is_set():
            outcome = await self.log.append(self.next())
            assert isinstance(outcome, Appended)
            self.head = outcome.head

    def next(self) -> Append:
        return append(self.run, self.head, event(payload=self.payload))


@pytest.mark.postgresql
class TestPostgresRestarts:
    """A server of the test's own, ended while appends are under way."""

    @pytest.fixture
    def server(self) -> Iterator[PostgresServer]:
        with running_postgres() as server:
            yield server

    @pytest.fixture
    async def log(self, server: PostgresServer) -> AsyncIterator[Log]:
        with server.database() as url:
            log = await Log.open(url, KEY)
            yield log
            await log.close()

    async def test_appends_under_way_wait_and_are_recorded_once(
        self, log: Log, server: PostgresServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO, "engine.store.database")
        for how in (signal.SIGINT, signal.SIGQUIT):  # in good order, and as in a crash
            caplog.clear()
            await self.written_across_a_restart(log, server, how, caplog)
        assert (await verify(log)).ok

    async def written_across_a_restart(
        self, log: Log, server: PostgresServer, how: signal.Signals, caplog: pytest.LogCaptureFixture
    ) -> None:
        writers = [Writer(log, f"run_{how.name}_{n}") for n in range(5)]
        async with asyncio.TaskGroup() as work:
            for writer in writers:
                work.create_task(writer.write())
            while any(writer.head.seq < 5 for writer in writers):
                await asyncio.sleep(0.001)
            end(server, how)
            assert "cannot be reached" in await until_in_trouble(log)
            while "goes on by itself" not in caplog.text:
                await asyncio.sleep(0.01)
            before = [writer.head.seq for writer in writers]
            await asyncio.to_thread(start, server)
            while any(writer.head.seq <= seq for writer, seq in zip(writers, before, strict=True)):
                await asyncio.sleep(0.001)
            for writer in writers:
                writer.stop.set()

        assert log.trouble is None
        for writer in writers:
            assert (await log.load(writer.run))[1] == writer.head
        told = [record.getMessage() for record in caplog.records]
        assert len([line for line in told if "goes on by itself" in line]) == 1
        assert told[-1].endswith(" is back.")


def end(server: PostgresServer, how: signal.Signals) -> None:
    os.kill(int((server.socket_directory / "postmaster.pid").read_text().split()[0]), how)


def start(server: PostgresServer) -> None:
    from pgserver.postgres_server import get_server

    while (server.socket_directory / "postmaster.pid").exists():
        time.sleep(0.01)  # one that is still ending would be taken for one that runs
    # The instance that made it; it waits until the server answers.
    get_server(server.socket_directory).ensure_postgres_running()


async def test_a_database_that_is_busy_while_it_is_opened_is_waited_for(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_once, tries = SqliteDatabase.read_once, iter(range(3))

    async def busy_at_first(database: SqliteDatabase, *what: Any) -> Any:
        if next(tries, None) is not None:
            raise Busy("another transaction was in the way")
        return await read_once(database, *what)

    monkeypatch.setattr(SqliteDatabase, "read_once", busy_at_first)
    log = await Log.open(sqlite_url, KEY)
    assert next(tries, None) is None
    await log.close()


@pytest.mark.postgresql
class TestPostgresSettings:
    async def test_limits_follow_the_lease(self, postgres_server: PostgresServer) -> None:
        with postgres_server.database() as url:
            for lease_ms, limit in ((60_000, "4s"), (15_000, "4s"), (2_000, "600ms"), (400, "250ms")):
                log = await Log.open(url, KEY, lease_ms=lease_ms)
                for name in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"):
                    assert await query(log, f"SHOW {name}") == [(limit,)]
                await log.close()

    async def test_a_process_that_is_stopped_inside_a_transaction_is_put_out_within_its_lease(
        self, postgres_server: PostgresServer
    ) -> None:
        with postgres_server.database() as url:
            other = await Log.open(url, KEY, lease_ms=2_000)
            outcome = await other.append(append("run_a"))
            assert isinstance(outcome, Appended)

            with stopped_inside(url) as is_inside:
                await asyncio.to_thread(is_inside.wait, 20)
                async with asyncio.timeout(20):
                    assert isinstance(await other.append(append("run_a", outcome.head)), Appended)
            await other.close()

    async def test_a_wrong_password_is_told_as_what_it_is(self, postgres_server: PostgresServer) -> None:
        with password_asked_of(postgres_server, "ana"):
            url = make_url(postgres_server.url("postgres")).set(username="ana", password="s3cret")
            said = await refusal(url.render_as_string(hide_password=False))
        assert said.endswith("correct the user and password in its URL")
        assert "s3cret" not in said

    async def test_a_database_that_is_not_there_is_to_be_created(self, postgres_server: PostgresServer) -> None:
        with pytest.raises(StoreUnavailable, match="create it, or correct the name"):
            await Log.open(postgres_server.url("missing"), KEY)


async def refusal(url: str) -> str:
    """Why the database cannot be opened, once the server has read its new rules."""
    async with asyncio.timeout(60):
        while True:
            try:
                await (await Log.open(url, KEY)).close()
            except StoreUnavailable as error:
                return str(error)


@contextmanager
def password_asked_of(server: PostgresServer, role: str) -> Generator[None]:
    """A role of the server's whose password, unlike the others', counts."""
    rules = Path(server.execute("SHOW hba_file").strip())
    before = rules.read_text()
    server.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'right'")
    try:
        rules.write_text(f"local all {role} scram-sha-256\n{before}")
        server.execute("SELECT pg_reload_conf()")
        yield
    finally:
        rules.write_text(before)
        server.execute("SELECT pg_reload_conf()")
        server.execute(f"DROP ROLE {role}")


@contextmanager
def stopped_inside(url: str) -> Generator[threading.Event]:
    """What stands for a process that was stopped while it held the lock on a head; the event says that it does."""
    inside, go_on = threading.Event(), threading.Event()

    def hold(connection: Connection) -> None:
        connection.exec_driver_sql("SELECT id FROM runs FOR UPDATE").all()
        inside.set()
        go_on.wait(30)

    async def process() -> None:
        log = await Log.open(url, KEY, lease_ms=2_000)
        with suppress(Lost):
            await log.database.write_once(hold)
        await log.close()

    # In a thread and a loop of its own, which stand still with it.
    with ThreadPoolExecutor(1) as threads:
        ended = threads.submit(asyncio.run, process())
        try:
            yield inside
        finally:
            go_on.set()
            ended.result()


class TestFullDisk:
    """SQLite without room: nothing is written by halves, and work goes on when there is room again."""

    async def fill(self, log: Log) -> tuple[list[Writer], list[asyncio.Task[None]]]:
        writers = [Writer(log, f"run_{n}", BIG) for n in range(3)]
        tasks = [asyncio.create_task(writer.write()) for writer in writers]
        assert "cannot grow" in await until_in_trouble(log)
        return writers, tasks

    async def finish(self, log: Log, writers: list[Writer], tasks: list[asyncio.Task[None]]) -> None:
        seqs = [writer.head.seq for writer in writers]
        async with asyncio.timeout(60):
            while any(writer.head.seq <= seq for writer, seq in zip(writers, seqs, strict=True)):
                await asyncio.sleep(0.001)
        for writer in writers:
            writer.stop.set()
        await asyncio.gather(*tasks)
        assert log.trouble is None
        for writer in writers:
            assert (await log.load(writer.run))[1] == writer.head
        assert (await verify(log)).ok

    async def test_appends_wait_for_room(self, tmp_path: Path) -> None:
        log = await Log.open(f"sqlite:///{tmp_path / 'vb.db'}", KEY)
        pages = await log.database.write(lambda connection: connection.exec_driver_sql("PRAGMA page_count").scalar())
        assert isinstance(pages, int)
        await allow_pages(log, pages + 20)

        writers, tasks = await self.fill(log)
        await asyncio.sleep(0.2)
        assert await log.database.read(lambda connection: connection.exec_driver_sql("SELECT 1").scalar()) == 1
        await allow_pages(log, 1_000_000)

        await self.finish(log, writers, tasks)
        await log.close()

    async def test_patience_that_ends_is_one_clear_sentence(self, tmp_path: Path) -> None:
        log = await Log.open(f"sqlite:///{tmp_path / 'vb.db'}", KEY)
        await allow_pages(log, 1)
        log.database.patience_s = 0.1

        with pytest.raises(StoreUnavailable, match=r"cannot grow \(database or disk is full\): make room on its disk"):
            await log.append(append("run_a", Head.EMPTY, *[event(payload=BIG)] * 50))

        await allow_pages(log, 1_000_000)
        assert isinstance(await log.append(append("run_a")), Appended)
        await log.close()

    async def test_a_real_disk_that_is_full(self, small_disk: Path) -> None:
        log = await Log.open(f"sqlite:///{small_disk / 'vb.db'}", KEY)
        writers, tasks = await self.fill(log)
        grow = ["mount", "-o", "remount,size=64m", str(small_disk)]
        await asyncio.to_thread(subprocess.run, grow, check=True)
        await self.finish(log, writers, tasks)
        await log.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(tmp_path)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a small file system can only be mounted by root")
    yield tmp_path
    subprocess.run(["umount", "-l", str(tmp_path)], check=True)


async def allow_pages(log: Log, pages: int) -> None:
    """Set how large the writer's connection may let the file become."""

    def limit(connection: Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    await log.database.write(limit)
