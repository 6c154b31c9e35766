"""Whether anybody is there to run what is due, for those who have to tell a person.

The one rule: a worker is alive as long as its lease holds by the database's clock, and nothing else is asked.
"""

from typing import Final

from sqlalchemy import Connection, func, select

from engine.store.dbclock import now_ms
from engine.store.log import Log
from engine.store.schema import leases

_PREFIX: Final = "wrk_"


async def live_workers(log: Log) -> int:
    """How many worker processes hold a lease; one that was killed counts until its lease has run out."""
    return await log.database.read(_count)


def _count(connection: Connection) -> int:
    alive = leases.c.owner.startswith(_PREFIX, autoescape=True) & (leases.c.until > now_ms())
    return connection.scalars(select(func.count()).select_from(leases).where(alive)).one()
