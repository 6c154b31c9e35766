"""What the suite of the stream's contract is run against: the real thing, on a real Redis, and the simulation's model.

The one rule: the contract's tests know only `ActivationStream` and `Backdoor`, so that another implementation that
brings these two, as an `Implementation` in IMPLEMENTATIONS, is held to the same suite.
"""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import pytest
from redis.asyncio import Redis

from engine.embedded import EmbeddedRedis
from engine.streams import COMMON, Activation, ActivationStream, GroupLost, Lane, Streams
from tests.simulation.edges import Quiet
from tests.simulation.stream import Held, ModelStreams, StreamServer


class Backdoor(Protocol):
    """What happens to a stream without being asked for by its users."""

    async def lose_everything(self) -> None:
        """Forget the stream, its group and its dead letters, as a flush does."""
        ...

    async def age(self, consumer: str, activation: Activation, idle_ms: int) -> None:
        """Make it look as if the consumer had last touched the activation `idle_ms` ago."""
        ...


@dataclass(frozen=True)
class Site:
    """One stream of a test: `open_another` gives a further object on it, as another process has it."""

    open_another: Callable[[], Awaitable[ActivationStream]]
    backdoor: Backdoor


OpenStreams = Callable[[], Awaitable[ActivationStream]]
# Makes a site of the test's own, with what the test's fixtures give.
Implementation = Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[Site]]


class RedisBackdoor:
    """A second way into the real Redis, for one namespace."""

    def __init__(self, redis: Any, namespace: str) -> None:
        self.redis = redis
        self.namespace = namespace
        self.door = f"{namespace}:activations"
        self.common = self.stream(COMMON)

    def stream(self, lane: Lane) -> str:
        """The key of the lane's stream."""
        return f"{self.door}:{lane.priority}:{lane.workspace}"

    async def lose_everything(self) -> None:
        keys = [key async for key in self.redis.scan_iter(f"{self.namespace}:*", count=1000)]
        if keys:
            await self.redis.delete(*keys)

    async def age(self, consumer: str, activation: Activation, idle_ms: int) -> None:
        stream = self.stream(activation.lane)
        await self.redis.xclaim(stream, "workers", consumer, 0, [activation.id], idle=idle_ms, justid=True)


@asynccontextmanager
async def on_redis(request: pytest.FixtureRequest) -> AsyncGenerator[Site]:
    server: EmbeddedRedis = request.getfixturevalue("redis_server")
    namespace: str = request.getfixturevalue("redis_namespace")
    opened: list[Streams] = []

    async def open_another() -> ActivationStream:
        opened.append(await Streams.open(server.url, namespace))
        return opened[-1]

    async with Redis.from_url(server.url) as redis:  # pyright: ignore[reportUnknownMemberType]
        yield Site(open_another, RedisBackdoor(redis, namespace))
        for each in opened:
            await each.close()


class ModelBackdoor:
    """What happens to the simulation's model without being asked for by its users."""

    def __init__(self, server: StreamServer) -> None:
        self._server = server

    async def lose_everything(self) -> None:
        self._server.lose_everything()

    async def age(self, consumer: str, activation: Activation, idle_ms: int) -> None:
        held = self._server.lanes[activation.lane].held
        held[activation.id] = Held(consumer, self._server.now() - idle_ms, held[activation.id].deliveries)


@asynccontextmanager
async def on_the_model(_request: pytest.FixtureRequest) -> AsyncGenerator[Site]:
    server = StreamServer(lambda: time.time_ns() // 1_000_000)

    async def open_another() -> ActivationStream:
        return ModelStreams(server, Quiet())

    yield Site(open_another, ModelBackdoor(server))


IMPLEMENTATIONS: dict[str, Implementation] = {"redis": on_redis, "model": on_the_model}


@pytest.fixture(params=IMPLEMENTATIONS)
async def site(request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    async with IMPLEMENTATIONS[request.param](request) as site:
        yield site


@pytest.fixture
def backdoor(site: Site) -> Backdoor:
    return site.backdoor


@pytest.fixture
def open_streams(site: Site) -> OpenStreams:
    """Opens further objects on the stream of the test, as other processes would."""
    return site.open_another


@pytest.fixture
async def streams(open_streams: OpenStreams) -> ActivationStream:
    """A stream whose group exists: the loss that everybody meets on the first contact is behind it."""
    streams = await open_streams()
    with pytest.raises(GroupLost):
        await streams.read("wrk_first", 1, 0)
    return streams
