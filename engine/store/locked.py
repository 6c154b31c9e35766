"""The append of a writer that has lost before: lock the head, load, decide, write, in one transaction.

The one rule: the decision sees every event that is there, and nobody can add one before its own are in.
"""

from sqlalchemy import Connection

from engine.store import slots
from engine.store.commit import commit_batch
from engine.store.data_keys import of_run
from engine.store.database import Database
from engine.store.ledger import purse_of
from engine.store.prepare import Prepared, prepare
from engine.store.sealing import Keys
from engine.store.statements import Statements
from engine.store.streams import Decide, load, lock_head
from engine.store.types import Appended, Head, Outcome


async def append_locked(
    database: Database,
    statements: Statements,
    keys: Keys,
    stream: str,
    known: Head,
    decide: Decide,
    *,
    spends_from: str = "",
) -> Outcome | None:
    """What became of the append that `decide` made; None if it made none. `spends_from` is
    the workspace whose balances it may change."""
    tried: list[Prepared] = []

    def transaction(connection: Connection) -> Outcome | None:
        if spends_from:
            # Before the head, as every other append that spends locks it.
            slots.lock(connection, statements.slots, purse_of(spends_from))
        lock_head(connection, stream)
        events, head = load(connection, keys.sealer, stream, known.seq)
        # After a connection that broke during the commit: the events that we tried to add may be there.
        hashes = {event.hash for event in events}
        for earlier in tried:
            if earlier.head.hash in hashes:
                return Appended(earlier.head)
        append = decide(events, head)
        if append is None:
            return None
        data_key = None if keys.sealer is None else of_run(connection, keys.sealer, stream)
        item = prepare(append, keys.chain, data_key)
        tried.append(item)
        return commit_batch(connection, statements, [item])[0]

    return await database.write(transaction)
