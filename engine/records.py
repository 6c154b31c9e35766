"""Between the core's events and the store's rows: the one place that translates, in either direction.

A value that makes an event longer than ``LONGEST_INLINE`` lies beside the log, by the hash of its text; in the payload
stands ``{"$blob": hash, "size": characters}``. Folding never needs it: a state holds such a value by its place.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from pydantic import JsonValue

from engine.charges import postings_of
from engine.core import events as e
from engine.core.commands import AtEpoch, Condition, LostLease, SlotFree
from engine.core.decide import Decision
from engine.core.outlook import Due, DueKind, attention, due, summary
from engine.core.spending import Reserving, Settling
from engine.core.state import Recorded, RunState, StepStatus
from engine.store import (
    Append,
    Blob,
    Guard,
    Head,
    LeaseExpired,
    Listens,
    NewEvent,
    RunRow,
    StoredEvent,
    Waiting,
    from_text,
)
from engine.store import AtEpoch as EpochGuard
from engine.store import SlotFree as SlotGuard

LONGEST_INLINE: Final = 65_536
BLOB: Final = "$blob"
_SEARCHED: Final = 1_000
_LISTENING: Final = (
    *(e.SignalAwaited, e.SignalMatched, e.TimerFired, e.StepSkipped, e.StepOutputSet),
    *(e.RunReopened, e.StepRedriven, e.StepsReset, e.RunMoved),
)
"""Events after which a run may wait for other signals than before."""

_VALUE_FIELDS: Final[Mapping[str, str]] = {
    e.StepCompleted.type: "output",
    e.StepReused.type: "output",
    e.StepOutputSet.type: "output",
    e.RunCompleted.type: "output",
    e.StepSettled.type: "result",
    e.EffectRecorded.type: "result",
    e.SignalReceived.type: "payload",
    e.ForEachStarted.type: "items",
    e.StepProgressed.type: "cursor",
}
"""The field of an event that may lie beside the log (``engine.core.events.value_of``)."""


def recorded(event: StoredEvent) -> Recorded:
    """Raises ``UnknownEvent`` for one that a newer release wrote."""
    return Recorded(event.seq, from_text(event.at), e.decode(event.type, event.version, event.payload))


def blob_of(value: JsonValue) -> str | None:
    """The hash of the blob that stands for a value of an event that was read; None if it is the value itself."""
    return cast("str", value[BLOB]) if isinstance(value, dict) and BLOB in value else None


def with_value(event: e.Event, value: JsonValue) -> e.Event:
    """The same event with ``value`` in the place of what stood for it."""
    field = _VALUE_FIELDS.get(event.type)
    return event if field is None else event.model_copy(update={field: value})


def written(event: e.Event) -> tuple[str, Blob | None]:
    """The payload of an event, and the blob that it refers to, if its value is too long or looks like a reference."""
    payload, field = e.encode(event), _VALUE_FIELDS.get(event.type)
    if field is None or (len(payload) <= LONGEST_INLINE and f'"{BLOB}"' not in payload):
        return payload, None
    value = e.value_of(event)
    if len(payload) <= LONGEST_INLINE and blob_of(value) is None:
        return payload, None
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest()
    data = cast("dict[str, Any]", json.loads(payload))
    data[field] = {BLOB: digest, "size": len(text)}
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")), Blob(digest, text)


def cache_of(state: RunState) -> tuple[RunRow, Due | None]:
    """The rows of ``runs`` and ``open_work`` that belong to a state: caches of the fold, and nothing else."""
    started = state.started
    row = RunRow(
        workspace=started.workspace,
        workflow=started.workflow,
        definition=started.definition,
        status=state.status.value,
        summary=_storable(summary(state)[:300]),
        started_by=_storable(started.by.name),
        dedupe_key=started.dedupe_key,
        created_at=state.started_at,
        updated_at=state.at,
        ended_at=state.end.at if state.end else None,
        labels={name: _storable(value) for name, value in sorted(state.labels.items())},
        attention=attention(state),
        parent=started.parent.run if started.parent is not None else None,
        priority=started.priority,
        search=_storable(_searched(started)),
        starter=_storable(started.by.key),
    )
    return row, due(state, state.at)


def append_of(run: str, after: Head, decisions: Sequence[Decision]) -> Append:
    """The one append that makes ``decisions``, taken in turn, durable."""
    state = decisions[-1].state
    row, next_look = cache_of(state)
    fresh = [one for decision in decisions for one in decision.events]
    texts = [written(one.event) for one in fresh]
    in_line = state.started.concurrency if after.seq == 0 else None
    return Append(
        stream=run,
        after=after,
        events=tuple(
            NewEvent(one.event.type, one.event.version, one.at, payload)
            for one, (payload, _) in zip(fresh, texts, strict=True)
        ),
        run=row,
        due=next_look.at if next_look else None,
        due_kind=next_look.kind.value if next_look else DueKind.READY.value,
        guards=tuple(
            _guard(one, state)
            for decision in decisions
            for one in decision.conditions
            if not isinstance(one, Reserving | Settling)
        ),
        postings=postings_of(state, decisions, starts=after.seq == 0),
        blobs=tuple(blob for _, blob in texts if blob is not None),
        waits_for=None if in_line is None else Waiting(slot_key(state, in_line.key), state.started.priority),
        listens=_listens(state, fresh),
        subject=state.started.by.key if after.seq == 0 else None,
    )


def slot_key(state: RunState, key: str) -> str:
    """Concurrency keys are the workspace's own."""
    return f"{state.started.workspace}/{key}"


def condition_of(guard: Guard, state: RunState) -> Condition:
    """The condition of a decision that the store refused as ``guard``."""
    if isinstance(guard, SlotGuard):
        return SlotFree(guard.key.removeprefix(f"{state.started.workspace}/"), guard.limit)
    if isinstance(guard, EpochGuard):
        return AtEpoch(guard.epoch)
    if not isinstance(guard, LeaseExpired):
        raise TypeError(f"{type(guard).__name__} is of money, which `standings_of` tells")
    return LostLease(guard.owner, guard.cap or 0)


def _guard(condition: LostLease | SlotFree | AtEpoch, state: RunState) -> Guard:
    if isinstance(condition, SlotFree):
        return SlotGuard(slot_key(state, condition.key), condition.limit)
    if isinstance(condition, AtEpoch):
        return EpochGuard(condition.epoch)
    return LeaseExpired(condition.owner, condition.cap)


def _listens(state: RunState, fresh: Sequence[Recorded]) -> tuple[Listens, ...] | None:
    """The signals that the run can be found by; None where it waits for none, and these events have not changed that.

    They are said again as long as the run waits: every append sets its due time anew, and must not postpone a signal
    that has come meanwhile.
    """
    found = (step.awaits for _, step in state.opened(StepStatus.LISTENING))
    pairs = {(one.signal, one.correlation) for one in found if one is not None and one.correlation is not None}
    if not pairs and not any(isinstance(one.event, _LISTENING) for one in fresh):
        return None
    return tuple(Listens(signal, correlation) for signal, correlation in sorted(pairs))


def _searched(started: e.RunStarted) -> str:
    """What a search looks into: the inputs as they were given."""
    words = (str(value) for value in started.input.values() if value is not None)
    return " ".join(words).lower()[:_SEARCHED]


def _storable(text: str) -> str:
    """PostgreSQL's texts hold no NUL; in the events' JSON it is escaped."""
    return text.replace("\0", "\ufffd")
