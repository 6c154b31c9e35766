"""The contract of the stream: what any implementation of it promises to workers and to the scheduler."""

import asyncio

import pytest

from engine.streams import Activation, ActivationStream, Depth, GroupLost, Lane
from tests.streams.conftest import Backdoor, OpenStreams

pytestmark = pytest.mark.redis

HOUR_MS = 3_600_000


def runs(activations: list[Activation]) -> list[str]:
    return [activation.run for activation in activations]


async def test_activations_are_read_in_the_order_in_which_they_were_added(streams: ActivationStream) -> None:
    await streams.add(["run_1", "run_2"])
    await streams.add(["run_3"])
    assert runs(await streams.read("wrk_a", 10, 0)) == ["run_1", "run_2", "run_3"]


async def test_a_read_takes_no_more_than_asked_and_leaves_the_rest(streams: ActivationStream) -> None:
    await streams.add(["run_1", "run_2", "run_3"])
    assert runs(await streams.read("wrk_a", 2, 0)) == ["run_1", "run_2"]
    assert runs(await streams.read("wrk_a", 2, 0)) == ["run_3"]


async def test_an_activation_is_given_to_one_consumer_only(
    streams: ActivationStream, open_streams: OpenStreams
) -> None:
    other = await open_streams()
    names = [f"run_{n}" for n in range(60)]
    await streams.add(names)
    reads = [reader.read(f"wrk_{n % 4}", 10, 0) for n in range(3) for reader in (streams, other)]
    assert sorted(run for read in await asyncio.gather(*reads) for run in runs(read)) == sorted(names)


async def test_duplicates_stay_two_activations(streams: ActivationStream) -> None:
    await streams.add(["run_1", "run_1"])
    first, second = await streams.read("wrk_a", 10, 0)
    assert first.run == second.run
    assert first.id != second.id


@pytest.mark.parametrize("block_ms", [0, 20])
async def test_a_read_of_an_empty_stream_returns_nothing_after_its_wait(
    streams: ActivationStream, block_ms: int
) -> None:
    assert await streams.read("wrk_a", 10, block_ms) == []


async def test_a_waiting_read_gets_what_is_added_meanwhile_and_holds_nobody_up(streams: ActivationStream) -> None:
    reading = asyncio.create_task(streams.read("wrk_a", 10, 30_000))
    assert (await streams.depth()).activations == 0
    await streams.add(["run_1"])
    async with asyncio.timeout(180):
        assert runs(await reading) == ["run_1"]


async def test_a_cancelled_read_leaves_the_stream_usable(streams: ActivationStream) -> None:
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await streams.read("wrk_a", 10, 30_000)
    await streams.add(["run_1"])
    taken = await streams.read("wrk_b", 10, 0) or await streams.reclaim("wrk_b", 0, 10)
    assert runs(taken) == ["run_1"]
    assert await streams.read("wrk_a", 10, 0) == []


async def test_cancelled_calls_do_not_mix_up_the_answers_of_others(streams: ActivationStream) -> None:
    async def add_and_give_up(run: str) -> None:
        task = asyncio.create_task(streams.add([run]))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

    depths = await asyncio.gather(*(streams.depth() for _ in range(10)), add_and_give_up("run_1"))
    assert all(isinstance(depth, Depth) for depth in depths[:10])
    assert await streams.dead_letters(10) == []


async def test_what_was_acknowledged_is_gone(streams: ActivationStream) -> None:
    await streams.add(["run_1", "run_2"])
    first, second = await streams.read("wrk_a", 10, 0)
    await streams.acknowledge([first])
    assert await streams.depth() == Depth(activations=1, pending=1, dead=0)
    assert await streams.reclaim("wrk_b", 0, 10) == [Activation(second.id, "run_2", deliveries=2)]


async def test_acknowledging_again_or_something_unknown_does_no_harm(streams: ActivationStream) -> None:
    await streams.add(["run_1"])
    activations = await streams.read("wrk_a", 10, 0)
    for _ in range(2):
        await streams.acknowledge([*activations, Activation("1-1", "run_0")])
    await streams.acknowledge([])
    assert await streams.depth() == Depth(activations=0, pending=0, dead=0)


async def test_what_is_passed_on_stands_at_the_end_of_its_lane_and_is_counted_on(
    streams: ActivationStream, open_streams: OpenStreams
) -> None:
    other = await open_streams()
    lane = Lane("ws_a", 2)
    await streams.add(["run_1", "run_2"], lane)
    [first] = await streams.read("wrk_a", 1, 0)
    await streams.pass_on(first)
    assert await streams.depth() == Depth(2, 0, 0), "the old one is gone"
    second, again = await other.read("wrk_b", 10, 0)
    assert (second.run, second.deliveries) == ("run_2", 1)
    assert (again.run, again.lane, again.deliveries) == ("run_1", lane, 2)
    await other.pass_on(again)
    [third] = await streams.read("wrk_a", 10, 0)
    [reclaimed] = [each for each in await streams.reclaim("wrk_b", 0, 10) if each.run == "run_1"]
    assert (third.deliveries, reclaimed.deliveries) == (3, 4)


async def test_who_waits_gets_what_is_passed_on_also_after_everything_was_lost(
    streams: ActivationStream, open_streams: OpenStreams, backdoor: Backdoor
) -> None:
    other = await open_streams()
    await streams.add(["run_1"])
    [activation] = await streams.read("wrk_a", 10, 0)
    await backdoor.lose_everything()
    with pytest.raises(GroupLost):
        await other.read("wrk_b", 10, 0)
    waiting = asyncio.create_task(other.read("wrk_b", 10, 30_000))
    assert (await streams.depth()).activations == 0
    await streams.pass_on(activation)
    async with asyncio.timeout(180):
        assert runs(await waiting) == ["run_1"]


async def test_what_a_silent_consumer_held_is_reclaimed_and_each_delivery_counted(
    streams: ActivationStream, backdoor: Backdoor
) -> None:
    await streams.add(["run_1"])
    [activation] = await streams.read("wrk_a", 10, 0)
    assert activation.deliveries == 1
    for holder, heir, deliveries in (("wrk_a", "wrk_b", 2), ("wrk_b", "wrk_c", 3)):
        await backdoor.age(holder, activation, HOUR_MS)
        [reclaimed] = await streams.reclaim(heir, HOUR_MS // 2, 10)
        assert reclaimed == Activation(activation.id, "run_1", deliveries)
    assert await streams.reclaim("wrk_d", HOUR_MS // 2, 10) == []


async def test_what_is_held_but_not_idle_is_left_to_its_holder(streams: ActivationStream) -> None:
    await streams.add(["run_1"])
    await streams.read("wrk_a", 10, 0)
    assert await streams.reclaim("wrk_b", HOUR_MS, 10) == []


async def test_what_is_kept_alive_is_not_idle(streams: ActivationStream, backdoor: Backdoor) -> None:
    await streams.add(["run_1", "run_2"])
    kept, silent = await streams.read("wrk_a", 10, 0)
    for activation in (kept, silent):
        await backdoor.age("wrk_a", activation, HOUR_MS)
    await streams.keep_alive("wrk_a", [kept])
    assert await streams.reclaim("wrk_b", HOUR_MS // 2, 10) == [Activation(silent.id, "run_2", deliveries=2)]


async def test_keeping_alive_is_not_a_delivery_and_brings_nothing_back(streams: ActivationStream) -> None:
    await streams.add(["run_1", "run_2"])
    held, done = await streams.read("wrk_a", 10, 0)
    await streams.acknowledge([done])
    await streams.keep_alive("wrk_a", [held, done])
    await streams.keep_alive("wrk_a", [])
    assert await streams.depth() == Depth(activations=1, pending=1, dead=0)
    assert [each.deliveries for each in await streams.reclaim("wrk_a", 0, 10)] == [2]


async def test_reclaim_takes_no_more_than_asked(streams: ActivationStream) -> None:
    await streams.add([f"run_{n}" for n in range(5)])
    await streams.read("wrk_a", 10, 0)
    assert runs(await streams.reclaim("wrk_b", 0, 3)) == ["run_0", "run_1", "run_2"]


async def test_reclaim_finds_an_idle_one_behind_many_that_are_not(
    streams: ActivationStream, backdoor: Backdoor
) -> None:
    await streams.add([f"run_{n}" for n in range(100)])
    *_, last = await streams.read("wrk_a", 100, 0)
    await backdoor.age("wrk_a", last, HOUR_MS)
    assert runs(await streams.reclaim("wrk_b", HOUR_MS // 2, 1)) == ["run_99"]


async def test_a_dead_letter_says_what_was_given_up_and_why(streams: ActivationStream) -> None:
    await streams.add(["run_1", "run_2"])
    await streams.read("wrk_a", 10, 0)
    for activation in await streams.reclaim("wrk_b", 0, 10):
        await streams.dead_letter(activation, f"{activation.run} cannot be loaded ✗")
    assert await streams.depth() == Depth(activations=0, pending=0, dead=2)
    newest, oldest = await streams.dead_letters(10)
    assert (newest.run, newest.deliveries, newest.reason) == ("run_2", 2, "run_2 cannot be loaded ✗")
    assert oldest.run == "run_1"
    assert newest.at >= oldest.at > 0
    assert await streams.dead_letters(1) == [newest]


async def test_a_consumer_that_is_idle_and_holds_nothing_is_forgotten(streams: ActivationStream) -> None:
    await streams.add(["run_1", "run_2"])
    await streams.read("wrk_busy", 1, 0)
    await streams.acknowledge(await streams.read("wrk_gone", 1, 0))
    assert await streams.forget_idle_consumers(HOUR_MS) == []
    assert "wrk_gone" in await streams.forget_idle_consumers(0)
    assert await streams.forget_idle_consumers(0) == []
    assert runs(await streams.reclaim("wrk_heir", 0, 10)) == ["run_1"]


async def test_the_first_reader_is_told_and_gets_what_was_added_before(open_streams: OpenStreams) -> None:
    streams = await open_streams()
    await streams.add(["run_1"])
    assert await streams.depth() == Depth(activations=1, pending=0, dead=0)
    with pytest.raises(GroupLost):
        await streams.read("wrk_a", 10, 0)
    assert runs(await streams.read("wrk_a", 10, 0)) == ["run_1"]


async def test_a_loss_is_told_once_and_what_is_added_afterwards_arrives(
    streams: ActivationStream, backdoor: Backdoor
) -> None:
    await streams.add(["run_1", "run_2"])
    lost = await streams.read("wrk_a", 1, 0)
    await backdoor.lose_everything()
    await streams.add(["run_3"])
    with pytest.raises(GroupLost):
        await streams.read("wrk_a", 10, 0)
    assert runs(await streams.read("wrk_a", 10, 0)) == ["run_3"]
    await streams.acknowledge(lost)
    assert await streams.depth() == Depth(activations=1, pending=1, dead=0)


async def test_a_loss_is_told_to_those_who_keep_alive_reclaim_and_tidy_up(
    streams: ActivationStream, backdoor: Backdoor
) -> None:
    held = Activation("1-1", "run_1")
    asked = (
        lambda: streams.keep_alive("wrk_a", [held]),
        lambda: streams.reclaim("wrk_a", 0, 10),
        lambda: streams.forget_idle_consumers(0),
    )
    for ask in asked:
        await backdoor.lose_everything()
        with pytest.raises(GroupLost):
            await ask()
        assert await streams.read("wrk_a", 10, 0) == []


async def test_a_waiting_read_learns_of_a_loss(streams: ActivationStream, backdoor: Backdoor) -> None:
    async def read_on() -> None:
        while True:
            await streams.read("wrk_a", 10, 500)

    reading = asyncio.create_task(read_on())
    assert await streams.depth() == Depth(activations=0, pending=0, dead=0)
    await backdoor.lose_everything()
    await streams.add(["run_1"])
    with pytest.raises(GroupLost):
        await reading
    assert runs(await streams.read("wrk_a", 10, 0)) == ["run_1"]


async def test_many_at_once(streams: ActivationStream, open_streams: OpenStreams) -> None:
    """500 adds from one side, four consumers on the other: each arrives once, none is left."""
    names = {f"run_{n}" for n in range(500)}
    seen: list[str] = []

    async def consume(consumer: str) -> None:
        mine = await open_streams()
        while len(seen) < len(names):
            activations = await mine.read(consumer, 7, 50)
            seen.extend(runs(activations))
            await asyncio.gather(*(mine.acknowledge([activation]) for activation in activations))

    await asyncio.gather(*(streams.add([name]) for name in names), *(consume(f"wrk_{n}") for n in range(4)))
    assert sorted(seen) == sorted(names)
    assert await streams.depth() == Depth(activations=0, pending=0, dead=0)


QUIET, BUSY = Lane("ws_quiet"), Lane("ws_busy")
LOW, NORMAL, HIGH = (Lane("ws_a", priority) for priority in (0, 1, 2))


async def test_a_workspace_with_ten_thousand_activations_does_not_hold_up_another_s_one(
    streams: ActivationStream,
) -> None:
    await streams.add([f"run_{n}" for n in range(10_000)], BUSY)
    await streams.read("wrk_a", 5, 0)
    await streams.add(["run_quiet"], QUIET)
    taken = [run for _ in range(3) for run in runs(await streams.read("wrk_a", 1, 0))]
    assert "run_quiet" in taken
    assert len(taken) == 3


async def test_workspaces_share_a_large_read_and_none_of_it_is_wasted(streams: ActivationStream) -> None:
    for number in range(3):
        await streams.add([f"run_{number}_{n}" for n in range(100)], Lane(f"ws_{number}"))
    await streams.add(["run_single"], QUIET)
    taken = await streams.read("wrk_a", 40, 0)
    of = [sum(each.lane.workspace == f"ws_{number}" for each in taken) for number in range(3)]
    assert "run_single" in runs(taken)
    assert sum(of) == 39
    assert min(of) >= 10


async def test_turns_go_on_from_one_reader_to_the_next(streams: ActivationStream, open_streams: OpenStreams) -> None:
    other = await open_streams()
    for workspace in ("ws_a", "ws_b", "ws_c"):
        await streams.add([f"run_{workspace}"] * 10, Lane(workspace))
    served = [
        each.lane.workspace
        for n in range(9)
        for each in await (streams, other)[n % 2].read(f"wrk_{n % 2}", 1, 0)
    ]  # fmt: skip
    assert sorted(served[:3]) == sorted(served[3:6]) == sorted(served[6:]) == ["ws_a", "ws_b", "ws_c"]


async def test_within_a_workspace_the_higher_priority_goes_first(streams: ActivationStream) -> None:
    for lane in (LOW, NORMAL, HIGH):
        await streams.add([f"run_{lane.priority}_{n}" for n in range(2)], lane)
    first = await streams.read("wrk_a", 3, 0)
    await streams.add(["run_2_late"], HIGH)
    then = await streams.read("wrk_a", 10, 0)
    assert runs(first) == ["run_2_0", "run_2_1", "run_1_0"]
    assert runs(then) == ["run_2_late", "run_1_1", "run_0_0", "run_0_1"]
    assert [each.lane.priority for each in then] == [2, 1, 0, 0]


async def test_a_waiting_read_hears_of_a_lane_that_is_new(streams: ActivationStream) -> None:
    reading = asyncio.create_task(streams.read("wrk_a", 10, 30_000))
    assert (await streams.depth()).activations == 0
    await streams.add(["run_1"], Lane("ws_new", 2))
    async with asyncio.timeout(180):
        [activation] = await reading
    assert (activation.run, activation.lane) == ("run_1", Lane("ws_new", 2))


async def test_a_waiting_read_takes_no_more_than_asked_from_many_lanes(streams: ActivationStream) -> None:
    lanes = [Lane(f"ws_{n}") for n in range(6)]
    for lane in lanes:
        await streams.add(["run_0"], lane)
    await streams.acknowledge(await streams.read("wrk_a", 10, 0))
    reading = asyncio.create_task(streams.read("wrk_a", 2, 30_000))
    assert (await streams.depth()).activations == 0
    await asyncio.gather(*(streams.add([f"run_{lane.workspace}"], lane) for lane in lanes))
    taken = await reading
    assert 1 <= len(taken) <= 2
    while len(taken) < 6:
        more = await streams.read("wrk_a", 2, 5000)
        assert 1 <= len(more) <= 2
        taken += more
    assert sorted(runs(taken)) == [f"run_ws_{n}" for n in range(6)]


async def test_every_call_reaches_activations_of_every_lane(streams: ActivationStream, backdoor: Backdoor) -> None:
    for lane in (LOW, HIGH, QUIET):
        await streams.add([f"run_{lane.workspace}_{lane.priority}"], lane)
    held = await streams.read("wrk_a", 10, 0)
    assert await streams.backlog() == {"ws_a": 2, "ws_quiet": 1}
    for each in held:
        await backdoor.age("wrk_a", each, HOUR_MS)
    await streams.keep_alive("wrk_a", held[:1])
    taken = await streams.reclaim("wrk_b", HOUR_MS // 2, 10)
    assert sorted(each.lane for each in taken) == sorted(each.lane for each in held[1:])
    assert {each.deliveries for each in taken} == {2}
    await streams.dead_letter(taken[0], "why")
    await streams.acknowledge([held[0], taken[1]])
    assert await streams.depth() == Depth(activations=0, pending=0, dead=1)
    assert not any((await streams.backlog()).values())


async def test_many_lanes_are_reclaimed_in_turns(streams: ActivationStream) -> None:
    for number in range(5):
        await streams.add(["run_1"] * 5, Lane(f"ws_{number}"))
    await streams.read("wrk_a", 25, 0)
    heirs = [await streams.reclaim(f"wrk_heir_{n}", 0, 2) for n in range(10)]
    assert all(len(each) == 2 for each in heirs)
    assert {each.lane.workspace for taken in heirs for each in taken} == {f"ws_{n}" for n in range(5)}


async def test_a_lane_that_was_tidied_away_comes_again(streams: ActivationStream) -> None:
    await streams.add(["run_1"], QUIET)
    await streams.acknowledge(await streams.read("wrk_a", 10, 0))
    await streams.forget_idle_consumers(HOUR_MS)
    await streams.add(["run_2"], QUIET)
    assert runs(await streams.read("wrk_a", 10, 0)) == ["run_2"]


async def test_a_waiting_read_survives_the_tidying_up(streams: ActivationStream) -> None:
    await streams.add(["run_1"], QUIET)
    await streams.acknowledge(await streams.read("wrk_a", 10, 0))
    reading = asyncio.create_task(streams.read("wrk_a", 10, 30_000))
    assert (await streams.depth()).activations == 0
    await streams.forget_idle_consumers(HOUR_MS)
    await streams.add(["run_2"], QUIET)
    async with asyncio.timeout(180):
        assert runs(await reading) == ["run_2"]
