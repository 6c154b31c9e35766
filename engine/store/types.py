"""What goes into the store and what comes out of it: plain frozen values, the same for every database.

The one rule: nothing here knows what an event means. Payloads are texts kept byte for byte; statuses, types and names
are the caller's words. Instants and durations are integer milliseconds (instants since the epoch, UTC), except
`StoredEvent.at`, which is the text that was hashed.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar, Final, Literal, Self, TypeAlias

from engine.store.postings import Balance, Posting, Reserve, Settle

DEFAULT_WORKSPACE: Final = "ws_local"

JsonObject: TypeAlias = dict[str, Any]

# What a run waits for, as far as the store must know: `ready`, `running` and `held` runs (which a person keeps from
# going on) are looked at again at once when the stream of activations was lost. All others are left until their time: a
# `timer`, other runs (`child`), their turn in line for a concurrency key (`queued`), a worker that has the code
# (`awaited`).
DueKind: TypeAlias = Literal["ready", "running", "timer", "child", "queued", "awaited", "held"]

LOW, NORMAL, HIGH = 0, 1, 2


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

    `dedupe_key` is unique in its workspace (None: never a duplicate). `labels` are for finding it, `attention` says
    what a person must do ("": nothing), `parent` is the run that started it, `search` a text in lower case that a
    search looks into, `priority` LOW, NORMAL or HIGH. `started_by` is a name, `starter` the id of the same.

    Appends after the first change `status`, `summary`, `updated_at`, `ended_at`, `labels` and `attention` only.
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
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    attention: str = ""
    parent: str | None = None
    priority: int = NORMAL
    search: str = ""
    starter: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs to list: those that fit everything that is given.

    `started_by` is a name, `starter` whose that is (`slack:U…`); `created_after` and `created_before` are instants, the
    first of them included. `text` is looked for, in any case, in `search`, the summary and the id. A run has all of
    `labels`. `attention`: one of these things to do (so `ANYTHING` is what a person must do at all). `parent`: the
    children of this run.
    """

    workflow: str | None = None
    statuses: Collection[str] | None = None
    started_by: str | None = None
    starter: str | None = None
    created_after: int | None = None
    created_before: int | None = None
    text: str = ""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    attention: str | None = None
    parent: str | None = None

    ANYTHING: ClassVar[str] = "*"
    EVERY: ClassVar[Self]


RunFilter.EVERY = RunFilter()


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


@dataclass(frozen=True, slots=True)
class SlotFree:
    """Holds if fewer than `limit` runs hold the concurrency key and nobody in line is ahead; then the run holds it.

    It also holds for a run that has the key already. The line is in the order of priority, the time since when a run
    waits (by the database's clock) and the run's id; a run that never waited would be the last of its priority.
    """

    key: str
    limit: int


@dataclass(frozen=True, slots=True)
class AtEpoch:
    """Holds if the epoch, which grows with whatever changes what holds steps, is this one."""

    epoch: int


Guard: TypeAlias = LeaseExpired | SlotFree | AtEpoch | Reserve | Settle


@dataclass(frozen=True, slots=True)
class NewEpoch:
    """With an append to a workspace's stream the epoch becomes `epoch`, if it is the one before.

    From its commit on no append with an older `AtEpoch` is written. `throws` is the key of the switch that the append's
    last event throws, `lifts` that of the one that it lifts. `frees`: the runs that are `held` are due at once, those
    of this workspace or, `everywhere`, of all.
    """

    epoch: int
    throws: str | None = None
    lifts: str | None = None
    frees: bool = False
    everywhere: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """A place in the line for a concurrency key; the priority is LOW, NORMAL or HIGH."""

    key: str
    priority: int = NORMAL


@dataclass(frozen=True, slots=True)
class Listens:
    """A run waits for signals of this name and correlation in its workspace."""

    name: str
    correlation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """Something that was sent to whoever waits, or will wait, for this name and correlation in the workspace.

    `id` is the sender's: of signals with one id only the first counts. `payload` is JSON text.
    """

    id: str
    workspace: str
    name: str
    correlation: str
    payload: str
    at: int


@dataclass(frozen=True, slots=True)
class DueRun:
    """A run that is due, with what says in whose turn it is to be looked at."""

    run: str
    workspace: str
    priority: int


@dataclass(frozen=True, slots=True)
class Blob:
    """A long text that events refer to by `hash`, its sha256 in hex."""

    hash: str
    text: str


@dataclass(frozen=True, slots=True)
class PutKey:
    """Keep this sealed text under the name, in the place of what was there (`engine.store.keyring` seals)."""

    provider: str
    name: str
    id: str
    last_four: str
    fingerprint: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class DropKey:
    """Keep nothing under the name any more."""

    provider: str
    name: str


KeyChange: TypeAlias = PutKey | DropKey


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

    `waits_for` puts the run in line for a concurrency key, where it is not yet. An append whose `run` has ended gives
    up every key that the run holds or waits for, and its `listens`; whoever is then the first in line is due at once.
    `listens` replaces the signals that the run waits for (None: leaves them); if one of them is there already, the run
    is due at once, whatever `due` says. So it is to be given as long as the run waits.

    `epoch`, in an append to a workspace's stream, changes what holds steps; if another change of it was first, the
    append is refused as `AtEpoch`.

    `postings` are what is done to the workspace's budgets, in this order; each that is a guard must hold as well.

    `subject`, in the first append of a run, is whose data it is: where there is a master key, the texts of this and all
    later appends are sealed under this person's data key.

    `keys`, in an append to a workspace's stream, are what becomes of the sealed keys that its events tell of.
    """

    stream: str
    after: Head
    events: tuple[NewEvent, ...]
    run: RunRow | None = None
    due: int | Keep | None = KEEP
    due_kind: DueKind = "ready"
    guards: tuple[Guard, ...] = ()
    postings: tuple[Posting, ...] = ()
    blobs: tuple[Blob, ...] = ()
    waits_for: Waiting | None = None
    listens: tuple[Listens, ...] | None = None
    subject: str | None = None
    epoch: NewEpoch | None = None
    keys: tuple[KeyChange, ...] = ()


@dataclass(frozen=True, slots=True)
class Appended:
    """It is durable; `head` is the stream's new head. `woken`: runs whose turn it made, which are due now."""

    head: Head
    woken: tuple[str, ...] = ()


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
    """Nothing was written: this guard did not hold. Of money: `balances` are how the accounts stand that are why."""

    guard: Guard
    balances: tuple[Balance, ...] = ()


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


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerInfo:
    """A worker that is alive, since when, and until when its lease holds, by the database's clock.

    `info` is what it said of itself with its last renewal, such as `host`, `pid`, `slots`, `steps` and `version`.
    """

    id: str
    since: int
    until: int
    info: JsonObject
