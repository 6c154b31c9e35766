"""Which statements a log sends to its database, on either of its engines."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine.base import OptionEngine

from engine.store import Log


@asynccontextmanager
async def counted(log: Log) -> AsyncGenerator[list[str]]:
    """The statements of the block, in their order."""
    found: list[str] = []

    def note(_c: Connection, _cursor: object, statement: str, *_rest: object) -> None:
        found.append(statement)

    def engine_of(connection: Connection) -> Engine:
        return connection.engine

    # PostgreSQL's reader is its writer with an option, and tells the writer's listeners.
    found_by = (await log.database.read(engine_of), await log.database.write(engine_of))
    engines = [engine for engine in found_by if not isinstance(engine, OptionEngine)]
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    yield found
    for engine in engines:
        event.remove(engine, "before_cursor_execute", note)
