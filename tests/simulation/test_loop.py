"""The loop of the simulation: time that jumps, an order that is drawn, and lanes that stand still."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from tests.simulation.loop import Stuck, VirtualLoop


def test_time_jumps_to_the_next_timer() -> None:
    loop = VirtualLoop(Random(1))
    seen: list[float] = []

    async def sleeper(seconds: float) -> None:
        await asyncio.sleep(seconds)
        seen.append(loop.time())

    async def both() -> None:
        await asyncio.gather(sleeper(3_600), sleeper(60))

    loop.run(both())
    assert seen == [60, 3_600]


def test_the_order_of_lanes_follows_the_seed_and_within_a_lane_nothing_is_overtaken() -> None:
    def order(seed: int) -> str:
        loop = VirtualLoop(Random(seed))
        seen: list[str] = []

        async def steps(name: str) -> None:
            for number in range(4):
                seen.append(f"{name}{number}")
                await asyncio.sleep(0)

        async def all_lanes() -> None:
            await asyncio.gather(*(loop.create_task(steps(name), context=loop.lane(name).context()) for name in "ab"))

        loop.run(all_lanes())
        assert [each for each in seen if each[0] == "a"] == ["a0", "a1", "a2", "a3"]
        return "".join(seen)

    assert order(1) == order(1)
    assert len({order(seed) for seed in range(10)}) > 5


def test_a_frozen_lane_does_nothing_until_it_is_thawed_and_then_all_that_became_due() -> None:
    loop = VirtualLoop(Random(1))
    seen: list[str] = []

    async def stopped() -> None:
        try:
            await asyncio.sleep(1)
            seen.append("woke up")
        finally:
            seen.append("cleaned up")

    async def play() -> None:
        lane = loop.lane("stopped")
        task = loop.create_task(stopped(), context=lane.context())
        await asyncio.sleep(0.5)
        loop.freeze(lane)
        task.cancel()
        await asyncio.sleep(100)
        assert seen == []
        loop.thaw(lane)
        await asyncio.wait([task])

    loop.run(play())
    assert seen == ["cleaned up"]


def test_a_simulation_in_which_nothing_can_happen_any_more_is_stuck() -> None:
    loop = VirtualLoop(Random(1))

    async def waits_for_ever() -> None:
        await loop.create_future()

    with pytest.raises(Stuck, match="no timer is set"):
        loop.run(waits_for_ever())
    loop.bury([loop.world])
