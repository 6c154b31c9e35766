"""A fleet's own servers: a Redis and a PostgreSQL that can be flushed, killed and started again at any moment.

The one rule: nothing of theirs is shared with other tests, and nothing of theirs outlives the fleet.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from engine.embedded import EmbeddedRedis
from tests.fleet.sql import rows_or_none
from tests.services import missing, running_redis

DatabaseKind = Literal["sqlite", "postgresql"]
RESTART_WITHIN = 20

_BACKENDS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'vectorbea' ORDER BY pid"
# The kernel closes the pipe on which the shell waits when its owner ends, however that is. Which process the server is
# by then, after so many restarts, its own file tells.
_WATCHDOG = 'read -r _; kill -QUIT "$(head -n 1 "$1/postmaster.pid")"'


class Redis:
    """A Redis that keeps nothing when it is started again."""

    def __init__(self, server: EmbeddedRedis) -> None:
        self._server = server
        self.url = server.url

    async def flush(self) -> None:
        await asyncio.to_thread(_flush, self._server.socket)

    async def restart(self, away: float) -> None:
        """Kill it; ``away`` seconds later there is another, empty one."""
        await self._server.close()
        await asyncio.sleep(away)
        await self._server.ensure()


def _flush(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(b"FLUSHALL\r\n")
        assert connection.recv(64).startswith(b"+OK")


class Postgres:
    """A PostgreSQL with fsync on."""

    def __init__(self, data: Path, socket_directory: Path, programs: Path, user: str | None) -> None:
        self._data = data
        self._programs = programs
        self._user = user
        self.url = f"postgresql://postgres@/fleet?host={socket_directory}"

    async def restart(self, mode: Literal["immediate", "fast"]) -> None:
        """Restart the server. ``immediate`` is a crash: it recovers from its log.

        A server that is in the middle of a recovery may not end in good order; then it crashes too.
        """
        try:
            await asyncio.to_thread(self._control, mode, "restart", RESTART_WITHIN)
        except subprocess.CalledProcessError:
            await asyncio.to_thread(self._control, "immediate", "restart", RESTART_WITHIN)

    async def kill_backend(self, place: float) -> None:
        """Kill one of the engine's connections at the server; the server then crashes, and recovers by itself."""
        backends = [row[0] for row in await rows_or_none(self.url, _BACKENDS) or []]
        if backends:
            with contextlib.suppress(ProcessLookupError):
                os.kill(backends[int(place * len(backends))], signal.SIGKILL)

    def stop(self) -> None:
        """End the server for good."""
        self._control("immediate", "stop", RESTART_WITHIN)

    def run(self, program: str, *arguments: str) -> None:
        subprocess.run([str(self._programs / program), *arguments], check=True, capture_output=True, timeout=60)

    def _control(self, mode: str, action: str, within: int) -> None:
        files = ["-D", str(self._data), "-l", str(self._data / "log")]
        subprocess.run(
            [str(self._programs / "pg_ctl"), *files, "-m", mode, "-w", "-t", str(within), action],
            check=True,
            timeout=within + 5,
            user=self._user,
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


@contextmanager
def own_redis(folder: Path) -> Generator[Redis]:
    """A server of our own; gone at the end."""
    with running_redis(folder) as server:
        yield Redis(server)


@contextmanager
def own_postgres() -> Generator[Postgres]:
    """A server of our own, from the pgserver wheel, with an empty database; deleted at the end."""
    if importlib.util.find_spec("pgserver") is None:
        missing("PostgreSQL is not here: the pgserver wheel exists for Linux x86-64 on Python 3.11 and 3.12")
    with warnings.catch_warnings():
        # The import looks for XDG_RUNTIME_DIR and warns where there is none.
        warnings.simplefilter("ignore")
        import pgserver
        from pgserver.postgres_server import get_server
    directory = Path(tempfile.mkdtemp(prefix="vectorbea-fleet-"))
    data = directory / "data"
    server = get_server(data, cleanup_mode=None)
    programs = Path(pgserver.__file__).parent / "pginstall" / "bin"
    socket_directory = server.get_postmaster_info().socket_dir
    assert socket_directory is not None
    postgres = Postgres(data, socket_directory, programs, server.system_user)
    try:
        with _ended_with_us(data):
            postgres.run("createdb", "-h", str(socket_directory), "-U", "postgres", "fleet")
            yield postgres
    finally:
        postgres.stop()
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _ended_with_us(data: Path) -> Generator[None]:
    """Have the server told to quit if we are killed meanwhile."""
    command = ["/bin/sh", "-c", _WATCHDOG, "sh", str(data)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as watchdog:
        try:
            yield
        finally:
            watchdog.kill()
