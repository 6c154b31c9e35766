"""What the store itself records in a workspace's stream: that runs were pruned, and that a person's data was erased.

The one rule: a note is written in the transaction that does what it says, behind everything else in it.
"""

import json
from typing import Any, Final, cast

from sqlalchemy import Connection

from engine.store.commit import commit_batch
from engine.store.database import Busy
from engine.store.prepare import prepare
from engine.store.statements import Statements
from engine.store.streams import lock_head, next_place
from engine.store.types import Append, Appended, JsonObject, NewEvent

RUNS_PRUNED: Final = "RUNS_PRUNED"
SUBJECT_ERASED: Final = "SUBJECT_ERASED"
_VERSION: Final = 1

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode


def note(
    connection: Connection, statements: Statements, key: bytes, workspace: str, type_: str, facts: JsonObject, now: int
) -> None:
    """Append an event with these facts to the workspace's stream. Busy if another writer was first."""
    lock_head(connection, workspace)
    after, at = next_place(connection, workspace, now)
    event = NewEvent(type=type_, version=_VERSION, at=at, payload=_encode(facts))
    append = prepare(Append(stream=workspace, after=after, events=(event,)), key)
    if not isinstance(commit_batch(connection, statements, [append])[0], Appended):
        raise Busy("another writer was first")


def facts_of(payload: str) -> JsonObject:
    """What an event's payload says; empty if it is no JSON object."""
    try:
        found: Any = json.loads(payload)
    except ValueError:
        return {}
    return cast("JsonObject", found) if isinstance(found, dict) else {}
