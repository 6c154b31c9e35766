"""On PostgreSQL an append that concerns its own run alone is one statement: one trip to the server, and no more.

That it writes what a transaction of several statements would is shown by all other tests of the store.
"""

import asyncio
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, event

from engine.store import Appended, Conflict, Duplicate, Log, verify
from tests.services import PostgresServer
from tests.store.build import T0, append, appended, query, run_row

pytestmark = pytest.mark.postgresql

DUE = 4_000_000_000_000


@pytest.fixture
def database_url(postgres_server: PostgresServer, postgres_tables: str) -> Iterator[str]:
    with postgres_server.database(like=postgres_tables) as url:
        yield url


@pytest.fixture
def sent() -> Iterator[list[str]]:
    """The statements that were sent."""
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield statements
    event.remove(Engine, "before_cursor_execute", note)


async def test_a_run_is_written_by_one_statement_for_each_append(log: Log, sent: list[str]) -> None:
    head = await appended(log, append("run_a", run=run_row(), due=DUE))
    head = await appended(log, append("run_a", head, run=run_row(status="waiting"), due=DUE + 1))
    assert await query(log, "SELECT status, due FROM runs JOIN open_work ON run = id") == [("waiting", DUE + 1)]

    sent.clear()
    await appended(log, append("run_a", head, run=run_row(status="completed", ended_at=T0), due=None))
    assert [statement.partition(" ")[0] for statement in sent] == ["WITH"]
    assert await query(log, "SELECT status FROM runs WHERE NOT EXISTS (SELECT FROM open_work)") == [("completed",)]
    assert (await verify(log)).ok


async def test_of_a_batch_the_others_are_written_and_each_that_is_not_is_told_why(log: Log) -> None:
    heads = {run: await appended(log, append(run, run=run_row(dedupe_key=run), due=DUE)) for run in ("run_a", "run_b")}
    await appended(log, append("run_b", heads["run_b"], run=run_row()))

    outcomes = await asyncio.gather(
        log.append(append("run_a", heads["run_a"], run=run_row(), due=DUE + 1)),
        log.append(append("run_b", heads["run_b"], run=run_row(), due=DUE + 2)),
        log.append(append("run_c", run=run_row(dedupe_key="run_a"), due=DUE)),
        log.append(append("run_d", run=run_row(), due=DUE)),
    )

    assert [type(outcome) for outcome in outcomes] == [Appended, Conflict, Duplicate, Appended]
    assert await query(log, "SELECT run, due FROM open_work ORDER BY run") == [
        ("run_a", DUE + 1),
        ("run_b", DUE),
        ("run_d", DUE),
    ]
    assert (await verify(log)).ok
