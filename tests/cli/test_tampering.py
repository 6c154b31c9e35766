"""`vb verify` finds what somebody with the database, but without the key, has changed in it by hand."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from engine.store.chain import event_hash, head_mac
from tests.cli.conftest import Vb, run_in

GUESSED_KEY = b"guess" * 8


def change_a_byte(database: sqlite3.Connection, run: str) -> int:
    database.execute(
        "UPDATE events SET payload = replace(payload, 'Hello world', 'Hello wurld') WHERE stream = ? AND seq = 3",
        (run,),
    )
    return 3


def delete_a_middle_row(database: sqlite3.Connection, run: str) -> int:
    database.execute("DELETE FROM events WHERE stream = ? AND seq = 4", (run,))
    return 4


def delete_the_last_row_and_mend_the_caches(database: sqlite3.Connection, run: str) -> int:
    database.execute("DELETE FROM events WHERE stream = ? AND seq = 6", (run,))
    database.execute(
        "UPDATE runs SET status = 'running', summary = 'about to start', ended_at = NULL, last_seq = 5,"
        " head_hash = (SELECT hash FROM events WHERE stream = runs.id AND seq = 5) WHERE id = ?",
        (run,),
    )
    database.execute("INSERT INTO open_work (run, due, kind) VALUES (?, 0, 'ready')", (run,))
    return 5


def recompute_the_chain_with_another_key(database: sqlite3.Connection, run: str) -> int:
    previous = ""
    query = "SELECT stream, seq, type, version, at, payload FROM events WHERE stream = ? ORDER BY seq"
    for event in database.execute(query, (run,)).fetchall():
        previous = event_hash(GUESSED_KEY, previous, event)
        database.execute("UPDATE events SET hash = ? WHERE stream = ? AND seq = ?", (previous, run, event[1]))
    mac = head_mac(GUESSED_KEY, run, 6, previous)
    database.execute("UPDATE runs SET head_hash = ?, head_mac = ? WHERE id = ?", (previous, mac, run))
    return 1


@pytest.mark.parametrize(
    "tamper",
    [
        change_a_byte,
        delete_a_middle_row,
        delete_the_last_row_and_mend_the_caches,
        recompute_the_chain_with_another_key,
    ],
    ids=lambda function: function.__name__,
)
def test_verify_names_stream_and_seq(
    finished: Vb, tmp_path: Path, tamper: Callable[[sqlite3.Connection, str], int]
) -> None:
    copy = Vb(tmp_path / "copy", finished.environment)
    shutil.copytree(finished.folder, copy.folder)
    with closing(sqlite3.connect(copy.folder / "vb.db")) as database:
        run = database.execute("SELECT id FROM runs").fetchone()[0]
        seq = tamper(database, run)
        database.commit()
    done = copy("verify")
    assert done.code == 1
    assert f"{run} seq {seq}: " in done.out
    assert "The history does not hold" in done.err
    assert run_in(done.out) == run
