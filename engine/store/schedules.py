"""When each schedule starts its workflow next: one row each, so that of many schedulers one does it.

The one rule: these rows may be lost without losing a fact. What is deployed says which schedules there are, and the
runs' deduplication keys say which of their instants have been started.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Connection, and_, bindparam, delete, exists, func, select, update

from engine.store.dbclock import now_ms
from engine.store.log import Log
from engine.store.schema import IDENTIFIER, runs, schedules, workspaces
from engine.store.upsert import insert_into


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """The schedule `number` of a workflow: its words in `spec`, and the instant `next_at` at which it starts a run."""

    workflow: str
    number: int
    spec: str
    next_at: int


class AtWork(NamedTuple):
    """A workspace with a stream of its own: its head, and whether the time of one of its schedules has come."""

    workspace: str
    head: int
    due: bool


class Schedules:
    """The schedules of one workspace in one log."""

    def __init__(self, log: Log, workspace: str) -> None:
        self._database = log.database
        self._workspace = workspace

    async def all(self) -> list[ScheduleRow]:
        """Every schedule, by workflow and number."""
        return await self._database.read(_all, self._workspace)

    async def keep(self, wanted: Collection[ScheduleRow]) -> None:
        """Make these the schedules. One that is there with the same words keeps its time; others are left out."""
        await self._database.write(_keep, self._workspace, tuple(wanted))

    async def claim(self, now: int, limit: int, claim_ms: int) -> list[ScheduleRow]:
        """Up to `limit` schedules whose time had come at `now`; nobody else gets them for `claim_ms`."""
        if not await self._database.read(_any_due, self._workspace, now):
            return []
        return await self._database.write(_claim, self._workspace, now, limit, claim_ms)

    async def advance(self, row: ScheduleRow, next_at: int) -> bool:
        """The schedule has been seen to up to before `next_at`; False if it has changed since it was claimed."""
        return await self._database.write(_advance, self._workspace, row, next_at)

    async def last_started(self, prefix: str) -> str | None:
        """The greatest deduplication key with this prefix among the workspace's runs."""
        return await self._database.read(_last_started, self._workspace, prefix)

    async def open_before(self, prefix: str, key: str) -> str | None:
        """A run that has not ended, with a deduplication key that has this prefix and is smaller than `key`."""
        return await self._database.read(_open_before, self._workspace, prefix, key)


async def at_work(log: Log, now: int) -> list[AtWork]:
    """Every workspace that may have schedules; one question for all of them."""
    return await log.database.read(_at_work, now)


def _at_work(connection: Connection, now: int) -> list[AtWork]:
    return [AtWork(*row) for row in connection.execute(_AT_WORK, {"now": now})]


def _all(connection: Connection, workspace: str) -> list[ScheduleRow]:
    rows = connection.execute(_ALL, {"workspace": workspace})
    return [ScheduleRow(row.workflow, row.number, row.spec, row.next_at) for row in rows]


def _keep(connection: Connection, workspace: str, wanted: Collection[ScheduleRow]) -> None:
    names = {(row.workflow, row.number) for row in wanted}
    for row in _all(connection, workspace):
        if (row.workflow, row.number) not in names:
            connection.execute(delete(schedules).where(_is(workspace, row)))
    for row in sorted(wanted, key=lambda one: (one.workflow, one.number)):
        new = insert_into(connection.dialect, schedules).values(
            workspace=workspace, workflow=row.workflow, number=row.number, spec=row.spec, next_at=row.next_at
        )
        changed = {"spec": new.excluded.spec, "next_at": new.excluded.next_at, "claimed_until": 0}
        key = ["workspace", "workflow", "number"]
        connection.execute(
            new.on_conflict_do_update(index_elements=key, set_=changed, where=schedules.c.spec != new.excluded.spec)
        )


def _due(workspace: Any, now: Any) -> tuple[ColumnElement[bool], ...]:
    return (schedules.c.workspace == workspace, schedules.c.next_at <= now, schedules.c.claimed_until <= now_ms())


# Made once: they are asked again and again.
_ALL: Final = (
    select(schedules)
    .where(schedules.c.workspace == bindparam("workspace", type_=IDENTIFIER))
    .order_by(schedules.c.workflow, schedules.c.number)
)
_ONE_DUE: Final = (
    select(schedules.c.number)
    .where(*_due(bindparam("workspace", type_=IDENTIFIER), bindparam("now", type_=BigInteger)))
    .limit(1)
)
_AT_WORK: Final = select(
    workspaces.c.id,
    workspaces.c.last_seq,
    exists(select(schedules.c.number).where(*_due(workspaces.c.id, bindparam("now", type_=BigInteger)))),
).order_by(workspaces.c.id)


def _any_due(connection: Connection, workspace: str, now: int) -> bool:
    return connection.execute(_ONE_DUE, {"workspace": workspace, "now": now}).one_or_none() is not None


def _claim(connection: Connection, workspace: str, now: int, limit: int, claim_ms: int) -> list[ScheduleRow]:
    due = select(schedules).where(*_due(workspace, now)).order_by(schedules.c.next_at).limit(limit)
    claimed: list[ScheduleRow] = []
    for row in connection.execute(due.with_for_update(skip_locked=True)).all():
        mine = ScheduleRow(row.workflow, row.number, row.spec, row.next_at)
        connection.execute(update(schedules).where(_is(workspace, mine)).values(claimed_until=now_ms() + claim_ms))
        claimed.append(mine)
    return claimed


def _advance(connection: Connection, workspace: str, row: ScheduleRow, next_at: int) -> bool:
    unchanged = and_(schedules.c.spec == row.spec, schedules.c.next_at == row.next_at)
    moved = update(schedules).where(_is(workspace, row), unchanged).values(next_at=next_at, claimed_until=0)
    return connection.execute(moved).rowcount == 1


def _last_started(connection: Connection, workspace: str, prefix: str) -> str | None:
    return connection.scalar(select(func.max(runs.c.dedupe_key)).where(*_starting_with(workspace, prefix)))


def _open_before(connection: Connection, workspace: str, prefix: str, key: str) -> str | None:
    open_ = (*_starting_with(workspace, prefix), runs.c.dedupe_key < key, runs.c.ended_at.is_(None))
    return connection.scalar(select(runs.c.id).where(*open_).order_by(runs.c.dedupe_key.desc()).limit(1))


def _starting_with(workspace: str, prefix: str) -> tuple[ColumnElement[bool], ...]:
    """Along the index of the deduplication keys; `prefix` ends in a slash, behind which comes 0."""
    after = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    return (runs.c.workspace == workspace, runs.c.dedupe_key >= prefix, runs.c.dedupe_key < after)


def _is(workspace: str, row: ScheduleRow) -> ColumnElement[bool]:
    mine = (schedules.c.workspace == workspace, schedules.c.workflow == row.workflow)
    return and_(*mine, schedules.c.number == row.number)
