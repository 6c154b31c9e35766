"""What an append writes to the rows of its own streams, as clauses over batches of rows.

The one rule: a clause is written once, whether it is a statement of its own (`engine.store.statements`) or a part of
one that writes everything (`engine.store.at_once`). `rows` names the parameter that holds its batch; `of`, where it is
given, has the ids of the streams whose rows are meant, and the others of the batch are left alone.
"""

from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Delete,
    FromClause,
    Insert,
    Integer,
    Select,
    Table,
    and_,
    delete,
    false,
    func,
    insert,
    literal_column,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.dml import ReturningInsert, ReturningUpdate
from sqlalchemy.types import TypeEngine

from engine.store import epochs, schema
from engine.store.expand import batch_rows
from engine.store.schema import IDENTIFIER
from engine.store.upsert import insert_into

HEAD: Final = ("last_seq", "head_hash", "head_mac")
FIXED: Final = (
    "workspace", "workflow", "definition", "started_by", "dedupe_key", "created_at", "parent", "priority", "search",
    "starter", "data_key",
)  # fmt: skip
CACHE: Final = ("status", "summary", "updated_at", "ended_at", "labels", "attention")
_BEFORE: Final[dict[str, TypeEngine[Any]]] = {
    "after_seq": Integer(), "after_hash": schema.events.c.hash.type, "epoch": schema.epochs.c.number.type,
}  # fmt: skip


def columns(table: Table, names: tuple[str, ...]) -> dict[str, TypeEngine[Any]]:
    """These columns' types."""
    return {name: table.c[name].type for name in names}


def start(dialect: Dialect, table: Table, names: tuple[str, ...], rows: str = "rows") -> ReturningInsert[Any]:
    """Begin the streams that are not there yet; returns their ids."""
    batch = batch_rows(dialect, columns(table, names), rows)
    # SQLite cannot tell ON CONFLICT from a join's ON without a WHERE. The order keeps two batches from a deadlock.
    source = select(*(batch.c[name] for name in names)).where(true()).order_by(batch.c.id)
    statement = insert_into(dialect, table).from_select(list(names), source, include_defaults=False)
    return statement.on_conflict_do_nothing().returning(table.c.id)


def advance(
    dialect: Dialect, table: Table, names: tuple[str, ...], rows: str = "rows", only: ColumnElement[bool] | None = None
) -> ReturningUpdate[Any]:
    """Move the heads that are still where the batch found them, where ``only`` holds too; returns their ids."""
    batch = batch_rows(dialect, {"id": IDENTIFIER, **_BEFORE, **columns(table, names)}, rows)
    values: dict[str, Any] = {name: batch.c[name] for name in names}
    if "anchored" in table.c:
        values["anchored"] = false()
    unmoved = and_(
        table.c.id == batch.c.id, table.c.last_seq == batch.c.after_seq, table.c.head_hash == batch.c.after_hash
    )
    if table is schema.runs:
        unmoved = and_(unmoved, or_(batch.c.epoch.is_(None), batch.c.epoch == epochs.current(dialect)))
    statement = update(table).values(values).where(unmoved if only is None else and_(unmoved, only))
    if dialect.name == "postgresql":
        # Rows are locked in the order of their ids whatever the plan, so that two batches cannot deadlock.
        inner = batch_rows(dialect, {"id": IDENTIFIER}, rows)
        locked = select(table.c.id).join(inner, table.c.id == inner.c.id).order_by(table.c.id).with_for_update(of=table)
        locked = locked.cte("locked")
        statement = statement.where(table.c.id == locked.c.id)
    return statement.returning(table.c.id)


def insert_events(dialect: Dialect, rows: str = "rows", of: FromClause | None = None) -> Insert:
    """Write events."""
    names = tuple(schema.events.c.keys())
    batch = batch_rows(dialect, columns(schema.events, names), rows)
    return insert(schema.events).from_select(list(names), _these(select(*batch.c), batch.c.stream, of))


def put_open_work(dialect: Dialect, rows: str = "rows", of: FromClause | None = None) -> Insert:
    """Set when runs are looked at. `workspace` and `priority` may be None in a row: then they are the run's."""
    given, of_run = ("run", "due", "kind"), ("workspace", "priority")
    batch = batch_rows(dialect, columns(schema.open_work, (*given, *of_run)), rows)
    known = (func.coalesce(batch.c[name], _of_run(batch, name)) for name in of_run)
    # In the order of their ids whatever the plan, so that two batches cannot deadlock.
    source = select(*(batch.c[name] for name in given), *known).where(true()).order_by(batch.c.run)
    source = _these(source, batch.c.run, of)
    statement = insert_into(dialect, schema.open_work).from_select([*given, *of_run], source)
    new = statement.excluded
    return statement.on_conflict_do_update(index_elements=["run"], set_={"due": new.due, "kind": new.kind})


def delete_open_work(dialect: Dialect, rows: str = "rows", of: FromClause | None = None) -> Delete:
    """There is nothing more to look at in these runs."""
    return _gone(dialect, schema.open_work, rows, of)


def stop_listening(dialect: Dialect, rows: str = "rows", of: FromClause | None = None) -> Delete:
    """These runs wait for no signal any more."""
    return _gone(dialect, schema.listeners, rows, of)


def open_cursors(dialect: Dialect, rows: str = "rows", of: FromClause | None = None) -> Insert:
    """Have every consumer follow new runs."""
    batch = batch_rows(dialect, {"id": IDENTIFIER}, rows)
    source = select(schema.consumers.c.name, batch.c.id).join_from(schema.consumers, batch, true()).where(true())
    source = _these(source, batch.c.id, of)
    statement = insert_into(dialect, schema.cursors).from_select(["consumer", "stream"], source, include_defaults=False)
    return statement.on_conflict_do_nothing()


def _of_run(batch: FromClause, name: str) -> ColumnElement[Any]:
    runs = schema.runs
    return select(runs.c[name]).where(runs.c.id == batch.c.run).correlate(batch).scalar_subquery()


def _gone(dialect: Dialect, table: Table, rows: str, of: FromClause | None) -> Delete:
    batch = batch_rows(dialect, {"run": IDENTIFIER}, rows)
    return delete(table).where(table.c.run.in_(_these(select(batch.c.run), batch.c.run, of)))


def _these(
    source: Select[*tuple[Any, ...]], stream: ColumnElement[str], of: FromClause | None
) -> Select[*tuple[Any, ...]]:
    if of is None:
        return source
    # Counted before the first row is looked for: so every head, and the epoch, is locked before the first row of open
    # work is, whatever the plan. Whoever wakes others locks their rows after the heads of its own, too.
    known = select(func.count()).select_from(of).scalar_subquery() > literal_column("0")
    return source.where(known, stream.in_(select(of.c.id)))
