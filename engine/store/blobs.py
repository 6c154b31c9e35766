"""Long texts, kept beside the events that refer to them by the sha256 of the text.

The one rule: a text is written in the transaction of the first append that refers to it, with a reference for every
stream that does; it is removed with the last of these references, and never otherwise.
"""

import hashlib
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, select

from engine.store.errors import StoreError
from engine.store.expand import BatchStatement, Row
from engine.store.schema import blobs
from engine.store.types import Blob
from engine.store.upsert import insert_into


def check_blob(blob: Blob) -> None:
    """ValueError for a blob that can never be written, or whose hash is not its text's."""
    if "\0" in blob.text:
        raise ValueError(f"the blob {blob.hash} holds a NUL character; JSON text escapes it")
    if hashlib.sha256(blob.text.encode()).hexdigest() != blob.hash:
        raise ValueError(f"the blob {blob.hash} has a text with another hash")


def put_blobs(
    connection: Connection, put_refs: BatchStatement, of_streams: Sequence[tuple[str, Sequence[Blob]]]
) -> None:
    """Write the texts that are not there yet, and that these streams refer to theirs. Costs nothing without blobs."""
    texts: dict[str, str] = {}
    refs: list[Row] = []
    for stream, its_blobs in of_streams:
        for blob in its_blobs:
            texts[blob.hash] = blob.text
            refs.append({"stream": stream, "hash": blob.hash, "data_key": ""})
    if not refs:
        return
    insert: Any = insert_into(connection.dialect, blobs)
    if connection.dialect.name == "postgresql":
        # Changes nothing, but locks the row until the reference is there: a prune of its last user waits, and looks.
        insert = insert.on_conflict_do_update(index_elements=["hash", "data_key"], set_={"hash": insert.excluded.hash})
    else:
        insert = insert.on_conflict_do_nothing()
    # In the order of their hashes, so that two batches cannot deadlock.
    connection.execute(insert, [{"hash": digest, "data_key": "", "text": texts[digest]} for digest in sorted(texts)])
    put_refs.execute(connection, refs)


def get(connection: Connection, hashes: Collection[str]) -> dict[str, str]:
    """The texts with these hashes that are there. StoreError for one that has changed."""
    rows = connection.execute(select(blobs.c.hash, blobs.c.text).where(blobs.c.hash.in_(list(hashes))))
    texts: dict[str, str] = {row.hash: row.text for row in rows}
    for digest, text in texts.items():
        if hashlib.sha256(text.encode()).hexdigest() != digest:
            raise StoreError(f"the blob {digest[:12]} is not the text that was recorded: restore it from a backup")
    return texts
