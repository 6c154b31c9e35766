"""A worker that is told to stop while its database is away stops soon all the same; what it had goes on elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from engine.clock import MovableClock
from engine.core.state import RunStatus, StepStatus
from engine.embedded import EmbeddedRedis
from engine.engine import EngineSettings
from engine.worker import HAND_BACK_WITHIN, LAST_WORD_WITHIN, WorkerSettings
from tests.engine.conftest import Setup, World, ended, workflow
from tests.engine.flows import begin, sound, step_is
from tests.services import PostgresServer

HOLD = workflow({"id": "h", "uses": "t.hold"}, {"id": "z", "uses": "t.echo", "with": {"text": "z"}})


@dataclass
class Cord:
    """Forwards to the server until it is pulled out."""

    socket: Path
    is_in: bool = True
    open: set[asyncio.StreamWriter] = field(default_factory=set[asyncio.StreamWriter])

    async def serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        if not self.is_in:
            to_client.close()
            return
        server, to_server = await asyncio.open_unix_connection(self.socket)
        self.open |= {to_client, to_server}
        await asyncio.gather(self._pipe(client, to_server), self._pipe(server, to_client))

    async def _pipe(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                target.write(data)
                await target.drain()
        except ConnectionError:
            pass
        finally:
            target.close()

    def pull(self) -> None:
        self.is_in = False
        for writer in self.open:
            writer.transport.abort()


@asynccontextmanager
async def cord(socket: Path) -> AsyncGenerator[tuple[Cord, int]]:
    plugged = Cord(socket / ".s.PGSQL.5432")
    listener = await asyncio.start_server(plugged.serve, "127.0.0.1", 0)
    async with listener:
        yield plugged, listener.sockets[0].getsockname()[1]


@pytest.mark.postgresql
async def test_a_worker_stops_soon_although_its_database_is_away(
    redis_server: EmbeddedRedis, redis_namespace: str, world: World, postgres_server: PostgresServer
) -> None:
    with postgres_server.database() as url:
        worker = WorkerSettings(slots=5, lease=3_000, grace=0.5)
        settings = EngineSettings(url, redis_server.url, b"k" * 32, namespace=redis_namespace, worker=worker)
        async with cord(postgres_server.socket_directory) as (plugged, port):
            name = url.partition("@/")[2].partition("?")[0]
            through = replace(settings, database_url=f"postgresql://postgres@127.0.0.1:{port}/{name}")
            async with Setup(through, world, MovableClock()).working(HOLD) as engine:
                run = await begin(engine)
                await step_is(engine, run, "h", StepStatus.RUNNING)
                plugged.pull()
                world.open.set()
                began = asyncio.get_running_loop().time()
        took = asyncio.get_running_loop().time() - began
        assert took < worker.grace + HAND_BACK_WITHIN + 4 * LAST_WORD_WITHIN
        async with Setup(settings, world, MovableClock()).working() as engine:
            assert (await ended(engine, run)).status is RunStatus.COMPLETED
            assert await sound(engine)
