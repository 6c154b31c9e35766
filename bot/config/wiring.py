"""From settings to an open engine: the embedded defaults where nothing is given, and the steps that this process has.

The one rule: a command asks for what it needs. Only a process that works starts a Redis; only one that starts runs
reads definitions; only one that may be the first makes a database and its key.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from bot.config.chainkey import WrongChainKey, chain_key
from bot.config.known import all_steps, catalog, steps
from bot.config.masterkey import sealer
from bot.config.settings import Settings
from engine.attempts import Limits
from engine.catalog import Catalog
from engine.clock import Clock
from engine.core.errors import EngineError
from engine.embedded import EmbeddedRedis, EmbeddedRedisError
from engine.engine import Engine, EngineSettings
from engine.garbage import tidy_seldom
from engine.keycheck import Endpoint
from engine.pace import SharedPace
from engine.steps.models.config import Wire
from engine.steps.registry import Registry, StepFunction
from engine.store import Log
from engine.streams import Buckets, GroupLost, Streams, StreamsUnavailable
from engine.worker import WorkerSettings

log = logging.getLogger(__name__)

LOOK_AT_REDIS_EVERY = 1.0

NAMESPACE = "vb"
"""Of all keys in Redis."""
_MIB = 2**20

FORGET_WORKERS_AFTER = 3_600_000
"""Milliseconds of silence; a worker reads every second."""


class NoDatabase(EngineError):
    """Asked about runs where none has ever been started."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(
            f"There is no database {settings.database_file} yet; start a run first (vb run), or name the folder of "
            "another one with --dir."
        )


@asynccontextmanager
async def reading_engine(
    settings: Settings, *, clock: Clock | None = None, any_key: bool = False
) -> AsyncGenerator[Engine]:
    """An engine to ask about runs and to act on them; it knows no workflows. Raises ``NoDatabase``.

    With ``any_key``, one that only asks: the key need not be that of the history.
    """
    if settings.is_embedded_database and not settings.database_file.exists():
        raise NoDatabase(settings)
    async with _engine(settings, _redis_url(settings), Catalog({}), Registry([]), clock, any_key=any_key) as engine:
        yield engine


@asynccontextmanager
async def starting_engine(settings: Settings, known: Catalog) -> AsyncGenerator[Engine]:
    """An engine that starts runs, and leaves their steps to others."""
    async with _engine(settings, _redis_url(settings), known, Registry([]), None) as engine:
        yield engine


@asynccontextmanager
async def steering_engine(settings: Settings) -> AsyncGenerator[Engine]:
    """An engine to act on runs, which knows workflows and steps by name; it works on none. Raises ``NoDatabase``."""
    if settings.is_embedded_database and not settings.database_file.exists():
        raise NoDatabase(settings)
    known, _ = catalog(settings)
    async with _engine(settings, _redis_url(settings), known, all_steps(settings), None) as engine:
        yield engine


@asynccontextmanager
async def defining_engine(settings: Settings) -> AsyncGenerator[Engine]:
    """An engine to act on a workspace, which need not have a database yet: deployments come before runs."""
    known, _ = catalog(settings)
    async with _engine(settings, _redis_url(settings), known, all_steps(settings), None) as engine:
        yield engine


@asynccontextmanager
async def working_engine(
    settings: Settings, known: Catalog, posting: StepFunction | None = None, *, clock: Clock | None = None
) -> AsyncGenerator[Engine]:
    """An engine that can run steps (the caller enters ``engine.work()``), with a Redis for certain.

    ``posting`` is the step that Slack is needed for.
    """
    async with (
        _redis(settings) as url,
        _pace(settings, url) as pace,
        _engine(settings, url, known, Registry(steps(settings, posting, pace)), clock) as engine,
    ):
        await _prepare_stream(engine)
        tidy_seldom()
        yield engine


async def migrate(settings: Settings) -> bool:
    """Bring the tables up to date, making the database if need be; whether there was anything to do."""
    from engine.store import SchemaMismatch

    key, sealed_by = await _chain_key(settings), sealer(settings)
    try:
        await (await Log.open(settings.database_url, key, sealer=sealed_by, migrate=False)).close()
    except SchemaMismatch:
        await (await Log.open(settings.database_url, key, sealer=sealed_by)).close()
        return True
    return False


@asynccontextmanager
async def _engine(
    settings: Settings,
    redis_url: str,
    known: Catalog,
    registry: Registry,
    clock: Clock | None,
    *,
    any_key: bool = False,
) -> AsyncGenerator[Engine]:
    engine_settings = EngineSettings(
        database_url=settings.database_url,
        redis_url=redis_url,
        chain_key=await _chain_key(settings),
        sealer=sealer(settings),
        workspace=settings.workspace,
        namespace=NAMESPACE,
        prices=settings.models.prices,
        endpoints={
            name: Endpoint.of(one.wire, one.url)
            for name, one in settings.models.providers.items()
            if one.wire is not Wire.LOCAL
        },
        worker=WorkerSettings(
            slots=settings.slots,
            lease=settings.lease,
            step_limits=Limits(largest=settings.largest_result_mib * _MIB),
        ),
    )
    async with Engine.open(engine_settings, catalog=known, registry=registry, clock=clock) as engine:
        if not any_key and not await engine.store.knows_key():
            raise WrongChainKey(settings.chain_key_file)
        yield engine


async def _chain_key(settings: Settings) -> bytes:
    async def has_history() -> bool:
        if settings.is_embedded_database:
            return settings.database_file.exists()
        store = await Log.open(settings.database_url, b"", sealer=sealer(settings))
        try:
            return bool(await store.workspaces())
        finally:
            await store.close()

    return await chain_key(settings.chain_key_file, has_history)


def _redis_url(settings: Settings) -> str:
    """Where Redis is if anybody runs one; a command that only records something does without."""
    return settings.given_redis_url or EmbeddedRedis(settings.folder).url


@asynccontextmanager
async def _redis(settings: Settings) -> AsyncGenerator[str]:
    """The given Redis, which may be away; or the folder's own, which this process starts unless another one has."""
    if settings.given_redis_url is not None:
        yield settings.given_redis_url
        return
    async with EmbeddedRedis(settings.folder) as redis:
        keeping = asyncio.create_task(_keep(redis))
        try:
            yield redis.url
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)


@asynccontextmanager
async def _pace(settings: Settings, redis_url: str) -> AsyncGenerator[SharedPace]:
    """How fast models are asked, by all processes on this Redis."""
    pace = SharedPace(Buckets(redis_url, NAMESPACE), settings.models)
    try:
        yield pace
    finally:
        await pace.close()


async def _prepare_stream(engine: Engine) -> None:
    """Fill the stream of a new Redis from the database, and forget workers of an old one that are long gone.

    A Redis that is away is left to the worker, which waits for it.
    """
    streams = Streams(engine.settings.redis_url, engine.settings.namespace)
    try:
        await streams.forget_idle_consumers(FORGET_WORKERS_AFTER)
    except GroupLost:
        await engine.store.make_all_due(engine.clock.now())
    except StreamsUnavailable as error:
        log.info("The stream was not looked at: %s", error)
    finally:
        await streams.close()


async def _keep(redis: EmbeddedRedis) -> None:
    """Start the server again when it has died, and take it over when the process that owned it has ended."""
    while True:
        await asyncio.sleep(LOOK_AT_REDIS_EVERY)
        try:
            await redis.ensure()
        except (EmbeddedRedisError, OSError) as error:
            log.warning("%s It is tried again every second.", error)
