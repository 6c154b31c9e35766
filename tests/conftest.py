"""Fixtures shared by all tests: one real Redis and one real PostgreSQL per process, a place of its own per test.

The one rule: tests are kept apart by unique names (namespace, database, directory), never by flushing.
"""

import gc
import secrets
import shutil
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from engine.embedded import EmbeddedRedis
from engine.store import Log
from tests.services import PostgresServer, run_apart, running_postgres, running_redis, work_in_memory

BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]


def pytest_configure() -> None:
    work_in_memory()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None]:
    """What is there when all tests are is there to stay: to look for garbage in it again and again takes long.

    Where a test forks processes, let what they need be imported meanwhile: that takes some seconds.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
        if (forks := sys.modules.get("tests.forks")) is not None:
            forks.warm_up()


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


@pytest.fixture(scope="session")
def sqlite_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with our tables and nothing in them, to be copied: to migrate anew takes as long as many a test."""
    path = tmp_path_factory.mktemp("tables") / "vb.db"
    run_apart(migrate(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def postgres_tables(postgres_server: PostgresServer) -> str:
    """The same on the shared PostgreSQL: the database's name."""
    postgres_server.execute("CREATE DATABASE tables")
    run_apart(migrate(postgres_server.url("tables")))
    return "tables"


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_tables: Path) -> str:
    """The URL of a database with our tables and nothing in them."""
    return f"sqlite:///{shutil.copyfile(sqlite_tables, tmp_path / 'vb.db')}"


@pytest.fixture(params=BOTH)
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The same, without a driver's name: each test runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_url")
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with server.database(like=request.getfixturevalue("postgres_tables")) as url:
        yield url


@pytest.fixture(params=BOTH)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without any tables, on both."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'vb.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with server.database() as url:
        yield url


async def migrate(url: str) -> None:
    log = await Log.open(url, bytes(32))
    await log.close()
