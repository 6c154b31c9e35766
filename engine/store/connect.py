"""From a URL to an open database: which driver, and whether it answers.

The one rule: people write `sqlite:///path` or `postgresql://…`; drivers are our choice and are named only beyond here.
"""

from typing import Final

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from engine.store import leases
from engine.store.database import Busy, Database, Lost, Unreachable
from engine.store.errors import StoreError
from engine.store.sqlite import SqliteDatabase

_FORMS = "use sqlite:///path/to/vb.db or postgresql://user:password@host:5432/name"


# The lease of a worker that nobody told us anything else about.
LEASE_MS: Final = 15_000


async def connect(url: str, lease_ms: int = LEASE_MS) -> Database:
    """Open the database and see that it answers: else StoreUnavailable, at once if it is not there at all.

    One that is only busy is waited for, as later too. StoreError for a URL of no known form. Nothing holds a lock of a
    server's for a third of `lease_ms`.
    """
    database = _database(url, lease_ms)
    try:
        await _see_that_it_answers(database)
    except StoreError:
        await database.close()
        raise
    return database


async def _see_that_it_answers(database: Database) -> None:
    try:
        await database.read_once(leases.now)
    except Busy:
        await database.read(leases.now)
    except (Unreachable, Lost) as fault:
        raise database.unavailable(fault) from fault


def _database(url: str, lease_ms: int) -> Database:
    parsed = _parsed(url)
    match parsed.get_backend_name():
        case "sqlite" if parsed.database and parsed.database != ":memory:":
            return SqliteDatabase(parsed)
        case "postgresql" | "postgres":
            # Only now: the driver and what it needs take as long to import as all the rest of the store.
            from engine.store.postgresql import PostgresDatabase

            return PostgresDatabase(parsed, lease_ms)
        case _:
            raise StoreError(f"{parsed.render_as_string()} is no database that can be used: {_FORMS}")


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        # Without the text: it may hold a password.
        raise StoreError(f"the database's URL cannot be read: {_FORMS}") from None
