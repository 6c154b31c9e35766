"""Reading streams, and the append that locks its stream's head first.

The one rule: the events are the truth, and a head is read from the last of them.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, TypeAlias

from sqlalchemy import BigInteger, Connection, Row, bindparam, select

from engine.store.instants import from_text
from engine.store.opening import open_events
from engine.store.prepare import WORKSPACE_PREFIX
from engine.store.schema import IDENTIFIER, events, runs, workspaces
from engine.store.sealing import Sealer
from engine.store.types import Append, Head, StoredEvent

Decide: TypeAlias = Callable[[Sequence[StoredEvent], Head], Append | None]

COLUMNS = (
    events.c.stream,
    events.c.seq,
    events.c.type,
    events.c.version,
    events.c.at,
    events.c.payload,
    events.c.hash,
)


# Made once: it takes longer to make than to run.
_TAIL: Final = (
    select(*COLUMNS)
    .where(events.c.stream == bindparam("stream", type_=IDENTIFIER))
    .where(events.c.seq >= bindparam("first", type_=BigInteger))
    .order_by(events.c.seq)
)
_OF_STREAM: Final = select(*COLUMNS).where(events.c.stream == bindparam("stream", type_=IDENTIFIER))
_AT: Final = _OF_STREAM.where(events.c.seq.in_(bindparam("seqs", expanding=True))).order_by(events.c.seq)
_LAST: Final = _OF_STREAM.order_by(events.c.seq.desc()).limit(1)
_LOCK_RUN, _LOCK_WORKSPACE = (
    select(table.c.id).where(table.c.id == bindparam("id", type_=IDENTIFIER)).with_for_update()
    for table in (runs, workspaces)
)


def load(connection: Connection, sealer: Sealer | None, stream: str, after: int) -> tuple[list[StoredEvent], Head]:
    """The stream's events past `after`, and its head; one statement, so that they fit each other.

    A stream that nobody knows has no events and the empty head.
    """
    # The event at `after` comes along for its hash, which is the head when nothing follows.
    found, head = read(connection.execute(_TAIL, {"stream": stream, "first": after}).all())
    return open_events(connection, sealer, [event for event in found if event.seq > after]), head


def load_at(connection: Connection, sealer: Sealer | None, stream: str, seqs: Collection[int]) -> list[StoredEvent]:
    """The stream's events with these sequence numbers, in order."""
    found, _ = read(connection.execute(_AT, {"stream": stream, "seqs": list(seqs)}).all())
    return open_events(connection, sealer, found)


def read(rows: Sequence[Row[*tuple[Any, ...]]]) -> tuple[list[StoredEvent], Head]:
    """The events in rows that begin with COLUMNS, and the head that the last of them is."""
    found = [StoredEvent(*row[: len(COLUMNS)]) for row in rows]
    return found, Head(found[-1].seq, found[-1].hash) if found else Head.EMPTY


def last_event(connection: Connection, stream: str) -> StoredEvent | None:
    """The stream's last event."""
    row = connection.execute(_LAST, {"stream": stream}).one_or_none()
    return None if row is None else StoredEvent(*row)


def next_place(connection: Connection, stream: str, now: int) -> tuple[Head, int]:
    """The head that the stream's next event follows, and the time that it may have: now, or its predecessor's."""
    last = last_event(connection, stream)
    return (Head.EMPTY, now) if last is None else (Head(last.seq, last.hash), max(now, from_text(last.at)))


def lock_head(connection: Connection, stream: str) -> None:
    """Wait until this transaction alone may move the stream's head. (On SQLite every writing transaction is alone.)"""
    lock = _LOCK_WORKSPACE if stream.startswith(WORKSPACE_PREFIX) else _LOCK_RUN
    connection.execute(lock, {"id": stream}).all()
