"""The log: streams of events with their caches, on SQLite or PostgreSQL.

The one rule: nothing is written but by one short transaction, and what it says is durable when the call returns.
"""

from collections.abc import Collection, Mapping
from typing import Final, Self

from engine.store import (
    blobs,
    checkpoints,
    data_keys,
    definitions,
    epochs,
    erase,
    leases,
    ledger,
    lists,
    open_work,
    prune,
    signals,
    slots,
    streams,
    workers,
    workspace,
)
from engine.store.anchors import MOST_HEADS, anchor_some, unanchored
from engine.store.chain import head_mac
from engine.store.committer import MOST_WAITING, Committer
from engine.store.connect import LEASE_MS, connect
from engine.store.database import Database
from engine.store.errors import Erased
from engine.store.ledger import Spent
from engine.store.locked import append_locked
from engine.store.migrate import ensure_schema
from engine.store.past_costs import StepCost, past_costs
from engine.store.postings import Account, Balance
from engine.store.prepare import prepare
from engine.store.sealing import Keys, Sealer
from engine.store.statements import Statements
from engine.store.streams import Decide
from engine.store.types import (
    DEFAULT_WORKSPACE,
    Append,
    Checkpoint,
    DueKind,
    DueRun,
    Head,
    JsonObject,
    Outcome,
    Prunable,
    Pruned,
    RunFilter,
    RunInfo,
    Signal,
    StoredEvent,
    WorkerInfo,
)
from engine.store.vault import Vault

_KNOWN_DEFINITIONS: Final = 1024
_REWRAPPED_AT_ONCE: Final = 500
# Seals to look at before our key is called the wrong one.
_SEALS: Final = 100


class Log:
    """One open database. Every method raises StoreUnavailable if the database stays away, and may be called again.

    Instants and durations are milliseconds. A cancelled call may still take effect.
    """

    def __init__(
        self, database: Database, hmac_key: bytes, sealer: Sealer | None = None, *, most_waiting: int = MOST_WAITING
    ) -> None:
        """``most_waiting``: appends in memory at once; the callers of further ones wait for their turn."""
        self.database = database
        self.hmac_key = hmac_key
        self.vault = Vault(database, sealer)
        self._statements = Statements.build(database.dialect)
        self._committer = Committer(database, self._statements, most_waiting)
        self._keys = Keys(hmac_key, sealer)
        self._known_definitions: dict[str, None] = {}
        # The workspace that `take_due` served last.
        self._turn = ""

    @classmethod
    async def open(
        cls, url: str, hmac_key: bytes, *, sealer: Sealer | None = None, migrate: bool = True, lease_ms: int = LEASE_MS
    ) -> Self:
        """Connect to `sqlite:///path` or `postgresql://user:password@host:port/name`, and bring its tables up to date.

        With a `sealer` the texts of runs that have a subject are sealed. Without `migrate`, tables that are not up to
        date are a SchemaMismatch. WrongMasterKey if runs are sealed that the `sealer` cannot open. StoreError for a URL
        of another form. `lease_ms`: the workers' lease, below a third of which all locks on a server are held.
        """
        database = await connect(url, lease_ms)
        try:
            await ensure_schema(database, migrate=migrate)
            log = cls(database, hmac_key, sealer)
            await log.vault.check()
        except BaseException:
            await database.close()
            raise
        return log

    async def close(self) -> None:
        """Settle what was handed in, and give all connections back. Nothing may be called afterwards."""
        await self._committer.close()
        await self.database.close()

    async def knows_key(self) -> bool:
        """Whether our key has sealed any of the newest runs; true of a log without runs.

        Not all of them: a single run whose seal is broken is for `verify` to find.
        """
        seals = await self.database.read(lists.newest_seals, _SEALS)
        return not seals or any(head_mac(self.hmac_key, run, seq, digest) == mac for run, seq, digest, mac in seals)

    async def append(self, append: Append) -> Outcome:
        """Append to one stream, in a transaction shared with other appends of this process that wait.

        ValueError if it can never be written (no events, a NUL or half a surrogate pair in a payload). OutcomeUnknown
        if the database was lost for good in the middle of the commit. Erased if the run's data was.
        """
        data_key = await self.vault.key_for(append)
        try:
            return await self._committer.append(prepare(append, self.hmac_key, data_key))
        except Erased:
            if not self.vault.forget(append):
                raise
            return await self.append(append)

    async def append_locked(self, stream: str, known: Head, decide: Decide, *, spends_from: str = "") -> Outcome | None:
        """Append what `decide` makes of the events after `known` and the head, while no other writer can move it.

        For a writer that has lost more than once: it waits for the stream's lock and then cannot lose. `decide` must be
        pure and quick, for it runs inside the transaction, perhaps more than once and in another thread. None if it
        decides on nothing. `spends_from` is the workspace to whose budgets it may post, if it may.
        """
        return await append_locked(
            self.database, self._statements, self._keys, stream, known, decide, spends_from=spends_from
        )

    async def load(self, stream: str, after: int = 0) -> tuple[list[StoredEvent], Head]:
        """The events past the sequence number `after`, and the head they lead to (`Head.EMPTY`: no such stream)."""
        return await self.database.read(streams.load, self.vault.sealer, stream, after)

    async def load_said(self, workspace_id: str, after: int = 0) -> tuple[list[StoredEvent], Head]:
        """What the workspace's stream says past the sequence number `after`, but for anchors; and its very head."""
        return await self.database.read(workspace.load_said, workspace_id, after)

    async def events_at(self, stream: str, seqs: Collection[int]) -> list[StoredEvent]:
        """The stream's events with these sequence numbers, in order, as far as they are there."""
        return await self.database.read(streams.load_at, self.vault.sealer, stream, seqs)

    async def load_run(self, stream: str, version: int) -> tuple[Checkpoint | None, list[StoredEvent], Head]:
        """The newest checkpoint of the fold's `version`, the events after it (None: all of them), and the head.

        One read. A checkpoint that does not belong to the chain as it is now, or that was changed, is left aside.
        """
        return await self.database.read(checkpoints.load_run, self._keys, stream, version)

    async def put_checkpoint(
        self, stream: str, seq: int, version: int, text: str, *, head_hash: str | None = None
    ) -> bool:
        """Keep the run's state after the event `seq`, in the place of its older checkpoints.

        False, and nothing is kept, if there is no such event, or if it is another than that with `head_hash`.
        """
        return await self.database.write(
            checkpoints.put, self._keys, Checkpoint(stream, seq, version, head_hash or "", text)
        )

    async def blobs(self, hashes: Collection[str]) -> dict[str, str]:
        """The texts with these hashes, as far as they are there. StoreError if one is not the text that was put."""
        return await self.database.read(blobs.get, self._keys, hashes) if hashes else {}

    async def ended(self, runs: Collection[str]) -> list[str]:
        """Those of these runs that have ended."""
        return await self.database.read(lists.ended, runs)

    async def heads(self, runs: Collection[str]) -> dict[str, int]:
        """The sequence number of the last event of each of these runs that exists."""
        return await self.database.read(lists.heads, runs)

    async def put_definition(self, digest: str, name: str, text: str, *, workspace: str = DEFAULT_WORKSPACE) -> None:
        """Keep a definition's text under its hash, for ever; free if this process has done so before."""
        if digest in self._known_definitions:
            return
        await self.database.write(definitions.put, digest, name, text, workspace)
        if len(self._known_definitions) >= _KNOWN_DEFINITIONS:
            self._known_definitions.pop(next(iter(self._known_definitions)))
        self._known_definitions[digest] = None

    async def definition(self, digest: str) -> str | None:
        """The text that was put under this hash."""
        return await self.database.read(definitions.get, digest)

    async def definitions(self) -> dict[str, str]:
        """All definitions' texts by their hashes."""
        return await self.database.read(definitions.everything)

    async def unanchored(self) -> list[str]:
        """The workspaces in which `anchor` would write something; one question for all of them."""
        return await self.database.read(unanchored)

    async def anchor(self, workspace: str, now: int) -> int:
        """Write the heads of the workspace's runs that changed since the last time into its stream; how many."""
        total = 0
        while True:
            count = await self.database.write(anchor_some, self._statements, self.hmac_key, workspace, now)
            total += count or 0
            if count is not None and count < MOST_HEADS:
                return total

    async def prunable(self, workspace: str, before: int) -> Prunable:
        """What `prune` would remove in all, if nothing ends or opens meanwhile."""
        return await self.database.read(prune.prunable, workspace, before)

    async def prune(self, workspace: str, before: int, *, now: int, by: str, limit: int = 100) -> Pruned:
        """Remove up to `limit` of the workspace's runs that ended before that instant; call again until none is left.

        Each call is one short transaction, so that the work can be broken off and taken up at any time. `by` says in
        the workspace's stream who ordered it. A run whose deduplication key goes with it may be started by it again.
        """
        await self.anchor(workspace, now)
        order = prune.Order(before=before, by=by, now=now, limit=limit)
        return await self.database.write(prune.prune_some, self._statements, self.hmac_key, workspace, order)

    async def erase(self, subject: str, *, now: int, by: str) -> int:
        """Make the texts of this subject's runs unreadable for ever, also for us; how many runs. `by`: who ordered it.

        StillOpen if one of these runs has not ended. Copies made of the database before still have the key.
        """
        return await self.database.write(erase.erase, self._statements, self.hmac_key, subject, by, now)

    async def rewrap(self) -> int:
        """Wrap all data keys by the current master key, after which older ones are no longer needed; how many."""
        if (sealer := self.vault.sealer) is None:
            return 0
        total = 0
        while count := await self.database.write(data_keys.rewrap, sealer, _REWRAPPED_AT_ONCE):
            total += count
        return total

    async def take_due(
        self, now: int, limit: int, push: Mapping[DueKind, int] = open_work.PUSH, skip: Collection[str] = ()
    ) -> list[DueRun]:
        """Up to `limit` runs due at `now`; in the same transaction they become due again, later by their kind's `push`.

        Each is taken by one caller, however many ask at once. Workspaces get equal shares, but those in `skip` none;
        within a workspace a higher priority goes first.
        """
        lanes = await self.database.read(open_work.due_lanes, now, self._turn)
        if not (lanes := [lane for lane in lanes if lane.workspace not in skip]):
            return []
        taken = await self.database.write(open_work.take_due, lanes, now, limit, push)
        if taken:
            self._turn = taken[-1].workspace
        return taken

    async def make_all_due(self, now: int) -> int:
        """Make every run due that is ready, running or held (not those that wait); how many were not due before.

        At `now`, or by the database's clock where that is earlier.
        """
        return await self.database.write(open_work.make_all_due, now)

    async def switches(self) -> tuple[int, list[StoredEvent]]:
        """The epoch, and the events by which the switches that are thrown now were, of all workspaces."""
        return await self.database.read(epochs.read)

    async def rest(self, run: str, seq: int, due: int) -> None:
        """The run, looked at after its event `seq`, has nothing to do before `due`: it is not swept again until then.

        Nothing changes if it has events since, if somebody has just made it due, or if it is due later anyway.
        """
        await self.database.write(open_work.rest, run, seq, due)

    async def next_due(self) -> int | None:
        """The earliest due time of all runs, None if nothing is open."""
        return await self.database.read(open_work.next_due)

    @property
    def trouble(self) -> str | None:
        """What is wrong with the database while it is being waited for, in a sentence for a person; None: it works."""
        return self.database.trouble

    async def now(self) -> int:
        """The database's clock: the clock of leases and dues."""
        return await self.database.read(leases.now)

    async def renew(self, owner: str, ttl_ms: int, info: JsonObject | None = None) -> int:
        """Make or prolong the owner's lease; the instant of the database's clock at which it ends.

        `info` is what the owner says of itself, for `workers`; None leaves what it said.
        """
        return await self.database.write(leases.renew, owner, ttl_ms, info)

    async def release(self, owner: str) -> None:
        """End the owner's lease now. Tried once: without it the lease runs out by itself."""
        await self.database.write_promptly(leases.release, owner)

    async def leases_held(self, prefix: str) -> int:
        """How many owners whose names begin with `prefix` hold a lease."""
        return await self.database.read(leases.held, prefix)

    async def workers(self) -> list[WorkerInfo]:
        """The workers that are alive, longest first."""
        return await self.database.read(workers.alive)

    async def put_signal(self, signal: Signal) -> None:
        """Keep the signal in the mailbox until a run takes it, and make those due who wait for it.

        Nothing happens if its id is known, so it may be put again.
        """
        await self.database.write(signals.put, signal)

    async def take_signals(self, run: str, name: str, correlation: str, workspace: str) -> list[Signal]:
        """Give the run all free signals of this name and correlation; returns all that it has ever taken of them.

        So it may be asked again, after a crash. Oldest first. Each signal goes to one run.
        """
        return await self.database.write(signals.take, run, name, correlation, workspace)

    async def balances(self, accounts: Collection[Account]) -> list[Balance]:
        """How these accounts stand, in the order of their names; those of which nothing was ever spent, too."""
        return await self.database.read(ledger.standing, self._statements.ledger, accounts)

    async def past_costs(self, workspace: str, workflow: str, definition: str, most: int) -> tuple[int, list[StepCost]]:
        """How many of the newest runs by the definition have completed, `most` at most, and what was spent in them."""
        return await self.database.read(past_costs, workspace, workflow, definition, most)

    async def spent_since(self, workspace: str, day: str) -> list[Spent]:
        """What the workspace has spent since that day, by day, workflow and model."""
        return await self.database.read(ledger.spent_since, workspace, day)

    async def most_spent(self, prefix: str, period: str, limit: int) -> list[tuple[str, int]]:
        """The budgets of that beginning in which most was spent in the period, without it, and how much."""
        return await self.database.read(ledger.most_spent, prefix, period, limit)

    async def holders(self, key: str) -> list[str]:
        """The runs that hold this concurrency key."""
        return await self.database.read(slots.holders, key)

    async def listeners(self, workspace: str, name: str, correlation: str) -> list[str]:
        """The runs that wait for such a signal, in the order in which they were started."""
        return await self.database.read(signals.find_listeners, workspace, name, correlation)

    async def runs(
        self, *, workspace: str, where: RunFilter = RunFilter.EVERY, limit: int = 50, before: str | None = None
    ) -> list[RunInfo]:
        """The workspace's newest runs first, as far as they fit; `before` is the last id of the page before."""
        return await self.database.read(lists.list_runs, workspace, where, limit, before)

    async def workspaces(self) -> list[str]:
        """The workspaces that exist: those that have runs, or a stream of their own. By name."""
        return await self.database.read(lists.list_workspaces)

    async def find_runs(self, workspace: str, prefix: str, limit: int) -> list[str]:
        """The ids in this workspace that begin with the prefix, which may leave out `run_`; sorted."""
        return await self.database.read(lists.find_runs, workspace, prefix, limit)

    async def run(self, stream: str) -> RunInfo | None:
        """One run's cached row."""
        return await self.database.read(lists.get_run, stream)
