"""Snapshots of workflow definitions, addressed by the hash of their text, so that none is ever changed.

The one rule: insert if absent; there is no update and no delete.
"""

from sqlalchemy import Connection, select

from engine.store.dbclock import now_ms
from engine.store.schema import definitions
from engine.store.upsert import insert_into


def put(connection: Connection, digest: str, name: str, text: str, workspace: str) -> None:
    """Keep the text under its hash; nothing happens if it is there."""
    row = insert_into(connection.dialect, definitions).values(
        hash=digest, workspace=workspace, name=name, text=text, created_at=now_ms()
    )
    connection.execute(row.on_conflict_do_nothing())


def everything(connection: Connection) -> dict[str, str]:
    """All texts by their hashes."""
    return {row.hash: row.text for row in connection.execute(select(definitions.c.hash, definitions.c.text))}


def get(connection: Connection, digest: str) -> str | None:
    """The text with this hash."""
    return connection.scalars(select(definitions.c.text).where(definitions.c.hash == digest)).one_or_none()
