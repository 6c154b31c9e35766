"""What goes into the store and what comes out of it: plain frozen values, the same for every database.

The one rule: nothing here knows what an event means. Payloads are texts kept byte for byte; statuses, types and names
are the caller's words. Instants and durations are integer milliseconds (instants since the epoch, UTC), except
`StoredEvent.at`, which is the text that was hashed.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, Final, Literal, Self, TypeAlias

DEFAULT_WORKSPACE: Final = "ws_local"

JsonObject: TypeAlias = dict[str, Any]

# What a run waits for, as far as the store must know: `ready` and `running` runs are looked at again at once when the
# stream of activations was lost; a run parked on a `timer` is left until its time.
DueKind: TypeAlias = Literal["ready", "running", "timer"]


class Keep(Enum):
    """The type of `KEEP`: leave the run's row of open work as it is."""

    KEEP = "keep"


KEEP: Final = Keep.KEEP


@dataclass(frozen=True, slots=True)
class Head:
    """The last event of a stream, by sequence number and hash (hex). `Head.EMPTY` stands before the first event."""

    seq: int
    hash: str

    EMPTY: ClassVar[Self]


Head.EMPTY = Head(0, "")


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to append. `at` must not be earlier than its predecessor's; `payload` is JSON text, stored as it is."""

    type: str
    version: int
    at: int
    payload: str


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as it lies in the table. `at` is ISO 8601, UTC, to the millisecond; `hash` chains it to the last one."""

    stream: str
    seq: int
    type: str
    version: int
    at: str
    payload: str
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """The caller's cache of a run's fold, written with an append. `definition` is the snapshot's sha256 in hex.

    `dedupe_key` is unique in its workspace (None: never a duplicate). It, `workspace`, `workflow`, `definition`,
    `started_by` and `created_at` are fixed by the first append; later appends change only the other four fields.
    """

    workspace: str
    workflow: str
    definition: str
    status: str
    summary: str
    started_by: str
    dedupe_key: str | None
    created_at: int
    updated_at: int
    ended_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo(RunRow):
    """A row of `runs`, for lists: the cache, the run's id and the sequence number of its last event."""

    id: str
    last_seq: int


@dataclass(frozen=True, slots=True)
class LeaseExpired:
    """Holds if the owner's lease has ended by the database's clock (no row: ended), or the clock is past `cap`."""

    owner: str
    cap: int | None = None


Guard: TypeAlias = LeaseExpired


@dataclass(frozen=True, slots=True)
class Blob:
    """A long text that events refer to by `hash`, its sha256 in hex."""

    hash: str
    text: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A run's state after the event `seq`, whose hash is `hash`, as a text of the caller's; `version` is the fold's."""

    stream: str
    seq: int
    version: int
    hash: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Append:
    """Events to put right after `after`, and the caches that follow from them, all in one transaction or not at all.

    A stream whose name begins with `ws_` is a workspace's; every other stream is a run's. `run` replaces the run's
    cached row (None: leave it; the first append of a run must have it). `due` sets the run's row of open work, deletes
    it (None) or leaves it (KEEP). Every guard must hold inside the transaction. `blobs` are the long texts that the
    events refer to, each kept once however often it comes; a run that takes a text over from another carries it too.
    """

    stream: str
    after: Head
    events: tuple[NewEvent, ...]
    run: RunRow | None = None
    due: int | Keep | None = KEEP
    due_kind: DueKind = "ready"
    guards: tuple[Guard, ...] = ()
    blobs: tuple[Blob, ...] = ()


@dataclass(frozen=True, slots=True)
class Appended:
    """It is durable; `head` is the stream's new head."""

    head: Head


@dataclass(frozen=True, slots=True)
class Conflict:
    """Another writer was first, nothing was written; `head` is where the stream stands now. Load, and decide again."""

    head: Head


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Nothing was written: the run `stream` already has this workspace and deduplication key."""

    stream: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was written: this guard did not hold."""

    guard: Guard


Outcome: TypeAlias = Appended | Conflict | Duplicate | Refused


@dataclass(frozen=True, slots=True)
class Prunable:
    """How many runs, with how many events, pruning would remove."""

    runs: int
    events: int


@dataclass(frozen=True, slots=True)
class Pruned:
    """What one step of pruning removed; `runs` 0: there is nothing left to remove."""

    runs: int
    events: int
    blobs: int


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a consumer has read a run's stream: `seq` of the `last_seq` events, leased to it until `until`."""

    consumer: str
    stream: str
    seq: int
    last_seq: int
    until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One outward effect of a consumer: what it meant to do (`intent`), what came of it (`receipt`; None: unknown).

    `receipt_key` is a text of the consumer's by which `find_delivery` finds this row again.
    """

    consumer: str
    stream: str
    key: str
    seq: int
    intent: JsonObject
    receipt: JsonObject | None
    receipt_key: str | None
    created_at: int
    confirmed_at: int | None
