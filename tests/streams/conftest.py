"""What the suite of the stream's contract is run against: the real thing, on a real Redis.

The one rule: the contract's tests know only `Streams` and `Backdoor`, so that another implementation that brings these
two can be held to the same suite.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol

import pytest
from redis.asyncio import Redis

from engine.embedded import EmbeddedRedis
from engine.streams import Activation, GroupLost, Streams

OpenStreams = Callable[[], Awaitable[Streams]]


class Backdoor(Protocol):
    """What happens to a stream without being asked for by its users."""

    async def lose_everything(self) -> None:
        """Forget the stream, its group and its dead letters, as a flush does."""
        ...

    async def age(self, consumer: str, activation: Activation, idle_ms: int) -> None:
        """Make it look as if the consumer had last touched the activation `idle_ms` ago."""
        ...


class RedisBackdoor:
    """A second way into the real Redis, for one namespace."""

    def __init__(self, redis: Any, namespace: str) -> None:
        self.redis = redis
        self.stream = f"{namespace}:activations"
        self.dead = f"{namespace}:dead"

    async def lose_everything(self) -> None:
        await self.redis.delete(self.stream, self.dead)

    async def age(self, consumer: str, activation: Activation, idle_ms: int) -> None:
        await self.redis.xclaim(self.stream, "workers", consumer, 0, [activation.id], idle=idle_ms, justid=True)


@pytest.fixture
async def backdoor(redis_server: EmbeddedRedis, redis_namespace: str) -> AsyncIterator[RedisBackdoor]:
    async with Redis.from_url(redis_server.url) as redis:  # pyright: ignore[reportUnknownMemberType]
        yield RedisBackdoor(redis, redis_namespace)


@pytest.fixture
async def open_streams(redis_server: EmbeddedRedis, redis_namespace: str) -> AsyncIterator[OpenStreams]:
    """Opens further objects on the namespace of the test, as other processes would."""
    opened: list[Streams] = []

    async def open_another() -> Streams:
        opened.append(await Streams.open(redis_server.url, redis_namespace))
        return opened[-1]

    yield open_another
    for each in opened:
        await each.close()


@pytest.fixture
async def streams(open_streams: OpenStreams) -> Streams:
    """A stream whose group exists: the loss that everybody meets on the first contact is behind it."""
    streams = await open_streams()
    with pytest.raises(GroupLost):
        await streams.read("wrk_first", 1, 0)
    return streams
