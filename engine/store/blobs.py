"""Long texts, kept beside the events that refer to them by the sha256 of the text.

The one rule: a text is written in the transaction of the first append that refers to it, with a reference for every
stream that does; it is removed with the last of these references, and never otherwise.
"""

import hashlib
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, select

from engine.store.errors import Erased, StoreError
from engine.store.expand import BatchStatement, Row
from engine.store.opening import blob_place, open_text
from engine.store.prepare import Prepared
from engine.store.schema import blobs
from engine.store.sealing import Keys, hidden
from engine.store.upsert import insert_into


def put_blobs(connection: Connection, put_refs: BatchStatement, winners: Sequence[Prepared]) -> None:
    """Write the texts that are not there yet, and that these streams refer to theirs. Costs nothing without blobs."""
    texts: dict[tuple[str, str], str] = {}
    refs: list[Row] = []
    for item in winners:
        for blob in item.append.blobs:
            texts[blob.hash, item.data_key] = blob.text
            refs.append({"stream": item.append.stream, "hash": blob.hash, "data_key": item.data_key})
    if not refs:
        return
    insert: Any = insert_into(connection.dialect, blobs)
    if connection.dialect.name == "postgresql":
        # Changes nothing, but locks the row until the reference is there: a prune of its last user waits, and looks.
        insert = insert.on_conflict_do_update(index_elements=["hash", "data_key"], set_={"hash": insert.excluded.hash})
    else:
        insert = insert.on_conflict_do_nothing()
    # In the order of their hashes, so that two batches cannot deadlock.
    rows = [{"hash": digest, "data_key": key, "text": texts[digest, key]} for digest, key in sorted(texts)]
    connection.execute(insert, rows)
    put_refs.execute(connection, refs)


def get(connection: Connection, keys: Keys, hashes: Collection[str]) -> dict[str, str]:
    """The texts with these hashes that are there. StoreError for one that has changed.

    Erased if a text is there under destroyed data keys alone.
    """
    wanted = {place: digest for digest in hashes for place in (digest, hidden(keys.chain, digest))}
    query = select(blobs).where(blobs.c.hash.in_(list(wanted))).order_by(blobs.c.hash, blobs.c.data_key)
    texts: dict[str, str] = {}
    erased: dict[str, Erased] = {}
    for row in connection.execute(query):
        digest, what = wanted[row.hash], f"the blob {wanted[row.hash][:12]}"
        if digest in texts:
            continue
        try:
            text = open_text(connection, keys.sealer, row.text, blob_place(row.hash), what)
        except Erased as error:
            erased[digest] = error
            continue
        if hashlib.sha256(text.encode()).hexdigest() != digest:
            raise StoreError(f"{what} is not the text that was recorded: restore it from a backup")
        texts[digest] = text
    for digest, error in erased.items():
        if digest not in texts:
            raise error
    return texts
