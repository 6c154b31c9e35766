"""Concurrency keys: never more holders than the limit, the line in its order, and nobody left standing in it."""

import asyncio
import random
from collections.abc import Sequence

import pytest

from engine.store import HIGH, LOW, NORMAL, Append, Appended, Head, Log, Refused, SlotFree, Waiting
from tests.store.build import T0, append, appended, event, query, run_row
from tests.waiting import until

KEY = "deploy/production"
FAR = 4_000_000_000_000


def start(run: str, priority: int = NORMAL, key: str = KEY) -> Append:
    """The first append of a run that gets in line."""
    return Append(
        stream=run, after=Head.EMPTY, events=(event("RUN_STARTED"),), run=run_row(status="queued"), due=FAR,
        due_kind="queued", waits_for=Waiting(key, priority),
    )  # fmt: skip


def admission(run: str, head: Head, limit: int = 1, key: str = KEY) -> Append:
    return append(run, head, event("RUN_ADMITTED"), run=run_row(), due=FAR, guards=(SlotFree(key, limit),))


def end(run: str, head: Head) -> Append:
    return append(run, head, event("RUN_COMPLETED"), run=run_row(status="completed", ended_at=T0), due=None)


async def started(log: Log, *runs: str, priority: int = NORMAL) -> list[Head]:
    return [await appended(log, start(run, priority)) for run in runs]


async def admitted(log: Log, run: str, head: Head, limit: int = 1) -> Head:
    return await appended(log, admission(run, head, limit))


async def ended(log: Log, run: str, head: Head) -> tuple[str, ...]:
    """End the run; who is woken by it."""
    outcome = await log.append(end(run, head))
    assert isinstance(outcome, Appended)
    return outcome.woken


async def due(log: Log) -> list[str]:
    return sorted(run.run for run in await log.take_due(await log.now(), 100))


async def test_a_free_key_is_held_by_the_first_that_comes_and_by_nobody_else(log: Log) -> None:
    one, two = await started(log, "run_1", "run_2")

    await admitted(log, "run_1", one)

    assert await log.append(admission("run_2", two)) == Refused(SlotFree(KEY, 1))
    assert (await log.load("run_2"))[1] == two
    assert await query(log, "SELECT run FROM slots WHERE held") == [("run_1",)]


async def test_who_is_in_line_cannot_be_overtaken_even_where_there_is_room(log: Log) -> None:
    one, two = await started(log, "run_1", "run_2")

    assert await log.append(admission("run_2", two, limit=2)) == Refused(SlotFree(KEY, 2))
    await admitted(log, "run_1", one, limit=2)
    await admitted(log, "run_2", two, limit=2)


async def test_the_line_is_in_the_order_of_priority_then_of_time(log: Log) -> None:
    heads: dict[str, Head] = {}
    [heads["run_4"]] = await started(log, "run_4")
    came = await log.now()

    async def is_later() -> bool:
        return await log.now() > came

    await until(is_later)  # those of one millisecond stand in the order of their ids
    [heads["run_3"]] = await started(log, "run_3")
    [heads["run_2"]] = await started(log, "run_2", priority=LOW)
    [heads["run_1"]] = await started(log, "run_1", priority=HIGH)
    order: list[str] = []

    while heads:
        for run, head in list(heads.items()):
            outcome = await log.append(admission(run, head))
            if isinstance(outcome, Appended):
                order.append(run)
                del heads[run]
                await ended(log, run, outcome.head)

    assert order == ["run_1", "run_4", "run_3", "run_2"]


async def test_the_end_of_a_holder_makes_the_next_in_line_due_in_the_same_transaction(log: Log) -> None:
    one, two, _ = await started(log, "run_1", "run_2", "run_3")
    one = await admitted(log, "run_1", one)
    assert await due(log) == []

    assert await ended(log, "run_1", one) == ("run_2",)

    assert await due(log) == ["run_2"]
    two = await admitted(log, "run_2", two)
    assert await query(log, "SELECT run, held FROM slots ORDER BY run") == [("run_2", True), ("run_3", False)]


async def test_the_end_of_one_that_only_waited_passes_its_turn_on(log: Log) -> None:
    _, two, _ = await started(log, "run_1", "run_2", "run_3")
    one = (await log.load("run_1"))[1]
    one = await admitted(log, "run_1", one)
    await ended(log, "run_1", one)
    await due(log)

    assert await ended(log, "run_2", two) == ("run_3",)


async def test_whoever_comes_in_while_there_is_room_brings_the_next_one_in(log: Log) -> None:
    heads = await started(log, *(f"run_{n}" for n in range(4)))

    outcomes = [await log.append(admission(f"run_{n}", head, limit=3)) for n, head in enumerate(heads)]

    woken = [outcome.woken for outcome in outcomes[:3] if isinstance(outcome, Appended)]
    assert woken == [("run_1",), ("run_2",), ()]
    assert outcomes[3] == Refused(SlotFree(KEY, 3))


async def test_holding_is_repeatable_and_ends_but_once(log: Log) -> None:
    one, two = await started(log, "run_1", "run_2")
    one = await admitted(log, "run_1", one)

    one = await admitted(log, "run_1", one)
    await ended(log, "run_1", one)
    one = (await log.load("run_1"))[1]
    reopened = append("run_1", one, event("RUN_REOPENED"), run=run_row(), due=FAR)
    await appended(log, reopened)

    assert await query(log, "SELECT run FROM slots WHERE held") == []
    await admitted(log, "run_2", two)


async def test_keys_do_not_meet_and_a_run_may_hold_two(log: Log) -> None:
    [one] = await started(log, "run_1")
    one = await admitted(log, "run_1", one)
    one = await appended(log, admission("run_1", one, key="tenant/7"))
    two = await appended(log, start("run_2", key="tenant/7"))
    assert await log.append(admission("run_2", two, key="tenant/7")) == Refused(SlotFree("tenant/7", 1))

    assert await ended(log, "run_1", one) == ("run_2",)
    assert await query(log, "SELECT key, run, held FROM slots") == [("tenant/7", "run_2", False)]


async def test_a_run_that_never_waited_comes_after_all_that_are_as_urgent(log: Log) -> None:
    await started(log, "run_1")

    refused = Append(
        stream="run_2", after=Head.EMPTY, events=(event(),), run=run_row(), due=FAR, guards=(SlotFree(KEY, 5),)
    )

    assert await log.append(refused) == Refused(SlotFree(KEY, 5))
    free = Append(
        stream="run_3", after=Head.EMPTY, events=(event(),), run=run_row(), due=FAR, guards=(SlotFree("other", 1),)
    )
    await appended(log, free)
    assert await query(log, "SELECT run, held FROM slots WHERE key = 'other'") == [("run_3", True)]


async def test_an_admission_that_loses_its_head_holds_nothing(log: Log) -> None:
    [one] = await started(log, "run_1")
    await appended(log, append("run_1", one, event("RUN_LABELLED")))

    outcome = await log.append(admission("run_1", one))

    assert not isinstance(outcome, Appended | Refused)
    assert await query(log, "SELECT run FROM slots WHERE held") == []


class Crowd:
    """Runs of one key in two processes: each is looked at when it has begun, when it is woken, and when it is due."""

    def __init__(self, logs: Sequence[Log], limit: int, heads: dict[str, Head]) -> None:
        self.logs = logs
        self.limit = limit
        self.heads = heads
        self.holders: set[str] = set()
        self.most = 0
        self.order: list[str] = []

    async def through(self) -> None:
        """Look at all of them, and go on until the last has ended."""
        async with asyncio.TaskGroup() as looks:
            for run in self.heads:
                looks.create_task(self.look(run, looks))
            while len(self.order) < len(self.heads):
                for each in await self.logs[0].take_due(await self.logs[0].now(), 100):
                    looks.create_task(self.look(each.run, looks))

    async def look(self, run: str, looks: asyncio.TaskGroup) -> None:
        log = random.choice(self.logs)
        outcome = await log.append(admission(run, self.heads[run], self.limit))
        if not isinstance(outcome, Appended):
            return
        self.holders.add(run)
        self.order.append(run)
        self.most = max(self.most, len(self.holders))
        for woken in outcome.woken:
            looks.create_task(self.look(woken, looks))
        # Work until all slots are taken, so that they are fought for.
        while len(self.holders) < min(self.limit, len(self.heads) - len(self.order) + 1):
            await asyncio.sleep(0.001)
        [(held,)] = await query(log, "SELECT count(*) FROM slots WHERE held")
        assert held <= self.limit
        self.holders.discard(run)
        await ended(log, run, outcome.head)


@pytest.mark.parametrize("limit", [1, 3])
async def test_fifty_runs_of_a_key_never_exceed_its_limit_and_all_get_through(log: Log, other: Log, limit: int) -> None:
    runs = [f"run_{n:02d}" for n in range(50)]
    heads = await asyncio.gather(*(appended((log, other)[n % 2], start(run)) for n, run in enumerate(runs)))
    crowd = Crowd((log, other), limit, dict(zip(runs, heads, strict=True)))

    async with asyncio.timeout(60):
        await crowd.through()

    assert crowd.most == limit
    assert sorted(crowd.order) == runs
    assert await query(log, "SELECT count(*) FROM slots") == [(0,)]
    assert await query(log, "SELECT count(*) FROM open_work") == [(0,)]


async def test_many_that_come_at_once_without_a_line_take_no_more_than_there_are(log: Log, other: Log) -> None:
    def stranger(number: int) -> Append:
        run = f"run_{number:02d}"
        return Append(
            stream=run, after=Head.EMPTY, events=(event(),), run=run_row(), due=FAR, guards=(SlotFree(KEY, 3),)
        )

    outcomes = await asyncio.gather(*((log, other)[n % 2].append(stranger(n)) for n in range(40)))

    assert sum(isinstance(outcome, Appended) for outcome in outcomes) == 3
    assert await query(log, "SELECT count(*) FROM slots WHERE held") == [(3,)]
