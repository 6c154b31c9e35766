"""Lists of runs: every filter alone and together, labels that follow, page by page; workspaces; workers."""

from dataclasses import replace
from typing import Any

import pytest

from engine.store import HIGH, Head, Log, RunFilter, RunRow
from tests.store.build import T0, append, appended, event, query, run_row, tamper


def row(**fields: Any) -> RunRow:
    return replace(run_row(), **fields)


ROWS = {
    "run_1": row(workflow="deploy", labels={"env": "prod", "team": "a"}, search="publish v1.2.0 of web"),
    "run_2": row(
        workflow="deploy",
        labels={"env": "test", "team": "a"},
        started_by="Ben",
        starter="slack:U2",
        created_at=T0 + 1000,
    ),
    "run_3": row(
        workflow="report",
        labels={"env": "prod"},
        attention="approval",
        summary="Waits for ANA's 100% yes",
        starter="slack:U2",
    ),
    "run_4": row(workflow="report", status="failed", attention="dead_letter", parent="run_3", ended_at=T0 + 5),
    "run_5": row(workflow="report", status="completed", parent="run_3", priority=HIGH, created_at=T0 + 5000),
    "run_6": row(workspace="ws_other", labels={"env": "prod"}, attention="approval"),
}


async def listed(log: Log, where: RunFilter = RunFilter.EVERY, **page: Any) -> list[str]:
    return [info.id for info in await log.runs(workspace="ws_local", where=where, **page)]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (RunFilter(), "5 4 3 2 1"),
        (RunFilter(workflow="deploy"), "2 1"),
        (RunFilter(statuses=["failed", "completed"]), "5 4"),
        (RunFilter(statuses=[]), ""),
        (RunFilter(started_by="Ben"), "2"),
        (RunFilter(starter="slack:U2"), "3 2"),
        (RunFilter(created_after=T0 + 1000), "5 2"),
        (RunFilter(created_before=T0 + 1000), "4 3 1"),
        (RunFilter(created_after=T0 + 1, created_before=T0 + 2000), "2"),
        (RunFilter(text="V1.2"), "1"),
        (RunFilter(text="ana's 100%"), "3"),
        (RunFilter(text="0%y"), ""),
        (RunFilter(text="run_4"), "4"),
        (RunFilter(labels={"env": "prod"}), "3 1"),
        (RunFilter(labels={"env": "prod", "team": "a"}), "1"),
        (RunFilter(labels={"env": "prod"}, workflow="report"), "3"),
        (RunFilter(labels={"env": "p"}), ""),
        (RunFilter(attention="approval"), "3"),
        (RunFilter(attention=RunFilter.ANYTHING), "4 3"),
        (RunFilter(parent="run_3"), "5 4"),
        (RunFilter(parent="run_3", statuses=["failed"], attention="dead_letter"), "4"),
    ],
)
async def test_runs_are_found_by_what_is_known_of_them(log: Log, where: RunFilter, expected: str) -> None:
    for run, its_row in ROWS.items():
        await appended(log, append(run, run=its_row))

    assert await listed(log, where) == [f"run_{number}" for number in expected.split()]
    assert await listed(log, where, limit=1) == [f"run_{number}" for number in expected.split()[:1]]
    assert await listed(log, where, before="run_3") == [f"run_{n}" for n in expected.split() if int(n) < 3]


async def test_a_run_is_listed_with_all_that_its_row_says(log: Log) -> None:
    for run, its_row in ROWS.items():
        await appended(log, append(run, run=its_row))

    for run, its_row in ROWS.items():
        info = await log.run(run)
        assert info is not None
        assert {name: getattr(info, name) for name in its_row.__slots__} == {
            name: getattr(its_row, name) for name in its_row.__slots__
        }


async def test_labels_follow_the_latest_append_that_has_a_row(log: Log) -> None:
    prod, test = RunFilter(labels={"env": "prod"}), RunFilter(labels={"env": "test"})
    head = await appended(log, append("run_a", run=row(labels={"env": "prod", "quoted": 'it\'s "so"'})))
    head = await appended(log, append("run_a", head, event("STEP_STARTED")))
    assert await listed(log, prod) == ["run_a"]

    head = await appended(log, append("run_a", head, event("RUN_LABELLED"), run=row(labels={"env": "test"})))
    assert (await listed(log, prod), await listed(log, test)) == ([], ["run_a"])

    head = await appended(log, append("run_a", head, event("RUN_LABELLED"), run=row()))
    assert await listed(log, test) == []
    assert await query(log, "SELECT * FROM run_labels") == []


async def test_the_labels_of_a_run_that_is_removed_go_with_it(log: Log) -> None:
    await appended(log, append("run_a", run=row(labels={"env": "prod"})))

    await tamper(log, "DELETE FROM runs")

    assert await query(log, "SELECT * FROM run_labels") == []


@pytest.mark.parametrize("bad", [{"priority": 3}, {"labels": {"a": "\0"}}], ids=["priority", "NUL"])
async def test_a_row_that_can_never_be_written_is_a_value_error(log: Log, bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="run_a"):
        await log.append(append("run_a", Head.EMPTY, run=row(**bad)))


async def test_workspaces_are_those_with_runs_or_a_stream_of_their_own(log: Log) -> None:
    assert await log.workspaces() == []
    for workspace in ("ws_b", "ws_a", "ws_b"):
        await appended(log, append(f"run_{len(await log.workspaces())}_{workspace}", run=row(workspace=workspace)))
    await appended(log, append("ws_c", Head.EMPTY, event("SWITCH_THROWN")))

    assert await log.workspaces() == ["ws_a", "ws_b", "ws_c"]


async def test_workers_are_those_whose_lease_holds_with_what_they_say(log: Log) -> None:
    before = await log.now()
    until = await log.renew("wrk_a", 60_000, {"host": "düne", "steps": 3})
    await log.renew("wrk_gone", -1000)
    await log.renew("other_kind", 60_000)

    [worker] = await log.workers()
    assert (worker.id, worker.until, worker.info) == ("wrk_a", until, {"host": "düne", "steps": 3})
    assert before <= worker.since <= await log.now()
    await log.renew("wrk_a", 90_000)
    [again] = await log.workers()
    assert (again.since, again.info) == (worker.since, worker.info)
    assert again.until > worker.until
