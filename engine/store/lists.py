"""Reads of the `runs` cache, for lists and for looking a run up.

The one rule: what is read here is shown, never decided on.
"""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from engine.store.schema import runs
from engine.store.types import RunInfo

_COLUMNS = tuple(column for column in runs.c if column.name not in {"head_hash", "head_mac", "data_key", "anchored"})
_NAMES = tuple(column.name for column in _COLUMNS)
_RUN_PREFIX = "run_"


def list_runs(
    connection: Connection, workspace: str, workflow: str | None, statuses: Sequence[str] | None, limit: int,
    before: str | None,
) -> list[RunInfo]:  # fmt: skip
    """The newest runs first; `before` is the id of the last one seen, for the next page."""
    query: Select[Any] = select(*_COLUMNS).where(runs.c.workspace == workspace)
    if workflow is not None:
        query = query.where(runs.c.workflow == workflow)
    if statuses is not None:
        query = query.where(runs.c.status.in_(statuses))
    if before is not None:
        query = query.where(runs.c.id < before)
    return [_info(row) for row in connection.execute(query.order_by(runs.c.id.desc()).limit(limit))]


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
    query = select(runs.c.id).where(runs.c.id.in_(list(ids)), runs.c.ended_at.is_not(None))
    return list(connection.scalars(query))


def heads(connection: Connection, ids: Collection[str]) -> dict[str, int]:
    """The last sequence number of each of these runs that exists."""
    query = select(runs.c.id, runs.c.last_seq).where(runs.c.id.in_(list(ids)))
    return {row.id: row.last_seq for row in connection.execute(query)}


def newest_seals(connection: Connection, limit: int) -> list[tuple[str, int, str, str]]:
    """Id, last sequence number, hash and seal of the newest runs."""
    query = select(runs.c.id, runs.c.last_seq, runs.c.head_hash, runs.c.head_mac).order_by(runs.c.id.desc())
    return [(run, seq, digest, mac) for run, seq, digest, mac in connection.execute(query.limit(limit))]


def _info(row: Row[Any]) -> RunInfo:
    return RunInfo(**dict(zip(_NAMES, row, strict=True)))
