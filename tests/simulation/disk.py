"""The database of a simulation: SQLite in memory, shared by all simulated processes, on the virtual clock.

The one rule: a transaction is run at once, in one piece, so that it has happened or has not; what can go wrong goes
wrong before it or after it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from sqlalchemy import URL, create_engine, delete, insert, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from engine.store.commit import commit_batch
from engine.store.database import Database, P, T, Transaction
from engine.store.errors import StoreError
from engine.store.instants import from_text
from engine.store.migrate import upgrade
from engine.store.schema import metadata
from tests.simulation.edges import Cable

_URL = URL.create("sqlite", database=":memory:")


@dataclass(frozen=True)
class Fact:
    """An event, as it lies in the table; ``at`` in epoch ms."""

    stream: str
    seq: int
    type: str
    at: int
    payload: dict[str, Any]


_EMPTYING = tuple(str(delete(table)) for table in metadata.tables.values())
_FILLING = {name: str(insert(table).compile(dialect=sqlite.dialect())) for name, table in metadata.tables.items()}
_FACTS = "SELECT stream, seq, type, at, payload FROM events"
_WATCH = """
    CREATE TEMP TRIGGER watch AFTER INSERT ON main.events
    BEGIN SELECT inserted(new.stream, new.seq, new.type, new.at, new.payload); END
"""


class Disk:
    """One database in memory. ``now``: its clock, in epoch ms; ``on_commit`` is told of all events that became durable.

    One connection serves all simulations of the program, one after another: making one takes longer than a simulation.
    """

    def __init__(self) -> None:
        self._engine = create_engine(
            _URL, poolclass=StaticPool, connect_args={"isolation_level": None, "check_same_thread": False}
        )
        self._connection = self._engine.connect()
        raw: Any = self._connection.connection.dbapi_connection
        self.raw: sqlite3.Connection = raw
        self.now: Callable[[], int] = lambda: 0
        self.on_commit: Callable[[Sequence[Fact]], None] | None = None
        self._inserted: list[Fact] = []
        self._read: dict[str, list[Fact]] = {}
        self.dialect = self._engine.dialect
        with self._connection.begin():
            upgrade(self._connection)
        self._fresh = [
            (_FILLING[name], row) for name, table in metadata.tables.items() for row in self.rows(str(select(table)))
        ]
        # One of SQLAlchemy's transactions is open for good: what begins and ends is said to SQLite itself.
        self._connection.begin()
        # The store reads SQLite's clock by strftime('%s') and ('%f'); here it reads ours.
        self.raw.create_function("strftime", 2, self._strftime)
        self.raw.create_function("inserted", 5, self._note)
        self.raw.execute(_WATCH)

    def clear(self) -> None:
        """Back to what a fresh database is."""
        self._read.clear()
        for emptying in _EMPTYING:
            self.raw.execute(emptying)
        for filling, row in self._fresh:
            self.raw.execute(filling, row)

    def rows(self, query: str, *parameters: object) -> list[Any]:
        """Plain SQL, for those who check from outside."""
        return self.raw.execute(query, parameters).fetchall()

    def write(self, transaction: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """One transaction, now."""
        self._inserted.clear()
        self._read.clear()
        self.raw.execute("BEGIN IMMEDIATE")
        try:
            result = transaction(self._connection, *args, **kwargs)
        except BaseException:
            self.raw.execute("ROLLBACK")
            raise
        self.raw.execute("COMMIT")
        if self._inserted and self.on_commit is not None:
            self.on_commit(tuple(self._inserted))
        return result

    def read(self, query: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """A read, now."""
        return query(self._connection, *args, **kwargs)

    def facts(self, stream: str) -> list[Fact]:
        """All events of the stream, in order; read once for all who look before the next write."""
        if stream not in self._read:
            self._read[stream] = [_fact(row) for row in self.rows(f"{_FACTS} WHERE stream = ? ORDER BY seq", stream)]
        return self._read[stream]

    def everything(self) -> list[Fact]:
        """All events of all streams, in the order of their times."""
        return [_fact(row) for row in self.rows(f"{_FACTS} ORDER BY at, stream, seq")]

    def _note(self, *row: Any) -> None:
        self._inserted.append(_fact(row))

    def _strftime(self, form: str, _time: str) -> str:
        now = self.now()
        return str(now // 1000) if form == "%s" else f"{now // 1000 % 60:02d}.{now % 1000:03d}"


@cache
def disk() -> Disk:
    """The one of this program."""
    return Disk()


class SimulatedDatabase(Database):
    """A process's way to the disk. ``edge`` decides what happens before and after each transaction."""

    remedy = "wait for the simulation to bring it back"

    def __init__(self, shared: Disk, edge: Cable) -> None:
        super().__init__(_URL, shared.dialect)
        self._disk = shared
        self._edge = edge

    async def write_once(self, transaction: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        name = "append" if transaction is commit_batch else f"write {_name(transaction)}"
        await self._edge.before(name)
        if transaction is commit_batch:
            _, batch, repeated = cast("tuple[object, Sequence[object], bool]", args)
            if not repeated and self._edge.rejects(len(batch)):
                raise StoreError("the simulated database rejects one of several appends")
        with self._in_our_words():
            result = self._disk.write(transaction, *args, **kwargs)
        self.commits += 1
        await self._edge.after(name)
        return result

    async def read_once(self, query: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        await self._edge.before("read")
        with self._in_our_words():
            return self._disk.read(query, *args, **kwargs)

    async def snapshot_once(self, query: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.read_once(query, *args, **kwargs)

    async def close(self) -> None:
        """Others still use it."""

    def connections_in_use(self) -> int:
        return 0

    @contextmanager
    def _in_our_words(self) -> Generator[None]:
        try:
            yield
        except (DBAPIError, sqlite3.Error) as error:
            raise self.rejected(error) from error


def _fact(row: Any) -> Fact:
    stream, seq, kind, at, payload = row
    return Fact(stream, seq, kind, from_text(at), json.loads(payload))


def _name(transaction: Callable[..., object]) -> str:
    return "append_locked" if "append_locked" in transaction.__qualname__ else transaction.__name__
