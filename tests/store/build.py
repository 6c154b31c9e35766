"""Short builders of what tests append. Streams get unique names from the caller; times are fixed."""

from typing import Any

from sqlalchemy import text

from engine.store import KEEP, NORMAL, Append, Appended, Blob, Head, Keep, Log, NewEvent, RunRow
from engine.store.types import DueKind, Guard

KEY = b"a key of the tests, 32 bytes long"
T0 = 1_795_321_200_123


def event(type_: str = "STEP_STARTED", payload: str = '{"step":"tag"}', at: int = T0) -> NewEvent:
    return NewEvent(type=type_, version=1, at=at, payload=payload)


def run_row(
    workspace: str = "ws_local", *, status: str = "running", dedupe_key: str | None = None,
    workflow: str = "publish_release", summary: str = "tag: running", ended_at: int | None = None,
    priority: int = NORMAL,
) -> RunRow:  # fmt: skip
    """The row of a run of Ana's."""
    return RunRow(
        workspace=workspace, workflow=workflow, definition="d" * 64, status=status, summary=summary, started_by="Ana",
        dedupe_key=dedupe_key, created_at=T0, updated_at=T0, ended_at=ended_at, priority=priority,
    )  # fmt: skip


def append(
    stream: str, after: Head = Head.EMPTY, *events: NewEvent, run: RunRow | None = None,
    due: int | Keep | None = KEEP, due_kind: DueKind = "ready", guards: tuple[Guard, ...] = (),
    blobs: tuple[Blob, ...] = (), subject: str | None = None,
) -> Append:  # fmt: skip
    """An append of the given events, or of one; the first of a run gets a row."""
    if run is None and after == Head.EMPTY and not stream.startswith("ws_"):
        run = run_row()
    return Append(
        stream=stream,
        after=after,
        events=events or (event(),),
        run=run,
        due=due,
        due_kind=due_kind,
        guards=guards,
        blobs=blobs,
        subject=subject,
    )


async def appended(log: Log, item: Append) -> Head:
    """Append what must succeed; the new head."""
    outcome = await log.append(item)
    assert isinstance(outcome, Appended), outcome
    return outcome.head


async def query(log: Log, sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
    """The rows of a query, as a person with a database client would see them."""
    return await log.database.read(lambda connection: [tuple(row) for row in connection.execute(text(sql), parameters)])


async def tamper(log: Log, sql: str, **parameters: Any) -> int:
    """Change the database by hand; how many rows."""
    return await log.database.write(lambda connection: connection.execute(text(sql), parameters).rowcount)
