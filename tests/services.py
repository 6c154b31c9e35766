"""The real servers that tests run against, started privately by the test process and gone with it.

The one rule: a missing service skips a test at home and fails it where CI=true, so that nothing goes untested unseen.
"""

import asyncio
import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import warnings
from collections.abc import AsyncGenerator, Coroutine, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest
from redis.asyncio import Redis

from engine.embedded import EmbeddedRedis, EmbeddedRedisError

MEMORY = Path("/dev/shm")
PLENTY = 4 * 1024**3
"""Bytes: of what all tests have at a time it is some ten times as much."""


def work_in_memory() -> None:
    """Let temporary files lie in memory, here and in all processes that are started, if there is plenty of it.

    What is lost with a machine is not what tests are about; and on a disk, to copy a database takes ten times as long.
    """
    if "TMPDIR" in os.environ or not MEMORY.is_mount() or not os.access(MEMORY, os.W_OK):
        return
    if shutil.disk_usage(MEMORY).free > PLENTY and not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC:
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


def missing(service: str) -> NoReturn:
    """Skip the test for want of a service; where CI=true fail it instead. `service` says what is missing."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{service} (CI must have it)", pytrace=False)
    pytest.skip(service)


def run_apart(coroutine: Coroutine[object, object, None]) -> None:
    """Run the coroutine in a loop and a thread of its own, so that the test's loop is neither used nor changed."""
    with ThreadPoolExecutor(1) as threads:
        threads.submit(asyncio.run, coroutine).result()


@contextmanager
def running_redis(directory: Path) -> Generator[EmbeddedRedis]:
    """A real Redis of the caller's own: `await close()` kills it, `await ensure()` starts it again, empty."""
    redis = EmbeddedRedis(directory)
    try:
        run_apart(redis.ensure())
    except EmbeddedRedisError as error:
        missing(str(error))
    try:
        yield redis
    finally:
        run_apart(redis.close())


@asynccontextmanager
async def frozen(server: EmbeddedRedis) -> AsyncGenerator[None]:
    """The server stopped, as on a machine that swaps: connections are accepted, nothing is answered."""
    async with Redis.from_url(server.url) as redis:  # pyright: ignore[reportUnknownMemberType]
        about: Any = await redis.info("server")  # pyright: ignore[reportUnknownMemberType]
    os.kill(about["process_id"], signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(about["process_id"], signal.SIGCONT)


@dataclass(frozen=True)
class PostgresServer:
    """A real PostgreSQL, reached by a Unix socket in `socket_directory`; `psql` is its client program.

    `later` does what no test waits for.
    """

    socket_directory: Path
    psql: Path
    later: ThreadPoolExecutor

    def url(self, database: str) -> str:
        """The URL of one of its databases, without a driver's name."""
        return f"postgresql://postgres@/{database}?host={self.socket_directory}"

    def execute(self, statement: str, *, database: str = "postgres") -> str:
        """Run one statement outside a transaction; returns its rows as unaligned text, fails on an SQL error."""
        command = [str(self.psql), "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", statement, self.url(database)]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout

    @contextmanager
    def database(self, like: str = "template1") -> Generator[str]:
        """The URL of a new database, a copy of another one; it is dropped afterwards, whoever is still connected."""
        name = f"test_{secrets.token_hex(8)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {like} STRATEGY file_copy")
        try:
            yield self.url(name)
        finally:
            self.later.submit(self.execute, f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def running_postgres(*, waits_for_disk: bool = False) -> Generator[PostgresServer]:
    """A real PostgreSQL of the caller's own, from the pgserver wheel; stopped and deleted at the end.

    Where nothing is measured it need not wait for its disk (fsync): tests kill processes and never the machine, and
    what a killed server has written is there when it starts again. Every test process has its own: a second costs about
    a second, and no lock can be left behind by a killed one.
    """
    if importlib.util.find_spec("pgserver") is None:
        missing("PostgreSQL is not here: the pgserver wheel exists for Linux x86-64 on Python 3.11 and 3.12")
    with warnings.catch_warnings():
        # The import looks for XDG_RUNTIME_DIR and warns where there is none.
        warnings.simplefilter("ignore")
        import pgserver
        from pgserver.postgres_server import get_server
    # Not below pytest's own directory: that is made private to this user again and again, and a server started by root
    # runs as another user. The path must be short enough for a Unix socket as well.
    directory = Path(tempfile.mkdtemp(prefix="vectorbea-postgres-"))
    server = get_server(directory / "data", cleanup_mode="stop")
    try:
        postmaster = server.get_postmaster_info()
        assert postmaster.socket_dir is not None
        psql = Path(pgserver.__file__).parent / "pginstall" / "bin" / "psql"
        with ended_with_us(postmaster.pid, directory), ThreadPoolExecutor(1) as later:
            running = PostgresServer(postmaster.socket_dir, psql, later)
            if not waits_for_disk:
                running.execute("ALTER SYSTEM SET fsync = off")
                running.execute("SELECT pg_reload_conf()")
            yield running
    finally:
        server.cleanup()
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def ended_with_us(pid: int, folder: Path) -> Generator[None]:
    """Have the process told to quit, and its folder taken away, if we are killed meanwhile.

    The kernel closes the pipe then, on which a shell waits.
    """
    then = 'read -r _; kill -QUIT "$1"; while kill -0 "$1" 2>&-; do sleep 0.1; done; rm -rf "$2"'
    command = ["/bin/sh", "-c", then, "sh", str(pid), str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as watchdog:
        try:
            yield
        finally:
            watchdog.kill()
