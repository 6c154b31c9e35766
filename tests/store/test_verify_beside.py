"""Verify looks also beside the events: checkpoints, long texts, rows of runs that are not there, keys, pruned runs."""

from typing import Any

import pytest

from engine.store import Deliveries, Finding, Head, Log, Report, Sealer, Signal, StoredEvent, new_master_key, verify
from engine.store.chain import checkpoint_mac
from engine.store.claims import key_findings
from tests.store.build import KEY, T0, append, appended, event, query, run_row, tamper
from tests.store.test_blobs import blob
from tests.store.test_prune import ended
from tests.store.test_sealing import ANA


def refold(stream: str, events: list[StoredEvent], version: int) -> str | None:
    """The state is what the payloads say in turn."""
    return f"{stream}:" + "+".join(it.payload for it in events) if version == 1 else None


async def found(log: Log, **options: Any) -> list[str]:
    return [str(it) for it in (await verify(log, **options)).findings]


class TestCheckpoints:
    async def start(self, log: Log) -> list[Head]:
        heads = [await appended(log, append("run_a", Head.EMPTY, event(payload="1")))]
        for payload in "23":
            heads.append(await appended(log, append("run_a", heads[-1], event(payload=payload))))
        return heads

    async def test_a_checkpoint_that_the_events_lead_to_is_right(self, log: Log) -> None:
        await self.start(log)
        await log.put_checkpoint("run_a", 2, 1, "run_a:1+2")
        await log.put_checkpoint("run_a", 3, 2, "of another release")

        report = await verify(log, refold=refold)

        assert (report.findings, report.checkpoints) == ([], 2)
        assert await found(log) == []

    async def test_one_that_they_do_not_lead_to_is_found(self, log: Log) -> None:
        await self.start(log)
        await log.put_checkpoint("run_a", 2, 1, "run_a:1+2+3")

        assert await found(log, refold=refold) == [
            "run_a seq 2: the checkpoint is not the state that the events before it lead to"
        ]

    async def test_one_that_was_changed_is_found_also_without_a_fold(self, log: Log) -> None:
        await self.start(log)
        await log.put_checkpoint("run_a", 2, 1, "run_a:1+2")
        await tamper(log, "UPDATE checkpoints SET text = 'forged'")

        assert await found(log) == ["run_a seq 2: the checkpoint was changed after it was made"]

    async def test_one_of_another_past_is_found(self, log: Log) -> None:
        heads = await self.start(log)
        await log.put_checkpoint("run_a", 2, 1, "run_a:1+2")
        mac = checkpoint_mac(KEY, "run_a", 2, 1, heads[2].hash, "run_a:1+2")
        await tamper(log, "UPDATE checkpoints SET hash = :hash, mac = :mac", hash=heads[2].hash, mac=mac)

        assert await found(log, refold=refold) == [
            "run_a seq 2: the checkpoint was made after another event than the one that is there"
        ]

    async def test_a_fold_that_stumbles_is_a_finding(self, log: Log) -> None:
        await self.start(log)
        await log.put_checkpoint("run_a", 2, 1, "run_a:1+2")

        def stumble(stream: str, events: list[StoredEvent], version: int) -> str | None:
            raise LookupError(f"{len(events)} of {stream} for {version}")

        assert await found(log, refold=stumble) == [
            "run_a seq 2: the checkpoint cannot be made again (LookupError: 2 of run_a for 1)"
        ]


ROWS = {
    "cursors": "INSERT INTO cursors (consumer, stream) VALUES ('threads', 'run_x')",
    "deliveries": "INSERT INTO deliveries (consumer, stream, key, seq, intent, created_at) "
                  "VALUES ('threads', 'run_x', 'k', 1, '{}', 1)",
    "checkpoints": "INSERT INTO checkpoints (stream, seq, version, hash, text, mac) VALUES ('run_x', 1, 1, '', '', '')",
    "slots": "INSERT INTO slots (key, run, held, rank, since) VALUES ('deploy', 'run_x', true, 1, 1)",
    "listeners": "INSERT INTO listeners (run, name, correlation, workspace) VALUES ('run_x', 'paid', '', 'ws_local')",
    "run_labels": "INSERT INTO run_labels (workspace, name, value, run) VALUES ('ws_local', 'a', 'b', 'run_x')",
    "signals": "INSERT INTO signals (id, workspace, name, correlation, payload, at, run) "
               "VALUES ('s', 'ws_local', 'paid', '', '{}', 1, 'run_x')",
}  # fmt: skip


@pytest.mark.parametrize("table", sorted(ROWS))
async def test_a_row_of_a_run_that_is_not_there_is_found(log: Log, table: str) -> None:
    await appended(log, append("run_a"))
    await tamper(log, ROWS[table])

    assert await found(log) == [f"run_x: `{table}` has rows of it, but there is no such run"]


async def test_what_is_told_of_a_workspace_is_of_something_that_is_there(log: Log) -> None:
    await appended(log, append("ws_a", Head.EMPTY, event("SWITCH_THROWN")))
    for table in ("cursors", "deliveries"):
        await tamper(log, ROWS[table].replace("run_x", "ws_a"))

    assert await found(log) == []


async def test_rows_of_runs_that_are_there_are_counted_page_by_page(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.store.belongings._PAGE", 2)
    deliveries = Deliveries(log)
    for number in range(5):
        await appended(log, append(f"run_{number}", blobs=(blob(), blob(f"{number}"))))
        await deliveries.intend("threads", f"run_{number}", "card", 1, {})
    await log.put_signal(Signal(id="s", workspace="ws_local", name="n", correlation="", payload="{}", at=1))

    report = await verify(log)

    assert (report.findings, report.blobs, report.rows) == ([], 6, 5 + 10 + 1)
    await tamper(log, ROWS["deliveries"])
    await tamper(log, "UPDATE deliveries SET stream = 'run_0x' WHERE stream = 'run_x'")
    assert [it.stream for it in (await verify(log)).findings] == ["run_0x"]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("DELETE FROM blobs", "run_a: the long text {0} is missing"),
        ("UPDATE blobs SET text = 'another'", "long text {0}: it is not the text that was recorded"),
        ("DELETE FROM blob_refs", "long text {0}: no run refers to it"),
    ],
)
async def test_a_long_text_that_is_not_as_it_was_is_found(log: Log, change: str, what: str) -> None:
    await appended(log, append("run_a", blobs=(blob(),)))
    await tamper(log, change)

    assert await found(log) == [what.format(blob().hash[:12])]


async def test_a_report_says_what_was_checked_and_how_fast(log: Log) -> None:
    await ended(log, "run_a", T0, blob())
    await log.prune("ws_local", T0 + 1, now=T0, by="Ana")
    await appended(log, append("run_b", blobs=(blob(),)))
    await log.put_checkpoint("run_b", 1, 1, "state")

    report = await verify(log, fold=lambda _stream, _events: (run_row(), None, "ready"))

    assert (report.streams, report.events, report.anchors, report.folded) == (2, 3, 1, 1)
    assert (report.checkpoints, report.blobs, report.pruned, report.erased) == (1, 1, 1, 0)
    assert report.events_per_second == round(3 / report.seconds)
    assert Report().events_per_second == 0


async def test_a_pruned_run_that_is_asked_for_is_no_finding(log: Log) -> None:
    await ended(log, "run_a")
    await log.prune("ws_local", T0 + 1, now=T0, by="Ana")

    assert (await verify(log, ["run_a"])).findings == []
    await tamper(log, "DELETE FROM pruned")
    assert (await verify(log, ["run_a"])).findings != []


async def test_a_pruned_run_that_was_put_back_is_found(log: Log) -> None:
    await ended(log, "run_a")
    rows = [await query(log, f"SELECT * FROM {table}") for table in ("events", "runs")]  # noqa: S608
    await log.prune("ws_local", T0 + 1, now=T0, by="Ana")
    for table, (row, *_) in zip(("events", "runs"), (rows[0][1:], rows[1]), strict=True):
        values = {f"p{index}": value for index, value in enumerate(row)}
        await tamper(log, f"INSERT INTO {table} VALUES ({', '.join(f':{name}' for name in values)})", **values)  # noqa: S608

    assert "run_a seq 2: the event is there, but ws_local seq 2 says that its run was pruned" in await found(log)


class TestErased:
    @pytest.fixture
    async def sealed(self, database_url: str) -> Any:
        log = await Log.open(database_url, KEY, sealer=Sealer.of(new_master_key()))
        row = run_row(status="completed", ended_at=T0)
        await appended(log, append("run_a", run=row, subject=ANA))
        yield log
        await log.close()

    async def test_an_erased_run_is_counted_and_its_caches_are_blank(self, sealed: Log) -> None:
        await sealed.erase(ANA, now=T0, by="Ben")
        assert (await verify(sealed)).erased == 1
        await tamper(sealed, "UPDATE runs SET summary = 'a name'")

        assert await found(sealed) == ["run_a: the run's data was erased, but `runs.summary` still has some"]

    async def test_a_key_that_nobody_is_on_record_for_destroying_is_found(self, sealed: Log) -> None:
        await tamper(sealed, "UPDATE data_keys SET wrapped = NULL, master = NULL")
        await tamper(sealed, "UPDATE runs SET summary = '', started_by = ''")

        [what] = await found(sealed)
        assert what.endswith("this data key was destroyed, but nobody is on record for it")

    async def test_an_erasure_while_verify_is_at_work_is_no_finding(self, sealed: Log) -> None:
        await sealed.erase(ANA, now=T0, by="Ben")

        assert await sealed.database.snapshot(key_findings, set[str]()) == []

    async def test_a_key_that_came_back_is_found(self, sealed: Log) -> None:
        [(key, master, wrapped)] = await query(sealed, "SELECT id, master, wrapped FROM data_keys")
        await sealed.erase(ANA, now=T0, by="Ben")
        await tamper(sealed, "UPDATE data_keys SET wrapped = :w, master = :m, subject = 'x'", w=wrapped, m=master)

        assert f"{key}: this data key was erased, but is back: erase its person again" in await found(sealed)

    async def test_the_fold_sees_what_is_sealed_opened(self, sealed: Log) -> None:
        seen: list[str] = []

        def fold(_stream: str, events: list[StoredEvent]) -> Any:
            seen.extend(it.payload for it in events)
            return run_row(status="completed", ended_at=T0), None, "ready"

        assert (await verify(sealed, fold=fold)).findings == []
        assert seen == ['{"step":"tag"}']


def test_a_finding_says_where() -> None:
    assert [str(Finding("run_a", seq, "it is wrong")) for seq in (None, 3)] == [
        "run_a: it is wrong", "run_a seq 3: it is wrong"
    ]  # fmt: skip
