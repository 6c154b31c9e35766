"""The data keys of persons, in the database: made, read, wrapped anew, and destroyed.

The one rule: a key is read for each use, in the transaction that uses it. So once it is destroyed no process can go on
with a copy that it remembers: what was sealed is out of everybody's reach, and nothing more is sealed in vain.

What is destroyed here is still in copies that were made of the database before.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, select, update

from engine.store.dbclock import now_ms
from engine.store.errors import Erased, WrongMasterKey
from engine.store.schema import data_keys, runs
from engine.store.sealing import DataKey, Sealer, Wrapped
from engine.store.upsert import insert_into


def of_subject(connection: Connection, sealer: Sealer, subject: str, new: DataKey) -> DataKey:
    """The subject's data key; `new` becomes it if there is none."""
    wrapped = sealer.wrap(new, subject)
    row = insert_into(connection.dialect, data_keys).values(
        id=wrapped.id, subject=subject, master=wrapped.master, wrapped=wrapped.text, created_at=now_ms()
    )
    connection.execute(row.on_conflict_do_nothing(index_elements=["subject"]))
    return sealer.unwrap(_wrapped(connection.execute(select(data_keys).where(data_keys.c.subject == subject)).one()))


def of_run(connection: Connection, sealer: Sealer | None, stream: str) -> DataKey | None:
    """The key that seals this run, None if none does. Erased, or WrongMasterKey without its master key."""
    key_id = connection.scalar(select(runs.c.data_key).where(runs.c.id == stream))
    return None if key_id is None else by_id(connection, sealer, [key_id], stream)[key_id]


def by_id(connection: Connection, sealer: Sealer | None, ids: Collection[str], stream: str) -> dict[str, DataKey]:
    """These keys, to open or seal what is in `stream`. Erased, or WrongMasterKey without their master."""
    found: dict[str, DataKey] = {}
    for row in connection.execute(select(data_keys).where(data_keys.c.id.in_(list(ids)))):
        if row.wrapped is None:
            raise Erased(stream)
        if sealer is None:
            raise WrongMasterKey(row.master)
        found[row.id] = sealer.unwrap(_wrapped(row))
    if len(found) < len(set(ids)):
        # Nobody but somebody with a database client removes the row of a key that is in use.
        raise Erased(stream)
    return found


def is_destroyed(connection: Connection, key_id: str) -> bool:
    """Whether this key was destroyed."""
    row = connection.execute(select(data_keys.c.wrapped).where(data_keys.c.id == key_id)).one_or_none()
    return row is None or row.wrapped is None


def hold(connection: Connection, used: Collection[tuple[str, str]]) -> None:
    """See that these keys (of these streams) are there, and that none is destroyed before this transaction's end."""
    ids = sorted({key_id for key_id, _ in used})
    whole = select(data_keys.c.id).where(data_keys.c.id.in_(ids), data_keys.c.wrapped.is_not(None))
    there = set(connection.scalars(whole.order_by(data_keys.c.id).with_for_update(read=True)))
    for key_id, stream in used:
        if key_id not in there:
            raise Erased(stream)


def masters(connection: Connection) -> list[str]:
    """The fingerprints of the master keys that data keys are wrapped by."""
    query = select(data_keys.c.master).where(data_keys.c.wrapped.is_not(None)).distinct()
    return list(connection.scalars(query.order_by(data_keys.c.master)))


def rewrap(connection: Connection, sealer: Sealer, limit: int) -> int:
    """Wrap up to `limit` data keys, which older master keys have wrapped, by the current one; how many."""
    old = select(data_keys).where(data_keys.c.wrapped.is_not(None), data_keys.c.master != sealer.current)
    rows = connection.execute(old.order_by(data_keys.c.id).limit(limit).with_for_update()).all()
    for row in rows:
        wrapped = sealer.wrap(sealer.unwrap(_wrapped(row)), row.subject)
        mine = update(data_keys).where(data_keys.c.id == row.id)
        connection.execute(mine.values(master=wrapped.master, wrapped=wrapped.text))
    return len(rows)


def _wrapped(row: Row[*tuple[Any, ...]]) -> Wrapped:
    return Wrapped(row.id, row.subject, row.master, row.wrapped)
