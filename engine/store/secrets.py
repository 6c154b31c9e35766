"""What is kept to be used and never shown: texts under names, sealed by a data key that the master key wraps.

The one rule: nothing is kept here in the clear. Without a master key nothing can be put, and nothing be read.

A name can be claimed for a while, by the database's clock, so that of many processes one exchanges what lies there for
something newer. What two callers take at once, one of them gets.
"""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, delete, or_, select, update

from engine.ids import data_key_id
from engine.store import data_keys
from engine.store.dbclock import now_ms
from engine.store.log import Log
from engine.store.opening import open_text
from engine.store.schema import secrets
from engine.store.sealing import DataKey, Place, Sealer
from engine.store.upsert import insert_into

# Whose data key seals all of them; no person is called so.
_SUBJECT: Final = "secrets"


class Secrets:
    """The secrets of one log. Instants and durations are milliseconds. Everything raises ``NoSealer`` without a key."""

    def __init__(self, log: Log) -> None:
        self._database = log.database
        self._vault = log.vault

    async def put(self, name: str, text: str, *, holder: str | None = None) -> bool:
        """Keep `text` under `name`, in the place of what was there.

        With a `holder` only where that one's claim still holds, which it ends; else False, and nothing is changed.
        """
        new = DataKey.new(data_key_id())
        return await self._database.write(_put, self._vault.required(), new, name, text, holder)

    async def get(self, name: str) -> str | None:
        """What is kept under this name."""
        found = await self._database.read(_read, self._vault.required(), secrets.c.name == name)
        return found.get(name)

    async def beginning_with(self, prefix: str) -> Mapping[str, str]:
        """Everything whose name begins with the prefix, by name."""
        return await self._database.read(
            _read, self._vault.required(), secrets.c.name.startswith(prefix, autoescape=True)
        )

    async def take(self, name: str) -> str | None:
        """What is kept under this name, which is empty from now on: of many callers one gets it."""
        return await self._database.write(_take, self._vault.required(), name)

    async def drop_older(self, prefix: str, age_ms: int) -> int:
        """Remove what has lain longer than this under names with the prefix; how many."""
        return await self._database.write(_drop_older, prefix, age_ms)

    async def claim(self, name: str, holder: str, ttl_ms: int) -> bool:
        """Whether `holder` alone may exchange what is there for so long, which nobody else may meanwhile."""
        return await self._database.write(_claim, name, holder, ttl_ms)

    async def release(self, name: str, holder: str) -> None:
        """End the holder's claim, if it has one."""
        await self._database.write(_release, name, holder)


def _place(name: str) -> Place:
    return ("secret", name)


def _put(connection: Connection, sealer: Sealer, new: DataKey, name: str, text: str, holder: str | None) -> bool:
    key = data_keys.of_subject(connection, sealer, _SUBJECT, new)
    kept = {"text": key.seal(text, _place(name)), "at": now_ms(), "holder": None, "held_until": 0}
    if holder is not None:
        mine = update(secrets).where(_held(name, holder)).values(kept)
        return connection.execute(mine).rowcount == 1
    row = insert_into(connection.dialect, secrets).values(name=name, **kept)
    connection.execute(row.on_conflict_do_update(index_elements=["name"], set_=kept))
    return True


def _read(connection: Connection, sealer: Sealer, wanted: ColumnElement[bool]) -> dict[str, str]:
    rows = connection.execute(select(secrets.c.name, secrets.c.text).where(wanted).order_by(secrets.c.name)).all()
    return {name: open_text(connection, sealer, text, _place(name), name) for name, text in rows}


def _take(connection: Connection, sealer: Sealer, name: str) -> str | None:
    gone = delete(secrets).where(secrets.c.name == name).returning(secrets.c.text)
    text = connection.scalars(gone).one_or_none()
    return None if text is None else open_text(connection, sealer, text, _place(name), name)


def _drop_older(connection: Connection, prefix: str, age_ms: int) -> int:
    old = and_(secrets.c.name.startswith(prefix, autoescape=True), secrets.c.at < now_ms() - age_ms)
    return connection.execute(delete(secrets).where(old)).rowcount


def _claim(connection: Connection, name: str, holder: str, ttl_ms: int) -> bool:
    free = or_(secrets.c.holder.is_(None), secrets.c.holder == holder, secrets.c.held_until < now_ms())
    mine = update(secrets).where(secrets.c.name == name, free)
    return connection.execute(mine.values(holder=holder, held_until=now_ms() + ttl_ms)).rowcount == 1


def _release(connection: Connection, name: str, holder: str) -> None:
    connection.execute(update(secrets).where(_held(name, holder)).values(holder=None, held_until=0))


def _held(name: str, holder: str) -> ColumnElement[bool]:
    return and_(secrets.c.name == name, secrets.c.holder == holder, secrets.c.held_until >= now_ms())
