"""Reading what is said in a workspace's stream, but for the anchors, of which there may be one a minute.

The one rule: the head is read first, so that every event up to it is there; an append that follows this head is refused
if anything was said meanwhile.
"""

from typing import Final

from sqlalchemy import Connection, select
from sqlalchemy import text as sql

from engine.store.schema import SAID_IN_WORKSPACES, events, workspaces
from engine.store.streams import COLUMNS
from engine.store.types import Head, StoredEvent

# Spelled as in the partial index, so that the planners see that it serves; SQLite's has to be told to take it.
_SAID: Final = sql(SAID_IN_WORKSPACES)


def load_said(connection: Connection, workspace: str, after: int) -> tuple[list[StoredEvent], Head]:
    """The events past `after` that are no anchors, and the head of the whole stream (`Head.EMPTY`: there is none)."""
    query = select(workspaces.c.last_seq, workspaces.c.head_hash).where(workspaces.c.id == workspace)
    row = connection.execute(query).one_or_none()
    head = Head.EMPTY if row is None else Head(row.last_seq, row.head_hash)
    if head.seq <= after:
        return [], head
    places = (events.c.stream == workspace, events.c.seq > after, events.c.seq <= head.seq)
    said = select(*COLUMNS).where(*places, _SAID).order_by(events.c.seq)
    said = said.with_hint(events, "INDEXED BY ix_events_said", "sqlite")
    return [StoredEvent(*row) for row in connection.execute(said)], head
