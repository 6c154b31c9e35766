"""The SQL store: streams of events with their caches, open work, leases, and what consumers have delivered.

This package alone imports SQLAlchemy and the databases' drivers. The names below are its interface; the tables
`events`, `runs` and `open_work` are one too, for people who query them.
"""

from engine.store.check import Finding, Fold
from engine.store.deliveries import Deliveries
from engine.store.errors import OutcomeUnknown, SchemaMismatch, StoreError, StoreUnavailable
from engine.store.instants import from_text, to_text
from engine.store.keeper import LeaseKeeper
from engine.store.log import Log
from engine.store.types import (
    DEFAULT_WORKSPACE,
    KEEP,
    Append,
    Appended,
    Blob,
    Checkpoint,
    Conflict,
    Cursor,
    Delivery,
    DueKind,
    Duplicate,
    Guard,
    Head,
    JsonObject,
    Keep,
    LeaseExpired,
    NewEvent,
    Outcome,
    Prunable,
    Pruned,
    Refused,
    RunInfo,
    RunRow,
    StoredEvent,
)
from engine.store.verify import Report, verify

__all__ = [
    "DEFAULT_WORKSPACE",
    "KEEP",
    "Append",
    "Appended",
    "Blob",
    "Checkpoint",
    "Conflict",
    "Cursor",
    "Deliveries",
    "Delivery",
    "DueKind",
    "Duplicate",
    "Finding",
    "Fold",
    "Guard",
    "Head",
    "JsonObject",
    "Keep",
    "LeaseExpired",
    "LeaseKeeper",
    "Log",
    "NewEvent",
    "Outcome",
    "OutcomeUnknown",
    "Prunable",
    "Pruned",
    "Refused",
    "Report",
    "RunInfo",
    "RunRow",
    "SchemaMismatch",
    "StoreError",
    "StoreUnavailable",
    "StoredEvent",
    "from_text",
    "to_text",
    "verify",
]
