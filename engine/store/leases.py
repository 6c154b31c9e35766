"""Leases: which processes are alive, one row each, on the database's clock: workers, and those who serve people.

The one rule: a lease says until when its owner may be believed to work; it is renewed, and shortened only by `release`.
"""

import json
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, Executable, bindparam, delete, func, select
from sqlalchemy.engine import Dialect

from engine.store.dbclock import now_ms
from engine.store.schema import leases
from engine.store.types import JsonObject
from engine.store.upsert import insert_into

_DAY_MS: Final = 24 * 60 * 60 * 1000

_encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), sort_keys=True).encode


_NOW: Final = select(now_ms())


def now(connection: Connection) -> int:
    """The database's clock."""
    return connection.scalars(_NOW).one()


def renew(connection: Connection, owner: str, ttl_ms: int, info: JsonObject | None = None) -> int:
    """Make or prolong the owner's lease; the instant at which it ends. `info` None leaves what it says of itself."""
    given: dict[str, Any] = {"lease_owner": owner, "ttl": ttl_ms}
    if info is not None:
        given["lease_info"] = _encode(info)
    return connection.scalars(_renewal(connection.dialect, info is not None), given).one()


@lru_cache(maxsize=8)
def _renewal(dialect: Dialect, with_info: bool) -> Executable:
    """Made once: a lease is renewed all the time, and the statement takes longer to make than to run."""
    ttl = bindparam("ttl", type_=BigInteger)
    row = insert_into(dialect, leases).values(owner=bindparam("lease_owner"), until=now_ms() + ttl, since=now_ms())
    changed: dict[str, Any] = {"until": row.excluded.until}
    if with_info:
        row = row.values(info=bindparam("lease_info"))
        changed["info"] = row.excluded.info
    row = row.on_conflict_do_update(index_elements=["owner"], set_=changed)
    return row.returning(leases.c.until)


def held(connection: Connection, prefix: str) -> int:
    """How many owners whose names begin so hold a lease."""
    holds = leases.c.owner.startswith(prefix, autoescape=True) & (leases.c.until > now_ms())
    return connection.scalars(select(func.count()).where(holds)).one()


def release(connection: Connection, owner: str) -> None:
    """End the owner's lease now, if it has one, and sweep out those of workers that died long ago.

    No row means the same as a lease that has ended, so that the table holds no more than a day's dead.
    """
    long_ago = leases.c.until < now_ms() - _DAY_MS
    connection.execute(delete(leases).where((leases.c.owner == owner) | long_ago))
