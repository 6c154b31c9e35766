"""The statements of the append, each over a batch of rows, built once per dialect.

The one rule: a head moves only by compare-and-set (`advance_*`, `start_*`), and the rows that come back are the
winners; everything else in the append follows from who won.
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Integer, Table, and_, delete, false, func, insert, or_, select, true, update
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine

from engine.store import epochs, schema
from engine.store.dbclock import now_ms
from engine.store.expand import BatchStatement, batch_rows
from engine.store.ledger import LedgerStatements
from engine.store.schema import IDENTIFIER
from engine.store.signals import SignalStatements
from engine.store.slots import SlotStatements
from engine.store.upsert import insert_into

_HEAD: Final = ("last_seq", "head_hash", "head_mac")
_FIXED: Final = (
    "workspace", "workflow", "definition", "started_by", "dedupe_key", "created_at", "parent", "priority", "search",
    "starter", "data_key",
)  # fmt: skip
_CACHE: Final = ("status", "summary", "updated_at", "ended_at", "labels", "attention")
_BEFORE: Final[dict[str, TypeEngine[Any]]] = {
    "after_seq": Integer(), "after_hash": schema.events.c.hash.type, "epoch": schema.epochs.c.number.type,
}  # fmt: skip


@dataclass(frozen=True)
class Statements:
    """Their rows: `start_*` and `advance_*` take `prepare.Prepared.head_row`, the others their table's columns."""

    start_runs: BatchStatement
    start_workspaces: BatchStatement
    advance_runs: BatchStatement  # with the cache
    advance_run_heads: BatchStatement  # the cache stays as it is
    advance_workspaces: BatchStatement
    insert_events: BatchStatement
    put_open_work: BatchStatement
    delete_open_work: BatchStatement
    open_cursors: BatchStatement  # of new runs, for every consumer
    put_blob_refs: BatchStatement
    # For those who did not win: where their streams stand (id, last_seq, head_hash; None where there is none), and for
    # runs (given workspace and dedupe_key) also `first`, the run that has the key.
    find_runs: BatchStatement
    find_workspaces: BatchStatement
    # stream, seq, hash -> those that are there, for an append whose outcome is not known.
    find_events: BatchStatement
    # id, last_seq: the heads that an anchoring holds, if they have not moved on.
    mark_anchored: BatchStatement
    # owner -> owner, its lease's end or None, and the database's now.
    find_leases: BatchStatement
    slots: SlotStatements
    ledger: LedgerStatements
    signals: SignalStatements

    @classmethod
    def build(cls, dialect: Dialect) -> "Statements":
        """Compile all for this dialect. It takes longer than to open a database, so it is done once for each kind."""
        kind = (dialect.name, dialect.driver, dialect.paramstyle)
        if kind not in _BUILT:
            _BUILT[kind] = cls._compiled(dialect)
        return _BUILT[kind]

    @classmethod
    def _compiled(cls, dialect: Dialect) -> "Statements":
        runs, workspaces = schema.runs, schema.workspaces
        return cls(
            start_runs=_start(dialect, runs, ("id", *_FIXED, *_CACHE, *_HEAD)),
            start_workspaces=_start(dialect, workspaces, ("id", *_HEAD)),
            advance_runs=_advance(dialect, runs, (*_HEAD, *_CACHE)),
            advance_run_heads=_advance(dialect, runs, _HEAD),
            advance_workspaces=_advance(dialect, workspaces, _HEAD),
            insert_events=_insert_events(dialect),
            put_open_work=_put_open_work(dialect),
            delete_open_work=_delete_open_work(dialect),
            open_cursors=_open_cursors(dialect),
            put_blob_refs=_put_blob_refs(dialect),
            find_runs=_find_runs(dialect),
            find_workspaces=_find_workspaces(dialect),
            find_events=_find_events(dialect),
            mark_anchored=_mark_anchored(dialect),
            find_leases=_find_leases(dialect),
            slots=SlotStatements.build(dialect),
            ledger=LedgerStatements.build(dialect),
            signals=SignalStatements.build(dialect),
        )


_BUILT: Final[dict[tuple[str, ...], Statements]] = {}


def _columns(table: Table, names: tuple[str, ...]) -> dict[str, TypeEngine[Any]]:
    return {name: table.c[name].type for name in names}


def _start(dialect: Dialect, table: Table, names: tuple[str, ...]) -> BatchStatement:
    rows = batch_rows(dialect, _columns(table, names))
    # SQLite cannot tell ON CONFLICT from a join's ON without a WHERE. The order keeps two batches from a deadlock.
    source = select(*(rows.c[name] for name in names)).where(true()).order_by(rows.c.id)
    statement = insert_into(dialect, table).from_select(list(names), source, include_defaults=False)
    return BatchStatement(dialect, statement.on_conflict_do_nothing().returning(table.c.id))


def _advance(dialect: Dialect, table: Table, names: tuple[str, ...]) -> BatchStatement:
    rows = batch_rows(dialect, {"id": IDENTIFIER, **_BEFORE, **_columns(table, names)})
    values: dict[str, Any] = {name: rows.c[name] for name in names}
    if "anchored" in table.c:
        values["anchored"] = false()
    unmoved = and_(
        table.c.id == rows.c.id, table.c.last_seq == rows.c.after_seq, table.c.head_hash == rows.c.after_hash
    )
    if table is schema.runs:
        unmoved = and_(unmoved, or_(rows.c.epoch.is_(None), rows.c.epoch == epochs.current(dialect)))
    statement = update(table).values(values).where(unmoved)
    if dialect.name == "postgresql":
        # Rows are locked in the order of their ids whatever the plan, so that two batches cannot deadlock.
        inner = batch_rows(dialect, {"id": IDENTIFIER})
        locked = select(table.c.id).join(inner, table.c.id == inner.c.id).order_by(table.c.id).with_for_update(of=table)
        locked = locked.cte("locked")
        statement = statement.where(table.c.id == locked.c.id)
    return BatchStatement(dialect, statement.returning(table.c.id))


def _insert_events(dialect: Dialect) -> BatchStatement:
    names = tuple(schema.events.c.keys())
    rows = batch_rows(dialect, _columns(schema.events, names))
    return BatchStatement(dialect, insert(schema.events).from_select(list(names), select(*rows.c)))


def _put_open_work(dialect: Dialect) -> BatchStatement:
    """`workspace` and `priority` may be None in a row: then they are the run's."""
    runs = schema.runs
    given = ("run", "due", "kind")
    of_run = ("workspace", "priority")
    rows = batch_rows(dialect, _columns(schema.open_work, (*given, *of_run)))
    known = (
        func.coalesce(
            rows.c[name], select(runs.c[name]).where(runs.c.id == rows.c.run).correlate(rows).scalar_subquery()
        )
        for name in of_run
    )
    source = select(*(rows.c[name] for name in given), *known).where(true())
    statement = insert_into(dialect, schema.open_work).from_select([*given, *of_run], source)
    new = statement.excluded
    statement = statement.on_conflict_do_update(index_elements=["run"], set_={"due": new.due, "kind": new.kind})
    return BatchStatement(dialect, statement)


def _delete_open_work(dialect: Dialect) -> BatchStatement:
    rows = batch_rows(dialect, {"run": IDENTIFIER})
    return BatchStatement(dialect, delete(schema.open_work).where(schema.open_work.c.run.in_(select(rows.c.run))))


def _open_cursors(dialect: Dialect) -> BatchStatement:
    rows = batch_rows(dialect, {"id": IDENTIFIER})
    source = select(schema.consumers.c.name, rows.c.id).join_from(schema.consumers, rows, true()).where(true())
    statement = insert_into(dialect, schema.cursors).from_select(["consumer", "stream"], source, include_defaults=False)
    return BatchStatement(dialect, statement.on_conflict_do_nothing())


def _put_blob_refs(dialect: Dialect) -> BatchStatement:
    names = ("stream", "hash", "data_key")
    rows = batch_rows(dialect, _columns(schema.blob_refs, names))
    statement = insert_into(dialect, schema.blob_refs).from_select(list(names), select(*rows.c).where(true()))
    return BatchStatement(dialect, statement.on_conflict_do_nothing())


def _find_runs(dialect: Dialect) -> BatchStatement:
    runs, first = schema.runs, schema.runs.alias("first")
    rows = batch_rows(dialect, _columns(runs, ("id", "workspace", "dedupe_key")))
    same_key = and_(first.c.workspace == rows.c.workspace, first.c.dedupe_key == rows.c.dedupe_key)
    found = rows.outerjoin(runs, runs.c.id == rows.c.id).outerjoin(first, same_key)
    columns = (rows.c.id, runs.c.last_seq, runs.c.head_hash, first.c.id.label("first"))
    return BatchStatement(dialect, select(*columns).select_from(found))


def _find_workspaces(dialect: Dialect) -> BatchStatement:
    workspaces = schema.workspaces
    rows = batch_rows(dialect, {"id": IDENTIFIER})
    found = rows.outerjoin(workspaces, workspaces.c.id == rows.c.id)
    columns = (rows.c.id, workspaces.c.last_seq, workspaces.c.head_hash)
    return BatchStatement(dialect, select(*columns).select_from(found))


def _find_events(dialect: Dialect) -> BatchStatement:
    events = schema.events
    rows = batch_rows(dialect, _columns(events, ("stream", "seq", "hash")))
    same = and_(events.c.stream == rows.c.stream, events.c.seq == rows.c.seq, events.c.hash == rows.c.hash)
    return BatchStatement(dialect, select(events.c.stream).join_from(rows, events, same))


def _mark_anchored(dialect: Dialect) -> BatchStatement:
    runs = schema.runs
    rows = batch_rows(dialect, _columns(runs, ("id", "last_seq")))
    unmoved = and_(runs.c.id == rows.c.id, runs.c.last_seq == rows.c.last_seq)
    return BatchStatement(dialect, update(runs).values(anchored=true()).where(unmoved))


def _find_leases(dialect: Dialect) -> BatchStatement:
    leases = schema.leases
    rows = batch_rows(dialect, {"owner": IDENTIFIER})
    leases_of_rows = rows.outerjoin(leases, leases.c.owner == rows.c.owner)
    return BatchStatement(dialect, select(rows.c.owner, leases.c.until, now_ms()).select_from(leases_of_rows))
