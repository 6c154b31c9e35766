"""Many runs spend from one budget at once, on workers that are killed: it is never passed, and in the end it adds up.

``VB_SPENDERS=64 make test ARGS="-n 0 tests/spending"`` has sixty-four runs; by itself it has fewer.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections import Counter
from collections.abc import AsyncGenerator
from multiprocessing.process import BaseProcess

import pytest

from engine.core.definition import Workflow
from engine.embedded import EmbeddedRedis
from engine.engine import Engine
from tests.crash.killing import bring_up, stop, until
from tests.engine.conftest import ANA, BEN
from tests.spending import worker
from tests.spending.worker import CENT, Orders
from tests.store.build import query

SPENDERS = int(os.environ.get("VB_SPENDERS", "12"))
WORKERS = 3
KILLS = max(3, SPENDERS // 5)
LIMIT = SPENDERS * 10 * CENT
"""Not enough: it is used up, and raised by as much again, until all have ended."""

BUDGET = "workspace/day"
RETRY = {"attempts": 9, "initial": "20ms", "max": "50ms"}
CLASSES = {"permanent": {"attempts": 9}, "worker_lost": {"attempts": 9}}
SPENDING = Workflow.model_validate(
    {
        "name": "spending",
        "steps": [
            {"id": id_, "needs": needs, "uses": "spend.call", "retry": {**RETRY, "classes": CLASSES}}
            for id_, needs in (("a", []), ("b", []), ("c", ["a", "b"]))
        ],
    }
)


class Crew:
    """Workers, one of whom is killed now and then, and replaced."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._chance = random.Random(7)
        self.members = [bring_up(worker.live, orders) for _ in range(WORKERS)]
        self.kills = 0

    async def suffer(self) -> None:
        while self.kills < KILLS:
            await asyncio.sleep(self._chance.uniform(0.2, 0.8))
            lost = self._chance.choice(self.members)
            lost.kill()
            await asyncio.to_thread(lost.join)
            self.kills += 1
            self.members[self.members.index(lost)] = bring_up(worker.live, self._orders)

    async def go_home(self) -> None:
        for member in self.members:
            await stop(member)


@pytest.fixture
async def crew(database_url: str, redis_server: EmbeddedRedis, redis_namespace: str) -> AsyncGenerator[Crew]:
    crew = Crew(Orders(database_url, redis_server.url, redis_namespace))
    yield crew
    members: list[BaseProcess] = crew.members
    for process in members:
        process.kill()
        process.join()


async def test_a_budget_is_never_passed_and_the_ledger_is_the_sum_of_what_was_recorded(
    database_url: str, redis_server: EmbeddedRedis, redis_namespace: str, crew: Crew
) -> None:
    async with worker.opened(Orders(database_url, redis_server.url, redis_namespace)) as engine:
        engine.catalog.add(SPENDING)
        await engine.budgets.set(BUDGET, LIMIT, by=ANA, alert_at=(50, 80))
        suffering = asyncio.create_task(crew.suffer())
        starts = [engine.start("spending", {}, by=ANA) for _ in range(SPENDERS)]
        runs = [begun.run for begun in await asyncio.gather(*starts)]
        raised = await raise_until_all_have_ended(engine, runs)
        await suffering
        ended = [await engine.state(run) for run in runs]

        assert {state.status.value for state in ended} == {"completed"}
        assert crew.kills == KILLS
        assert raised >= 1, "it was used up, and asked for more"
        await never_passed(engine)
        await adds_up(engine)
        await each_alert_once(engine)
        await crew.go_home()
        report = await engine.verify()
        assert report.ok, report.findings[:3]


async def raise_until_all_have_ended(engine: Engine, runs: list[str]) -> int:
    """Whenever nothing goes on but what waits for money; how often that was."""
    raised = 0

    async def stuck_or_done() -> bool:
        infos = [info for info in await engine.runs(limit=len(runs) + 1) if info.ended_at is None]
        return all(info.attention == "held" for info in infos)

    while True:
        await until(stuck_or_done, 120)
        if all(info.ended_at is not None for info in await engine.runs(limit=len(runs) + 1)):
            return raised
        raised += 1
        await engine.budgets.set(BUDGET, LIMIT * (raised + 1), by=BEN, reason="all the same")


async def rows(engine: Engine) -> list[tuple[int, str, int, int, int, int]]:
    """The ledger of the workspace's budget for the day, in its order."""
    sql = "SELECT seq, kind, amount, spent, reserved, cap FROM ledger WHERE budget = :budget AND period <> '' ORDER BY "
    return await query(engine.store, sql + "period, seq", budget=f"ws_local/{BUDGET}")  # pyright: ignore[reportReturnType]


async def never_passed(engine: Engine) -> None:
    """What is spent and what is set aside are together within the limit, after each commit that there ever was."""
    ledger = await rows(engine)
    passed = [row for row in ledger if row[3] + row[4] > row[5]]
    assert not passed, passed[:3]
    closest = min(row[5] - row[3] - row[4] for row in ledger)
    assert closest < 40 * CENT, "it was worth a fight"


async def adds_up(engine: Engine) -> None:
    events = await query(engine.store, "SELECT payload FROM events WHERE type = 'COST_RECORDED'")
    recorded = sum(json.loads(payload)["cost"] for (payload,) in events)
    ledger = await rows(engine)
    assert sum(amount for _, kind, amount, *_ in ledger if kind == "settle") == recorded
    (info,) = await engine.budgets.of([BUDGET])
    assert (info.spent, info.reserved) == (recorded, 0)


async def each_alert_once(engine: Engine) -> None:
    events = await query(engine.store, "SELECT payload FROM events WHERE type = 'BUDGET_ALERTED'")
    told = [json.loads(payload)["budget"] for (payload,) in events]
    alerts = Counter((one["account"], one["limit"], share) for one in told for share in one["passes"])
    assert alerts
    assert set(alerts.values()) == {1}, alerts
