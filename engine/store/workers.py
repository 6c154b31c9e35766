"""Who is there to run what is due, for those who have to tell a person.

The one rule: a worker is alive as long as its lease holds by the database's clock, and nothing else is asked.
"""

import json
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, select

from engine.store.dbclock import now_ms
from engine.store.schema import leases
from engine.store.types import WorkerInfo

if TYPE_CHECKING:
    from engine.store.log import Log

_PREFIX: Final = "wrk_"


async def live_workers(log: "Log") -> int:
    """How many worker processes hold a lease; one that was killed counts until its lease has run out."""
    return len(await log.workers())


def alive(connection: Connection) -> list[WorkerInfo]:
    """The workers whose lease holds, the longest alive first."""
    holds = leases.c.owner.startswith(_PREFIX, autoescape=True) & (leases.c.until > now_ms())
    rows = connection.execute(select(leases).where(holds).order_by(leases.c.since, leases.c.owner))
    return [WorkerInfo(id=row.owner, since=row.since, until=row.until, info=json.loads(row.info)) for row in rows]
