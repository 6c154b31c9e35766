"""Erasing a person: the key of their data is destroyed, and what the caches say of it is blanked.

The one rule: the log stays whole. No event is touched, so every hash and seal still fits; only, nobody can read them.
"""

from sqlalchemy import Connection, delete, select, update

from engine.store.dbclock import now_ms
from engine.store.errors import StillOpen
from engine.store.notes import SUBJECT_ERASED, note
from engine.store.schema import data_keys, runs, signals
from engine.store.statements import Statements

# What is left in `runs` of a run whose person was erased.
BLANK = {"summary": "", "started_by": "", "labels": "{}", "search": "", "starter": ""}
_NAMED = 3


def erase(connection: Connection, statements: Statements, key: bytes, subject: str, by: str, now: int) -> int:
    """Destroy the subject's data key; how many runs it had sealed. StillOpen, and nothing happens, if one is open."""
    if connection.dialect.name == "sqlite":
        # The bytes of the wrapped key are not only given up, but overwritten.
        connection.exec_driver_sql("PRAGMA secure_delete = ON").close()
    mine = select(data_keys.c.id).where(data_keys.c.subject == subject)
    key_id = connection.scalar(mine.with_for_update())
    if key_id is None:
        return 0
    sealed = runs.c.data_key == key_id
    open_runs = select(runs.c.id).where(sealed, runs.c.ended_at.is_(None)).order_by(runs.c.id).limit(_NAMED)
    if still_open := connection.scalars(open_runs).all():
        raise StillOpen(subject, still_open)
    gone = {"subject": None, "master": None, "wrapped": None, "erased_at": now_ms()}
    connection.execute(update(data_keys).where(data_keys.c.id == key_id).values(gone))
    theirs = select(runs.c.id).where(sealed)
    connection.execute(delete(signals).where(signals.c.run.in_(theirs)))
    counts: dict[str, int] = {}
    for workspace in connection.scalars(update(runs).where(sealed).values(BLANK).returning(runs.c.workspace)):
        counts[workspace] = counts.get(workspace, 0) + 1
    if not counts:
        connection.execute(delete(data_keys).where(data_keys.c.id == key_id))
    for workspace, count in sorted(counts.items()):
        note(connection, statements, key, workspace, SUBJECT_ERASED, {"key": key_id, "runs": count, "by": by}, now)
    return sum(counts.values())
