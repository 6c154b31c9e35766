"""One transaction that carries the appends of many streams: the heads move first, and only winners write the rest.

The one rule: the batch holds at most one append per stream, sorted by stream. A loser is left out without a rollback.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from engine.store import data_keys, epochs, keyring
from engine.store.blobs import put_blobs
from engine.store.expand import BatchStatement, Row
from engine.store.ledger import Ledger
from engine.store.prepare import Prepared, following
from engine.store.signals import write_listeners
from engine.store.slots import Slots
from engine.store.statements import Statements
from engine.store.types import (
    Appended,
    AtEpoch,
    Conflict,
    Duplicate,
    Guard,
    Head,
    LeaseExpired,
    Outcome,
    Refused,
)


def commit_batch(
    connection: Connection, statements: Statements, batch: Sequence[Prepared], repeated: bool = False
) -> list[Outcome]:
    """Write what can be written and say of each append, in order, what became of it.

    `repeated`: an earlier try at the same batch may have been committed. An event with our hash at our place is ours,
    or one that another writer made of the same facts at the same instant, which comes to the same.
    Erased if the data key of one is destroyed: nothing is written then, and the others must come without it.
    """
    if used := {(item.data_key, item.append.stream) for item in batch if item.data_key}:
        data_keys.hold(connection, used)
    slots = Slots.lock(connection, statements.slots, [item.append for item in batch])
    refused = slots.refused() | _refused(connection, statements, batch)
    if len(batch) == 1:
        refused |= epochs.refused(connection, batch[0])
    ledger = Ledger.of(connection, statements.ledger, [item.append for item in batch])
    short = ledger.refused()
    tried = [item for item in batch if item.append.stream not in refused and item.append.stream not in short]
    won = _move_heads(connection, statements, tried)
    _write(connection, statements, [item for item in tried if item.append.stream in won])
    if len(batch) == 1 and won:
        epochs.move(connection, batch[0])
    woken = slots.write(won)
    ledger.write(won)
    lost = [item for item in batch if item.append.stream not in won]
    if repeated and lost:
        won |= _already_there(connection, statements, lost)
        lost = [item for item in lost if item.append.stream not in won]
    reasons: dict[str, Outcome] = {**short, **{stream: Refused(guard) for stream, guard in refused.items()}}
    reasons = _conflicts(connection, statements, [item for item in lost if item.append.stream not in reasons]) | reasons
    return [
        Appended(item.head, woken.get(item.append.stream, ())) if item.append.stream in won
        else reasons[item.append.stream]
        for item in batch
    ]  # fmt: skip


def _refused(connection: Connection, statements: Statements, batch: Sequence[Prepared]) -> dict[str, Guard]:
    """The first guard on a lease that does not hold, by stream."""
    owners = sorted({guard.owner for item in batch for guard in item.append.guards if isinstance(guard, LeaseExpired)})
    if not owners:
        return {}
    rows = statements.find_leases.execute(connection, [{"owner": owner} for owner in owners])
    leases: dict[str, tuple[int, int]] = {row[0]: (row[1] or 0, row[2]) for row in rows}
    refused: dict[str, Guard] = {}
    for item in batch:
        for guard in item.append.guards:
            if not isinstance(guard, LeaseExpired):
                continue
            until, now = leases[guard.owner]
            if now <= until and (guard.cap is None or now <= guard.cap):
                refused.setdefault(item.append.stream, guard)
    return refused


def _move_heads(connection: Connection, statements: Statements, batch: Sequence[Prepared]) -> set[str]:
    by_statement: dict[BatchStatement, list[Row]] = {}
    # Workspaces last: whoever moves the epoch has their heads still to lock, while others may wait for it.
    for item in sorted(batch, key=lambda item: item.is_workspace):
        by_statement.setdefault(_head_statement(statements, item), []).append(item.head_row)
    won: set[str] = set()
    for statement, rows in by_statement.items():
        won.update(row.id for row in statement.execute(connection, rows))
    return won


def _head_statement(statements: Statements, item: Prepared) -> BatchStatement:
    if item.is_workspace:
        return statements.start_workspaces if item.starts else statements.advance_workspaces
    if item.starts:
        return statements.start_runs
    return statements.advance_runs if item.append.run is not None else statements.advance_run_heads


def _write(connection: Connection, statements: Statements, winners: Sequence[Prepared]) -> None:
    """What follows from a head that moved: the events, the open work, and cursors for a run that has begun."""
    rows = following(winners)
    _execute(connection, statements.insert_events, rows.events)
    put_blobs(connection, statements.put_blob_refs, winners)
    _execute(connection, statements.put_open_work, rows.due)
    _execute(connection, statements.delete_open_work, rows.done)
    _execute(connection, statements.open_cursors, rows.begun)
    appends = [item.append for item in winners]
    write_listeners(connection, statements.signals, appends)
    keyring.write(connection, appends)


def _execute(connection: Connection, statement: BatchStatement, rows: Sequence[Row]) -> None:
    if rows:
        statement.execute(connection, rows)


def _rows(connection: Connection, statement: BatchStatement, rows: Sequence[Row]) -> Sequence[Any]:
    return statement.execute(connection, rows) if rows else ()


def _already_there(connection: Connection, statements: Statements, lost: Sequence[Prepared]) -> set[str]:
    rows = [{"stream": item.append.stream, "seq": item.head.seq, "hash": item.head.hash} for item in lost]
    return {row.stream for row in statements.find_events.execute(connection, rows)}


def _conflicts(connection: Connection, statements: Statements, lost: Sequence[Prepared]) -> dict[str, Outcome]:
    """Why these heads did not move: a run has the key already, another writer was first, or the epoch has moved."""
    outcomes: dict[str, Outcome] = {}
    epochs_of = {(item.append.stream, item.append.after): item.epoch for item in lost}
    runs = [_loser_row(item) for item in lost if not item.is_workspace]
    for row in _rows(connection, statements.find_runs, runs):
        first: str | None = row.first if row.last_seq is None else None
        conflict = _conflict(row)
        epoch = epochs_of.get((row.id, conflict.head))  # it did not move although it is the one: so the epoch has
        refused = conflict if epoch is None else Refused(AtEpoch(epoch))
        outcomes[row.id] = refused if first is None else Duplicate(first)
    workspaces: list[Row] = [{"id": item.append.stream} for item in lost if item.is_workspace]
    for row in _rows(connection, statements.find_workspaces, workspaces):
        outcomes[row.id] = _conflict(row)
    return outcomes


def _conflict(row: Any) -> Conflict:
    return Conflict(Head.EMPTY if row.last_seq is None else Head(row.last_seq, row.head_hash))


def _loser_row(item: Prepared) -> Row:
    run = item.append.run if item.starts else None
    workspace, dedupe_key = (run.workspace, run.dedupe_key) if run is not None else (None, None)
    return {"id": item.append.stream, "workspace": workspace, "dedupe_key": dedupe_key}
