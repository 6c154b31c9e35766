"""Blobs are kept once, with the append that needs them, and are the text that was put or an error."""

import asyncio
import hashlib

import pytest

from engine.store import Blob, Conflict, Head, Log, StoreError
from tests.store.build import append, appended, event, query, tamper


def blob(text: str = "a long text, naïve ✓ 𝄞") -> Blob:
    return Blob(hashlib.sha256(text.encode()).hexdigest(), text)


async def test_a_blob_is_there_as_soon_as_its_append_is(log: Log, other: Log) -> None:
    one, two = blob(), blob("x" * 300_000)

    await appended(log, append("run_a", Head.EMPTY, blobs=(one, two)))

    assert await other.blobs([one.hash, two.hash, "0" * 64]) == {one.hash: one.text, two.hash: two.text}
    assert await other.blobs([]) == {}


async def test_an_append_that_loses_leaves_no_blob(log: Log) -> None:
    await appended(log, append("run_a"))

    assert isinstance(await log.append(append("run_a", blobs=(blob(),))), Conflict)
    assert await log.blobs([blob().hash]) == {}
    assert await query(log, "SELECT * FROM blob_refs") == []


async def test_one_text_of_many_runs_is_kept_once_with_a_reference_of_each(log: Log, other: Log) -> None:
    shared = [blob(str(number)) for number in range(10)]
    runs = [f"run_{number:02d}" for number in range(20)]

    heads = await asyncio.gather(
        *(
            appended((log, other)[n % 2], append(run, blobs=tuple(shared if n % 3 else reversed(shared))))
            for n, run in enumerate(runs)
        )
    )
    await appended(log, append("run_00", heads[0], blobs=(shared[0],)))

    assert await query(log, "SELECT count(*) FROM blobs") == [(10,)]
    refs = await query(log, "SELECT stream, hash FROM blob_refs ORDER BY stream, hash")
    assert refs == [(run, digest) for run in runs for digest in sorted(one.hash for one in shared)]


@pytest.mark.parametrize("bad", [Blob("0" * 64, "x"), blob("a\0b")], ids=["another hash", "NUL"])
async def test_a_blob_that_cannot_be_kept_is_a_value_error(log: Log, bad: Blob) -> None:
    with pytest.raises(ValueError, match="the blob"):
        await log.append(append("run_a", Head.EMPTY, event(), blobs=(bad,)))
    assert await log.load("run_a") == ([], Head.EMPTY)


async def test_a_text_that_was_changed_is_never_returned(log: Log) -> None:
    await appended(log, append("run_a", blobs=(blob(),)))
    await tamper(log, "UPDATE blobs SET text = 'another'")

    with pytest.raises(StoreError, match="is not the text that was recorded"):
        await log.blobs([blob().hash])
