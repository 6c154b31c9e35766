"""Fixtures shared by all tests: one real Redis and one real PostgreSQL per process, a place of its own per test.

The one rule: tests are kept apart by unique names (namespace, database, directory), never by flushing.
"""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.embedded import EmbeddedRedis
from tests.services import PostgresServer, running_postgres, running_redis


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """The shared Redis (`.url`). A test that kills or flushes a server must have its own: `running_redis`."""
    with running_redis(tmp_path_factory.mktemp("redis")) as redis:
        yield redis


@pytest.fixture
def redis_namespace() -> str:
    """A prefix of keys that no other test uses."""
    return f"test_{secrets.token_hex(8)}"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The shared PostgreSQL; a test takes a database of its own from it."""
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a new, empty database, without a driver's name: each test runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'vb.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with server.database() as url:
        yield url
