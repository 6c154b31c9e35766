"""An append made ready for the database: hashed, sealed and laid out as rows, before any transaction begins.

The one rule: whatever is wrong with an append itself is found here, so that it cannot spoil the batch of others.
"""

from dataclasses import dataclass
from typing import Final

from engine.store.blobs import check_blob
from engine.store.chain import event_hash, head_mac
from engine.store.expand import Row
from engine.store.instants import to_text
from engine.store.types import Append, Head

WORKSPACE_PREFIX: Final = "ws_"


@dataclass(frozen=True, slots=True)
class Prepared:
    """An append with the rows that it writes and the head that it leads to."""

    append: Append
    head: Head
    head_row: Row
    event_rows: tuple[Row, ...]

    @property
    def is_workspace(self) -> bool:
        """Whether its stream is a workspace's, whose head lies in another table."""
        return self.append.stream.startswith(WORKSPACE_PREFIX)

    @property
    def starts(self) -> bool:
        """Whether it is its stream's first."""
        return self.append.after.seq == 0


def prepare(append: Append, key: bytes) -> Prepared:
    """Hash the events and lay out the rows. ValueError for an append that can never be written."""
    _check(append)
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
        "last_seq": head.seq,
        "head_hash": head.hash,
        "head_mac": head_mac(key, stream, head.seq, head.hash),
    }
    run = append.run
    if run is not None:
        head_row |= {
            "workspace": run.workspace,
            "workflow": run.workflow,
            "definition": run.definition,
            "status": run.status,
            "summary": run.summary,
            "started_by": run.started_by,
            "dedupe_key": run.dedupe_key,
            "created_at": run.created_at,
            "updated_at": run.updated_at,
            "ended_at": run.ended_at,
        }
    return Prepared(append, head, head_row, tuple(rows))


def _check(append: Append) -> None:
    if not append.events:
        raise ValueError(f"{append.stream}: an append has one event at least")
    if append.stream.startswith(WORKSPACE_PREFIX):
        if append.run is not None or isinstance(append.due, int):
            raise ValueError(f"{append.stream}: a workspace's stream has no run row and no open work")
    elif append.after.seq == 0 and append.run is None:
        raise ValueError(f"{append.stream}: the first append of a run must carry its row")
    if any("\0" in new.payload for new in append.events):
        raise ValueError(f"{append.stream}: a payload holds a NUL character; JSON text escapes it")
    for blob in append.blobs:
        check_blob(blob)
