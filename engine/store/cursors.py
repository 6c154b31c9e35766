"""Cursors: how far each consumer has read each run's stream, and who is reading on.

The one rule: only the holder of a cursor's lease moves it, and it moves forward only.

A consumer is known from its first claim. From then on each new run gets a cursor in the transaction that starts it, so
that looking for unread streams costs the open cursors and not all the runs there ever were.
"""

from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, false, func, literal, or_, select, text, union, update

from engine.store.dbclock import now_ms
from engine.store.schema import SAID_IN_WORKSPACES, consumers, cursors, deliveries, events, runs, workspaces
from engine.store.types import Cursor
from engine.store.upsert import insert_into


def register(connection: Connection, consumer: str) -> None:
    """Make the consumer known, with a cursor at 0 for every run that is there; nothing happens if it is known."""
    if connection.scalar(select(consumers.c.name).where(consumers.c.name == consumer)) is not None:
        return
    if connection.dialect.name == "postgresql":
        # Starts under way end before this, and later ones see the new consumer; so no run is left without a cursor.
        connection.exec_driver_sql("LOCK TABLE runs IN SHARE MODE")
    name = insert_into(connection.dialect, consumers).values(name=consumer)
    if connection.execute(name.on_conflict_do_nothing()).rowcount:
        # SQLite takes ON CONFLICT after a SELECT only if that has a WHERE.
        every_run = select(literal(consumer), runs.c.id).where(runs.c.last_seq > 0)
        made = insert_into(connection.dialect, cursors).from_select(
            ["consumer", "stream"], every_run, include_defaults=False
        )
        connection.execute(made.on_conflict_do_nothing())


def unread(connection: Connection, consumer: str, owner: str) -> list[str]:
    """The workspaces in which `claim_unread` would find something; reads only."""
    joined = select(runs.c.workspace).join(cursors, runs.c.id == cursors.c.stream)
    return list(connection.scalars(joined.where(*_unread(consumer, owner, None)).distinct()))


def unread_said(connection: Connection, consumer: str, owner: str, home: str) -> list[str]:
    """The workspaces that are behind with their own streams, or with what is said in `home`, if the owner may read on.

    Reads only.
    """
    told = func.coalesce(cursors.c.seq, 0)
    own = select(workspaces.c.id).outerjoin(cursors, _is(consumer, workspaces.c.id))
    behind = own.where(workspaces.c.last_seq > told, _free(owner))
    # Without anchors: they concern nobody else, and each would cost every workspace a look.
    news = select(func.max(events.c.seq)).where(events.c.stream == home, text(SAID_IN_WORKSPACES)).scalar_subquery()
    reading = literal(consumer_in_home(consumer, "")).concat(workspaces.c.id)
    others = select(workspaces.c.id).outerjoin(cursors, _is(reading, home))
    of_home = others.where(workspaces.c.id != home, news > told, _free(owner))
    return sorted(connection.scalars(union(behind, of_home)))


def consumer_in_home(consumer: str, workspace: str) -> str:
    """The name under which a workspace's cursor in the home workspace's stream is kept."""
    return f"{consumer}/{workspace}"


def claim_unread(
    connection: Connection, consumer: str, owner: str, ttl_ms: int, limit: int, workspace: str | None = None
) -> list[Cursor]:
    """Lease up to `limit` cursors of streams with unread events, those of nobody before those that the owner has."""
    wanted = (
        select(cursors.c.stream, cursors.c.seq, runs.c.last_seq)
        .join(runs, runs.c.id == cursors.c.stream)
        .where(*_unread(consumer, owner, workspace))
        .order_by(cursors.c.until, cursors.c.stream)
        .limit(limit)
        .with_for_update(of=cursors, skip_locked=True)
    )
    found = connection.execute(wanted).all()
    if not found:
        return []
    mine = update(cursors).where(cursors.c.consumer == consumer, cursors.c.stream.in_([row.stream for row in found]))
    leased = connection.execute(mine.values(owner=owner, until=now_ms() + ttl_ms).returning(cursors.c.until)).all()
    until: int = min(row.until for row in leased)
    return [Cursor(consumer, row.stream, row.seq, row.last_seq, until) for row in found]


def open_with(connection: Connection, consumer: str, workspace: str, prefix: str) -> list[str]:
    """The runs with which the consumer is not done, and of which it has deliveries whose keys begin so; reads only."""
    here = (deliveries.c.consumer == consumer, deliveries.c.stream == cursors.c.stream)
    # A range, for which the primary key serves; LIKE would take a look at each.
    named = (deliveries.c.key >= prefix, deliveries.c.key < prefix[:-1] + chr(ord(prefix[-1]) + 1))
    found = (
        select(cursors.c.stream)
        .join(runs, runs.c.id == cursors.c.stream)
        .where(cursors.c.consumer == consumer, cursors.c.done == false(), runs.c.workspace == workspace)
        .where(exists().where(*here, *named))
    )
    return list(connection.scalars(found.order_by(cursors.c.stream)))


def claim(connection: Connection, consumer: str, stream: str, owner: str, ttl_ms: int) -> Cursor | None:
    """Lease or prolong one cursor, also of a stream that is read or done; None if another has it or there is no stream.

    The stream is a run's, or a workspace's own.
    """
    last_seq = connection.scalar(select(runs.c.last_seq).where(runs.c.id == stream))
    if last_seq is None:
        last_seq = connection.scalar(select(workspaces.c.last_seq).where(workspaces.c.id == stream))
    if last_seq is None:
        return None
    absent = insert_into(connection.dialect, cursors).values(consumer=consumer, stream=stream)
    connection.execute(absent.on_conflict_do_nothing())
    mine = update(cursors).where(_is(consumer, stream), _free(owner)).values(owner=owner, until=now_ms() + ttl_ms)
    row = connection.execute(mine.returning(cursors.c.seq, cursors.c.until)).one_or_none()
    return None if row is None else Cursor(consumer, stream, row.seq, last_seq, row.until)


def advance(connection: Connection, consumer: str, stream: str, owner: str, seq: int, done: bool) -> bool:
    """Move the cursor to `seq`; False if the owner lost it, or it is further on."""
    mine = update(cursors).where(_is(consumer, stream), cursors.c.owner == owner, cursors.c.seq <= seq)
    return connection.execute(mine.values(seq=seq, done=done)).rowcount == 1


def release(connection: Connection, consumer: str, stream: str, owner: str) -> None:
    """Give the cursor back, if the owner has it."""
    mine = update(cursors).where(_is(consumer, stream), cursors.c.owner == owner)
    connection.execute(mine.values(owner=None, until=0))


def _is(consumer: str | ColumnElement[str], stream: str | ColumnElement[str]) -> ColumnElement[bool]:
    return and_(cursors.c.consumer == consumer, cursors.c.stream == stream)


def _free(owner: str) -> ColumnElement[bool]:
    return or_(cursors.c.owner.is_(None), cursors.c.owner == owner, cursors.c.until < now_ms())


def _unread(consumer: str, owner: str, workspace: str | None) -> tuple[ColumnElement[Any], ...]:
    own = () if workspace is None else (runs.c.workspace == workspace,)
    return (
        *own,
        cursors.c.consumer == consumer,
        # Spelled as in the partial index, so that the planners see that it serves.
        cursors.c.done == false(),
        runs.c.last_seq > cursors.c.seq,
        _free(owner),
    )
