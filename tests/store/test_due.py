"""What is due is taken in turns: each workspace its share, the urgent first, and every kind pushed by its own time."""

import asyncio
from collections import Counter

import pytest

from engine.store import HIGH, LOW, NORMAL, PUSH, Append, DueRun, Head, Log
from engine.store.types import DueKind
from tests.store.build import T0, append, appended, event, query, run_row


def due_run(run: str, workspace: str = "ws_local", *, priority: int = NORMAL, at: int = T0) -> Append:
    row = run_row(workspace, priority=priority)
    return Append(stream=run, after=Head.EMPTY, events=(event(),), run=row, due=at)


async def fill(log: Log, count: int, workspace: str, *, priority: int = NORMAL) -> None:
    runs = (f"run_{workspace}_{priority}_{n:05d}" for n in range(count))
    await asyncio.gather(*(appended(log, due_run(run, workspace, priority=priority)) for run in runs))


async def test_a_workspace_with_very_much_to_do_does_not_keep_another_s_run_waiting(log: Log) -> None:
    await fill(log, 1_000, "ws_busy")
    await appended(log, due_run("run_quiet", "ws_quiet", at=T0 + 5))

    taken = await log.take_due(T0 + 5, 20)

    assert DueRun("run_quiet", "ws_quiet", NORMAL) in taken
    assert Counter(due.workspace for due in taken) == {"ws_busy": 19, "ws_quiet": 1}


async def test_workspaces_share_a_sweep_and_the_rest_comes_in_the_next(log: Log) -> None:
    for number in range(5):
        await fill(log, 10, f"ws_{number}")

    sweeps = [Counter(due.workspace for due in await log.take_due(T0, 20)) for _ in range(3)]

    assert sweeps[0] == sweeps[1] == {f"ws_{number}": 4 for number in range(5)}
    assert sweeps[2] == {f"ws_{number}": 2 for number in range(5)}


async def test_more_workspaces_than_a_sweep_takes_have_their_turn_one_sweep_later(log: Log) -> None:
    for number in range(30):
        await fill(log, 2, f"ws_{number:02d}")

    sweeps = [[due.workspace for due in await log.take_due(T0, 20)] for _ in range(3)]

    assert [len(sweep) for sweep in sweeps] == [20, 20, 20]
    assert len(set(sweeps[0] + sweeps[1])) == 30


async def test_within_a_workspace_the_urgent_go_first(log: Log) -> None:
    for priority in (LOW, NORMAL, HIGH):
        await fill(log, 3, "ws_a", priority=priority)

    taken = [due.priority for due in await log.take_due(T0, 5)]
    rest = [due.priority for due in await log.take_due(T0, 5)]

    assert (taken, rest) == ([HIGH] * 3 + [NORMAL] * 2, [NORMAL] + [LOW] * 3)


async def test_a_workspace_may_be_left_out(log: Log) -> None:
    await fill(log, 3, "ws_a")
    await fill(log, 3, "ws_b")

    assert {due.workspace for due in await log.take_due(T0, 10, skip=["ws_a"])} == {"ws_b"}


@pytest.mark.parametrize("kind", PUSH)
async def test_what_was_taken_is_left_alone_for_the_time_of_its_kind(log: Log, kind: DueKind) -> None:
    await appended(log, append("run_a", due=T0, due_kind=kind))

    assert len(await log.take_due(T0, 10)) == 1

    assert await query(log, "SELECT due FROM open_work") == [(T0 + PUSH[kind],)]


async def test_open_work_set_by_an_append_without_a_row_is_its_run_s(log: Log) -> None:
    head = await appended(
        log, Append(stream="run_a", after=Head.EMPTY, events=(event(),), run=run_row("ws_a", priority=HIGH))
    )
    await appended(log, append("run_a", head, due=T0))

    assert await log.take_due(T0, 10) == [DueRun("run_a", "ws_a", HIGH)]
    assert await log.next_due() == T0 + PUSH["ready"]


async def test_what_is_made_due_is_due_by_the_database_s_clock_too(log: Log) -> None:
    now = await log.now()
    await appended(log, append("run_a", due=now + 3_600_000))

    assert await log.make_all_due(now + 60_000) == 1

    assert [due.run for due in await log.take_due(await log.now(), 10)] == ["run_a"]
