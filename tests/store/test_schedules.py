"""Schedules' rows: claimed by one, kept as long as their words stay, and found again from runs."""

import asyncio

from engine.store import Log, ScheduleRow, Schedules
from tests.store.build import T0, append, appended, run_row

DAILY = ScheduleRow("report", 0, "0 9 * * *|UTC", T0)
HOURLY = ScheduleRow("report", 1, "0 * * * *|UTC", T0 + 5)


async def test_a_schedule_whose_time_has_come_is_claimed_by_one(log: Log, other: Log) -> None:
    first, second = Schedules(log, "ws_a"), Schedules(other, "ws_a")
    await first.keep([DAILY, HOURLY])

    assert await first.claim(T0 - 1, 10, 60_000) == []
    claimed = await asyncio.gather(*(each.claim(T0, 10, 60_000) for each in (first, second) * 3))
    assert [row for rows in claimed for row in rows] == [DAILY]


async def test_a_claim_runs_out_and_the_row_moves_on_once(log: Log) -> None:
    schedules = Schedules(log, "ws_a")
    await schedules.keep([DAILY])
    assert await schedules.claim(T0, 10, 0) == [DAILY]
    assert await schedules.claim(T0, 10, 60_000) == [DAILY]

    assert await schedules.advance(DAILY, T0 + 100)
    assert not await schedules.advance(DAILY, T0 + 200)
    assert await schedules.all() == [ScheduleRow("report", 0, DAILY.spec, T0 + 100)]
    assert await schedules.claim(T0 + 100, 10, 60_000) != []


async def test_a_schedule_with_the_same_words_keeps_its_time_and_others_go(log: Log) -> None:
    schedules = Schedules(log, "ws_a")
    await schedules.keep([DAILY, HOURLY])
    await schedules.keep([ScheduleRow("report", 0, DAILY.spec, T0 + 77)])
    assert await schedules.all() == [DAILY]

    changed = ScheduleRow("report", 0, "0 10 * * *|UTC", T0 + 99)
    await schedules.keep([changed])
    assert await schedules.all() == [changed]
    assert await Schedules(log, "ws_b").all() == []


async def test_what_a_schedule_has_started_is_known_by_the_runs(log: Log) -> None:
    schedules = Schedules(log, "ws_local")
    assert await schedules.last_started("schedule/report/1/") is None
    for number, key in enumerate(("1/2030-01-01", "1/2030-01-02", "10/2031", "1/2030-01-03")):
        ended = T0 if number == 1 else None
        row = run_row(dedupe_key=f"schedule/report/{key}", ended_at=ended)
        await appended(log, append(f"run_{number}", run=row))

    assert await schedules.last_started("schedule/report/1/") == "schedule/report/1/2030-01-03"
    assert await schedules.open_before("schedule/report/1/", "schedule/report/1/2030-01-03") == "run_0"
    assert await schedules.open_before("schedule/report/1/", "schedule/report/1/2030-01-01") is None


async def test_what_is_said_in_a_workspace_is_found_without_its_anchors(log: Log) -> None:
    assert (await log.load_said("ws_local"))[1].seq == 0
    await appended(log, append("run_a"))
    await log.anchor("ws_local", T0)
    _, head = await log.load_said("ws_local")
    await appended(log, append("ws_local", head))

    said, head = await log.load_said("ws_local")
    assert [(one.seq, one.type) for one in said] == [(2, "STEP_STARTED")]
    assert head.seq == 2
    assert await log.load_said("ws_local", head.seq) == ([], head)
