"""An append made ready for the database: hashed, sealed and laid out as rows, before any transaction begins.

The one rule: whatever is wrong with an append itself is found here, so that it cannot spoil the batch of others.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from engine.store.chain import event_hash, head_mac
from engine.store.expand import Row
from engine.store.instants import to_text
from engine.store.opening import sealed_append
from engine.store.sealing import DataKey, is_sealed
from engine.store.types import HIGH, LOW, NORMAL, Append, AtEpoch, Blob, Head, RunRow

WORKSPACE_PREFIX: Final = "ws_"

_PRIORITIES: Final = frozenset({LOW, NORMAL, HIGH})
_canonical = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode


@dataclass(frozen=True, slots=True)
class Prepared:
    """An append with the rows that it writes and the head that it leads to."""

    append: Append
    head: Head
    head_row: Row
    event_rows: tuple[Row, ...]
    # The id of the key that seals it, "" for none.
    data_key: str = ""

    @property
    def is_workspace(self) -> bool:
        """Whether its stream is a workspace's, whose head lies in another table."""
        return self.append.stream.startswith(WORKSPACE_PREFIX)

    @property
    def epoch(self) -> int | None:
        """The epoch that it depends on."""
        return _epoch(self.append)

    @property
    def starts(self) -> bool:
        """Whether it is its stream's first."""
        return self.append.after.seq == 0


@dataclass(frozen=True, slots=True)
class Following:
    """The rows that follow from heads that moved: events, when runs are looked at, or no more, and runs that began."""

    events: list[Row]
    due: list[Row]
    done: list[Row]
    begun: list[Row]


def following(batch: Sequence[Prepared]) -> Following:
    """The rows of these appends, apart from what only some of them have."""
    return Following(
        events=[row for item in batch for row in item.event_rows],
        due=[_work_row(item.append, item.append.due) for item in batch if isinstance(item.append.due, int)],
        done=[{"run": item.append.stream} for item in batch if item.append.due is None and not item.starts],
        begun=[{"id": item.append.stream} for item in batch if item.starts and not item.is_workspace],
    )


def _work_row(append: Append, due: int) -> Row:
    workspace, priority = (None, None) if append.run is None else (append.run.workspace, append.run.priority)
    return {
        "run": append.stream, "due": due, "kind": append.due_kind, "workspace": workspace, "priority": priority,
    }  # fmt: skip


def prepare(append: Append, key: bytes, data_key: DataKey | None = None) -> Prepared:
    """Seal the texts, hash the events and lay out the rows. ValueError for an append that can never be written."""
    _check(append)
    if data_key is not None:
        append = sealed_append(append, data_key, key)
    stream, head = append.stream, append.after
    rows: list[Row] = []
    for new in append.events:
        seq, at = head.seq + 1, to_text(new.at)
        digest = event_hash(key, head.hash, (stream, seq, new.type, new.version, at, new.payload))
        rows.append({
            "stream": stream, "seq": seq, "type": new.type, "version": new.version, "at": at, "payload": new.payload,
            "hash": digest,
        })  # fmt: skip
        head = Head(seq, digest)
    head_row: dict[str, str | int | None] = {
        "id": stream,
        "after_seq": append.after.seq,
        "after_hash": append.after.hash,
        "epoch": _epoch(append),
        "last_seq": head.seq,
        "head_hash": head.hash,
        "head_mac": head_mac(key, stream, head.seq, head.hash),
    }
    run = append.run
    if run is not None:
        head_row |= cache_values(run)
        if append.after.seq == 0:
            head_row |= fixed_values(run) | {"data_key": None if data_key is None else data_key.id}
    return Prepared(append, head, head_row, tuple(rows), "" if data_key is None else data_key.id)


def _epoch(append: Append) -> int | None:
    return next((guard.epoch for guard in append.guards if isinstance(guard, AtEpoch)), None)


def fixed_values(run: RunRow) -> dict[str, str | int | None]:
    """What the columns of `runs` hold of a run from its start to its end."""
    return {
        "workspace": run.workspace,
        "workflow": run.workflow,
        "definition": run.definition,
        "started_by": run.started_by,
        "dedupe_key": run.dedupe_key,
        "created_at": run.created_at,
        "parent": run.parent,
        "priority": run.priority,
        "search": run.search,
        "starter": run.starter,
    }


def cache_values(run: RunRow) -> dict[str, str | int | None]:
    """What they hold that changes as it goes on."""
    return {
        "status": run.status,
        "summary": run.summary,
        "updated_at": run.updated_at,
        "ended_at": run.ended_at,
        "labels": _canonical(dict(run.labels)) if run.labels else "{}",
        "attention": run.attention,
    }


def _check(append: Append) -> None:
    if not append.events:
        raise ValueError(f"{append.stream}: an append has one event at least")
    if append.stream.startswith(WORKSPACE_PREFIX):
        if append.run is not None or isinstance(append.due, int):
            raise ValueError(f"{append.stream}: a workspace's stream has no run row and no open work")
    elif append.epoch is not None or append.keys:
        raise ValueError(f"{append.stream}: only a workspace's stream says what holds steps, and which keys are kept")
    elif append.after.seq == 0 and append.run is None:
        raise ValueError(f"{append.stream}: the first append of a run must carry its row")
    if any("\0" in new.payload for new in append.events):
        raise ValueError(f"{append.stream}: a payload holds a NUL character; JSON text escapes it")
    if any(is_sealed(new.payload) for new in append.events):
        raise ValueError(f"{append.stream}: a payload passes for a sealed one")
    for blob in append.blobs:
        _check_blob(blob)
    if append.run is not None:
        _check_run(append.stream, append.run)
    if append.waits_for is not None and append.waits_for.priority not in _PRIORITIES:
        raise ValueError(f"{append.stream}: {append.waits_for.priority} is no priority")


def _check_run(stream: str, run: RunRow) -> None:
    if run.priority not in _PRIORITIES:
        raise ValueError(f"{stream}: {run.priority} is no priority")
    if any("\0" in text for label in run.labels.items() for text in label):
        raise ValueError(f"{stream}: a label holds a NUL character")


def _check_blob(blob: Blob) -> None:
    if "\0" in blob.text:
        raise ValueError(f"the blob {blob.hash} holds a NUL character; JSON text escapes it")
    if hashlib.sha256(blob.text.encode()).hexdigest() != blob.hash:
        raise ValueError(f"the blob {blob.hash} has a text with another hash")
