"""Concurrency keys: who holds a slot of a key, who stands in line for one, and whose turn it is.

The one rule: whoever counts the holders of a key, or makes room, holds the key's lock until its transaction ends. On
SQLite every writing transaction is alone; on PostgreSQL the lock is an advisory one, taken for all keys of a batch in
one order and before any row's lock, so that two batches cannot deadlock over keys.

A run waits from its start until it holds the key, and gives both up in the append that ends it. In that moment the
first in line is made due, and so is the next one when it comes in while there is still room: every free slot finds its
run, by one look for each.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    ScalarSelect,
    and_,
    delete,
    false,
    func,
    literal_column,
    select,
    true,
    union,
    update,
)
from sqlalchemy.engine import Dialect

from engine.store.dbclock import now_ms
from engine.store.expand import BatchStatement, Row, batch_rows
from engine.store.ledger import purse
from engine.store.schema import IDENTIFIER, open_work, slots
from engine.store.types import HIGH, NORMAL, Append, Guard, SlotFree
from engine.store.upsert import insert_into

_LINE: Final = (slots.c.rank, slots.c.since, slots.c.run)


@dataclass(frozen=True)
class SlotStatements:
    """Over rows of what their comments say."""

    lock: BatchStatement | None  # key or run: locks the keys, and those of the runs; one row for each. PostgreSQL only
    standing: BatchStatement  # key, run: how things stand for this run
    wait: BatchStatement  # key, run, rank
    hold: BatchStatement  # key, run, rank
    leave: BatchStatement  # run: all its keys -> run, key
    first: BatchStatement  # key -> key, run: the first in line
    wake: BatchStatement  # run: makes it due

    @classmethod
    def build(cls, dialect: Dialect) -> "SlotStatements":
        """Compile all for this dialect."""
        return cls(
            lock=_lock(dialect) if dialect.name == "postgresql" else None,
            standing=_standing(dialect),
            wait=_enter(dialect, held=False),
            hold=_enter(dialect, held=True),
            leave=_leave(dialect),
            first=_first_in_line(dialect),
            wake=_wake(dialect),
        )


@dataclass(slots=True)
class Slots:
    """What a batch of appends does to concurrency keys. Its methods are called in the order in which they stand here.

    A batch holds one append at most with a SlotFree for any one key: the second could not know how the first ends.
    """

    connection: Connection
    statements: SlotStatements
    appends: Sequence[Append]
    # What is left of each key once its run has come in.
    _left: dict[str, int]

    @classmethod
    def lock(cls, connection: Connection, statements: SlotStatements, appends: Sequence[Append]) -> "Slots":
        """Wait until this transaction alone may count on the keys that matter to the batch, of which most have none.

        The purses from which its appends spend are such keys, too: all locks of this kind are taken at once, in order.
        """
        if statements.lock is not None:
            rows: list[Row] = [{"key": guard.key, "run": None} for item in appends for guard in _slot_guards(item)]
            rows += [{"key": None, "run": item.stream} for item in appends if _ends(item)]
            rows += [{"key": key, "run": None} for item in appends if (key := purse(item)) is not None]
            if rows:
                statements.lock.execute(connection, rows)
        return cls(connection, statements, appends, {})

    def refused(self) -> dict[str, Guard]:
        """The guard on a slot that does not hold, by stream."""
        guards = {(guard.key, item.stream): (item, guard) for item in self.appends for guard in _slot_guards(item)}
        if not guards:
            return {}
        rows: list[Row] = [{"key": key, "run": run} for key, run in guards]
        refused: dict[str, Guard] = {}
        for standing in self.statements.standing.execute(self.connection, rows):
            item, guard = guards[standing.key, standing.run]
            free = guard.limit - standing.holders
            if not standing.holds and (free <= 0 or _is_behind(standing, item)):
                refused[item.stream] = guard
            self._left[guard.key] = free if standing.holds else free - 1
        return refused

    def write(self, won: Collection[str]) -> Mapping[str, tuple[str, ...]]:
        """Note who waits, holds and has given up; the runs that are due because of it, by the stream that made room."""
        winners = [item for item in self.appends if item.stream in won]
        self._execute(
            self.statements.wait,
            (
                {"key": item.waits_for.key, "run": item.stream, "rank": HIGH - item.waits_for.priority}
                for item in winners
                if item.waits_for is not None
            ),
        )
        held = [(guard.key, item) for item in winners for guard in _slot_guards(item)]
        self._execute(
            self.statements.hold, ({"key": key, "run": item.stream, "rank": _rank(item)} for key, item in held)
        )
        made_room = {key: item.stream for key, item in held if self._left[key] > 0}
        ended: list[Row] = [{"run": item.stream} for item in winners if _ends(item)]
        if ended:
            made_room |= {row.key: row.run for row in self.statements.leave.execute(self.connection, ended)}
        return self._wake(made_room)

    def _wake(self, made_room: Mapping[str, str]) -> Mapping[str, tuple[str, ...]]:
        if not made_room:
            return {}
        keys: list[Row] = [{"key": key} for key in sorted(made_room)]
        first = self.statements.first.execute(self.connection, keys)
        self._execute(self.statements.wake, ({"run": run} for run in sorted({row.run for row in first})))
        woken: dict[str, tuple[str, ...]] = {}
        for row in first:
            by = made_room[row.key]
            woken[by] = (*woken.get(by, ()), row.run)
        return woken

    def _execute(self, statement: BatchStatement, rows: Iterable[Row]) -> None:
        if batch := list(rows):
            statement.execute(self.connection, batch)


def lock(connection: Connection, statements: SlotStatements, key: str) -> None:
    """Wait for the key alone, in a transaction that has locked nothing yet."""
    if statements.lock is not None:
        statements.lock.execute(connection, [{"key": key, "run": None}])


def _slot_guards(item: Append) -> list[SlotFree]:
    return [guard for guard in item.guards if isinstance(guard, SlotFree)]


def _ends(item: Append) -> bool:
    return item.run is not None and item.run.ended_at is not None


def _rank(item: Append) -> int:
    if item.waits_for is not None:
        return HIGH - item.waits_for.priority
    return HIGH - (item.run.priority if item.run is not None else NORMAL)


def _is_behind(standing: Any, item: Append) -> bool:
    """Whether somebody in line is ahead. Who is not in line comes after all that are as urgent."""
    if standing.first is None or standing.first == item.stream:
        return False
    return bool(standing.waits) or standing.first_rank <= _rank(item)


def _lock(dialect: Dialect) -> BatchStatement:
    rows = batch_rows(dialect, {"key": IDENTIFIER, "run": IDENTIFIER})
    named = select(_hash(rows.c.key).label("hash")).where(rows.c.key.is_not(None))
    of_runs = select(_hash(slots.c.key).label("hash")).join_from(slots, rows, slots.c.run == rows.c.run)
    hashes = union(named, of_runs).subquery("hashes")
    # Sorted apart from the call, which is made for each row as it comes.
    in_order = select(hashes.c.hash).order_by(hashes.c.hash).subquery("in_order")
    return BatchStatement(dialect, select(func.pg_advisory_xact_lock(in_order.c.hash)))


def _hash(key: ColumnElement[str]) -> ColumnElement[int]:
    return func.hashtextextended(key, literal_column("0"))


def _standing(dialect: Dialect) -> BatchStatement:
    rows = batch_rows(dialect, {"key": IDENTIFIER, "run": IDENTIFIER})
    mine = slots.alias("mine")
    holders = select(func.count()).select_from(slots).where(slots.c.key == rows.c.key, slots.c.held == true())
    columns = (
        rows.c.key,
        rows.c.run,
        holders.scalar_subquery().label("holders"),
        func.coalesce(mine.c.held, false()).label("holds"),
        mine.c.run.is_not(None).label("waits"),
        _first(rows, slots.c.run).label("first"),
        _first(rows, slots.c.rank).label("first_rank"),
    )
    of_rows = rows.outerjoin(mine, and_(mine.c.key == rows.c.key, mine.c.run == rows.c.run))
    return BatchStatement(dialect, select(*columns).select_from(of_rows))


def _first(rows: FromClause, column: ColumnElement[Any]) -> ScalarSelect[Any]:
    """What the first in line for the row's key has in this column."""
    waiting = select(column).where(slots.c.key == rows.c.key, slots.c.held == false())
    one = waiting.order_by(*_LINE).limit(literal_column("1")).offset(literal_column("0"))
    return one.correlate(rows).scalar_subquery()


def _first_in_line(dialect: Dialect) -> BatchStatement:
    rows = batch_rows(dialect, {"key": IDENTIFIER})
    found = select(rows.c.key, _first(rows, slots.c.run).label("run")).subquery("found")
    return BatchStatement(dialect, select(found.c.key, found.c.run).where(found.c.run.is_not(None)))


def _enter(dialect: Dialect, *, held: bool) -> BatchStatement:
    rows = batch_rows(dialect, {"key": IDENTIFIER, "run": IDENTIFIER, "rank": slots.c.rank.type})
    source = select(rows.c.key, rows.c.run, true() if held else false(), rows.c.rank, now_ms()).where(true())
    statement = insert_into(dialect, slots).from_select(["key", "run", "held", "rank", "since"], source)
    if held:
        return BatchStatement(
            dialect, statement.on_conflict_do_update(index_elements=["key", "run"], set_={"held": true()})
        )
    return BatchStatement(dialect, statement.on_conflict_do_nothing())


def _leave(dialect: Dialect) -> BatchStatement:
    rows = batch_rows(dialect, {"run": IDENTIFIER})
    gone = delete(slots).where(slots.c.run.in_(select(rows.c.run)))
    return BatchStatement(dialect, gone.returning(slots.c.run, slots.c.key))


def _wake(dialect: Dialect) -> BatchStatement:
    rows = batch_rows(dialect, {"run": IDENTIFIER})
    later = and_(open_work.c.run.in_(select(rows.c.run)), open_work.c.due > now_ms())
    return BatchStatement(dialect, update(open_work).values(due=now_ms()).where(later))


def holders(connection: Connection, key: str) -> list[str]:
    """The runs that hold the key, in the order of their names."""
    query = select(slots.c.run).where(slots.c.key == key, slots.c.held == true()).order_by(slots.c.run)
    return list(connection.scalars(query))
