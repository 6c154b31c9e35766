"""Leases: which processes are alive, one row each, on the database's clock: workers, and those who serve people.

The one rule: a lease says until when its owner may be believed to work; it is renewed, and shortened only by `release`.
"""

import json
from functools import lru_cache
from typing import Final

from sqlalchemy import BigInteger, Connection, Text, delete, func, select, true
from sqlalchemy.engine import Dialect

from engine.store.dbclock import now_ms
from engine.store.expand import BatchStatement, Row, batch_rows
from engine.store.schema import IDENTIFIER, leases
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
    given: Row = {"owner": owner, "ttl": ttl_ms, "info": None if info is None else _encode(info)}
    [renewed] = _renewal(connection.dialect, info is not None).execute(connection, [given])
    return renewed.until


@lru_cache(maxsize=8)
def _renewal(dialect: Dialect, with_info: bool) -> BatchStatement:
    """Over owner, ttl, info. Made once: leases are renewed all the time, and it takes longer to make than to run."""
    row = batch_rows(dialect, {"owner": IDENTIFIER, "ttl": BigInteger(), "info": Text()})
    given = {"owner": row.c.owner, "until": now_ms() + row.c.ttl, "since": now_ms()}
    if with_info:
        given["info"] = row.c.info
    source = select(*given.values()).where(true())
    new = insert_into(dialect, leases).from_select(list(given), source, include_defaults=False)
    changed = {name: new.excluded[name] for name in given if name in ("until", "info")}
    new = new.on_conflict_do_update(index_elements=["owner"], set_=changed)
    return BatchStatement(dialect, new.returning(leases.c.until))


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
