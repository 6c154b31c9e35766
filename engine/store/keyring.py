"""The sealed keys and secrets of workspaces: sealed here, and written by the append that tells of them.

The one rule: a value is sealed under its workspace's data key, and bound to workspace, provider and id; so no row is
good in another's place. Nothing is opened here (`engine.store.unseal`).
"""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from sqlalchemy import Connection, delete, select

from engine.ids import data_key_id
from engine.store import data_keys
from engine.store.database import Database
from engine.store.schema import keyring
from engine.store.sealing import DataKey, Place
from engine.store.types import Append, DropKey
from engine.store.upsert import insert_into
from engine.store.vault import Vault

_HEX: Final = 12


@dataclass(frozen=True, slots=True)
class Sealed:
    """A value, sealed for its place, and what it is recognized by in its workspace."""

    id: str
    fingerprint: str
    text: str = field(repr=False)


class KeyRow(NamedTuple):
    """What lies under a name; `used_at` to the minute, None: never used."""

    provider: str
    name: str
    id: str
    used_at: int | None


class Keyring:
    """The rows of one workspace."""

    def __init__(self, database: Database, vault: Vault, workspace: str) -> None:
        self._database = database
        self._vault = vault
        self._workspace = workspace

    @property
    def can_seal(self) -> bool:
        """Whether there is a master key."""
        return self._vault.sealer is not None

    async def seal(self, provider: str, id_: str, value: str) -> Sealed:
        """The value, ready to be put by an append. ``NoSealer`` without a master key."""
        new = DataKey.new(data_key_id())
        subject = f"keys of {self._workspace}"
        key = await self._database.write(data_keys.of_subject, self._vault.required(), subject, new)
        mark = hmac.new(key.secret, b"\0".join((b"key", provider.encode(), value.encode())), "sha256").hexdigest()
        return Sealed(id_, mark[:_HEX], key.seal(value, place(self._workspace, provider, id_)))

    async def rows(self) -> list[KeyRow]:
        """All that is kept, by provider and name."""
        return await self._database.read(_rows, self._workspace)


def place(workspace: str, provider: str, id_: str) -> Place:
    """What a sealed key is bound to."""
    return ("key", workspace, provider, id_)


def write(connection: Connection, appends: Iterable[Append]) -> None:
    """What the appends of workspaces put and drop, as a part of their transaction."""
    for append in appends:
        for change in append.keys:
            where = {"workspace": append.stream, "provider": change.provider, "name": change.name}
            connection.execute(delete(keyring).filter_by(**where))
            if not isinstance(change, DropKey):
                kept = {"last_four": change.last_four, "fingerprint": change.fingerprint, "text": change.text}
                connection.execute(insert_into(connection.dialect, keyring).values(id=change.id, **where, **kept))


def _rows(connection: Connection, workspace: str) -> list[KeyRow]:
    columns = (keyring.c.provider, keyring.c.name, keyring.c.id, keyring.c.used_at)
    query = select(*columns).where(keyring.c.workspace == workspace).order_by(keyring.c.provider, keyring.c.name)
    return [KeyRow(*row) for row in connection.execute(query)]
