"""SQLite: one writer thread with one connection, a few reader threads with one each.

The one rule: a transaction costs one hop to a thread, whatever it does there. Writers queue before the thread and not
at the file's lock; between processes BEGIN IMMEDIATE takes the lock at once, so that no transaction fails half way.
Durable means WAL with synchronous=FULL: a commit returns after its fsync.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from engine.store.database import Busy, Database, P, T, Transaction, Unreachable

_READERS = 2
_BUSY_TIMEOUT_MS = 5000
_WRITER_PRAGMAS = ("journal_mode = WAL", "synchronous = FULL")
_READER_PRAGMAS = ("query_only = ON",)
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_NO_FILE = frozenset(
    {
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
    }
)


class SqliteDatabase(Database):
    """A database file, made when it is not there. Open it with `open`."""

    def __init__(self, url: URL) -> None:
        self._writer = _engine(url, 1, "BEGIN IMMEDIATE", _WRITER_PRAGMAS)
        self._reader = _engine(url, _READERS, "BEGIN", _READER_PRAGMAS)
        self._writing = ThreadPoolExecutor(1, "vb-sqlite-write")
        self._reading = ThreadPoolExecutor(_READERS, "vb-sqlite-read")
        super().__init__(url, self._writer.dialect)

    async def write_once(self, transaction: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        written = await _hop(self._writing, partial(self._transact, self._writer, transaction, *args, **kwargs))
        self.commits += 1
        return written

    async def read_once(self, query: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await _hop(self._reading, partial(self._transact, self._reader, query, *args, **kwargs))

    async def snapshot_once(self, query: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        # In WAL mode every transaction that reads sees one state.
        return await self.read_once(query, *args, **kwargs)

    async def close(self) -> None:
        for threads, engine in ((self._writing, self._writer), (self._reading, self._reader)):
            await asyncio.to_thread(threads.shutdown)
            engine.dispose()

    def connections_in_use(self) -> int:
        return _checked_out(self._writer) + _checked_out(self._reader)

    def _transact(self, engine: Engine, transaction: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        try:
            with engine.begin() as connection:
                return transaction(connection, *args, **kwargs)
        except DBAPIError as error:
            raise _fault(error) or self.rejected(error) from error


def _checked_out(engine: Engine) -> int:
    return engine.pool.checkedout() if isinstance(engine.pool, QueuePool) else 0


async def _hop(threads: ThreadPoolExecutor, function: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(threads, function)


def _engine(url: URL, connections: int, begin: str, pragmas: tuple[str, ...]) -> Engine:
    engine = create_engine(
        url.set(drivername="sqlite+pysqlite"),
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        # The driver must begin nothing by itself; every transaction begins in `on_begin`.
        connect_args={"isolation_level": None, "check_same_thread": False, "timeout": _BUSY_TIMEOUT_MS / 1000},
    )

    def on_connect(connection: sqlite3.Connection, _record: object) -> None:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}").close()

    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", on_begin)
    return engine


def _fault(error: DBAPIError) -> Exception | None:
    """What a driver's error means; None if no second try can mend it."""
    code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
    if code in _BUSY:
        return Busy("another process holds its lock")
    return Unreachable(str(error.orig)) if code in _NO_FILE else None
