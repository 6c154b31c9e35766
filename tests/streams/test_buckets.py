"""Token buckets that processes share, on a real Redis: never too much together, the urgent first, a loss costs pace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from engine.embedded import EmbeddedRedis
from engine.streams import Bucket, Buckets, Request, StreamsUnavailable
from tests.services import running_redis

SLOW = Bucket("slow", 0.01, 3)
QUICK = Bucket("quick", 100.0, 3)
WIDE = Bucket("wide", 0.01, 100)

Open = Callable[[], Buckets]


@pytest.fixture
async def opened(
    redis_server: EmbeddedRedis, redis_namespace: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Open]:
    """Opens the buckets of this test, as another process does."""
    monkeypatch.setattr("engine.streams.buckets.PATIENCE_S", 60.0)
    made: list[Buckets] = []

    def another() -> Buckets:
        made.append(Buckets(redis_server.url, redis_namespace))
        return made[-1]

    yield another
    for one in made:
        await one.close()


async def take(buckets: Buckets, *wanted: Bucket, rank: int = 1) -> float:
    [wait] = await buckets.take([Request(rank, wanted)])
    return wait


async def test_processes_take_no_more_together_than_there_is(opened: Open) -> None:
    one, other = opened(), opened()
    waits = [await take(each, SLOW) for each in (one, other, one, other, one)]
    assert [wait == 0 for wait in waits] == [True, True, True, False, False]
    assert 50 < waits[-1] <= 100


async def test_what_asks_at_once_is_served_in_order(opened: Open) -> None:
    waits = await opened().take([Request(1, (SLOW,))] * 5)
    assert [wait == 0 for wait in waits] == [True, True, True, False, False]


async def test_a_bucket_fills_again_in_its_time_and_no_further(opened: Open) -> None:
    buckets = opened()
    async with asyncio.timeout(60):
        for _ in range(10):
            while (wait := await take(buckets, QUICK)) > 0:
                assert wait <= 0.011
    await asyncio.sleep(0.1)  # time for ten tokens
    waits = await buckets.take([Request(1, (QUICK,))] * 10)
    assert sum(wait == 0 for wait in waits) in (3, 4)


async def test_a_request_takes_of_all_its_buckets_or_of_none(opened: Open) -> None:
    buckets = opened()
    for _ in range(3):
        assert await take(buckets, WIDE, SLOW) == 0
    for _ in range(50):
        assert await take(buckets, WIDE, SLOW) > 0
    waits = await buckets.take([Request(1, (WIDE,))] * 100)
    assert sum(wait == 0 for wait in waits) == 97


async def test_the_more_urgent_of_another_process_goes_first(opened: Open) -> None:
    one, other = opened(), opened()
    bucket = Bucket("contended", 1.0, 1)
    assert await take(one, bucket) == 0
    assert 0 < await take(one, bucket, rank=1) <= 1.0
    async with asyncio.timeout(60):
        while (wait := await take(other, bucket, rank=3)) <= 1.0:
            assert wait > 0, "it took what the more urgent waits for"
            await asyncio.sleep(0.01)
        while await take(one, bucket, rank=1) > 0:
            await asyncio.sleep(0.01)


async def test_an_urgent_one_that_does_not_come_back_is_not_waited_for(opened: Open) -> None:
    one, other = opened(), opened()
    bucket = Bucket("contended", 2.0, 1)
    assert await take(one, bucket) == 0
    assert await take(one, bucket, rank=0) > 0
    async with asyncio.timeout(60):
        while wait := await take(other, bucket, rank=3):
            await asyncio.sleep(wait)


async def test_a_closed_bucket_is_closed_to_all(opened: Open) -> None:
    one, other = opened(), opened()
    await one.close_for(WIDE.name, 30)
    await one.close_for(WIDE.name, 5)
    assert await take(other, WIDE) == pytest.approx(30, abs=1)
    assert await take(other, SLOW) == 0


async def test_names_are_kept_apart_by_namespace(redis_server: EmbeddedRedis, opened: Open) -> None:
    buckets, elsewhere = opened(), Buckets(redis_server.url, "test_elsewhere")
    await elsewhere.close_for(WIDE.name, 1)
    assert await take(buckets, WIDE) == 0
    await elsewhere.close()


async def test_after_a_loss_nothing_counts_as_left(tmp_path: Path) -> None:
    with running_redis(tmp_path / "redis") as redis:
        old, fresh = Buckets(redis.url, "vb"), Buckets(redis.url, "vb")
        assert await take(old, WIDE) == 0
        await redis.close()
        await redis.ensure()
        assert await take(old, WIDE) > 0, "what others took of it is not known"
        assert await take(fresh, WIDE) > 0
        await old.close()
        await fresh.close()


async def test_after_it_was_away_for_one_nothing_counts_as_left(tmp_path: Path) -> None:
    with running_redis(tmp_path / "redis") as redis:
        buckets = Buckets(redis.url, "vb")
        await redis.close()
        with pytest.raises(StreamsUnavailable):
            await take(buckets, WIDE)
        await redis.ensure()
        assert await take(buckets, WIDE) > 0
        assert await take(buckets, Bucket("other", 100.0, 5)) <= 0.01
        await buckets.close()
