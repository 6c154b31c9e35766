"""Signals: a mailbox for what is sent to runs, and which runs wait for what.

The one rule: a signal is kept until one run takes it, and is that run's from then on, so that taking may be repeated.

A signal may come before anybody waits for it. Whoever sends puts it first and looks for listeners then; whoever begins
to wait appends that first and takes what is there then; so that one of the two always sees the other. Should the
latter die in between, its run is due at once: the append finds the signal in the mailbox. So does every later append
of a run that still waits, since it sets the run's due time anew.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, and_, or_, select, true, update
from sqlalchemy.engine import Dialect

from engine.store.clauses import stop_listening
from engine.store.dbclock import now_ms
from engine.store.expand import BatchStatement, Row, batch_rows
from engine.store.schema import IDENTIFIER, listeners, open_work, runs, signals
from engine.store.types import Append, Signal
from engine.store.upsert import insert_into

_NAMES = ("id", "workspace", "name", "correlation", "payload", "at")
_COLUMNS = tuple(signals.c[name] for name in _NAMES)


@dataclass(frozen=True)
class SignalStatements:
    """Over rows of what their comments say."""

    stop_listening: BatchStatement  # run
    listen: BatchStatement  # run, name, correlation
    wake: BatchStatement  # run, name, correlation: makes it due if such a signal is there for it

    @classmethod
    def build(cls, dialect: Dialect) -> "SignalStatements":
        """Compile all for this dialect."""
        rows = batch_rows(dialect, {"run": IDENTIFIER, "name": IDENTIFIER, "correlation": IDENTIFIER})
        source = select(rows.c.run, rows.c.name, rows.c.correlation, runs.c.workspace)
        source = source.join_from(rows, runs, runs.c.id == rows.c.run).where(true())
        listen = insert_into(dialect, listeners).from_select(["run", "name", "correlation", "workspace"], source)
        return cls(
            stop_listening=BatchStatement(dialect, stop_listening(dialect)),
            listen=BatchStatement(dialect, listen.on_conflict_do_nothing()),
            wake=_wake(dialect),
        )


def _wake(dialect: Dialect) -> BatchStatement:
    rows = batch_rows(dialect, {"run": IDENTIFIER, "name": IDENTIFIER, "correlation": IDENTIFIER})
    its_run = runs.c.id == rows.c.run
    # What it has taken may not be on record yet; if it is, one look too many is all that follows.
    for_it = and_(
        signals.c.workspace == runs.c.workspace,
        signals.c.name == rows.c.name,
        signals.c.correlation == rows.c.correlation,
        or_(signals.c.run.is_(None), signals.c.run == rows.c.run),
    )
    found = select(rows.c.run).join_from(rows, runs, its_run).join(signals, for_it)
    later = and_(open_work.c.run.in_(found), open_work.c.due > now_ms())
    return BatchStatement(dialect, update(open_work).values(due=now_ms()).where(later))


def write_listeners(connection: Connection, statements: SignalStatements, winners: Iterable[Append]) -> None:
    """Replace what these appends' runs wait for, where they say so; those that have ended wait for nothing."""
    changed = [item for item in winners if item.listens is not None or (item.run is not None and item.run.ended_at)]
    gone: list[Row] = [{"run": item.stream} for item in changed if item.after.seq > 0]
    if gone:
        statements.stop_listening.execute(connection, gone)
    rows: list[Row] = [
        {"run": item.stream, "name": each.name, "correlation": each.correlation}
        for item in changed
        for each in item.listens or ()
    ]
    if rows:
        statements.listen.execute(connection, rows)
        statements.wake.execute(connection, rows)


def put(connection: Connection, signal: Signal) -> None:
    """Keep the signal, if its id is new, and make those due who wait for it."""
    row = insert_into(connection.dialect, signals).values(
        id=signal.id, workspace=signal.workspace, name=signal.name, correlation=signal.correlation,
        payload=signal.payload, at=signal.at,
    )  # fmt: skip
    if connection.execute(row.on_conflict_do_nothing()).rowcount:
        listening = find_listeners(connection, signal.workspace, signal.name, signal.correlation)
        waiting = and_(open_work.c.run.in_(listening), open_work.c.due > now_ms())
        connection.execute(update(open_work).values(due=now_ms()).where(waiting))


def take(connection: Connection, run: str, name: str, correlation: str, workspace: str) -> list[Signal]:
    """Give the run what is free of this name and correlation; all of it that the run has taken, oldest first."""
    here = and_(signals.c.workspace == workspace, signals.c.name == name, signals.c.correlation == correlation)
    free = select(signals.c.id).where(here, signals.c.run.is_(None)).order_by(signals.c.id).with_for_update()
    if found := list(connection.scalars(free)):
        connection.execute(update(signals).values(run=run).where(signals.c.id.in_(found)))
    taken = select(*_COLUMNS).where(here, signals.c.run == run).order_by(signals.c.at, signals.c.id)
    return [Signal(**dict(zip(_NAMES, row, strict=True))) for row in connection.execute(taken)]


def find_listeners(connection: Connection, workspace: str, name: str, correlation: str) -> list[str]:
    """The runs that wait for this, longest first."""
    here = (listeners.c.workspace == workspace, listeners.c.name == name, listeners.c.correlation == correlation)
    return list(connection.scalars(select(listeners.c.run).where(*here).order_by(listeners.c.run)))
