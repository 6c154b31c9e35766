"""A batch of appends in one statement: one trip to the server, where a transaction of several takes five and more.

The one rule: it writes what `commit_batch` would have written of an append, or nothing, and never says why. It takes
batches of appends that concern their own runs' rows alone, as nearly all do; what it leaves, `commit_batch` settles.

Only PostgreSQL can write more than one table by one statement, which is then a transaction by itself. All its parts see
the database as it was when its tables were locked, and none sees what another writes. That comes to the same: heads and
rows of open work are compared and replaced as they are once they are locked, and the rest belongs to its own run alone.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import ColumnElement, Connection, Select, select, union_all
from sqlalchemy.engine import Dialect

from engine.store import clauses, schema
from engine.store.clauses import CACHE, FIXED, HEAD
from engine.store.expand import CombinedStatement, Row, batch_rows
from engine.store.prepare import Prepared, following
from engine.store.schema import IDENTIFIER
from engine.store.types import Appended, AtEpoch, Outcome

_COMPILED: Final[dict[frozenset[str], CombinedStatement]] = {}
"""By the names of its batches. An append starts or goes on, and is done or due, so there are few kinds of batches."""


def takes(batch: Sequence[Prepared]) -> bool:
    """Whether these appends can be written so, unless something is in the way of one."""
    return all(_is_plain(item) for item in batch)


def append_at_once(connection: Connection, batch: Sequence[Prepared]) -> list[Outcome | None]:
    """Write what can be written; None for what was not, about which nothing is known."""
    batches = {name: rows for name, rows in _batches(batch).items() if rows}
    kind = frozenset(batches)
    if kind not in _COMPILED:
        _COMPILED[kind] = CombinedStatement(connection.dialect, _combined(connection.dialect, kind))
    won = {row.id for row in _COMPILED[kind].execute(connection, batches)}
    return [Appended(item.head) if item.append.stream in won else None for item in batch]


def _is_plain(item: Prepared) -> bool:
    """Whether it goes on with a run or begins one, and no rows are concerned but that run's own."""
    append = item.append
    if item.is_workspace or append.run is None or item.data_key or append.blobs or append.postings:
        return False
    if append.listens is not None or append.waits_for is not None:
        return False
    return all(isinstance(guard, AtEpoch) for guard in append.guards)


def _batches(batch: Sequence[Prepared]) -> dict[str, list[Row]]:
    rows = following(batch)
    ended = (item for item in batch if item.append.run is not None and item.append.run.ended_at and not item.starts)
    return {
        "begun_heads": [item.head_row for item in batch if item.starts],
        "moved_heads": [item.head_row for item in batch if not item.starts],
        "events": rows.events,
        "due": rows.due,
        "done": rows.done,
        "begun": rows.begun,
        "ended": [{"run": item.append.stream} for item in ended],
    }


def _combined(dialect: Dialect, kind: frozenset[str]) -> Select[tuple[str]]:
    """The heads first, and of the rest what belongs to a head that moved; returns the ids of these."""
    runs = schema.runs
    heads: list[Select[tuple[str]]] = []
    if "begun_heads" in kind:
        begun = clauses.start(dialect, runs, ("id", *FIXED, *CACHE, *HEAD), "begun_heads").cte("begun")
        heads.append(select(begun.c.id))
    if "moved_heads" in kind:
        only = _without_slot(dialect) if "ended" in kind else None
        moved = clauses.advance(dialect, runs, (*HEAD, *CACHE), "moved_heads", only).cte("moved")
        heads.append(select(moved.c.id))
    won = union_all(*heads).cte("won")
    rest = {
        "events": clauses.insert_events,
        "due": clauses.put_open_work,
        "done": clauses.delete_open_work,
        "begun": clauses.open_cursors,
        "ended": clauses.stop_listening,
    }
    parts = (write(dialect, name, won).cte(f"{name}_rows") for name, write in rest.items() if name in kind)
    return select(won.c.id).add_cte(*parts)


def _without_slot(dialect: Dialect) -> ColumnElement[bool]:
    """Who ends with a slot of a concurrency key makes room for others: that takes more than its own rows."""
    ended, slots = batch_rows(dialect, {"run": IDENTIFIER}, "ended"), schema.slots
    return schema.runs.c.id.not_in(select(slots.c.run).where(slots.c.run.in_(select(ended.c.run))))
