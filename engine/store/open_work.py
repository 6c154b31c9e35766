"""Open work: for each run that has something to do or to wait for, the one time at which it must be looked at again.

The one rule: a row is written by the appends of its run; this module only pushes the due time of rows that it selects,
and pulls some forward.

Workspaces take turns: however much is due in one, the others get their share of every sweep. Within a workspace the
more urgent priority goes first. All of it runs along the index (workspace, priority, due), so that a sweep costs what
it takes and not what is due.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Executable,
    Integer,
    Select,
    any_,
    bindparam,
    case,
    func,
    literal,
    select,
    true,
    union_all,
    update,
)
from sqlalchemy.engine import Dialect

from engine.store.dbclock import now_ms
from engine.store.schema import IDENTIFIER, open_work, runs
from engine.store.types import HIGH, LOW, NORMAL, DueKind, DueRun

# For how many ms a run that was taken is left alone, by what it waits for.
PUSH: Final[Mapping[DueKind, int]] = {
    "ready": 2_000,
    "running": 5_000,
    "timer": 2_000,
    "child": 10_000,
    "queued": 10_000,
    "awaited": 10_000,
    "held": 2_000,
}
_AT_ONCE: Final = ("ready", "running", "awaited", "held")


@dataclass(frozen=True, slots=True)
class Lane:
    """The open work of one workspace and priority; `earliest` is when the first of it is due."""

    workspace: str
    priority: int
    earliest: int


def due_lanes(connection: Connection, now: int, turn: str) -> list[Lane]:
    """The lanes in which something is due: after the workspace `turn` and round, the urgent of each first."""
    lanes = [lane for lane in _lanes(connection) if lane.earliest <= now]
    return sorted(lanes, key=lambda lane: (lane.workspace <= turn, lane.workspace, -lane.priority))


def take_due(
    connection: Connection, lanes: Sequence[Lane], now: int, limit: int, push: Mapping[DueKind, int]
) -> list[DueRun]:
    """Up to `limit` runs that are due at `now`; in the same transaction they are pushed on by what their kind says.

    `lanes` is what `due_lanes` gave. Any number of takers may be at it: on PostgreSQL they skip each other's rows.
    """
    taken: list[DueRun] = []
    hungry = [list(lanes_of) for _, lanes_of in groupby(lanes, key=lambda lane: lane.workspace)]
    while hungry and len(taken) < limit:
        share = max(1, (limit - len(taken)) // len(hungry))
        still: list[list[Lane]] = []
        for lanes_of in hungry[: limit - len(taken)]:
            left = share
            while lanes_of and left:
                swept = _take(connection, lanes_of[0], now, left, push)
                taken.extend(swept)
                left -= len(swept)
                if left:
                    lanes_of = lanes_of[1:]
            if lanes_of:
                still.append(lanes_of)
        hungry = still
    return taken


def make_all_due(connection: Connection, now: int) -> int:
    """Make every run due that is ready, running or held, after activations were lost; how many. The others keep theirs.

    Ready is also what awaits a worker with its code. At `now`, or by the database's clock where that is earlier.
    """
    return connection.execute(_MAKE_ALL_DUE, {"now": now}).rowcount


def rest(connection: Connection, run: str, seq: int, due: int) -> None:
    """The run, looked at after its event `seq`, has nothing to do before `due`: it is not swept again until then.

    Left as it is if it has events since, if somebody has just made it due, or if it is due later anyway.
    """
    # The head is locked first: an append that is on its way sets a time of its own.
    if connection.scalar(_HEAD, {"id": run}) == seq:
        connection.execute(_REST, {"resting": run, "until": due})


def next_due(connection: Connection) -> int | None:
    """The earliest due time, None if nothing is open."""
    return min((lane.earliest for lane in _lanes(connection)), default=None)


def _lanes(connection: Connection) -> list[Lane]:
    """All lanes with open work."""
    rows = connection.execute(_LANES)
    return [Lane(row.workspace, row.priority, row.earliest) for row in rows if row.earliest is not None]


def _all_lanes() -> Select[Any, Any, Any]:
    """By steps along the index from one workspace to the next."""
    first = select(func.min(open_work.c.workspace).label("workspace")).cte("known", recursive=True)
    further = select(func.min(open_work.c.workspace)).where(open_work.c.workspace > first.c.workspace)
    known = first.union_all(select(further.scalar_subquery()).where(first.c.workspace.is_not(None)))
    # Written out, as SQLite cannot name the columns of VALUES.
    each = (select(literal(priority).label("priority")) for priority in (HIGH, NORMAL, LOW))
    priorities = union_all(*each).subquery("priorities")
    earliest = (
        select(func.min(open_work.c.due))
        .where(open_work.c.workspace == known.c.workspace, open_work.c.priority == priorities.c.priority)
        .scalar_subquery()
    )
    lanes = select(known.c.workspace, priorities.c.priority, earliest.label("earliest")).join_from(
        known, priorities, true()
    )
    return lanes.where(known.c.workspace.is_not(None))


def _make_all_due() -> Executable:
    given = bindparam("now", type_=BigInteger)
    at = case((now_ms() < given, now_ms()), else_=given)
    return update(open_work).values(due=at).where(open_work.c.kind.in_(_AT_ONCE), open_work.c.due > at)


def _rest() -> Executable:
    until = bindparam("until", type_=BigInteger)
    resting = open_work.c.run == bindparam("resting", type_=IDENTIFIER)
    return update(open_work).values(due=until).where(resting, open_work.c.due > now_ms(), open_work.c.due < until)


# Made once, as is what `_taking` gives: a statement takes longer to make than to run.
_LANES: Final = _all_lanes()
_MAKE_ALL_DUE: Final = _make_all_due()
_HEAD: Final = select(runs.c.last_seq).where(runs.c.id == bindparam("id", type_=IDENTIFIER)).with_for_update()
_REST: Final = _rest()


def _take(connection: Connection, lane: Lane, now: int, limit: int, push: Mapping[DueKind, int]) -> list[DueRun]:
    given = {"lane": lane.workspace, "urgency": lane.priority, "now": now, "most": limit}
    times = {_time_of(kind): now + ms for kind, ms in push.items()}
    swept = connection.scalars(_taking(connection.dialect, tuple(push)), given | times)
    return [DueRun(run, lane.workspace, lane.priority) for run in swept]


@lru_cache(maxsize=8)
def _taking(dialect: Dialect, kinds: tuple[DueKind, ...]) -> Executable:
    here = (
        open_work.c.workspace == bindparam("lane", type_=IDENTIFIER),
        open_work.c.priority == bindparam("urgency", type_=Integer),
    )
    due = select(open_work.c.run).where(*here, open_work.c.due <= bindparam("now", type_=BigInteger))
    due = due.order_by(open_work.c.due).limit(bindparam("most", type_=Integer))
    taken = due.with_for_update(skip_locked=True).cte("taken")
    found = select(taken.c.run)
    if dialect.name == "postgresql":
        # As an array each is looked up by its key; joined, all open work is read for them.
        these = open_work.c.run == any_(func.array(found.scalar_subquery()))
    else:
        these = open_work.c.run.in_(found)
    return update(open_work).values(due=_pushed(kinds)).where(these).returning(open_work.c.run)


def _pushed(kinds: tuple[DueKind, ...]) -> ColumnElement[int]:
    times = {kind: bindparam(_time_of(kind), type_=BigInteger) for kind in kinds}
    # A kind that a newer release wrote is looked at as often as what is ready.
    return case(*((open_work.c.kind == kind, time) for kind, time in times.items()), else_=times["ready"])


def _time_of(kind: DueKind) -> str:
    return f"then_{kind}"
