"""Removing runs that ended long ago, so that a log need not grow for ever.

The one rule: what goes, goes whole and on the record. One transaction removes a run with all that belongs to it, keeps
its last head in `pruned` under our seal, and says in the workspace's stream which runs went, by whose order.

So a pruned run can be told from one that somebody deleted, and what was anchored of it stays provable. A run is left
as long as it is open, as its own last head is not anchored, or as a run that it called or was called by is open.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Table, delete, func, insert, select

from engine.store.chain import pruned_mac
from engine.store.commit import commit_batch
from engine.store.database import Busy
from engine.store.prepare import prepare
from engine.store.schema import blob_refs, blobs, checkpoints, cursors, deliveries, events, pruned, runs
from engine.store.statements import Statements
from engine.store.streams import lock_head, next_place
from engine.store.types import Append, Appended, Head, NewEvent, Prunable, Pruned

RUNS_PRUNED: Final = "RUNS_PRUNED"
VERSION: Final = 1
# Events in one transaction, if no single run has more: on SQLite nobody else writes meanwhile.
MOST_EVENTS: Final = 5_000
_HASHES: Final = 1_000

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode

# Tables with rows of a run, by the column that says which run's.
_OF_A_RUN: Final[tuple[tuple[Table, ColumnElement[Any]], ...]] = (
    (events, events.c.stream),
    (checkpoints, checkpoints.c.stream),
    (cursors, cursors.c.stream),
    (deliveries, deliveries.c.stream),
    (runs, runs.c.id),
)


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
    removed_blobs = _remove_blobs(connection, gone)
    for table, column in _OF_A_RUN:
        connection.execute(delete(table).where(column.in_(gone)))
    connection.execute(insert(pruned), [_row(key, run, order.now) for run in chosen])
    _say(connection, statements, key, workspace, order, chosen)
    return Pruned(len(gone), sum(run.last_seq for run in chosen), removed_blobs)


def pruned_runs(payload: str) -> dict[str, Head]:
    """What a RUNS_PRUNED event's payload says, by run; empty if it is none."""
    try:
        found: Any = json.loads(payload)
        return {run: Head(seq, digest) for run, (seq, digest) in found["runs"].items()}
    except (ValueError, TypeError, LookupError, AttributeError):
        return {}


def _prunable(workspace: str, before: int) -> tuple[ColumnElement[bool], ...]:
    return runs.c.workspace == workspace, runs.c.ended_at < before


def _choose(connection: Connection, workspace: str, order: Order) -> Sequence[Any]:
    """Lock runs to remove: anchored ones alone, which no anchoring holds while it waits for the workspace's head."""
    columns = (runs.c.id, runs.c.workspace, runs.c.workflow, runs.c.ended_at, runs.c.last_seq, runs.c.head_hash)
    query = (
        select(*columns)
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


def _remove_blobs(connection: Connection, gone: Sequence[str]) -> int:
    """Drop these runs' references, and the texts to which no other run has one; how many texts."""
    mine = select(blob_refs.c.hash).where(blob_refs.c.stream.in_(gone)).distinct().order_by(blob_refs.c.hash)
    wanted = connection.scalars(mine).all()
    connection.execute(delete(blob_refs).where(blob_refs.c.stream.in_(gone)))
    used = select(blob_refs.c.hash).where(blob_refs.c.hash == blobs.c.hash, blob_refs.c.data_key == blobs.c.data_key)
    removed = 0
    for start in range(0, len(wanted), _HASHES):
        these = blobs.c.hash.in_(wanted[start : start + _HASHES])
        # An append that refers to one of these now holds its row; once it has committed, its reference is seen below.
        locked = select(blobs.c.hash).where(these).order_by(blobs.c.hash, blobs.c.data_key).with_for_update()
        connection.execute(locked).all()
        removed += connection.execute(delete(blobs).where(these, ~used.exists())).rowcount
    return removed


def _row(key: bytes, run: Any, now: int) -> dict[str, str | int]:
    facts = (run.id, run.workspace, run.workflow, run.ended_at, now, run.last_seq, run.head_hash)
    names = ("run", "workspace", "workflow", "ended_at", "pruned_at", "last_seq", "head_hash")
    return {**dict(zip(names, facts, strict=True)), "mac": pruned_mac(key, facts)}


def _say(
    connection: Connection, statements: Statements, key: bytes, workspace: str, order: Order, gone: Iterable[Any]
) -> None:
    lock_head(connection, workspace)
    after, at = next_place(connection, workspace, order.now)
    heads = {run.id: [run.last_seq, run.head_hash] for run in gone}
    payload = _encode({"before": order.before, "by": order.by, "runs": heads})
    event = NewEvent(type=RUNS_PRUNED, version=VERSION, at=at, payload=payload)
    append = prepare(Append(stream=workspace, after=after, events=(event,)), key)
    if not isinstance(commit_batch(connection, statements, [append])[0], Appended):
        raise Busy("another writer was first")
