"""After a database was restored from an older backup: what does the world outside know that the log does not?

The one rule: the log is not mended here. Nobody can know what the lost events said; so what is ahead of the log is
named, run by run, and a person decides. Until then such a run must wait, or it would do again what was done already.

Witnesses are whatever outlived the database: messages that carry their run and sequence number, keys that a system
outside has seen, and the heads that another copy of the log holds, or that were written to a file by `bear_witness`.
"""

import json
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, select

from engine.store.claims import pruned_head
from engine.store.errors import Erased
from engine.store.log import Log
from engine.store.prepare import WORKSPACE_PREFIX
from engine.store.schema import data_keys, events, runs, workspaces
from engine.store.types import Head, StoredEvent

_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class EventSeen:
    """The stream had an event `seq`, with this hash (hex; "": nobody knows). `where` says who tells, for a person."""

    stream: str
    seq: int
    hash: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True)
class EffectSeen:
    """A system outside was given this idempotency key, for an effect of `run`."""

    run: str
    key: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class ErasureSeen:
    """This data key was destroyed, because a person was erased."""

    key: str
    where: str = ""


Witness: TypeAlias = EventSeen | EffectSeen | ErasureSeen
_KINDS: Final[dict[str, type[Witness]]] = {"event": EventSeen, "effect": EffectSeen, "erasure": ErasureSeen}

# The idempotency keys that a run's events tell of, as given to the outside or about to be.
EffectsOf: TypeAlias = Callable[[str, Sequence[StoredEvent]], Collection[str]]


@dataclass(frozen=True, slots=True)
class Behind:
    """A stream that is behind the world: its last event in the log (0: it has none), and what was seen of it beyond.

    `ended`: by the log it has ended, so that nothing of it will be done again.
    """

    stream: str
    seq: int
    ended: bool
    seen: tuple[EventSeen | EffectSeen, ...]


@dataclass(slots=True)
class RestoredReport:
    """What the witnesses told. `revived`: persons who were erased, and whose data the backup brought back.

    `unreadable`: erased runs of which effects were seen, where nobody can tell whether the log knows of them.
    """

    witnesses: int = 0
    behind: list[Behind] = field(default_factory=list[Behind])
    revived: list[str] = field(default_factory=list[str])
    unreadable: list[str] = field(default_factory=list[str])

    @property
    def ok(self) -> bool:
        """Whether the log knows all that was seen."""
        return not self.behind and not self.revived

    @property
    def must_wait(self) -> list[str]:
        """The runs that would go on not knowing what they have done; pause them before a worker starts."""
        runs_behind = (it for it in self.behind if not it.stream.startswith(WORKSPACE_PREFIX))
        return [it.stream for it in runs_behind if it.seq and not it.ended]


async def restored(log: Log, witnesses: Iterable[Witness], effects_of: EffectsOf | None = None) -> RestoredReport:
    """Hold the log against what was seen outside; reads only. `effects_of` is needed where effects were seen."""
    report = RestoredReport()
    beyond: dict[str, list[EventSeen | EffectSeen]] = {}
    heads: dict[str, _Known] = {}
    told = iter(witnesses)
    while page := list(islice(told, _PAGE)):
        report.witnesses += len(page)
        keys = sorted({it.key for it in page if isinstance(it, ErasureSeen)})
        report.revived += await log.database.read(_revived, keys) if keys else []
        seen = [it for it in page if isinstance(it, EventSeen)]
        effects = [it for it in page if isinstance(it, EffectSeen)]
        streams = sorted({it.stream for it in seen} | {it.run for it in effects})
        known = await log.database.snapshot(_known, log.hmac_key, streams, seen)
        heads |= {stream: known.streams[stream] for stream in streams}
        for it in seen:
            if _is_beyond(it, known):
                beyond.setdefault(it.stream, []).append(it)
        for it in await _unknown_effects(log, effects, effects_of, report):
            beyond.setdefault(it.run, []).append(it)
    report.behind = [
        Behind(stream, heads[stream].head.seq, heads[stream].ended, tuple(beyond[stream])) for stream in sorted(beyond)
    ]
    return report


async def bear_witness(log: Log, where: str) -> AsyncIterator[str]:
    """What this copy of the log can bear witness to, as lines of JSON: every head, and every person's erasure."""
    after = ""
    while page := await log.database.read(_heads, after):
        for stream, seq, digest in page:
            yield to_line(EventSeen(stream, seq, digest, where))
        after = page[-1][0]
    for key in await log.database.read(_erased):
        yield to_line(ErasureSeen(key, where))


def to_line(witness: Witness) -> str:
    """The witness as one line of JSON."""
    kind = next(name for name, one in _KINDS.items() if isinstance(witness, one))
    return json.dumps({"saw": kind, **asdict(witness)}, ensure_ascii=False, separators=(",", ":"))


def from_line(line: str) -> Witness:
    """The witness in a line that `to_line` made. ValueError for any other text."""
    try:
        facts: Any = json.loads(line)
        witness = _KINDS[facts.pop("saw")](**facts)
    except (ValueError, TypeError, LookupError, AttributeError):
        raise ValueError(f"this line is no witness: {line.strip()[:80]}") from None
    if isinstance(witness, EventSeen) and not isinstance(witness.seq, int):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError(f"this line has no sequence number: {line.strip()[:80]}")
    return witness


@dataclass(frozen=True, slots=True)
class _Known:
    """Where a stream stands in the log, or stood when it was pruned."""

    head: Head
    ended: bool = False
    pruned: bool = False


@dataclass(frozen=True, slots=True)
class _Knowledge:
    streams: dict[str, _Known]
    # The hashes at the places that were seen.
    hashes: dict[tuple[str, int], str]


def _is_beyond(seen: EventSeen, known: _Knowledge) -> bool:
    it = known.streams[seen.stream]
    if seen.seq > it.head.seq:
        return True
    if not seen.hash:
        return False
    # Another event in this place: after the backup was restored the stream went on, and went another way.
    hash_ = it.head.hash if seen.seq == it.head.seq else known.hashes.get((seen.stream, seen.seq))
    return hash_ != seen.hash and not (it.pruned and hash_ is None)


async def _unknown_effects(
    log: Log, effects: Sequence[EffectSeen], effects_of: EffectsOf | None, report: RestoredReport
) -> list[EffectSeen]:
    if effects and effects_of is None:
        raise ValueError("effects were seen, but it was not given how to find them in a run's events")
    unknown: list[EffectSeen] = []
    for run in sorted({it.run for it in effects}):
        theirs = [it for it in effects if it.run == run]
        try:
            found, _ = await log.load(run)
        except Erased:
            report.unreadable.append(run)
            continue
        told = effects_of(run, found) if found and effects_of is not None else ()
        unknown += [it for it in theirs if it.key not in told]
    return unknown


def _known(connection: Connection, key: bytes, streams: Sequence[str], seen: Sequence[EventSeen]) -> _Knowledge:
    found = {stream: _Known(Head.EMPTY) for stream in streams}
    query = select(runs.c.id, runs.c.last_seq, runs.c.head_hash, runs.c.ended_at).where(runs.c.id.in_(streams))
    for row in connection.execute(query):
        found[row.id] = _Known(Head(row.last_seq, row.head_hash), row.ended_at is not None)
    of_workspaces = select(workspaces).where(workspaces.c.id.in_(streams))
    for row in connection.execute(of_workspaces):
        found[row.id] = _Known(Head(row.last_seq, row.head_hash))
    for stream, known in found.items():
        if known.head == Head.EMPTY and (last := pruned_head(connection, key, stream)) is not None:
            found[stream] = _Known(last, ended=True, pruned=True)
    hashes: dict[tuple[str, int], str] = {}
    for it in seen:
        if it.hash and it.seq < found[it.stream].head.seq:
            place = select(events.c.hash).where(events.c.stream == it.stream, events.c.seq == it.seq)
            if (digest := connection.scalar(place)) is not None:
                hashes[it.stream, it.seq] = digest
    return _Knowledge(found, hashes)


def _revived(connection: Connection, keys: Sequence[str]) -> list[str]:
    whole = select(data_keys.c.subject).where(data_keys.c.id.in_(keys), data_keys.c.wrapped.is_not(None))
    return list(connection.scalars(whole.order_by(data_keys.c.subject)))


def _heads(connection: Connection, after: str) -> list[tuple[str, int, str]]:
    parts = [
        select(table.c.id, table.c.last_seq, table.c.head_hash).where(table.c.id > after)
        for table in (runs, workspaces)
    ]
    both = parts[0].union_all(parts[1]).subquery()
    query = select(both).order_by(both.c.id).limit(_PAGE)
    return [(stream, seq, digest) for stream, seq, digest in connection.execute(query)]


def _erased(connection: Connection) -> list[str]:
    return list(connection.scalars(select(data_keys.c.id).where(data_keys.c.erased_at.is_not(None))))
