"""What is kept, for how long, and what is not."""

from __future__ import annotations

import asyncio

import pytest

from bot.people import memo
from bot.people.memo import Memo


class Source:
    """Counts how often it was read; holds answers back until it is open."""

    def __init__(self) -> None:
        self.now = 0.0
        self.reads = 0
        self.failing = False
        self.asked = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()

    async def read(self) -> int:
        self.reads += 1
        count = self.reads
        self.asked.set()
        await self.open.wait()
        if self.failing:
            raise OSError("no")
        return count


async def test_an_answer_is_kept_as_long_as_the_asker_allows() -> None:
    source = Source()
    kept = Memo(lambda: source.now)
    assert await kept.get("a", 10, source.read) == 1
    source.now = 10
    assert await kept.get("a", 10, source.read) == 1
    assert await kept.get("a", 9, source.read) == 2
    assert await kept.get("b", 10, source.read) == 3


async def test_failures_reach_all_who_wait_and_are_not_kept() -> None:
    source = Source()
    kept = Memo(lambda: source.now)
    source.failing = True
    both = await asyncio.gather(*(kept.get("a", 10, source.read) for _ in range(2)), return_exceptions=True)
    assert [type(each) for each in both] == [OSError, OSError]
    source.failing = False
    assert await kept.get("a", 10, source.read) == 2


async def test_who_leaves_does_not_stop_the_reading() -> None:
    source = Source()
    source.open.clear()
    kept = Memo(lambda: source.now)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(kept.get("a", 10, source.read), 0.01)
    source.open.set()
    assert await kept.get("a", 10, source.read) == 1
    assert source.reads == 1


async def test_an_answer_is_as_old_as_its_question() -> None:
    source = Source()
    source.open.clear()
    kept = Memo(lambda: source.now)
    asking = asyncio.create_task(kept.get("a", 10, source.read))
    await source.asked.wait()
    source.now = 11
    source.open.set()
    assert await asking == 1
    assert await kept.get("a", 10, source.read) == 2


async def test_closing_stops_what_is_under_way() -> None:
    source = Source()
    source.open.clear()
    kept = Memo(lambda: source.now)
    asking = asyncio.create_task(kept.get("a", 10, source.read))
    await source.asked.wait()
    await kept.close()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memo, "KEPT", 10)
    source = Source()
    kept = Memo(lambda: source.now)
    for number in range(11):
        source.now = number
        await kept.get(number, 100, source.read)
    reads = source.reads
    await kept.get(10, 100, source.read)
    assert source.reads == reads
    await kept.get(0, 100, source.read)
    assert source.reads == reads + 1


async def test_a_question_that_hangs_does_not_stand_for_those_that_come_later() -> None:
    source = Source()
    source.open.clear()
    kept = Memo(lambda: source.now, overdue=2)
    hanging = asyncio.create_task(kept.get("a", 10, source.read))
    await source.asked.wait()
    source.now = 2
    joined = asyncio.create_task(kept.get("a", 10, source.read))
    await asyncio.sleep(0)
    source.asked.clear()
    source.now = 3
    later = asyncio.create_task(kept.get("a", 10, source.read))
    await source.asked.wait()
    source.open.set()
    assert await asyncio.gather(hanging, joined, later) == [1, 1, 2]
    assert await kept.get("a", 10, source.read) == 2, "the newer question's answer is kept, whichever came first"
    await kept.close()
