"""Between the core's events and the store's rows: the one place that translates, in either direction."""

from __future__ import annotations

from collections.abc import Sequence

from engine.core import events as e
from engine.core.decide import Decision
from engine.core.outlook import Due, DueKind, due, summary
from engine.core.state import Recorded, RunState
from engine.store import Append, Head, LeaseExpired, NewEvent, RunRow, StoredEvent, from_text


def recorded(event: StoredEvent) -> Recorded:
    """Raises ``UnknownEvent`` for one that a newer release wrote."""
    return Recorded(event.seq, from_text(event.at), e.decode(event.type, event.version, event.payload))


def cache_of(state: RunState) -> tuple[RunRow, Due | None]:
    """The rows of ``runs`` and ``open_work`` that belong to a state: caches of the fold, and nothing else."""
    started = state.started
    row = RunRow(
        workspace=started.workspace,
        workflow=started.workflow,
        definition=started.definition,
        status=state.status.value,
        # PostgreSQL's texts hold no NUL; in the events' JSON it is escaped.
        summary=summary(state)[:300].replace("\0", "\ufffd"),
        started_by=started.by.name,
        dedupe_key=started.dedupe_key,
        created_at=state.started_at,
        updated_at=state.at,
        ended_at=state.end.at if state.end else None,
    )
    return row, due(state, state.at)


def append_of(run: str, after: Head, decisions: Sequence[Decision]) -> Append:
    """The one append that makes ``decisions``, taken in turn, durable."""
    row, next_look = cache_of(decisions[-1].state)
    return Append(
        stream=run,
        after=after,
        events=tuple(
            NewEvent(one.event.type, one.event.version, one.at, e.encode(one.event))
            for decision in decisions
            for one in decision.events
        ),
        run=row,
        due=next_look.at if next_look else None,
        due_kind=next_look.kind.value if next_look else DueKind.READY.value,
        guards=tuple(LeaseExpired(lost.owner, lost.cap) for decision in decisions for lost in decision.conditions),
    )
