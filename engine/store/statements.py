"""The statements of the append, each over a batch of rows, built once per dialect.

The one rule: a head moves only by compare-and-set (`advance_*`, `start_*`), and the rows that come back are the
winners; everything else in the append follows from who won.
"""

from dataclasses import dataclass
from functools import partial
from typing import Final

from sqlalchemy import and_, select, true, update
from sqlalchemy.engine import Dialect

from engine.store import clauses, schema
from engine.store.clauses import CACHE, FIXED, HEAD
from engine.store.dbclock import now_ms
from engine.store.expand import BatchStatement, batch_rows
from engine.store.ledger import LedgerStatements
from engine.store.schema import IDENTIFIER
from engine.store.signals import SignalStatements
from engine.store.slots import SlotStatements
from engine.store.upsert import insert_into


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
        runs, workspaces, one = schema.runs, schema.workspaces, partial(BatchStatement, dialect)
        return cls(
            start_runs=one(clauses.start(dialect, runs, ("id", *FIXED, *CACHE, *HEAD))),
            start_workspaces=one(clauses.start(dialect, workspaces, ("id", *HEAD))),
            advance_runs=one(clauses.advance(dialect, runs, (*HEAD, *CACHE))),
            advance_run_heads=one(clauses.advance(dialect, runs, HEAD)),
            advance_workspaces=one(clauses.advance(dialect, workspaces, HEAD)),
            insert_events=one(clauses.insert_events(dialect)),
            put_open_work=one(clauses.put_open_work(dialect)),
            delete_open_work=one(clauses.delete_open_work(dialect)),
            open_cursors=one(clauses.open_cursors(dialect)),
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


def _put_blob_refs(dialect: Dialect) -> BatchStatement:
    names = ("stream", "hash", "data_key")
    rows = batch_rows(dialect, clauses.columns(schema.blob_refs, names))
    statement = insert_into(dialect, schema.blob_refs).from_select(list(names), select(*rows.c).where(true()))
    return BatchStatement(dialect, statement.on_conflict_do_nothing())


def _find_runs(dialect: Dialect) -> BatchStatement:
    runs, first = schema.runs, schema.runs.alias("first")
    rows = batch_rows(dialect, clauses.columns(runs, ("id", "workspace", "dedupe_key")))
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
    rows = batch_rows(dialect, clauses.columns(events, ("stream", "seq", "hash")))
    same = and_(events.c.stream == rows.c.stream, events.c.seq == rows.c.seq, events.c.hash == rows.c.hash)
    return BatchStatement(dialect, select(events.c.stream).join_from(rows, events, same))


def _mark_anchored(dialect: Dialect) -> BatchStatement:
    runs = schema.runs
    rows = batch_rows(dialect, clauses.columns(runs, ("id", "last_seq")))
    unmoved = and_(runs.c.id == rows.c.id, runs.c.last_seq == rows.c.last_seq)
    return BatchStatement(dialect, update(runs).values(anchored=true()).where(unmoved))


def _find_leases(dialect: Dialect) -> BatchStatement:
    leases = schema.leases
    rows = batch_rows(dialect, {"owner": IDENTIFIER})
    leases_of_rows = rows.outerjoin(leases, leases.c.owner == rows.c.owner)
    return BatchStatement(dialect, select(rows.c.owner, leases.c.until, now_ms()).select_from(leases_of_rows))
