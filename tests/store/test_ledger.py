"""Budgets: whoever reserves at the same time, no limit is passed; and the ledger says how each account came to what it
is.
"""

import asyncio
import random

from engine.store import Append, Appended, Conflict, Head, Log, Refused, Spent
from engine.store.postings import Account, Balance, Limit, Posting, Purpose, Reserve, Settle
from engine.store.verify import verify
from tests.store.build import append, appended, event, query, run_row, tamper

FAR = 4_000_000_000_000
DAY = Account("ws_local/workspace/day", "2026-11-28")
MONTH = Account("ws_local/workspace/month", "2026-11")


async def limited(log: Log, limit: int | None, budget: str = DAY.budget, alert_at: tuple[int, ...] = ()) -> None:
    """As a person sets it, in the workspace's stream."""
    head = (await log.load("ws_local"))[1]
    postings = (Limit(budget, limit, alert_at),)
    await appended(log, Append(stream="ws_local", after=head, events=(event("BUDGET_SET"),), postings=postings))


async def started(log: Log, run: str) -> Head:
    return await appended(log, append(run, run=run_row(), due=FAR))


def posting(run: str, after: Head, *postings: Posting) -> Append:
    return Append(stream=run, after=after, events=(event(),), run=run_row(), due=FAR, postings=postings)


def reserve(amount: int, run: str = "run_1", *accounts: Account, takes: bool = True) -> Reserve:
    return Reserve(amount, accounts or (DAY,), Purpose(run, "ask", "call", "gpt-x"), takes)


def settle(cost: int, reserved: int, run: str = "run_1", *accounts: Account, passes: tuple[int, ...] = ()) -> Settle:
    charged = accounts or (DAY,)
    passing = frozenset((account, share) for account in charged for share in passes)
    return Settle(cost, reserved, charged, Purpose(run, "ask", "call", "gpt-x"), passes=passing)


async def balance(log: Log, account: Account = DAY) -> tuple[int, int]:
    """Spent and reserved."""
    sql = "SELECT spent, reserved FROM balances WHERE budget = :budget AND period = :period"
    return (await query(log, sql, **account._asdict()))[0]  # pyright: ignore[reportReturnType]


async def test_what_does_not_fit_is_refused_and_told_why_and_nothing_of_it_is_written(log: Log) -> None:
    await limited(log, 100)
    head = await appended(log, posting("run_1", await started(log, "run_1"), reserve(70, "run_1", DAY, MONTH)))
    outcome = await log.append(posting("run_1", head, reserve(31, "run_1", DAY, MONTH)))

    assert outcome == Refused(reserve(31, "run_1", DAY, MONTH), (Balance(DAY, 0, 70, 100),))
    assert (await log.load("run_1"))[1] == head
    assert (await balance(log), await balance(log, MONTH)) == ((0, 70), (0, 70))
    await appended(log, posting("run_1", head, reserve(30, "run_1", DAY, MONTH)))


async def test_what_is_settled_gives_the_rest_back_and_is_told_though_it_is_beyond_the_limit(log: Log) -> None:
    await limited(log, 100)
    head = await appended(log, posting("run_1", await started(log, "run_1"), reserve(100)))
    head = await appended(log, posting("run_1", head, settle(20, 100)))
    assert await balance(log) == (20, 0)
    head = await appended(log, posting("run_1", head, reserve(80)))
    await appended(log, posting("run_1", head, settle(95, 80)))
    assert await balance(log) == (115, 0)


async def test_a_question_takes_nothing(log: Log) -> None:
    await limited(log, 100)
    head = await started(log, "run_1")
    head = await appended(log, posting("run_1", head, reserve(100, takes=False)))
    assert isinstance(await log.append(posting("run_1", head, reserve(101, takes=False))), Refused)
    assert await query(log, "SELECT count(*) FROM balances WHERE period <> ''") == [(0,)]


async def test_a_raised_limit_holds_for_what_comes_after_it_and_no_limit_is_none(log: Log) -> None:
    await limited(log, 100)
    head = await appended(log, posting("run_1", await started(log, "run_1"), reserve(100)))
    assert isinstance(await log.append(posting("run_1", head, reserve(50))), Refused)
    await limited(log, 150)
    head = await appended(log, posting("run_1", head, reserve(50)))
    await limited(log, None)
    await appended(log, posting("run_1", head, reserve(1_000_000)))


async def test_the_append_that_passes_a_threshold_has_to_say_so_and_no_other(log: Log) -> None:
    await limited(log, 200, alert_at=(50, 80, 100))
    head = await appended(log, posting("run_1", await started(log, "run_1"), reserve(200)))
    head = await appended(log, posting("run_1", head, settle(99, 100)))
    assert isinstance(await log.append(posting("run_1", head, settle(0, 0, passes=(50,)))), Refused)
    silent = settle(61, 100)
    outcome = await log.append(posting("run_1", head, silent))
    assert outcome == Refused(silent, (Balance(DAY, 160, 0, 200, (50, 80)),))
    head = await appended(log, posting("run_1", head, settle(61, 100, passes=(50, 80))))
    await appended(log, posting("run_1", head, settle(1, 0)))


async def test_an_append_that_loses_its_stream_posts_nothing(log: Log) -> None:
    await limited(log, 100)
    head = await started(log, "run_1")
    lost = posting("run_1", Head(head.seq, "0" * 64), reserve(60))
    assert isinstance(await log.append(lost), Conflict)
    assert await query(log, "SELECT count(*) FROM ledger WHERE kind = 'reserve'") == [(0,)]


async def test_what_one_that_loses_would_have_taken_is_not_missing_to_those_beside_it(log: Log) -> None:
    await limited(log, 100)
    one, two = await started(log, "run_1"), await started(log, "run_2")
    lost = posting("run_1", Head(one.seq, "0" * 64), reserve(60))
    outcomes = await asyncio.gather(log.append(lost), log.append(posting("run_2", two, reserve(60, "run_2"))))
    assert [type(outcome) for outcome in outcomes] == [Conflict, Appended]
    assert await balance(log) == (0, 60)


async def test_held_runs_are_looked_at_when_something_is_given_back(log: Log) -> None:
    await limited(log, 100)
    head = await appended(log, posting("run_1", await started(log, "run_1"), reserve(100)))
    now = await log.now()
    await appended(log, append("run_2", run=run_row(), due=now + 60_000, due_kind="timer"))
    await appended(log, append("run_3", run=run_row(), due=now + 60_000, due_kind="held"))
    await appended(log, posting("run_1", head, settle(10, 100)))
    assert [one.run for one in await log.take_due(await log.now(), 10)] == ["run_3"]


async def spend(log: Log, run: str, chance: random.Random) -> int:
    """Reserve and settle, again and again, against all others; what it has cost."""
    head, total = await started(log, run), 0
    for _ in range(12):
        worst = chance.randrange(1, 40)
        outcome = await log.append(posting(run, head, reserve(worst, run, DAY, MONTH)))
        if isinstance(outcome, Refused):
            continue
        assert isinstance(outcome, Appended)
        cost = chance.randrange(0, worst + 1)
        head = await appended(log, posting(run, outcome.head, settle(cost, worst, run, DAY, MONTH)))
        total += cost
    return total


async def test_however_many_spend_at_once_the_ledger_never_passes_the_limit_and_adds_up(log: Log, other: Log) -> None:
    await limited(log, 300)
    chance = random.Random(7)
    logs = [log, other]
    costs = await asyncio.gather(*(spend(logs[n % 2], f"run_{n}", random.Random(chance.random())) for n in range(24)))

    sql = "SELECT seq, kind, amount, spent, reserved, cap FROM ledger WHERE budget = :budget AND period = :period"
    rows = await query(log, f"{sql} ORDER BY seq", **DAY._asdict())
    assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
    assert all(spent + reserved <= 300 for _, _, _, spent, reserved, _ in rows)
    assert any(cap - spent - reserved < 40 for _, _, _, spent, reserved, cap in rows), "it was worth a fight"
    assert sum(row[2] for row in rows if row[1] == "settle") == sum(costs) == (await balance(log))[0]
    assert await balance(log) == await balance(log, MONTH) == (sum(costs), 0)


async def test_verifying_finds_what_does_not_add_up(log: Log) -> None:
    await limited(log, 100)
    head = await appended(log, posting("run_1", await started(log, "run_1"), reserve(70, "run_1", DAY, MONTH)))
    head = await appended(log, posting("run_1", head, settle(20, 70, "run_1", DAY, MONTH)))
    await appended(log, posting("run_1", head, reserve(30, "run_1", DAY, MONTH)))
    assert (await verify(log)).findings == []
    assert (await verify(log)).accounts == 3, "and the row that says the limit"

    await tamper(log, "UPDATE balances SET spent = 10 WHERE period = :period", period=DAY.period)
    await tamper(log, "UPDATE ledger SET amount = 10 WHERE kind = 'settle' AND period = :period", period=MONTH.period)
    await tamper(log, "DELETE FROM ledger WHERE kind = 'limit'")
    found = {(one.stream, one.seq, one.what) for one in (await verify(log)).findings}
    assert found == {
        (f"budget {DAY.budget} {DAY.period}", None, "its balance is not what the ledger has come to"),
        (f"budget {MONTH.budget} {MONTH.period}", 2, "the ledger's row does not follow from those before it"),
        (f"budget {DAY.budget}", None, "its balance is not what the ledger has come to"),
    }


async def test_who_spent_most_in_a_period_is_told_largest_first_and_nobody_else(log: Log) -> None:
    spent = {"workflow:a/month": 10, "workflow:b/month": 30, "workflow:c/month": 20, "workspace/month": 60}
    accounts = [(Account(f"ws_local/{name}", "2026-11"), cost) for name, cost in spent.items()]
    accounts += [
        (Account("ws_local/workflow:a/month", "2026-10"), 90),
        (Account("ws_other/workflow:d/month", "2026-11"), 90),
    ]
    head = await started(log, "run_1")
    for account, cost in accounts:
        head = await appended(log, posting("run_1", head, reserve(cost, "run_1", account)))
        head = await appended(log, posting("run_1", head, settle(cost, cost, "run_1", account)))
    found = await log.most_spent("ws_local/workflow:", "2026-11", 2)
    assert found == [("b/month", 30), ("c/month", 20)]
    assert await log.most_spent("ws_local/workflow:", "2026-12", 2) == []


async def test_each_cost_is_counted_once_by_day_workflow_and_model_as_long_as_its_run_is_known(log: Log) -> None:
    day, eve = (Account(DAY.budget, f"2026-11-{number}") for number in (28, 27))
    other = Account("ws_local/workflow:around/day", "2026-11-28")
    head = await started(log, "run_1")
    for account, cost in ((day, 10), (day, 20), (eve, 40), (other, 80)):
        head = await appended(log, posting("run_1", head, reserve(100, "run_1", account)))
        head = await appended(log, posting("run_1", head, settle(cost, 100, "run_1", account)))
    head = await appended(log, posting("run_1", head, reserve(5, "run_gone", day)))
    await appended(log, posting("run_1", head, settle(5, 5, "run_gone", day)))
    flow = run_row().workflow
    today = [Spent(day.period, "", "gpt-x", 5), Spent(day.period, flow, "gpt-x", 30)]
    assert await log.spent_since("ws_local", eve.period) == [Spent(eve.period, flow, "gpt-x", 40), *today]
    assert await log.spent_since("ws_local", day.period) == today
    assert await log.spent_since("ws_other", eve.period) == []
