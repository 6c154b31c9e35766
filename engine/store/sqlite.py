"""SQLite: one writer thread with one connection, a few reader threads with one each.

The one rule: a transaction costs one hop to a thread, whatever it does there. Writers queue before the thread and not
at the file's lock; between processes BEGIN IMMEDIATE takes the lock at once, so that no transaction fails half way.
Durable means WAL with synchronous=FULL: a commit returns after its fsync.

A process that is stopped (not killed) inside a transaction keeps the file's lock for as long as it is stopped: SQLite
has no way to put it out, and the other processes' writes fail as too busy. Where that matters, use PostgreSQL.
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

from engine.store.database import Busy, Database, Full, Lost, P, T, Transaction, Unreachable
from engine.store.errors import StoreError

_READERS = 2
_BUSY_TIMEOUT_MS = 5000
_WRITER_PRAGMAS = ("journal_mode = WAL", "synchronous = FULL")
_READER_PRAGMAS = ("query_only = ON",)
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_NO_FILE = frozenset(
    {
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
    }
)


class SqliteDatabase(Database):
    """A database file, made when it is not there; its folder must be."""

    remedy = "check that its folder is there, can be written, and has room"

    def __init__(self, url: URL) -> None:
        self._writer = _engine(url, 1, "BEGIN IMMEDIATE", _WRITER_PRAGMAS)
        self._reader = _engine(url, _READERS, "BEGIN", _READER_PRAGMAS)
        self._writing = ThreadPoolExecutor(1, "vb-sqlite-write")
        self._reading = ThreadPoolExecutor(_READERS, "vb-sqlite-read")
        self._connection: Connection | None = None
        super().__init__(url, self._writer.dialect)

    async def write_once(self, transaction: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        written = await _hop(self._writing, partial(self._write, transaction, *args, **kwargs))
        self.commits += 1
        return written

    async def read_once(self, query: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await _hop(self._reading, partial(self._read, query, *args, **kwargs))

    async def snapshot_once(self, query: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        # In WAL mode every transaction that reads sees one state.
        return await self.read_once(query, *args, **kwargs)

    async def close(self) -> None:
        for threads in (self._writing, self._reading):
            await asyncio.to_thread(threads.shutdown)
        self._hang_up()
        self._writer.dispose()
        self._reader.dispose()

    def connections_in_use(self) -> int:
        writing = self._connection is not None and self._connection.in_transaction()
        pool = self._reader.pool
        return int(writing) + (pool.checkedout() if isinstance(pool, QueuePool) else 0)

    def _write(self, transaction: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """In the writer thread, which keeps its connection: taking it from a pool would cost as much as a statement."""
        try:
            if self._connection is None:
                self._connection = self._writer.connect()
            with self._connection.begin():
                return transaction(self._connection, *args, **kwargs)
        except (DBAPIError, sqlite3.Error) as error:
            self._hang_up()
            raise self._in_our_words(error) from error

    def _read(self, query: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        try:
            with self._reader.begin() as connection:
                return query(connection, *args, **kwargs)
        except (DBAPIError, sqlite3.Error) as error:
            raise self._in_our_words(error) from error

    def _in_our_words(self, error: DBAPIError | sqlite3.Error) -> Exception:
        cause = error.orig if isinstance(error, DBAPIError) else error
        if _code(cause) in _DAMAGED:
            return StoreError(f"the database {self.name} is damaged ({cause}): bring it back from a backup")
        return _fault(cause) or self.rejected(error)

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


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
        # Past SQLAlchemy's own layer, which would take longer than the statement.
        raw: Any = connection.connection.dbapi_connection
        raw.execute(begin).close()

    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", on_begin)
    return engine


def _fault(cause: BaseException | None) -> Exception | None:
    """What a driver's error means; None if no second try can mend it."""
    code = _code(cause)
    if code in _BUSY:
        return Busy("another process holds its lock")
    if code == sqlite3.SQLITE_IOERR:
        # A commit whose fsync failed may yet be found in the write-ahead log.
        return Lost(str(cause))
    if code == sqlite3.SQLITE_FULL:
        return Full(str(cause))
    return Unreachable(str(cause)) if code in _NO_FILE else None


def _code(cause: BaseException | None) -> int:
    """SQLite's primary result code; 0 if the error is none of SQLite's own."""
    return getattr(cause, "sqlite_errorcode", 0) & 0xFF
