"""Sealing what an append holds, and reading events, checkpoints and blobs as they were before they were sealed.

The one rule: the text tells whether it is sealed, and by which key; so sealed and open rows may lie side by side.
"""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from engine.store import data_keys
from engine.store.sealing import DataKey, Place, Sealer, hidden, is_sealed, key_of
from engine.store.types import Append, Blob, StoredEvent


def event_place(stream: str, seq: int, type_: str) -> Place:
    """What a sealed payload is bound to."""
    return (stream, seq, type_)


def checkpoint_place(stream: str, seq: int, version: int) -> Place:
    """What a sealed checkpoint is bound to."""
    return ("checkpoint", stream, seq, version)


def blob_place(hidden: str) -> Place:
    """What a sealed blob is bound to."""
    return ("blob", hidden)


def sealed_append(append: Append, data_key: DataKey, key: bytes) -> Append:
    """The append with its payloads and blobs sealed; `key` is the chain's."""
    first = append.after.seq + 1
    events = tuple(
        replace(new, payload=data_key.seal(new.payload, event_place(append.stream, seq, new.type)))
        for seq, new in enumerate(append.events, first)
    )
    blobs: list[Blob] = []
    for blob in append.blobs:
        digest = hidden(key, blob.hash)
        blobs.append(Blob(digest, data_key.seal(blob.text, blob_place(digest))))
    return replace(append, events=events, blobs=tuple(blobs))


def open_events(connection: Connection, sealer: Sealer | None, found: Sequence[StoredEvent]) -> list[StoredEvent]:
    """The events with their payloads open. Erased, WrongMasterKey or SealBroken."""
    ids = {key_of(event.payload) for event in found if is_sealed(event.payload)}
    if not ids:
        return list(found)
    keys = data_keys.by_id(connection, sealer, ids, found[0].stream)
    return [_open(event, keys) if is_sealed(event.payload) else event for event in found]


def open_text(connection: Connection, sealer: Sealer | None, text: str, place: Place, stream: str) -> str:
    """One text that belongs to this place of this stream, open."""
    if not is_sealed(text):
        return text
    key_id = key_of(text)
    return data_keys.by_id(connection, sealer, [key_id], stream)[key_id].open(text, place)


def _open(event: StoredEvent, keys: dict[str, DataKey]) -> StoredEvent:
    key = keys[key_of(event.payload)]
    return replace(event, payload=key.open(event.payload, event_place(event.stream, event.seq, event.type)))
