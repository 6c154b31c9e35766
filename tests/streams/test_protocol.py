"""What is particular to Redis: round trips, its replies' odd cases, and what a person reads when it cannot be used."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.embedded import EmbeddedRedis
from engine.streams import ActivationStream, Depth, GroupLost, Streams, StreamsUnavailable
from tests.streams.conftest import OpenStreams, RedisBackdoor, Site, on_redis

pytestmark = pytest.mark.redis


@pytest.fixture
async def site(request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    async with on_redis(request) as site:
        yield site


@pytest.fixture
def backdoor(site: Site) -> RedisBackdoor:
    assert isinstance(site.backdoor, RedisBackdoor)
    return site.backdoor


async def test_calls_made_together_share_a_round_trip(streams: ActivationStream, backdoor: RedisBackdoor) -> None:
    async def reads() -> int:
        return (await backdoor.redis.info("stats"))["total_reads_processed"]

    before = await reads()
    await asyncio.gather(*(streams.add([f"run_{n}"]) for n in range(100)))
    activations = await streams.read("wrk_a", 100, 0)
    await asyncio.gather(*(streams.acknowledge([activation]) for activation in activations))
    assert len(activations) == 100
    # The adds, the read, the acknowledgements and the second INFO; Redis may take a large one in two.
    assert await reads() - before <= 8


async def test_entries_deleted_while_pending_are_forgotten(streams: ActivationStream, backdoor: RedisBackdoor) -> None:
    await streams.add(["run_1", "run_2"])
    deleted, kept = await streams.read("wrk_a", 10, 0)
    await backdoor.redis.xdel(backdoor.common, deleted.id)
    assert [each.id for each in await streams.reclaim("wrk_b", 0, 10)] == [kept.id]
    assert await streams.depth() == Depth(activations=1, pending=1, dead=0)


async def test_reclaim_goes_on_behind_deleted_entries(streams: ActivationStream, backdoor: RedisBackdoor) -> None:
    await streams.add(["run_1", "run_2"])
    deleted, kept = await streams.read("wrk_a", 10, 0)
    await backdoor.redis.xdel(backdoor.common, deleted.id)
    assert [each.id for each in await streams.reclaim("wrk_b", 0, 1)] == [kept.id]


async def test_an_entry_without_a_run_is_not_delivered_and_is_swept_away(
    streams: ActivationStream, backdoor: RedisBackdoor
) -> None:
    await streams.add(["run_0"])
    await streams.acknowledge(await streams.read("wrk_a", 10, 0))
    await backdoor.redis.xadd(backdoor.common, {"something": "else"})
    assert await streams.read("wrk_a", 10, 0) == []
    assert await streams.reclaim("wrk_a", 0, 10) == []
    assert await streams.depth() == Depth(activations=0, pending=0, dead=0)


async def test_dead_letters_do_not_grow_for_ever(streams: ActivationStream, backdoor: RedisBackdoor) -> None:
    await streams.add([f"run_{n}" for n in range(1500)])
    activations = await streams.read("wrk_a", 1500, 0)
    await asyncio.gather(*(streams.dead_letter(activation, "no such run") for activation in activations))
    assert 1000 <= (await streams.depth()).dead < 1200


async def test_the_group_is_made_by_one_and_both_are_told(open_streams: OpenStreams) -> None:
    first, second = await open_streams(), await open_streams()
    told = await asyncio.gather(
        first.read("wrk_a", 1, 0), second.keep_alive("wrk_b", []), second.reclaim("wrk_b", 0, 1), return_exceptions=True
    )
    assert any(isinstance(each, GroupLost) for each in told)
    assert all(isinstance(each, GroupLost | list) or each is None for each in told)
    assert await first.read("wrk_a", 1, 0) == await second.read("wrk_b", 1, 0) == []


async def test_a_command_that_redis_refuses_is_one_sentence(streams: ActivationStream, backdoor: RedisBackdoor) -> None:
    await backdoor.redis.delete(backdoor.common)
    await backdoor.redis.set(backdoor.common, "not a stream")
    await backdoor.redis.delete(backdoor.door)
    await backdoor.redis.set(backdoor.door, "not a stream")
    for refused in (streams.add(["run_1"]), streams.read("wrk_a", 1, 0), streams.keep_alive("wrk_a", [])):
        with pytest.raises(StreamsUnavailable, match=r"refuses a command \(WRONGTYPE"):
            await refused
    await backdoor.redis.delete(backdoor.common, backdoor.door)
    await streams.add(["run_1"])


async def test_namespaces_do_not_meet(
    redis_server: EmbeddedRedis, streams: ActivationStream, redis_namespace: str
) -> None:
    other = await Streams.open(redis_server.url, f"{redis_namespace}_other")
    await streams.add(["run_1"])
    assert (await other.depth()).activations == 0
    await other.close()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis://:hunter2@127.0.0.1:1", "127.0.0.1:1 cannot be reached (connection refused)"),
        ("unix:///nowhere/redis.sock?password=hunter2", "/nowhere/redis.sock cannot be reached (no such file"),
        ("redis://:hunter2@no-such-host.invalid:6379", "no-such-host.invalid:6379 cannot be reached"),
        ("http://hunter2@127.0.0.1", "write it as redis://host:6379 or unix:///path/redis.sock"),
        ("redis://:hunter2@127.0.0.1:port", "write it as"),
        ("redis://127.0.0.1?hunter2=1", "write it as"),
        ("", "write it as"),
    ],
)
async def test_a_server_that_cannot_be_reached_is_one_sentence_without_the_password(url: str, says: str) -> None:
    async with asyncio.timeout(180):
        with pytest.raises(StreamsUnavailable) as caught:
            await Streams.open(url)
    assert says in str(caught.value)
    assert "hunter2" not in f"{caught.value}{caught.value!r}"
    assert str(caught.value).count("\n") == 0


@pytest.fixture
async def old_server(tmp_path: Path) -> AsyncIterator[str]:
    """Something that speaks just enough of the protocol to say that it is Redis 6.0."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"server\r\n")
        said = b"# Server\r\nredis_version:6.0.16\r\n"
        writer.write(b"$%d\r\n%s\r\n" % (len(said), said))
        await reader.read()
        writer.close()

    path = tmp_path / "old.sock"
    server = await asyncio.start_unix_server(answer, path)
    yield f"unix://{path}"
    server.close()
    await server.wait_closed()


async def test_a_server_that_is_too_old_is_refused_at_once(old_server: str) -> None:
    with pytest.raises(StreamsUnavailable, match=r"is version 6\.0; 6\.2 or newer is needed"):
        await Streams.open(old_server)


async def test_a_closed_stream_says_so(redis_server: EmbeddedRedis, redis_namespace: str) -> None:
    streams = await Streams.open(redis_server.url, redis_namespace)
    with pytest.raises(GroupLost):
        await streams.read("wrk_a", 1, 0)
    reading = asyncio.create_task(streams.read("wrk_a", 1, 30_000))
    adding = asyncio.create_task(streams.add(["run_1"]))
    await asyncio.sleep(0)
    await streams.close()
    async with asyncio.timeout(180):
        outcomes = await asyncio.gather(reading, adding, return_exceptions=True)
    assert all(isinstance(outcome, StreamsUnavailable) for outcome in outcomes)
    with pytest.raises(StreamsUnavailable, match="closed"):
        await streams.add(["run_2"])
    await streams.close()
