"""Anchors: the heads of a workspace's runs, written into the workspace's own stream.

The one rule: a head that was anchored must be found in its run for ever, so that nobody can take away the end of a run,
or all of it, by putting old rows back: the workspace's chain would have to be cut as well.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select

from engine.store.commit import commit_batch
from engine.store.prepare import prepare
from engine.store.schema import IDENTIFIER, runs
from engine.store.statements import Statements
from engine.store.streams import lock_head, next_place
from engine.store.types import Append, Appended, Head, NewEvent

ANCHORED: Final = "RUN_HEADS_ANCHORED"
VERSION: Final = 1
# Heads in one event, so that an event stays of a size that can be read and shown.
MOST_HEADS: Final = 500

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode

# Made once: it is asked again and again, and takes longer to make than to run.
_CHANGED: Final = (
    select(runs.c.id, runs.c.last_seq, runs.c.head_hash)
    .where(runs.c.workspace == bindparam("workspace", type_=IDENTIFIER), ~runs.c.anchored)
    .order_by(runs.c.id)
    .limit(MOST_HEADS)
)


_WHERE_CHANGED: Final = select(runs.c.workspace).where(~runs.c.anchored).distinct().order_by(runs.c.workspace)


def unanchored(connection: Connection) -> list[str]:
    """The workspaces with runs whose heads changed since they were last anchored."""
    return list(connection.scalars(_WHERE_CHANGED))


def anchor_some(connection: Connection, statements: Statements, key: bytes, workspace: str, now: int) -> int | None:
    """Anchor up to MOST_HEADS heads that changed since they were last anchored; how many, None if another was first."""
    lock_head(connection, workspace)
    changed = connection.execute(_CHANGED, {"workspace": workspace})
    heads = {run: Head(seq, digest) for run, seq, digest in changed}
    if not heads:
        return 0
    after, at = next_place(connection, workspace, now)
    event = NewEvent(type=ANCHORED, version=VERSION, at=at, payload=_payload(heads))
    append = prepare(Append(stream=workspace, after=after, events=(event,)), key)
    if not isinstance(commit_batch(connection, statements, [append])[0], Appended):
        return None
    rows = [{"id": run, "last_seq": head.seq} for run, head in heads.items()]
    statements.mark_anchored.execute(connection, rows)
    return len(heads)


def anchored_heads(payload: str) -> dict[str, Head]:
    """What an anchoring's payload says, by run; empty if it is none."""
    try:
        found: Any = json.loads(payload)
        return {run: Head(seq, digest) for run, (seq, digest) in found["heads"].items()}
    except (ValueError, TypeError, LookupError, AttributeError):
        return {}


def _payload(heads: Mapping[str, Head]) -> str:
    return _encode({"heads": {run: [head.seq, head.hash] for run, head in heads.items()}})
