"""Plain SQL on a fleet's database, by the drivers alone.

The one rule: nothing of the engine is imported, and every question opens a connection of its own, for the server may
have been restarted since the last.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from typing import Any, cast

import asyncpg

Row = Sequence[Any]

# The driver types it only in part.
_connect = cast("Any", asyncpg).connect

_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    sqlite3.OperationalError,
)


async def rows(url: str, query: str) -> list[Row]:
    """The rows of one query without parameters. Raises what the driver raises."""
    if url.startswith("sqlite"):
        return await asyncio.to_thread(_sqlite, url.removeprefix("sqlite:///"), query)
    connection = await _connect(url, timeout=5)
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close(timeout=5)


async def rows_or_none(url: str, query: str) -> list[Row] | None:
    """The rows, or None while the database is away."""
    try:
        return await rows(url, query)
    except _AWAY:
        return None


def _sqlite(path: str, query: str) -> list[Row]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()
