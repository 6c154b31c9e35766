"""The epoch: one number that grows with whatever changes what holds steps, such as a kill switch.

The one rule: an append that starts something names the epoch it was decided at, and is written only if that is still
the one; whoever moves the epoch excludes all such appends until its own commit. On SQLite every writing transaction is
alone. On PostgreSQL `vb_epoch()` takes a shared advisory lock before it reads, within the statement that moves the
heads and so without a round trip of its own; whoever moves the epoch takes that lock alone. It is in a batch of its
own, and wants no row that such an append may have locked before it waits.
"""

from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, func, insert, select, text, true, update
from sqlalchemy.engine import Dialect

from engine.store.dbclock import now_ms
from engine.store.prepare import Prepared
from engine.store.schema import epochs, events, open_work, switches
from engine.store.streams import COLUMNS
from engine.store.types import AtEpoch, Guard, StoredEvent

# The same in the migration that makes `vb_epoch()`.
_ADVISORY_LOCK: Final = 33322235069424488


def current(dialect: Dialect) -> ColumnElement[int]:
    """The epoch, for a condition of a statement that writes."""
    if dialect.name == "sqlite":
        return select(epochs.c.number).scalar_subquery()
    # In a query of its own, so that it is called once for a statement, and only if a row asks.
    return select(func.vb_epoch()).scalar_subquery()


def read(connection: Connection) -> tuple[int, list[StoredEvent]]:
    """The epoch, and the events by which the switches that are thrown were."""
    rows = connection.execute(_THROWN).all()
    return rows[0][0], [StoredEvent(*row[1:]) for row in rows if row[1] is not None]


def _thrown() -> Select[*tuple[Any, ...]]:
    place = and_(events.c.stream == switches.c.workspace, events.c.seq == switches.c.seq)
    thrown = switches.join(events, place)
    return select(epochs.c.number, *COLUMNS).select_from(epochs.outerjoin(thrown, true()))


# Made once: every worker asks it again and again.
_THROWN: Final = _thrown()


def refused(connection: Connection, item: Prepared) -> dict[str, Guard]:
    """Keep all others from starting anything until this transaction ends; what is refused if the epoch has moved."""
    if (new := item.append.epoch) is None:
        return {}
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
    now = connection.execute(select(epochs.c.number)).scalar_one()
    return {} if now == new.epoch - 1 else {item.append.stream: AtEpoch(new.epoch - 1)}


def move(connection: Connection, item: Prepared) -> None:
    """The epoch moves on, switches are thrown and lifted, and what that frees is due at once."""
    if (new := item.append.epoch) is None:
        return
    connection.execute(update(epochs).values(number=new.epoch))
    workspace = item.append.stream
    if new.throws is not None:
        row = {"workspace": workspace, "key": new.throws, "seq": item.head.seq}
        connection.execute(insert(switches).values(row))
    if new.lifts is not None:
        connection.execute(delete(switches).where(switches.c.workspace == workspace, switches.c.key == new.lifts))
    if not new.frees:
        return
    held: list[Any] = [open_work.c.kind == "held", open_work.c.due > now_ms()]
    if not new.everywhere:
        held.append(open_work.c.workspace == workspace)
    # Locked in the order of their ids, as appends lock them.
    these = select(open_work.c.run).where(and_(*held)).order_by(open_work.c.run).with_for_update().cte("these")
    connection.execute(update(open_work).values(due=now_ms()).where(open_work.c.run.in_(select(these.c.run))))
