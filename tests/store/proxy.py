"""A proxy before a real PostgreSQL that cuts a connection at the one moment where the outcome is hard to know.

The one rule: it changes no byte; it forwards, or it cuts.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

# As asyncpg asks for it, and as the server reports it done.
_BEGUN, _UNDONE, _ASKED, _DONE = b"BEGIN", b"ROLLBACK;", b"COMMIT;", b"COMMIT\0"
# An append that is one statement is a transaction by itself, done when the server is idle again.
_APPEND, _IDLE = b'"head_mac":', b"Z\0\0\0\x05I"


@dataclass
class CommitCutter:
    """Set `at` to cut the next commit: before the server sees it, or after it is done and before the client knows.

    `cuts` counts what was cut.
    """

    socket: Path
    at: Literal["before", "after"] | None = None
    cuts: int = 0
    url: str = ""

    async def serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_unix_connection(self.socket)
        both, commits = (to_client, to_server), _Commits()
        await asyncio.gather(
            self._pipe(client, to_server, "before", commits.asked, both),
            self._pipe(server, to_client, "after", commits.done, both),
        )

    async def _pipe(
        self,
        source: asyncio.StreamReader,
        target: asyncio.StreamWriter,
        at: Literal["before", "after"],
        is_now: Callable[[bytes], bool],
        both: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
    ) -> None:
        try:
            while data := await source.read(65536):
                if is_now(data) and self.at == at:
                    self.at = None
                    self.cuts += 1
                    break
                target.write(data)
                await target.drain()
        except ConnectionError:
            pass
        finally:
            for writer in both:
                writer.close()


class _Commits:
    """What is seen of the commits on one connection."""

    def __init__(self) -> None:
        self._begun = False
        self._alone = False

    def asked(self, data: bytes) -> bool:
        """Whether the client asks for a commit by this."""
        self._begun = self._begun or _BEGUN in data
        self._alone = not self._begun and _APPEND in data
        if _ASKED in data or _UNDONE in data:
            self._begun = False
        return self._alone or _ASKED in data

    def done(self, data: bytes) -> bool:
        """Whether the server says by this that it has committed."""
        return _DONE in data or (self._alone and _IDLE in data)


@asynccontextmanager
async def commit_cutter(socket_directory: Path, database: str) -> AsyncGenerator[CommitCutter]:
    """A proxy of the server's Unix socket on a TCP port of the loopback; `url` is the database's URL through it."""
    cutter = CommitCutter(socket_directory / ".s.PGSQL.5432")
    listener = await asyncio.start_server(cutter.serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    cutter.url = f"postgresql://postgres@127.0.0.1:{port}/{database}"
    async with listener:
        yield cutter
