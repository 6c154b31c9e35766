"""Snapshots of workflow definitions, addressed by the hash of their text, so that none is ever changed.

The one rule: insert if absent; there is no update and no delete.
"""

from functools import lru_cache
from typing import Final

from sqlalchemy import Connection, Executable, bindparam, select
from sqlalchemy.engine import Dialect

from engine.store.dbclock import now_ms
from engine.store.schema import IDENTIFIER, definitions
from engine.store.upsert import insert_into


def put(connection: Connection, digest: str, name: str, text: str, workspace: str) -> None:
    """Keep the text under its hash; nothing happens if it is there."""
    given = {"digest": digest, "of": workspace, "named": name, "snapshot": text}
    connection.execute(_putting(connection.dialect), given)


@lru_cache(maxsize=4)
def _putting(dialect: Dialect) -> Executable:
    given = {"hash": "digest", "workspace": "of", "name": "named", "text": "snapshot"}
    row = {column: bindparam(name, type_=definitions.c[column].type) for column, name in given.items()}
    return insert_into(dialect, definitions).values(**row, created_at=now_ms()).on_conflict_do_nothing()


def everything(connection: Connection) -> dict[str, str]:
    """All texts by their hashes."""
    return {row.hash: row.text for row in connection.execute(select(definitions.c.hash, definitions.c.text))}


def get(connection: Connection, digest: str) -> str | None:
    """The text with this hash."""
    return connection.scalars(_TEXT, {"hash": digest}).one_or_none()


# Made once: it takes longer to make than to run.
_TEXT: Final = select(definitions.c.text).where(definitions.c.hash == bindparam("hash", type_=IDENTIFIER))
