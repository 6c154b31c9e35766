"""Redis flushed, killed, restarted, frozen: our own errors only, soon, and a recovery without a restart."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis

from engine.embedded import EmbeddedRedis
from engine.streams import Activation, Depth, GroupLost, Streams, StreamsError, StreamsUnavailable
from engine.streams.connection import TIMEOUT_S
from tests.services import frozen, running_redis

pytestmark = pytest.mark.redis

HELD = Activation("1-1", "run_1")

ASKING: dict[str, Callable[[Streams], Awaitable[object]]] = {
    "add": lambda streams: streams.add(["run_1"]),
    "read": lambda streams: streams.read("wrk_a", 1, 0),
    "acknowledge": lambda streams: streams.acknowledge([HELD]),
    "keep_alive": lambda streams: streams.keep_alive("wrk_a", [HELD]),
    "reclaim": lambda streams: streams.reclaim("wrk_a", 0, 1),
    "dead_letter": lambda streams: streams.dead_letter(HELD, "why"),
    "dead_letters": lambda streams: streams.dead_letters(1),
    "forget_idle_consumers": lambda streams: streams.forget_idle_consumers(0),
    "depth": lambda streams: streams.depth(),
    "backlog": lambda streams: streams.backlog(),
}


@pytest.fixture(scope="module")
def private_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """A server that only this module uses, so that it may be ill-treated."""
    with running_redis(tmp_path_factory.mktemp("redis")) as redis:
        yield redis


@pytest.fixture
async def server(private_server: EmbeddedRedis) -> EmbeddedRedis:
    """The private server, running, whatever the test before has done to it."""
    await private_server.ensure()
    return private_server


@pytest.fixture
async def streams(server: EmbeddedRedis, redis_namespace: str) -> AsyncIterator[Streams]:
    streams = await Streams.open(server.url, redis_namespace)
    with pytest.raises(GroupLost):
        await streams.read("wrk_a", 1, 0)
    yield streams
    await streams.close()


async def command(server: EmbeddedRedis, *words: str) -> None:
    async with Redis.from_url(server.url) as redis:  # pyright: ignore[reportUnknownMemberType]
        await redis.execute_command(*words)  # pyright: ignore[reportUnknownMemberType]


@pytest.mark.parametrize("name", ASKING)
async def test_without_a_server_every_call_fails_with_our_error(
    server: EmbeddedRedis, streams: Streams, name: str
) -> None:
    await server.close()
    for _ in range(2):
        with pytest.raises(StreamsUnavailable, match="cannot be reached"):
            await ASKING[name](streams)


@pytest.mark.parametrize("name", ASKING)
async def test_when_the_server_is_back_every_call_works_again(
    server: EmbeddedRedis, streams: Streams, name: str
) -> None:
    await server.close()
    with pytest.raises(StreamsUnavailable):
        await ASKING[name](streams)
    await server.ensure()
    try:
        await ASKING[name](streams)
    except GroupLost:
        # A new server is an empty one; being told is what those who need the group can ask for.
        await ASKING[name](streams)


async def test_a_restart_between_two_calls_costs_the_activations_only(server: EmbeddedRedis, streams: Streams) -> None:
    await streams.add(["run_1"])
    await server.close()
    await server.ensure()
    await streams.add(["run_2"])
    with pytest.raises(GroupLost):
        await streams.read("wrk_a", 10, 0)
    assert [each.run for each in await streams.read("wrk_a", 10, 0)] == ["run_2"]


@contextmanager
def leading_to(url: str, address: Path) -> Generator[None]:
    """The socket at ``address`` is that of another server meanwhile; connections that are open stay as they are."""
    aside = address.with_suffix(".old")
    address.rename(aside)
    address.symlink_to(urlsplit(url).path)
    try:
        yield
    finally:
        address.unlink()
        aside.rename(address)


@pytest.mark.parametrize("name", ["add", "read"])
async def test_after_a_failover_the_address_is_asked_again(
    server: EmbeddedRedis, streams: Streams, tmp_path: Path, name: str
) -> None:
    """The old primary is a replica from now on and keeps our connections; its address leads to the new one."""
    await ASKING[name](streams)
    with running_redis(tmp_path / "new") as promoted:
        await command(server, "REPLICAOF", "127.0.0.1", "1")
        try:
            with leading_to(promoted.url, Path(urlsplit(server.url).path)):
                for _ in range(3):  # one refusal by each connection that it takes, and the loss of the group
                    with suppress(StreamsError):
                        await ASKING[name](streams)
                await ASKING[name](streams)
        finally:
            await command(server, "REPLICAOF", "NO", "ONE")


async def test_a_connection_that_the_server_hung_up_on_is_made_again_unseen(
    server: EmbeddedRedis, streams: Streams
) -> None:
    await streams.add(["run_1"])
    await command(server, "CLIENT", "KILL", "TYPE", "normal")
    await streams.add(["run_2"])
    assert [each.run for each in await streams.read("wrk_a", 10, 0)] == ["run_1", "run_2"]


async def test_a_waiting_read_fails_at_once_when_the_server_is_killed(server: EmbeddedRedis, streams: Streams) -> None:
    reading = asyncio.create_task(streams.read("wrk_a", 1, 30_000))
    await streams.depth()
    await server.close()
    async with asyncio.timeout(180):
        with pytest.raises(StreamsUnavailable):
            await reading


async def test_a_frozen_server_holds_nobody_for_two_seconds(server: EmbeddedRedis, streams: Streams) -> None:
    async with frozen(server):
        outcomes = await asyncio.gather(*(ask(streams) for ask in ASKING.values()), return_exceptions=True)
    assert TIMEOUT_S < 2
    assert {type(outcome) for outcome in outcomes} == {StreamsUnavailable}
    assert "does not answer" in str(outcomes[0])


async def test_late_answers_of_a_frozen_server_are_nobodys(server: EmbeddedRedis, streams: Streams) -> None:
    async with frozen(server):
        with pytest.raises(StreamsUnavailable):
            await streams.add(["run_1"])
    # Whether that was added is unknown. The next answers must belong to the next questions all the same.
    assert await streams.dead_letters(1) == []
    assert isinstance(await streams.depth(), Depth)
    await streams.acknowledge(await streams.read("wrk_a", 10, 0))
    assert await streams.depth() == Depth(activations=0, pending=0, dead=0)


async def test_a_flush_under_way_loses_activations_and_nothing_else(server: EmbeddedRedis, streams: Streams) -> None:
    """Two consumers work while the server is flushed again and again; what is added after the last flush arrives."""
    seen: set[str] = set()
    told = 0

    async def consume(consumer: str) -> None:
        nonlocal told
        while "run_last" not in seen:
            try:
                activations = await streams.read(consumer, 3, 50)
                await streams.keep_alive(consumer, activations)
                await streams.acknowledge(activations)
                seen.update(activation.run for activation in activations)
            except GroupLost:
                told += 1

    async def disturb() -> None:
        for n in range(20):
            await streams.add([f"run_{n}" for n in range(n, n + 5)])
            await command(server, "FLUSHALL")
        await streams.add(["run_last"])

    async with asyncio.timeout(180):
        await asyncio.gather(consume("wrk_a"), consume("wrk_b"), disturb())
    assert told


async def test_only_our_errors_come_out_while_the_server_comes_and_goes(
    server: EmbeddedRedis, streams: Streams
) -> None:
    """Every call is made over and over by a task of its own, and works at least once after each of ten restarts."""

    async def ask_until_it_works(name: str) -> None:
        while True:
            try:
                await ASKING[name](streams)
                return
            except StreamsError:
                await asyncio.sleep(0.001)

    async with asyncio.timeout(180):
        for _ in range(10):
            asking = [asyncio.create_task(ask_until_it_works(name)) for name in ASKING for _ in range(5)]
            await server.close()
            asking += [asyncio.create_task(ask_until_it_works(name)) for name in ASKING for _ in range(5)]
            await server.ensure()
            await asyncio.gather(*asking)
