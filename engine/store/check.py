"""What must be true of one stream: its events, its head, and the caches of it.

The one rule: nothing is believed because the database says it; each fact is computed again from the events, with the
key.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, bindparam, select

from engine.store.accounts import run_findings
from engine.store.caches import Against, cache_findings, checkpoint_findings, erased_findings
from engine.store.chain import event_hash, head_mac
from engine.store.claims import Claim, claims_of, erased_key, pruned_head
from engine.store.data_keys import is_destroyed
from engine.store.errors import StoreError
from engine.store.finding import Finding
from engine.store.opening import open_events
from engine.store.prepare import WORKSPACE_PREFIX
from engine.store.schema import IDENTIFIER, events, open_work, runs, workspaces
from engine.store.streams import COLUMNS
from engine.store.types import Head, StoredEvent

_PAGE: Final = 1000

# Made once: they are asked for every stream, and take longer to make than to run.
_STREAM = bindparam("stream", type_=IDENTIFIER)
_EVENTS: Final = select(*COLUMNS).where(events.c.stream == _STREAM).order_by(events.c.seq).limit(_PAGE)
_FURTHER: Final = _EVENTS.where(events.c.seq > bindparam("after", type_=BigInteger))
_RUN: Final = select(*runs.c).where(runs.c.id == _STREAM)
_WORK: Final = select(*open_work.c).where(open_work.c.run == _STREAM)
_WORKSPACE: Final = select(*workspaces.c).where(workspaces.c.id == _STREAM)


@dataclass(slots=True)
class Walk:
    """A walk along one stream's events: what was found, and where it ended."""

    key: bytes
    stream: str
    findings: list[Finding]
    count: int = 0
    head: Head = Head.EMPTY
    at: str = ""
    forged: int = 0

    def step(self, event: StoredEvent) -> None:
        """Check one event against its predecessor."""
        content = (event.stream, event.seq, event.type, event.version, event.at, event.payload)
        if event.seq != self.head.seq + 1:
            # Its hash cannot be told right or wrong without its predecessor's.
            self._find(self.head.seq + 1, f"the event is missing; the next one that is there has seq {event.seq}")
        elif event_hash(self.key, self.head.hash, content) != event.hash:
            self.forged += 1
            if self.forged == 1:
                self._find(event.seq, "the hash does not fit: the event was changed after it was recorded")
        if event.at < self.at:
            self._find(event.seq, f"the time {event.at} is earlier than its predecessor's, {self.at}")
        self.count += 1
        self.head, self.at = Head(event.seq, event.hash), event.at

    def end(self, row: Any) -> None:
        """Check the head's row (last_seq, head_hash, head_mac), None if there is none, against where the walk ended."""
        if row is None:
            if self.count:
                self._find(self.head.seq, "the events are there, but the stream has no row")
            return
        if (row.last_seq, row.head_hash) != (self.head.seq, self.head.hash):
            self._find(
                max(row.last_seq, self.head.seq), f"the head is seq {row.last_seq}, the last event {self.head.seq}"
            )
        if head_mac(self.key, self.stream, row.last_seq, row.head_hash) != row.head_mac:
            self._find(
                row.last_seq, "the seal on the head is not right: events after it were removed, or the head was changed"
            )
        if self.forged > 1:
            self._find(
                None, f"the hashes of {self.forged} events do not fit: was another key used, or the chain made anew?"
            )

    def _find(self, seq: int | None, what: str) -> None:
        self.findings.append(Finding(self.stream, seq, what))


@dataclass(slots=True)
class Checked:
    """What checking a stream gave. A workspace's stream has `claims` on runs and says which keys were `erased_keys`.

    `folded`: the caches of the run were compared; they are not where its events cannot be read, or are wrong.
    """

    events: int
    findings: list[Finding]
    claims: list[Claim] = field(default_factory=list[Claim])
    erased_keys: set[str] = field(default_factory=set[str])
    folded: bool = False
    checkpoints: int = 0
    is_pruned: bool = False
    is_erased: bool = False


def check_stream(connection: Connection, against: Against, stream: str) -> Checked:
    """Walk one stream and compare its caches. The connection must see one state throughout."""
    if stream.startswith(WORKSPACE_PREFIX):
        return _check_workspace(connection, against, stream)
    walk = Walk(against.keys.chain, stream, [])
    kept: list[StoredEvent] = []
    for event in read_events(connection, stream):
        walk.step(event)
        if against.reads:
            kept.append(event)
    row = connection.execute(_RUN, {"stream": stream}).one_or_none()
    work = connection.execute(_WORK, {"stream": stream}).one_or_none()
    walk.end(row)
    checked = Checked(walk.count, walk.findings)
    if row is None:
        checked.is_pruned = not walk.count and pruned_head(connection, against.keys.chain, stream) is not None
        if work is not None:
            walk.findings.append(Finding(stream, None, "there is open work, but no such run"))
    elif not walk.findings:
        _check_caches(connection, against, checked, kept, (row, work))
    return checked


def _check_workspace(connection: Connection, against: Against, stream: str) -> Checked:
    walk = Walk(against.keys.chain, stream, [])
    checked = Checked(0, walk.findings)
    for event in read_events(connection, stream):
        walk.step(event)
        checked.claims.extend(claims_of(event))
        if (key_id := erased_key(event)) is not None:
            checked.erased_keys.add(key_id)
    walk.end(connection.execute(_WORKSPACE, {"stream": stream}).one_or_none())
    checked.events = walk.count
    return checked


def _check_caches(
    connection: Connection, against: Against, checked: Checked, kept: list[StoredEvent], rows: tuple[Any, Any]
) -> None:
    """What follows from a run's events, which are whole: its rows in `runs` and `open_work`, and its checkpoints."""
    stream: str = rows[0].id
    checked.is_erased = rows[0].data_key is not None and is_destroyed(connection, rows[0].data_key)
    if checked.is_erased:
        checked.findings.extend(erased_findings(rows[0]))
        return
    try:
        opened = open_events(connection, against.keys.sealer, kept)
    except StoreError as error:
        checked.findings.append(Finding(stream, None, str(error)))
        return
    if against.fold is not None:
        checked.findings.extend(cache_findings(against.fold, stream, opened, *rows))
        checked.folded = True
    if against.spending is not None and not checked.findings:
        checked.findings.extend(run_findings(connection, stream, against.spending(stream, opened)))
    checked.checkpoints, found = checkpoint_findings(connection, against, stream, opened)
    checked.findings.extend(found)


def read_events(connection: Connection, stream: str) -> Iterator[StoredEvent]:
    """All events of a stream in order, a page in memory at a time."""
    page = connection.execute(_EVENTS, {"stream": stream}).all()
    while True:
        yield from (StoredEvent(*row) for row in page)
        if len(page) < _PAGE:
            return
        page = connection.execute(_FURTHER, {"stream": stream, "after": page[-1].seq}).all()
