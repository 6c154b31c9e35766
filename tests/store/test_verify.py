"""Verify finds what was changed by hand, and says where; it finds nothing where nothing was changed."""

import time
from collections.abc import Sequence

import pytest

from engine.store import Head, Log, Report, RunRow, StoredEvent, verify
from engine.store.chain import event_hash, head_mac
from engine.store.types import DueKind
from tests.store.build import KEY, T0, append, appended, event, query, run_row, tamper


async def chain(log: Log, stream: str, length: int = 5) -> Head:
    head = Head.EMPTY
    for number in range(length):
        head = await appended(log, append(stream, head, event(payload=f'{{"step":"{number}"}}')))
    return head


async def found(log: Log, streams: Sequence[str] | None = None) -> list[tuple[str, int | None]]:
    report = await verify(log, streams)
    assert report.ok == (not report.findings)
    return [(finding.stream, finding.seq) for finding in report.findings]


async def mend_head(log: Log, stream: str) -> None:
    """Make the run's row fit its last event, as far as somebody without the key can."""
    await tamper(
        log,
        "UPDATE runs SET last_seq = (SELECT max(seq) FROM events WHERE stream = :s), "
        "head_hash = (SELECT hash FROM events WHERE stream = :s ORDER BY seq DESC LIMIT 1) WHERE id = :s",
        s=stream,
    )


async def test_a_log_that_nobody_touched_is_whole(log: Log) -> None:
    await chain(log, "run_a")
    await chain(log, "run_b", 3)
    await log.anchor("ws_local", T0)

    report = await verify(log)

    assert (report.ok, report.streams, report.events, report.anchors) == (True, 3, 9, 2)
    assert (await verify(log, ["run_b"])).events == 3


@pytest.mark.parametrize("column", ["type", "at", "payload", "hash"])
async def test_one_changed_byte_is_found(log: Log, column: str) -> None:
    await chain(log, "run_a")
    await chain(log, "run_b")
    assert await tamper(log, f"UPDATE events SET {column} = replace({column}, substr({column}, 3, 1), 'z') "  # noqa: S608
                             "WHERE stream = 'run_a' AND seq = 3") == 1  # fmt: skip

    assert ("run_a", 3) in await found(log)
    assert {stream for stream, _ in await found(log)} == {"run_a"}
    assert await found(log, ["run_b"]) == []


async def test_a_row_deleted_in_the_middle_is_found(log: Log) -> None:
    await chain(log, "run_a")
    await tamper(log, "DELETE FROM events WHERE stream = 'run_a' AND seq = 3")
    await mend_head(log, "run_a")

    assert await found(log) == [("run_a", 3)]


async def test_a_row_deleted_in_the_middle_is_found_though_the_rest_moved_up(log: Log) -> None:
    await chain(log, "run_a")
    await tamper(log, "DELETE FROM events WHERE stream = 'run_a' AND seq = 3")
    for seq in (4, 5):
        await tamper(log, "UPDATE events SET seq = :to WHERE stream = 'run_a' AND seq = :seq", seq=seq, to=seq - 1)
    await mend_head(log, "run_a")

    assert ("run_a", 3) in await found(log)


async def test_the_last_row_deleted_with_the_caches_mended_is_found(log: Log) -> None:
    await chain(log, "run_a")
    await tamper(log, "DELETE FROM events WHERE stream = 'run_a' AND seq = 5")
    await mend_head(log, "run_a")

    assert await found(log) == [("run_a", 4)]


async def test_an_old_state_put_back_whole_is_found_by_its_anchor(log: Log) -> None:
    head = await chain(log, "run_a", 4)
    [(mac,)] = await query(log, "SELECT head_mac FROM runs")
    await appended(log, append("run_a", head))
    await log.anchor("ws_local", T0)
    await tamper(log, "DELETE FROM events WHERE stream = 'run_a' AND seq = 5")
    await tamper(log, "UPDATE runs SET last_seq = 4, head_hash = :hash, head_mac = :mac", hash=head.hash, mac=mac)

    assert await found(log) == [("run_a", 5)]
    assert await found(log, ["run_a"]) == [("run_a", 5)]


async def test_a_run_removed_without_a_trace_is_found_by_its_anchor(log: Log) -> None:
    await chain(log, "run_a")
    await log.anchor("ws_local", T0)
    await tamper(log, "DELETE FROM events WHERE stream = 'run_a'")
    await tamper(log, "DELETE FROM runs")

    assert await found(log) == [("run_a", 5)]


async def test_a_chain_made_anew_without_the_key_is_found(log: Log) -> None:
    await chain(log, "run_a")
    previous = ""
    for e in (await log.load("run_a"))[0]:
        payload = e.payload.replace("2", "9")
        previous = event_hash(b"another key", previous, (e.stream, e.seq, e.type, e.version, e.at, payload))
        await tamper(log, "UPDATE events SET payload = :p, hash = :h WHERE stream = 'run_a' AND seq = :seq",
                     p=payload, h=previous, seq=e.seq)  # fmt: skip
    await tamper(log, "UPDATE runs SET head_hash = :h, head_mac = :m",
                 h=previous, m=head_mac(b"another key", "run_a", 5, previous))  # fmt: skip

    assert ("run_a", 1) in await found(log)


async def test_a_workspace_s_own_stream_is_verified(log: Log) -> None:
    await chain(log, "run_a")
    await log.anchor("ws_local", T0)
    await tamper(log, "UPDATE events SET payload = replace(payload, '[5', '[4') WHERE stream = 'ws_local'")

    assert ("ws_local", 1) in await found(log)


async def test_rows_that_belong_to_nothing_are_found(log: Log) -> None:
    await chain(log, "run_a")
    await tamper(log, "INSERT INTO open_work (run, due, kind) VALUES ('run_b', 1, 'ready')")
    await tamper(log, "UPDATE events SET stream = 'run_c' WHERE seq = 5")

    assert await found(log) == [("run_a", 5), ("run_b", None), ("run_c", 1), ("run_c", 5)]


async def test_a_stream_that_is_not_there_is_a_finding(log: Log) -> None:
    assert await found(log, ["run_none"]) == [("run_none", None)]


async def test_anchoring_takes_each_changed_head_once(log: Log) -> None:
    head = await chain(log, "run_a")
    await chain(log, "run_b")
    await appended(log, append("run_c", run=run_row("ws_other")))

    assert await log.anchor("ws_local", T0) == 2
    assert await log.anchor("ws_local", T0) == 0
    await appended(log, append("run_a", head))
    assert await log.anchor("ws_local", T0 - 60_000) == 1
    events, _ = await log.load("ws_local")
    assert [(e.type, e.at) for e in events] == [("RUN_HEADS_ANCHORED", events[0].at)] * 2
    assert await found(log) == []


class TestCaches:
    """With a fold, what lists show must be what the events say."""

    @staticmethod
    def fold(stream: str, events: list[StoredEvent]) -> tuple[RunRow, int | None, DueKind]:
        if events[-1].type == "RUN_COMPLETED":
            return run_row(status="completed", ended_at=T0), None, "ready"
        return run_row(), T0 + len(events), "timer"

    async def report(self, log: Log) -> Report:
        return await verify(log, fold=self.fold)

    async def start(self, log: Log) -> None:
        await appended(log, append("run_a", run=run_row(), due=T0 + 1, due_kind="timer"))

    async def test_caches_that_follow_the_events_are_right(self, log: Log) -> None:
        await self.start(log)
        head = await appended(log, append("run_b", run=run_row(), due=T0 + 1, due_kind="timer"))
        done = run_row(status="completed", ended_at=T0)
        await appended(log, append("run_b", head, event("RUN_COMPLETED"), run=done, due=None))
        await log.take_due(T0 + 1, 10)

        assert (await self.report(log)).findings == []

    async def test_a_run_that_takes_long_to_fold_is_checked_to_its_end(self, database_url: str) -> None:
        def long(stream: str, events: list[StoredEvent]) -> tuple[RunRow, int | None, DueKind]:
            time.sleep(1.0)
            return self.fold(stream, events)

        log = await Log.open(database_url, KEY, lease_ms=400)
        try:
            await self.start(log)
            report = await verify(log, fold=long)
            assert (report.findings, report.folded) == ([], 1)
        finally:
            await log.close()

    @pytest.mark.parametrize(
        ("change", "what"),
        [
            ("UPDATE runs SET status = 'completed'", "`runs.status` is 'completed', but the events say 'running'"),
            ("UPDATE runs SET ended_at = 5", "`runs.ended_at` is 5, but the events say None"),
            ("DELETE FROM open_work", "there is no open work, but the events say some"),
            ("UPDATE open_work SET kind = 'ready'", "`open_work.kind` is 'ready', but the events say 'timer'"),
            ("UPDATE open_work SET due = 7", f"`open_work.due` is 7, but the events say {T0 + 1}"),
        ],
    )
    async def test_a_cache_that_does_not_is_named(self, log: Log, change: str, what: str) -> None:
        await self.start(log)
        await tamper(log, change)

        assert [str(finding) for finding in (await self.report(log)).findings] == [f"run_a: {what}"]

    async def test_events_that_cannot_be_folded_are_a_finding(self, log: Log) -> None:
        await self.start(log)

        def stumble(stream: str, events: list[StoredEvent]) -> tuple[RunRow, int | None, DueKind]:
            raise LookupError(f"{len(events)} events of {stream}")

        [finding] = (await verify(log, fold=stumble)).findings
        assert str(finding) == "run_a: the events cannot be folded (LookupError: 1 events of run_a)"


def test_the_hash_of_an_event_is_fixed_for_ever() -> None:
    """Logs that are out there were hashed like this; computed once by hand with the command line's openssl."""
    content = ("run_a", 1, "RUN_STARTED", 1, "2026-11-22T04:20:00.123Z", '{"a":"ü"}')
    assert event_hash(KEY, "", content) == "c8e919b007f57aad85c8d9f382473481f85cb30c85e709e2f0de7bfb53767cd0"
    assert head_mac(KEY, "run_a", 1, "ab") == "0d12c1dd14b09a9cc7a72fbcea51b5becaec1e1e00f4fd047f1d9b2b1f625f78"
