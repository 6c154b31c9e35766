"""Open work: for each run that has something to do or to wait for, the one time at which it must be looked at again.

The one rule: a row is written by the appends of its run; this module only pushes the due time of rows that it selects.
"""

from sqlalchemy import Connection, func, select, update

from engine.store.schema import open_work


def take_due(connection: Connection, now: int, limit: int, push: int) -> list[str]:
    """Up to `limit` runs that are due at `now`, earliest first; in the same transaction they become due at now + push.

    Any number of takers may be at it: on PostgreSQL they skip each other's rows.
    """
    due = select(open_work.c.run).where(open_work.c.due <= now).order_by(open_work.c.due).limit(limit)
    taken = due.with_for_update(skip_locked=True).cte("taken")
    pushed = update(open_work).values(due=now + push).where(open_work.c.run == taken.c.run)
    return list(connection.scalars(pushed.returning(open_work.c.run)))


def make_all_due(connection: Connection, now: int) -> int:
    """Make every run due that is ready or running, after activations were lost; how many. Timers keep their time."""
    parked = open_work.c.kind == "timer"
    return connection.execute(update(open_work).values(due=now).where(~parked, open_work.c.due > now)).rowcount


def next_due(connection: Connection) -> int | None:
    """The earliest due time, None if nothing is open."""
    return connection.scalars(select(func.min(open_work.c.due))).one()
