"""Rows beside the log that belong to runs, and the long texts that runs refer to: is each where it should be?

The one rule: a page is read and judged in one snapshot, so that a busy engine gives no false alarm.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from sqlalchemy import Column, Connection, Select, bindparam, select, tuple_, union_all

from engine.store.blobs import blob_place
from engine.store.errors import Erased, StoreError
from engine.store.finding import Finding
from engine.store.opening import open_text
from engine.store.schema import blob_refs, blobs, runs, workspaces
from engine.store.sealing import Keys, hidden

_PAGE = 1000
_TEXTS = 20

# The primary key of the last row that was looked at; empty before the first.
Place = tuple[Any, ...]
Page = tuple[Place, int, list[Finding]]


def orphans(column: Column[Any], connection: Connection, after: Place) -> Page:
    """Rows of `column`'s table whose run is not there: where the page ended, how many rows it had, and what is wrong.

    An empty page is the end. What a workspace's own facts were told by has rows, too.
    """
    table = column.table
    rows = _page(connection, _runs_in(column), after)
    names: set[str] = {row.its_run for row in rows if row.its_run is not None}
    known = set(connection.scalars(_KNOWN, {"ids": list(names)})) if names else set[str]()
    findings = [
        Finding(run, None, f"`{table.name}` has rows of it, but there is no such run") for run in sorted(names - known)
    ]
    return tuple(rows[-1])[:-1] if rows else after, len(rows), findings


def lost_blobs(connection: Connection, after: Place) -> Page:
    """References to texts that are not there."""
    rows = _page(connection, _REFERENCES, after)
    lost = [Finding(row.stream, None, f"the long text {row.hash[:12]} is missing") for row in rows if row.there is None]
    return tuple(rows[-1])[:2] if rows else after, len(rows), lost


def wrong_blobs(keys: Keys, connection: Connection, after: Place) -> Page:
    """Texts that nothing refers to, or that do not have the hash under which they lie."""
    rows = _page(connection, _LONG_TEXTS, after)
    findings: list[Finding] = []
    for row in rows:
        name = f"long text {row.hash[:12]}"
        if not row.used:
            findings.append(Finding(name, None, "no run refers to it"))
        if (what := _wrong(connection, keys, row)) is not None:
            findings.append(Finding(name, None, what))
    return tuple(rows[-1])[:2] if rows else after, len(rows), findings


def _wrong(connection: Connection, keys: Keys, row: Any) -> str | None:
    try:
        text = open_text(connection, keys.sealer, row.text, blob_place(row.hash), row.hash)
    except Erased:
        return None
    except StoreError as error:
        return str(error)
    digest = hashlib.sha256(text.encode()).hexdigest()
    right = hidden(keys.chain, digest) if row.data_key else digest
    return None if row.hash == right else "it is not the text that was recorded"


@dataclass(frozen=True)
class _Pages:
    """A query by a primary key, made once: its first page, and the one past the key `past_0`, `past_1` …"""

    first: Select[*tuple[Any, ...]]
    further: Select[*tuple[Any, ...]]

    @classmethod
    def of(cls, query: Select[*tuple[Any, ...]], key: Sequence[Column[Any]], limit: int) -> "_Pages":
        past = (bindparam(f"past_{number}", type_=column.type) for number, column in enumerate(key))
        return cls(*(each.order_by(*key).limit(limit) for each in (query, query.where(tuple_(*key) > tuple_(*past)))))


def _page(connection: Connection, pages: _Pages, after: Place) -> Sequence[Any]:
    if not after:
        return connection.execute(pages.first).all()
    return connection.execute(pages.further, {f"past_{number}": value for number, value in enumerate(after)}).all()


@cache
def _runs_in(column: Column[Any]) -> _Pages:
    key = tuple(column.table.primary_key.columns)
    return _Pages.of(select(*key, column.label("its_run")), key, _PAGE)


def _references() -> _Pages:
    key = (blob_refs.c.stream, blob_refs.c.hash)
    its_text = (blobs.c.hash == blob_refs.c.hash) & (blobs.c.data_key == blob_refs.c.data_key)
    found = select(*key, blobs.c.hash.label("there")).select_from(blob_refs.outerjoin(blobs, its_text))
    return _Pages.of(found, key, _PAGE)


def _long_texts() -> _Pages:
    key = (blobs.c.hash, blobs.c.data_key)
    used = select(blob_refs.c.hash).where(blob_refs.c.hash == blobs.c.hash, blob_refs.c.data_key == blobs.c.data_key)
    return _Pages.of(select(*key, blobs.c.text, used.exists().label("used")), key, _TEXTS)


_REFERENCES: Final = _references()
_LONG_TEXTS: Final = _long_texts()
_KNOWN: Final = union_all(
    *(select(table.c.id).where(table.c.id.in_(bindparam("ids", expanding=True))) for table in (runs, workspaces))
)
