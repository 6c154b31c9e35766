"""What must be true of one stream: its events, its head, and the caches of it.

The one rule: nothing is believed because the database says it; each fact is computed again from the events, with the
key.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, select

from engine.store.anchors import ANCHORED, anchored_heads
from engine.store.chain import event_hash, head_mac
from engine.store.prepare import WORKSPACE_PREFIX, run_values
from engine.store.schema import events, open_work, runs, workspaces
from engine.store.streams import COLUMNS
from engine.store.types import DueKind, Head, RunRow, StoredEvent

# The caches that follow from a run's events: its row, and its open work as (due, kind), due None for none.
Fold: TypeAlias = Callable[[str, list[StoredEvent]], tuple[RunRow, int | None, DueKind]]

_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it must be: where (`seq` None: not at one event), and what, in one sentence."""

    stream: str
    seq: int | None
    what: str

    def __str__(self) -> str:
        where = self.stream if self.seq is None else f"{self.stream} seq {self.seq}"
        return f"{where}: {self.what}"


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


@dataclass(frozen=True, slots=True)
class Checked:
    """What checking a stream gave. `anchors`: the heads of runs that it holds, for a workspace's stream."""

    events: int
    findings: list[Finding]
    anchors: list[tuple[int, str, Head]]


def check_stream(connection: Connection, key: bytes, stream: str, fold: Fold | None) -> Checked:
    """Walk one stream and compare its caches. The connection must see one state throughout."""
    is_workspace = stream.startswith(WORKSPACE_PREFIX)
    walk = Walk(key, stream, [])
    kept: list[StoredEvent] = []
    anchors: list[tuple[int, str, Head]] = []
    for event in read_events(connection, stream):
        walk.step(event)
        if is_workspace and event.type == ANCHORED:
            anchors.extend((event.seq, run, head) for run, head in anchored_heads(event.payload).items())
        elif fold is not None and not is_workspace:
            kept.append(event)
    table = workspaces if is_workspace else runs
    row = connection.execute(select(*table.c).where(table.c.id == stream)).one_or_none()
    work = connection.execute(select(*open_work.c).where(open_work.c.run == stream)).one_or_none()
    walk.end(row)
    if row is None and work is not None:
        walk.findings.append(Finding(stream, None, "there is open work, but no such run"))
    if fold is not None and row is not None and not is_workspace and not walk.findings:
        walk.findings.extend(_cache_findings(stream, kept, row, work, fold))
    return Checked(walk.count, walk.findings, anchors)


def read_events(connection: Connection, stream: str) -> Iterator[StoredEvent]:
    """All events of a stream in order, a page in memory at a time."""
    after = None
    while True:
        query = select(*COLUMNS).where(events.c.stream == stream).order_by(events.c.seq).limit(_PAGE)
        page = connection.execute(query if after is None else query.where(events.c.seq > after)).all()
        yield from (StoredEvent(*row) for row in page)
        if len(page) < _PAGE:
            return
        after = page[-1].seq


def _cache_findings(stream: str, kept: list[StoredEvent], row: Any, work: Any, fold: Fold) -> Sequence[Finding]:
    try:
        expected, due, kind = fold(stream, kept)
    except Exception as error:  # noqa: BLE001 - whatever the fold stumbles over is what this looks for
        return [Finding(stream, None, f"the events cannot be folded ({type(error).__name__}: {error})")]
    findings = [
        Finding(stream, None, f"`runs.{name}` is {was!r}, but the events say {should!r}")
        for name, should in run_values(expected).items()
        if (was := getattr(row, name)) != should
    ]
    if (work is None) != (due is None):
        there, should = ("no open work", "some") if work is None else ("open work", "none")
        findings.append(Finding(stream, None, f"there is {there}, but the events say {should}"))
    elif work is not None and work.kind != kind:
        findings.append(Finding(stream, None, f"`open_work.kind` is {work.kind!r}, but the events say {kind!r}"))
    elif work is not None and kind == "timer" and due is not None and work.due < due:
        # Later is right: the sweep pushes what it takes. Runs that are ready or running may also be pulled forward.
        findings.append(Finding(stream, None, f"`open_work.due` is {work.due}, but the events say {due}"))
    return findings
