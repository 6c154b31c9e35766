"""Removing runs that ended long ago, so that a log need not grow for ever.

The one rule: what goes, goes whole and on the record. One transaction removes a run with all that belongs to it, keeps
its last head in `pruned` under our seal, and says in the workspace's stream which runs went, by whose order.

So a pruned run can be told from one that somebody deleted, and what was anchored of it stays provable. A run is left
as long as it is open, as its own last head is not anchored, or as a run that it called or was called by is open; it is
not left for a consumer that has not read it to its end.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select

from engine.store.chain import pruned_mac
from engine.store.notes import RUNS_PRUNED, facts_of, note
from engine.store.schema import BELONGINGS, blob_refs, blobs, data_keys, events, open_work, pruned, run_labels, runs
from engine.store.statements import Statements
from engine.store.types import Head, Prunable, Pruned

# Events in one transaction, if no single run has more: on SQLite nobody else writes meanwhile.
MOST_EVENTS: Final = 5_000
_HASHES: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Remove up to `limit` runs that ended before the instant `before`; ordered `by` somebody, `now`."""

    before: int
    by: str
    now: int
    limit: int


def prunable(connection: Connection, workspace: str, before: int) -> Prunable:
    """How much there is to remove, also of what is not anchored yet."""
    wanted = select(func.count(), func.coalesce(func.sum(runs.c.last_seq), 0)).where(*_prunable(workspace, before))
    count, total = connection.execute(wanted).one()
    return Prunable(count, int(total))


def prune_some(connection: Connection, statements: Statements, key: bytes, workspace: str, order: Order) -> Pruned:
    """Carry out an order, oldest end first, as far as one transaction should."""
    if connection.dialect.name == "postgresql":
        # One run may have more events than can be deleted in the time that is given to a statement.
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    chosen = _choose(connection, workspace, order)
    if not chosen:
        return Pruned(0, 0, 0)
    gone = [run.id for run in chosen]
    mine = select(blob_refs.c.hash).where(blob_refs.c.stream.in_(gone)).distinct().order_by(blob_refs.c.hash)
    texts = connection.scalars(mine).all()
    for column in (*BELONGINGS, open_work.c.run, events.c.stream, runs.c.id):
        if column.table is not run_labels:  # which a trigger on `runs` sees to
            connection.execute(delete(column.table).where(column.in_(gone)))
    # In the order in which appends take them: keys, then texts.
    _remove_keys(connection, {run.data_key for run in chosen if run.data_key is not None})
    removed = _remove_texts(connection, texts)
    connection.execute(insert(pruned), [_row(key, run, order.now) for run in chosen])
    heads = {run.id: [run.last_seq, run.head_hash] for run in chosen}
    facts = {"before": order.before, "by": order.by, "runs": heads}
    note(connection, statements, key, workspace, RUNS_PRUNED, facts, order.now)
    return Pruned(len(gone), sum(run.last_seq for run in chosen), removed)


def pruned_runs(payload: str) -> dict[str, Head]:
    """What a RUNS_PRUNED event's payload says, by run; empty if it is none."""
    try:
        return {run: Head(seq, digest) for run, (seq, digest) in facts_of(payload)["runs"].items()}
    except (ValueError, TypeError, LookupError, AttributeError):
        return {}


def _prunable(workspace: str, before: int) -> tuple[ColumnElement[bool], ...]:
    other = runs.alias("other")
    kin_at_work = select(other.c.id).where(other.c.ended_at.is_(None))
    return (
        runs.c.workspace == workspace,
        runs.c.ended_at < before,
        ~kin_at_work.where(other.c.id == runs.c.parent).exists(),
        ~kin_at_work.where(other.c.parent == runs.c.id).exists(),
    )


def _choose(connection: Connection, workspace: str, order: Order) -> Sequence[Any]:
    """Lock runs to remove: anchored ones alone, which no anchoring holds while it waits for the workspace's head."""
    query = (
        select(runs)
        .where(*_prunable(workspace, order.before), runs.c.anchored)
        .order_by(runs.c.ended_at, runs.c.id)
        .limit(order.limit)
        .with_for_update(of=runs, skip_locked=True)
    )
    chosen: list[Any] = []
    total = 0
    for run in connection.execute(query).all():
        total += run.last_seq
        if chosen and total > MOST_EVENTS:
            break
        chosen.append(run)
    return chosen


def _remove_texts(connection: Connection, wanted: Sequence[str]) -> int:
    """Drop those of the texts with these hashes, in order, to which no run has a reference any more; how many."""
    used = select(blob_refs.c.hash).where(blob_refs.c.hash == blobs.c.hash, blob_refs.c.data_key == blobs.c.data_key)
    removed = 0
    for start in range(0, len(wanted), _HASHES):
        these = blobs.c.hash.in_(wanted[start : start + _HASHES])
        # An append that refers to one of these now holds its row; once it has committed, its reference is seen below.
        locked = select(blobs.c.hash).where(these).order_by(blobs.c.hash, blobs.c.data_key).with_for_update()
        connection.execute(locked).all()
        removed += connection.execute(delete(blobs).where(these, ~used.exists())).rowcount
    return removed


def _remove_keys(connection: Connection, ids: Collection[str]) -> None:
    """Drop the data keys, and with them the persons' names, that no run is sealed by any more."""
    mine = data_keys.c.id.in_(ids)
    # A run that begins under one of these now holds it; once it has committed, it is seen below.
    connection.execute(select(data_keys.c.id).where(mine).order_by(data_keys.c.id).with_for_update()).all()
    used = select(runs.c.id).where(runs.c.data_key == data_keys.c.id)
    connection.execute(delete(data_keys).where(mine, ~used.exists()))


def _row(key: bytes, run: Any, now: int) -> dict[str, str | int]:
    facts = (run.id, run.workspace, run.workflow, run.ended_at, now, run.last_seq, run.head_hash)
    names = ("run", "workspace", "workflow", "ended_at", "pruned_at", "last_seq", "head_hash")
    return {**dict(zip(names, facts, strict=True)), "mac": pruned_mac(key, facts)}
