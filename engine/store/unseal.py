"""Opening one key of a workspace.

The one rule: a key is read for each use, in a transaction of its own, and nothing of it is remembered; so what was
replaced or revoked cannot be opened by anybody from that commit on. `engine.vault` alone may import this module, and
import-linter keeps everybody else out.
"""

from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection, or_, select, update

from engine.core.keys import chosen
from engine.store.database import Database
from engine.store.dbclock import now_ms
from engine.store.errors import SealBroken
from engine.store.keyring import place
from engine.store.opening import open_text
from engine.store.schema import keyring
from engine.store.sealing import Sealer, is_sealed
from engine.store.vault import Vault

# `used_at` is written no more often than this.
_USED_EVERY: Final = 60_000


@dataclass(frozen=True, slots=True)
class Opened:
    """A key to be used now, and not to be kept."""

    provider: str
    name: str
    id: str
    last_four: str
    fingerprint: str
    value: str = field(repr=False)


async def unseal(database: Database, vault: Vault, workspace: str, provider: str, name: str | None) -> Opened | None:
    """What lies under the name (None: the default one, or the only one); None if nothing does.

    ``NoSealer`` without a master key, ``SealBroken`` for a row that was changed or moved.
    """
    found = await database.read(_read, vault.required(), workspace, provider, name)
    if found is None:
        return None
    opened, used_at, now = found
    if used_at is None or used_at < now - _USED_EVERY:
        await database.write(_note_use, workspace, opened.id, now)
    return opened


def _read(
    connection: Connection, sealer: Sealer, workspace: str, provider: str, name: str | None
) -> tuple[Opened, int | None, int] | None:
    query = select(keyring, now_ms().label("now")).filter_by(workspace=workspace, provider=provider)
    rows = {row.name: row for row in connection.execute(query if name is None else query.filter_by(name=name))}
    row = rows.get(chosen(list(rows), name) or "")
    if row is None:
        return None
    if not is_sealed(row.text):
        raise SealBroken(f"{provider}/{row.name} of {workspace}")
    value = open_text(connection, sealer, row.text, place(workspace, provider, row.id), workspace)
    return Opened(provider, row.name, row.id, row.last_four, row.fingerprint, value), row.used_at, row.now


def _note_use(connection: Connection, workspace: str, id_: str, now: int) -> None:
    earlier = or_(keyring.c.used_at.is_(None), keyring.c.used_at < now)
    connection.execute(update(keyring).where(earlier).filter_by(workspace=workspace, id=id_).values(used_at=now))
