"""Checkpoints: a run's state after some event, so that loading a long run costs no more than its tail.

The one rule: a checkpoint saves time and nothing else. It counts only where the chain has the very event it was made
after, under our seal, for the fold that made it; else the events are folded as if it were not there.
"""

from typing import Any, Final

from sqlalchemy import Connection, Select, and_, bindparam, delete, func, or_, select

from engine.store import data_keys, streams
from engine.store.chain import checkpoint_mac
from engine.store.opening import checkpoint_place, open_events, open_text
from engine.store.schema import checkpoints, events
from engine.store.sealing import Keys
from engine.store.types import Checkpoint, Head, StoredEvent
from engine.store.upsert import insert_into


def put(connection: Connection, keys: Keys, made: Checkpoint) -> bool:
    """Keep it instead of the older ones; False if there is no such event (`made.hash` "": whatever its hash)."""
    mine = and_(checkpoints.c.stream == made.stream, checkpoints.c.version == made.version)
    found = select(events.c.hash).where(events.c.stream == made.stream, events.c.seq == made.seq)
    digest = connection.scalar(found)
    if digest is None or made.hash not in {"", digest}:
        return False
    text = made.text
    if (data_key := data_keys.of_run(connection, keys.sealer, made.stream)) is not None:
        text = data_key.seal(text, checkpoint_place(made.stream, made.seq, made.version))
    row = insert_into(connection.dialect, checkpoints).values(
        stream=made.stream,
        seq=made.seq,
        version=made.version,
        hash=digest,
        text=text,
        mac=checkpoint_mac(keys.chain, made.stream, made.seq, made.version, digest, text),
    )
    new = row.excluded
    row = row.on_conflict_do_update(
        index_elements=["stream", "seq", "version"], set_={"hash": new.hash, "text": new.text, "mac": new.mac}
    )
    connection.execute(row)
    # The fold before this one may still be at work in other processes; those before it have had their time.
    outdated = and_(checkpoints.c.stream == made.stream, checkpoints.c.version < made.version - 1)
    connection.execute(delete(checkpoints).where(or_(outdated, and_(mine, checkpoints.c.seq < made.seq))))
    return True


def load_run(
    connection: Connection, keys: Keys, stream: str, version: int
) -> tuple[Checkpoint | None, list[StoredEvent], Head]:
    """The newest checkpoint of this version, the events after it and the head they lead to, by one statement.

    Without a checkpoint that counts all events, and the empty head if there are none. A sealed run takes one more.
    """
    rows = connection.execute(_NEWEST_AND_TAIL, {"stream": stream, "version": version}).all()
    found, head = streams.read(rows)
    if not rows or rows[0].text is None:
        return None, open_events(connection, keys.sealer, found), head
    first = rows[0]
    if checkpoint_mac(keys.chain, stream, first.seq, version, first.hash, first.text) != first.mac:
        return None, *streams.load(connection, keys.sealer, stream, 0)
    text = open_text(connection, keys.sealer, first.text, checkpoint_place(stream, first.seq, version), stream)
    return (
        Checkpoint(stream, first.seq, version, first.hash, text),
        open_events(connection, keys.sealer, found[1:]),
        head,
    )


def _newest_and_tail() -> Select[*tuple[Any, ...]]:
    its_event = and_(
        events.c.stream == checkpoints.c.stream, events.c.seq == checkpoints.c.seq, events.c.hash == checkpoints.c.hash
    )
    stream = bindparam("stream", type_=events.c.stream.type)
    newest = (
        select(checkpoints.c.seq, checkpoints.c.text, checkpoints.c.mac)
        .join(events, its_event)
        .where(checkpoints.c.stream == stream, checkpoints.c.version == bindparam("version"))
        .order_by(checkpoints.c.seq.desc())
        .limit(1)
        .cte("newest")
    )
    # The event of the checkpoint comes along for its hash, which is the head when nothing follows.
    return (
        select(*streams.COLUMNS, newest.c.text, newest.c.mac)
        .select_from(events.outerjoin(newest, newest.c.seq == events.c.seq))
        .where(events.c.stream == stream, events.c.seq >= func.coalesce(select(newest.c.seq).scalar_subquery(), 0))
        .order_by(events.c.seq)
    )


# Built once: it would take longer than the database does.
_NEWEST_AND_TAIL: Final = _newest_and_tail()
