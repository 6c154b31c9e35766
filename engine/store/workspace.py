"""Reading what is said in a workspace's stream, but for the anchors, of which there may be one a minute.

The one rule: the head is read first, so that every event up to it is there; an append that follows this head is refused
if anything was said meanwhile.
"""

from typing import Any, Final

from sqlalchemy import BigInteger, Connection, Select, bindparam, select
from sqlalchemy import text as sql

from engine.store.schema import IDENTIFIER, SAID_IN_WORKSPACES, events, workspaces
from engine.store.streams import COLUMNS
from engine.store.types import Head, StoredEvent

_WORKSPACE: Final = bindparam("workspace", type_=IDENTIFIER)


def _all_said() -> Select[*tuple[Any, ...]]:
    # Spelled as in the partial index, so that the planners see that it serves; SQLite's has to be told to take it.
    after, last = bindparam("after", type_=BigInteger), bindparam("last", type_=BigInteger)
    places = (events.c.stream == _WORKSPACE, events.c.seq > after, events.c.seq <= last)
    said = select(*COLUMNS).where(*places, sql(SAID_IN_WORKSPACES)).order_by(events.c.seq)
    return said.with_hint(events, "INDEXED BY ix_events_said", "sqlite")


# Made once: every start of a run asks.
_HEAD: Final = select(workspaces.c.last_seq, workspaces.c.head_hash).where(workspaces.c.id == _WORKSPACE)
_SAID: Final = _all_said()


def load_said(connection: Connection, workspace: str, after: int) -> tuple[list[StoredEvent], Head]:
    """The events past `after` that are no anchors, and the head of the whole stream (`Head.EMPTY`: there is none)."""
    row = connection.execute(_HEAD, {"workspace": workspace}).one_or_none()
    head = Head.EMPTY if row is None else Head(row.last_seq, row.head_hash)
    if head.seq <= after:
        return [], head
    said = connection.execute(_SAID, {"workspace": workspace, "after": after, "last": head.seq})
    return [StoredEvent(*row) for row in said], head
