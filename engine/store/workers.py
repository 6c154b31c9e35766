"""Who is there to run what is due, for those who have to tell a person.

The one rule: a worker is alive as long as its lease holds by the database's clock, and nothing else is asked.
"""

import json
from typing import Final

from sqlalchemy import Connection, select

from engine.store.dbclock import now_ms
from engine.store.schema import leases
from engine.store.types import WorkerInfo

_PREFIX: Final = "wrk_"


def alive(connection: Connection) -> list[WorkerInfo]:
    """The workers whose lease holds, the longest alive first; one that was killed counts until its lease is over."""
    holds = leases.c.owner.startswith(_PREFIX, autoescape=True) & (leases.c.until > now_ms())
    rows = connection.execute(select(leases).where(holds).order_by(leases.c.since, leases.c.owner))
    return [WorkerInfo(id=row.owner, since=row.since, until=row.until, info=json.loads(row.info)) for row in rows]
