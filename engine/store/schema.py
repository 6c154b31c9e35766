"""The tables, once, for SQLite and PostgreSQL.

The one rule: `events` is the truth. `runs`, `workspaces`, `open_work` and `switches` are caches of it, written in the
transaction that appends and checked against it by `verify`; the rest is operational and may be lost without losing a
fact.

`events`, `runs` and `open_work` may be queried by people: their columns change only with a migration and a note.
Instants are epoch milliseconds but for `events.at`, the text that was hashed. Identifiers sort bytewise on both
databases (collation C), so that ids that begin with their time sort by time.
"""

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, Table, Text, UniqueConstraint, text

metadata = MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "uq": "uq_%(table_name)s_%(column_0_N_name)s"}
)

IDENTIFIER = Text().with_variant(Text(collation="C"), "postgresql")

# One b-tree per table on SQLite: the rows of a stream lie together, and an insert touches one tree and not two.
_CLUSTERED: dict[str, Any] = {"sqlite_with_rowid": False}
# Room in each page of PostgreSQL for the new version of a row whose head moves with every append.
_REWRITTEN: dict[str, Any] = {"postgresql_with": {"fillfactor": 70}, **_CLUSTERED}


def _partial(name: str, *columns: str, only: str) -> Index:
    """An index of the rows of which this is true: of the few that are looked for among many."""
    return Index(name, *columns, sqlite_where=text(only), postgresql_where=text(only))


# What workspaces' streams say besides anchors, of which there may be one a minute.
SAID_IN_WORKSPACES = "stream >= 'ws_' AND stream < 'ws`' AND type <> 'RUN_HEADS_ANCHORED'"

events = Table(
    "events",
    metadata,
    Column("stream", IDENTIFIER, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("type", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("at", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("hash", Text, nullable=False),
    _partial("ix_events_said", "stream", "seq", only=SAID_IN_WORKSPACES),
    **_CLUSTERED,
)

runs = Table(
    "runs",
    metadata,
    Column("id", IDENTIFIER, primary_key=True),
    Column("workspace", IDENTIFIER, nullable=False),
    Column("workflow", Text, nullable=False),
    Column("definition", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("started_by", Text, nullable=False),
    Column("dedupe_key", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("last_seq", Integer, nullable=False),
    Column("head_hash", Text, nullable=False),
    Column("head_mac", Text, nullable=False),
    # A JSON object of texts, which `run_labels` follows by triggers; what a person must do ("": nothing); the run that
    # started this one; 0 low, 1 normal, 2 high; and a text to search in, in lower case.
    Column("labels", Text, nullable=False, server_default=text("'{}'")),
    Column("attention", Text, nullable=False, server_default=text("''")),
    Column("parent", IDENTIFIER),
    Column("priority", Integer, nullable=False, server_default=text("1")),
    Column("search", Text, nullable=False, server_default=text("''")),
    # Whose run it is, by the id under which a surface vouches for them; `started_by` is how they were called.
    Column("starter", Text, nullable=False, server_default=text("''")),
    # The key in `data_keys` that seals the run, if any does; fixed by its first append.
    Column("data_key", IDENTIFIER),
    # Whether the workspace's stream holds this head: cleared by every append, set by the anchoring.
    Column("anchored", Boolean, nullable=False, server_default=text("false")),
    UniqueConstraint("workspace", "dedupe_key"),
    Index(None, "workspace", "id"),
    _partial("ix_runs_unanchored", "workspace", "id", only="NOT anchored"),
    Index("ix_runs_workspace_status_id", "workspace", "status", "id"),
    Index("ix_runs_workspace_workflow_id", "workspace", "workflow", "id"),
    Index("ix_runs_workspace_started_by_id", "workspace", "started_by", "id"),
    Index("ix_runs_workspace_starter_id", "workspace", "starter", "id"),
    _partial("ix_runs_attention", "workspace", "id", only="attention <> ''"),
    _partial("ix_runs_parent", "parent", "id", only="parent IS NOT NULL"),
    _partial("ix_runs_data_key", "data_key", only="data_key IS NOT NULL"),
    _partial("ix_runs_ended", "workspace", "ended_at", only="ended_at IS NOT NULL"),
    **_REWRITTEN,
)

# One row: the number that grows with whatever changes what holds steps, in any workspace.
epochs = Table(
    "epochs",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    **_CLUSTERED,
)

# A cache of what workspaces' streams say is thrown, by the place of the event that says so.
switches = Table(
    "switches",
    metadata,
    Column("workspace", IDENTIFIER, primary_key=True),
    Column("key", IDENTIFIER, primary_key=True),
    Column("seq", Integer, nullable=False),
    **_CLUSTERED,
)

# For finding runs by their labels; written by triggers on `runs` and by nothing else.
run_labels = Table(
    "run_labels",
    metadata,
    Column("workspace", IDENTIFIER, primary_key=True),
    Column("name", IDENTIFIER, primary_key=True),
    Column("value", IDENTIFIER, primary_key=True),
    Column("run", IDENTIFIER, primary_key=True),
    **_CLUSTERED,
)

workspaces = Table(
    "workspaces",
    metadata,
    Column("id", IDENTIFIER, primary_key=True),
    Column("last_seq", Integer, nullable=False),
    Column("head_hash", Text, nullable=False),
    Column("head_mac", Text, nullable=False),
    **_REWRITTEN,
)

open_work = Table(
    "open_work",
    metadata,
    Column("run", IDENTIFIER, primary_key=True),
    Column("due", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    # Those of the run, so that each workspace's most urgent runs are found without a look at all the others.
    Column("workspace", IDENTIFIER, nullable=False, server_default=text("''")),
    Column("priority", Integer, nullable=False, server_default=text("1")),
    Index("ix_open_work_workspace_priority_due", "workspace", "priority", "due"),
    **_REWRITTEN,
)

# Who holds, and who waits in line for, a concurrency key. The line is in the order of rank, since, run; the rank is 0
# for a high priority and 2 for a low one.
slots = Table(
    "slots",
    metadata,
    Column("key", IDENTIFIER, primary_key=True),
    Column("run", IDENTIFIER, primary_key=True),
    Column("held", Boolean, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("since", BigInteger, nullable=False),
    Index("ix_slots_line", "key", "held", "rank", "since", "run"),
    Index("ix_slots_run", "run"),
    **_CLUSTERED,
)

# The mailbox: `run` is who has taken a signal, NULL as long as it is free.
signals = Table(
    "signals",
    metadata,
    Column("id", IDENTIFIER, primary_key=True),
    Column("workspace", IDENTIFIER, nullable=False),
    Column("name", IDENTIFIER, nullable=False),
    Column("correlation", IDENTIFIER, nullable=False),
    Column("payload", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("run", IDENTIFIER),
    Index("ix_signals_address", "workspace", "name", "correlation", "run"),
    _partial("ix_signals_run", "run", only="run IS NOT NULL"),
    **_CLUSTERED,
)

# Which runs wait for which signal; a cache of their events.
listeners = Table(
    "listeners",
    metadata,
    Column("run", IDENTIFIER, primary_key=True),
    Column("name", IDENTIFIER, primary_key=True),
    Column("correlation", IDENTIFIER, primary_key=True),
    Column("workspace", IDENTIFIER, nullable=False),
    Index("ix_listeners_address", "workspace", "name", "correlation"),
    **_CLUSTERED,
)

leases = Table(
    "leases",
    metadata,
    Column("owner", IDENTIFIER, primary_key=True),
    Column("until", BigInteger, nullable=False),
    # When the owner first had it, and what it says of itself, as a JSON object.
    Column("since", BigInteger, nullable=False, server_default=text("0")),
    Column("info", Text, nullable=False, server_default=text("'{}'")),
    **_REWRITTEN,
)

definitions = Table(
    "definitions",
    metadata,
    Column("hash", IDENTIFIER, primary_key=True),
    Column("workspace", IDENTIFIER, nullable=False),
    Column("name", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    **_CLUSTERED,
)

consumers = Table("consumers", metadata, Column("name", IDENTIFIER, primary_key=True), **_CLUSTERED)

cursors = Table(
    "cursors",
    metadata,
    Column("consumer", IDENTIFIER, primary_key=True),
    Column("stream", IDENTIFIER, primary_key=True),
    Column("seq", Integer, nullable=False, server_default=text("0")),
    Column("owner", IDENTIFIER),
    Column("until", BigInteger, nullable=False, server_default=text("0")),
    Column("done", Boolean, nullable=False, server_default=text("false")),
    _partial("ix_cursors_open", "consumer", "stream", only="NOT done"),
    Index(None, "stream"),
    **_REWRITTEN,
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("consumer", IDENTIFIER, primary_key=True),
    Column("stream", IDENTIFIER, primary_key=True),
    Column("key", IDENTIFIER, primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("intent", Text, nullable=False),
    Column("receipt", Text),
    Column("receipt_key", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("confirmed_at", BigInteger),
    Index(None, "consumer", "receipt_key"),
    _partial("ix_deliveries_unconfirmed", "consumer", "stream", only="confirmed_at IS NULL"),
    Index(None, "stream"),
    **_CLUSTERED,
)

# Long texts that events refer to by the sha256 of what they say. Under a data key (""; none) a text is sealed, and its
# hash is hidden; so each data key has its own copy.
blobs = Table(
    "blobs",
    metadata,
    Column("hash", IDENTIFIER, primary_key=True),
    Column("data_key", IDENTIFIER, primary_key=True, server_default=text("''")),
    Column("text", Text, nullable=False),
)

blob_refs = Table(
    "blob_refs",
    metadata,
    Column("stream", IDENTIFIER, primary_key=True),
    Column("hash", IDENTIFIER, primary_key=True),
    Column("data_key", IDENTIFIER, nullable=False, server_default=text("''")),
    Index("ix_blob_refs_hash", "hash"),
    **_CLUSTERED,
)

# `hash` is the event's at `seq`; `mac` seals all of it.
checkpoints = Table(
    "checkpoints",
    metadata,
    Column("stream", IDENTIFIER, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("hash", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("mac", Text, nullable=False),
)

# Wrapped by the master key whose fingerprint is `master`. Once erased, a row says only that it was.
data_keys = Table(
    "data_keys",
    metadata,
    Column("id", IDENTIFIER, primary_key=True),
    Column("subject", IDENTIFIER, unique=True),
    Column("master", Text),
    Column("wrapped", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("erased_at", BigInteger),
    **_CLUSTERED,
)

# The last heads of the runs that were pruned, sealed by `mac`.
pruned = Table(
    "pruned",
    metadata,
    Column("run", IDENTIFIER, primary_key=True),
    Column("workspace", IDENTIFIER, nullable=False),
    Column("workflow", Text, nullable=False),
    Column("ended_at", BigInteger, nullable=False),
    Column("pruned_at", BigInteger, nullable=False),
    Column("last_seq", Integer, nullable=False),
    Column("head_hash", Text, nullable=False),
    Column("mac", Text, nullable=False),
    **_CLUSTERED,
)

# When each schedule starts its workflow next, and until when a scheduler is at it. `spec` is its cron and time zone.
schedules = Table(
    "schedules",
    metadata,
    Column("workspace", IDENTIFIER, primary_key=True),
    Column("workflow", IDENTIFIER, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("spec", Text, nullable=False),
    Column("next_at", BigInteger, nullable=False),
    Column("claimed_until", BigInteger, nullable=False, server_default=text("0")),
    **_CLUSTERED,
)

# What is kept to be used and never shown; `text` is sealed. `holder` alone may exchange it until `held_until`.
secrets = Table(
    "secrets",
    metadata,
    Column("name", IDENTIFIER, primary_key=True),
    Column("text", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("holder", IDENTIFIER),
    Column("held_until", BigInteger, nullable=False, server_default=text("0")),
    **_CLUSTERED,
)

# Keys of providers and secrets of steps: `text` is sealed, for its workspace, provider and id. A cache of what the
# workspace's stream says, but for `text`, which is there alone, and `used_at`, to the minute.
keyring = Table(
    "keyring",
    metadata,
    Column("workspace", IDENTIFIER, primary_key=True),
    Column("provider", IDENTIFIER, primary_key=True),
    Column("name", IDENTIFIER, primary_key=True),
    Column("id", IDENTIFIER, nullable=False),
    Column("last_four", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("used_at", BigInteger),
    **_CLUSTERED,
)

# What each budget may spend in a period (NULL: as much as it likes), and at which percents of that it tells so, as a
# JSON array. The name of a budget begins with its workspace; amounts are millionths of a US dollar.
budgets = Table(
    "budgets",
    metadata,
    Column("budget", IDENTIFIER, primary_key=True),
    Column("cap", BigInteger),
    Column("alert_at", Text, nullable=False, server_default=text("'[]'")),
    **_CLUSTERED,
)

# The ledger is only ever added to; each row says what the account, a budget in one period, has come to by it.
ledger = Table(
    "ledger",
    metadata,
    Column("budget", IDENTIFIER, primary_key=True),
    Column("period", IDENTIFIER, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("spent", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
    Column("cap", BigInteger),
    Column("run", IDENTIFIER, nullable=False),
    Column("step", Text, nullable=False),
    Column("effect", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    **_CLUSTERED,
)

# The last row of the ledger for each account: a cache.
balances = Table(
    "balances",
    metadata,
    Column("budget", IDENTIFIER, primary_key=True),
    Column("period", IDENTIFIER, primary_key=True),
    Column("spent", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
    Column("seq", Integer, nullable=False),
    **_REWRITTEN,
)

# Which columns beside `events` and `open_work` name the run that a row belongs to; a run goes with all of these rows.
BELONGINGS: tuple[Column[Any], ...] = (
    run_labels.c.run,
    slots.c.run,
    signals.c.run,
    listeners.c.run,
    cursors.c.stream,
    deliveries.c.stream,
    checkpoints.c.stream,
    blob_refs.c.stream,
)
