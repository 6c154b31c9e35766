"""Sealed texts: unreadable at rest, opened by whoever has the master key, gone for good once a person is erased."""

import asyncio
import base64
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from engine.store import (
    Append,
    Appended,
    Erased,
    Head,
    Log,
    SealBroken,
    Sealer,
    StillOpen,
    StoredEvent,
    StoreError,
    WrongMasterKey,
    new_master_key,
    verify,
)
from engine.store.notes import SUBJECT_ERASED, facts_of
from engine.store.sealing import Keys
from tests.store.build import KEY, T0, append, appended, event, query, run_row, tamper
from tests.store.test_blobs import blob

MASTER, OLDER = new_master_key(), new_master_key()
ANA, BEN = "slack:U0ANA", "slack:U0BEN"
SECRET = "the patient's name"


@pytest.fixture
async def sealed(database_url: str) -> AsyncIterator[Log]:
    log = await Log.open(database_url, KEY, sealer=Sealer.of(MASTER))
    yield log
    await log.close()
    assert log.database.connections_in_use() == 0


@pytest.fixture
async def other(database_url: str, sealed: Log) -> AsyncIterator[Log]:
    other = await Log.open(database_url, KEY, sealer=Sealer.of(MASTER))
    yield other
    await other.close()


async def started(log: Log, run: str, subject: str | None = ANA, text: str = SECRET) -> Head:
    first = event("A", f'{{"text":"{text}"}}')
    return await appended(log, append(run, Head.EMPTY, first, blobs=(blob(SECRET * 3000),), subject=subject))


async def ended(log: Log, run: str, subject: str | None = ANA) -> Head:
    head = await started(log, run, subject)
    await log.put_checkpoint(run, 1, 1, SECRET)
    row = run_row(status="completed", summary=SECRET, ended_at=T0)
    row = replace(row, labels={"patient": SECRET}, search=SECRET)
    return await appended(log, append(run, head, event("B", f'{{"text":"{SECRET}"}}'), run=row))


async def everything(log: Log) -> str:
    """All that lies in the tables, the caches of runs left out."""
    tables = ("events", "blobs", "blob_refs", "checkpoints", "data_keys")
    # Each row as a list: one that shows itself leaves out the middle of a long value.
    return str([[*row] for table in tables for row in await query(log, f"SELECT * FROM {table}")])  # noqa: S608


async def test_what_is_sealed_is_not_in_the_tables_and_is_opened_on_the_way_out(sealed: Log, other: Log) -> None:
    head = await ended(sealed, "run_a")
    long = blob(SECRET * 3000)

    lying = await everything(sealed)
    events, loaded = await other.load("run_a")
    checkpoint, tail, run_head = await other.load_run("run_a", 1)

    assert SECRET not in lying
    assert long.hash not in lying
    assert [e.payload for e in events] == [f'{{"text":"{SECRET}"}}'] * 2
    assert loaded == run_head == head
    assert checkpoint is not None
    assert (checkpoint.text, tail) == (SECRET, events[1:])
    assert await other.blobs([long.hash]) == {long.hash: long.text}
    assert (await verify(other)).findings == []


async def test_open_runs_lie_beside_sealed_ones(sealed: Log, other: Log) -> None:
    await started(sealed, "run_a", ANA)
    await started(sealed, "run_b", None)
    await appended(sealed, append("ws_local", Head.EMPTY, event("X")))

    assert [(await other.load(run))[0][0].payload for run in ("run_a", "run_b")] == [f'{{"text":"{SECRET}"}}'] * 2
    assert await query(sealed, "SELECT id FROM runs WHERE data_key IS NULL") == [("run_b",)]
    assert await query(sealed, "SELECT count(*) FROM blobs") == [(2,)]


async def test_a_run_that_began_open_stays_open(log: Log, database_url: str) -> None:
    head = await started(log, "run_a")
    later = await Log.open(database_url, KEY, sealer=Sealer.of(MASTER))
    await appended(later, append("run_a", head, event("B", '{"n":2}')))
    await later.close()

    assert [e.payload for e in (await log.load("run_a"))[0]] == [f'{{"text":"{SECRET}"}}', '{"n":2}']


async def test_a_writer_that_locks_reads_and_writes_sealed_events(sealed: Log, other: Log) -> None:
    head = await started(sealed, "run_a")
    await appended(sealed, append("run_a", head, event("B", '{"n":2}')))

    def decide(events: Sequence[StoredEvent], last: Head) -> Append:
        return append("run_a", last, event("C", f'{{"saw":{events[0].payload}}}'))

    assert isinstance(await other.append_locked("run_a", head, decide), Appended)
    assert (await sealed.load("run_a"))[0][-1].payload == '{"saw":{"n":2}}'
    assert '"saw"' not in await everything(sealed)


async def test_one_person_has_one_key_however_many_start_at_once(sealed: Log, other: Log) -> None:
    await asyncio.gather(*(started((sealed, other)[n % 2], f"run_{n}", (ANA, BEN)[n % 3 == 0]) for n in range(12)))

    assert await query(sealed, "SELECT subject FROM data_keys ORDER BY subject") == [(ANA,), (BEN,)]


async def test_a_sealed_text_in_another_s_place_is_refused(sealed: Log) -> None:
    head = await started(sealed, "run_a")
    await appended(sealed, append("run_a", head, event("A", '{"n":2}')))
    await tamper(sealed, "UPDATE events SET payload = (SELECT payload FROM events WHERE seq = 1) WHERE seq = 2")

    with pytest.raises(SealBroken, match="run_a 2 A"):
        await sealed.load("run_a")


@pytest.mark.parametrize("payload", ['{"vb.sealed":1,', '{"vb.sealed":1,"key":7}', '{"vb.sealed":1,"key":"key_none"}'])
async def test_a_broken_envelope_is_an_error_of_ours(sealed: Log, payload: str) -> None:
    await started(sealed, "run_a")
    await tamper(sealed, "UPDATE events SET payload = :p", p=payload)

    with pytest.raises(StoreError):
        await sealed.load("run_a")


async def test_a_payload_that_passes_for_a_sealed_one_is_refused(sealed: Log) -> None:
    with pytest.raises(ValueError, match="passes for a sealed one"):
        await sealed.append(append("run_a", Head.EMPTY, event(payload='{"vb.sealed":1,"key":"k"}')))


class TestMasterKeys:
    async def test_without_the_master_key_a_log_with_sealed_runs_does_not_open(
        self, sealed: Log, log: Log, database_url: str
    ) -> None:
        await started(sealed, "run_a")

        for sealer in (None, Sealer.of(OLDER)):
            with pytest.raises(WrongMasterKey, match="set it as the master key, or as an older one"):
                await Log.open(database_url, KEY, sealer=sealer)
        with pytest.raises(WrongMasterKey):
            await log.load("run_a")

    async def test_a_master_key_is_changed_by_wrapping_the_data_keys_anew(self, sealed: Log, database_url: str) -> None:
        await started(sealed, "run_a")
        new = new_master_key()

        rotating = await Log.open(database_url, KEY, sealer=Sealer.of(new, [MASTER]))
        before = await rotating.load("run_a")
        assert await rotating.rewrap() == 1
        assert await rotating.rewrap() == 0
        await rotating.close()

        after = await Log.open(database_url, KEY, sealer=Sealer.of(new))
        assert await after.load("run_a") == before
        await appended(after, append("run_a", before[1]))
        assert (await verify(after)).findings == []
        await after.close()

    @pytest.mark.parametrize("text", ["", "x", SECRET, base64.b64encode(b"short").decode(), "é" * 44])
    def test_what_is_no_master_key_is_refused_without_being_repeated(self, text: str) -> None:
        with pytest.raises(ValueError, match="32") as error:
            Sealer.of(text)
        assert not text or text not in str(error.value)

    async def test_no_key_is_in_a_repr_an_error_or_the_log(
        self, sealed: Log, database_url: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        head = await started(sealed, "run_a")
        await tamper(sealed, 'UPDATE events SET payload = replace(payload, \'"text":"\', \'"text":"AAAA\')')
        said = [repr(sealed.vault.sealer), repr(Keys(KEY, sealed.vault.sealer))]
        key = await sealed.vault.key_for(append("run_a", head))
        assert key is not None
        said.append(repr(key))
        for failing in (sealed.load("run_a"), Log.open(database_url, KEY, sealer=Sealer.of(OLDER))):
            with pytest.raises(StoreError) as error:
                await failing
            said.append(repr(error.value) + str(error.value.__cause__) + str(error.value.__context__))

        for secret in (base64.b64decode(MASTER), base64.b64decode(OLDER), key.secret, KEY):
            for spelled in (base64.b64encode(secret).decode(), secret.hex(), repr(secret)[2:-1]):
                assert spelled not in "".join(said) + caplog.text


class TestErasing:
    async def test_an_erased_person_s_texts_are_gone_and_the_log_is_whole(self, sealed: Log, other: Log) -> None:
        head = await ended(sealed, "run_a")
        await ended(sealed, "run_ben", BEN)
        await other.load("run_a")

        assert await sealed.erase(ANA, now=T0, by="Ben") == 1

        for log in (sealed, other):
            for reading in (log.load("run_a"), log.load_run("run_a", 1)):
                with pytest.raises(Erased, match="The data of run_a was erased"):
                    await reading
            with pytest.raises(Erased):
                await log.append(append("run_a", head))
        assert await sealed.blobs([blob(SECRET * 3000).hash]) != {}
        assert (await sealed.load("run_ben"))[0][0].payload == f'{{"text":"{SECRET}"}}'
        assert (await verify(other)).findings == []
        rows = await query(sealed, "SELECT id, status, summary, started_by, search, labels FROM runs ORDER BY id")
        assert rows[0] == ("run_a", "completed", "", "", "", "{}")
        assert rows[1][2] == SECRET
        assert ANA not in await everything(sealed)

    async def test_a_blob_of_nobody_else_s_is_erased_too(self, sealed: Log) -> None:
        await ended(sealed, "run_a")
        await sealed.erase(ANA, now=T0, by="Ben")

        with pytest.raises(Erased):
            await sealed.blobs([blob(SECRET * 3000).hash])

    async def test_a_person_with_an_open_run_is_not_erased(self, sealed: Log) -> None:
        await ended(sealed, "run_a")
        await started(sealed, "run_b")

        with pytest.raises(StillOpen, match="run_b: cancel them"):
            await sealed.erase(ANA, now=T0, by="Ben")
        assert len((await sealed.load("run_a"))[0]) == 2

    async def test_an_append_to_an_erased_run_does_not_hold_up_the_others_of_its_batch(
        self, sealed: Log, other: Log
    ) -> None:
        head = await ended(sealed, "run_a")
        heads = {f"run_b{n}": await started(sealed, f"run_b{n}", BEN) for n in range(3)}
        await other.erase(ANA, now=T0, by="Ben")

        late = [append(run, last) for run, last in {"run_a": head, **heads}.items()]
        outcomes = await asyncio.gather(*map(sealed.append, late), return_exceptions=True)

        assert [type(outcome) for outcome in outcomes] == [Erased, Appended, Appended, Appended]

    async def test_a_person_who_comes_back_has_a_new_key(self, sealed: Log, other: Log) -> None:
        await ended(sealed, "run_a")
        await started(other, "run_x", BEN)
        await sealed.erase(ANA, now=T0, by="Ben")

        # This process still remembers the key that is gone.
        await started(sealed, "run_b")

        assert len((await other.load("run_b"))[0]) == 1
        assert (await verify(sealed)).findings == []

    async def test_starting_and_erasing_at_once_leaves_no_run_that_was_sealed_in_vain(
        self, sealed: Log, other: Log
    ) -> None:
        for number in range(15):
            await ended(sealed, f"run_old{number}")
            outcomes = await asyncio.gather(
                started(sealed, f"run_new{number}"), other.erase(ANA, now=T0, by="Ben"), return_exceptions=True
            )
            assert isinstance(outcomes[0], Head)
            assert outcomes[1] == 1 or isinstance(outcomes[1], StillOpen)
            assert len((await other.load(f"run_new{number}"))[0]) == 1
            row = run_row(status="completed", ended_at=T0)
            await appended(other, append(f"run_new{number}", outcomes[0], event("B"), run=row))
            await other.erase(ANA, now=T0, by="Ben")

    async def test_that_somebody_was_erased_is_on_record_without_their_name(self, sealed: Log) -> None:
        await ended(sealed, "run_a")
        await sealed.erase(ANA, now=T0, by="Ben")

        last = (await sealed.load("ws_local"))[0][-1]
        assert (last.type, facts_of(last.payload)["runs"], facts_of(last.payload)["by"]) == (SUBJECT_ERASED, 1, "Ben")
        assert ANA not in last.payload

    async def test_erasing_nobody_changes_nothing(self, sealed: Log) -> None:
        assert await sealed.erase("slack:U0NOBODY", now=T0, by="Ben") == 0
        assert await query(sealed, "SELECT count(*) FROM events") == [(0,)]

    async def test_pruning_takes_keys_that_nothing_is_sealed_by_any_more(self, sealed: Log) -> None:
        await ended(sealed, "run_a")
        await ended(sealed, "run_b", BEN)
        await started(sealed, "run_c", BEN)
        await sealed.prune("ws_local", T0 + 1, now=T0 + 2, by="Ana")

        assert await query(sealed, "SELECT subject FROM data_keys") == [(BEN,)]
        assert await sealed.blobs([blob(SECRET * 3000).hash]) != {}
        assert (await verify(sealed)).findings == []
