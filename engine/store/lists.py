"""Reads of the `runs` cache, for lists and for looking a run up.

The one rule: what is read here is shown, never decided on.
"""

import json
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, func, literal_column, or_, select, union
from sqlalchemy.engine import Dialect

from engine.store.expand import BatchStatement, batch_rows
from engine.store.schema import IDENTIFIER, run_labels, runs, workspaces
from engine.store.types import RunFilter, RunInfo

_COLUMNS = tuple(column for column in runs.c if column.name not in {"head_hash", "head_mac", "data_key", "anchored"})
_NAMES = tuple(column.name for column in _COLUMNS)
_RUN_PREFIX = "run_"


def list_runs(
    connection: Connection, workspace: str, where: RunFilter, limit: int, before: str | None
) -> list[RunInfo]:
    """The newest runs first; `before` is the id of the last one seen, for the next page."""
    query: Select[Any] = select(*_COLUMNS).where(runs.c.workspace == workspace, *_conditions(where))
    order: ColumnElement[str] = runs.c.id
    for name, value in sorted(where.labels.items()):
        label = run_labels.alias()
        query = query.join(label, label.c.run == runs.c.id)
        query = query.where(label.c.workspace == workspace, label.c.name == name, label.c.value == value)
        # Along the label's own index: the rarer it is, the more other runs need not be looked at.
        order = label.c.run
    if before is not None:
        query = query.where(order < before)
    return [_info(row) for row in connection.execute(query.order_by(order.desc()).limit(limit))]


def _conditions(where: RunFilter) -> Iterator[ColumnElement[bool]]:
    if where.workflow is not None:
        yield runs.c.workflow == where.workflow
    if where.statuses is not None:
        yield runs.c.status.in_(list(where.statuses))
    if where.started_by is not None:
        yield runs.c.started_by == where.started_by
    if where.starter is not None:
        yield runs.c.starter == where.starter
    if where.created_after is not None:
        yield runs.c.created_at >= where.created_after
    if where.created_before is not None:
        yield runs.c.created_at < where.created_before
    if where.parent is not None:
        yield runs.c.parent == where.parent
    if where.attention is not None:
        # Spelled as in the partial index, so that the planners see that it serves.
        yield runs.c.attention != literal_column("''")
        if where.attention != RunFilter.ANYTHING:
            yield runs.c.attention == where.attention
    if text := where.text.strip().lower():
        places = (runs.c.search, func.lower(runs.c.summary), runs.c.id)
        yield or_(*(place.contains(text, autoescape=True) for place in places))


def _workspaces() -> Select[str]:
    """From one to the next along the index: there are few of them, and many runs."""
    first = select(func.min(runs.c.workspace).label("workspace")).cte("known", recursive=True)
    further = select(func.min(runs.c.workspace)).where(runs.c.workspace > first.c.workspace).scalar_subquery()
    known = first.union_all(select(further).where(first.c.workspace.is_not(None)))
    named = union(select(known.c.workspace).where(known.c.workspace.is_not(None)), select(workspaces.c.id)).subquery()
    return select(named.c.workspace).order_by(named.c.workspace)


_WORKSPACES: Final = _workspaces()


def list_workspaces(connection: Connection) -> list[str]:
    """The workspaces that have a run or a stream of their own, by name."""
    return list(connection.scalars(_WORKSPACES))


def find_runs(connection: Connection, workspace: str, prefix: str, limit: int) -> list[str]:
    """Ids that begin with the prefix, given with or without `run_`; in order."""
    first = prefix if prefix.startswith(_RUN_PREFIX) else _RUN_PREFIX + prefix
    # Ids are ASCII, so that this is past every id with the prefix; a range uses the index, LIKE may not.
    after = first + "\x7f"
    query = select(runs.c.id).where(runs.c.workspace == workspace, runs.c.id >= first, runs.c.id < after)
    return list(connection.scalars(query.order_by(runs.c.id).limit(limit)))


def get_run(connection: Connection, stream: str) -> RunInfo | None:
    """The cached row of one run."""
    row = connection.execute(select(*_COLUMNS).where(runs.c.id == stream)).one_or_none()
    return None if row is None else _info(row)


def ended(connection: Connection, ids: Collection[str]) -> list[str]:
    """Those of these runs that have ended."""
    return list(connection.scalars(_ENDED, {"ids": list(ids)}))


# Made once, as is what `_heads` gives: every worker asks them again and again.
_ENDED: Final = select(runs.c.id).where(runs.c.id.in_(bindparam("ids", expanding=True)), runs.c.ended_at.is_not(None))


@lru_cache(maxsize=4)
def _heads(dialect: Dialect) -> BatchStatement:
    asked = batch_rows(dialect, {"id": IDENTIFIER})
    return BatchStatement(dialect, select(runs.c.id, runs.c.last_seq).join(asked, asked.c.id == runs.c.id))


def heads(connection: Connection, ids: Collection[str]) -> dict[str, int]:
    """The last sequence number of each of these runs that exists."""
    asked = [{"id": run} for run in ids]
    return dict(map(tuple, _heads(connection.dialect).execute(connection, asked))) if asked else {}


def newest_seals(connection: Connection, limit: int) -> list[tuple[str, int, str, str]]:
    """Id, last sequence number, hash and seal of the newest runs."""
    query = select(runs.c.id, runs.c.last_seq, runs.c.head_hash, runs.c.head_mac).order_by(runs.c.id.desc())
    return [(run, seq, digest, mac) for run, seq, digest, mac in connection.execute(query.limit(limit))]


def _info(row: Row[Any]) -> RunInfo:
    values = dict(zip(_NAMES, row, strict=True))
    return RunInfo(**values | {"labels": json.loads(values["labels"])})
