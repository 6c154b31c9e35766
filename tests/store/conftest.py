"""An open log on a database of the test's own, on SQLite and on PostgreSQL.

The one rule: at its end no connection may be in use, whatever the test did to its callers.
"""

from collections.abc import AsyncIterator

import pytest

from engine.store import Log
from tests.store.build import KEY


@pytest.fixture
async def log(database_url: str) -> AsyncIterator[Log]:
    log = await Log.open(database_url, KEY)
    yield log
    await log.close()
    assert log.database.connections_in_use() == 0


@pytest.fixture
async def other(database_url: str, log: Log) -> AsyncIterator[Log]:
    """A second log on the same database, as another process would have it."""
    other = await Log.open(database_url, KEY)
    yield other
    await other.close()
    assert other.database.connections_in_use() == 0
