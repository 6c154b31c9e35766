"""After an older backup came back: what the world has seen beyond it is named, and what it knows is not."""

import json
import shutil
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

import pytest

from engine.store import (
    Head,
    Log,
    Sealer,
    StoredEvent,
    new_master_key,
    verify,
)
from engine.store.restored import (
    Behind,
    EffectSeen,
    ErasureSeen,
    EventSeen,
    RestoredReport,
    Witness,
    bear_witness,
    from_line,
    restored,
    to_line,
)
from tests.store.build import KEY, T0, append, appended, event, query, run_row, tamper
from tests.store.test_prune import ended
from tests.store.test_sealing import ANA


async def chain(log: Log, run: str, length: int) -> list[Head]:
    heads = [Head.EMPTY]
    for number in range(length):
        key = f'{{"key":"{run}/tag/push/{number + 1}"}}'
        heads.append(await appended(log, append(run, heads[-1], event("EFFECT_STARTED", key))))
    return heads


def effects_of(run: str, events: Sequence[StoredEvent]) -> Collection[str]:
    return {json.loads(it.payload)["key"] for it in events}


async def test_a_log_that_knows_all_that_was_seen_is_not_behind(log: Log) -> None:
    heads = await chain(log, "run_a", 3)
    await log.anchor("ws_local", T0)
    seen = [EventSeen("run_a", 2), EventSeen("run_a", 3, heads[3].hash), EventSeen("run_a", 1, heads[1].hash)]

    report = await restored(log, [*seen, EffectSeen("run_a", "run_a/tag/push/2")], effects_of)

    assert report == RestoredReport(witnesses=4)
    assert report.ok


async def test_what_was_seen_beyond_the_log_is_named_run_by_run(log: Log) -> None:
    await chain(log, "run_a", 2)
    await chain(log, "run_b", 2)
    await ended(log, "run_done")
    beyond = EventSeen("run_a", 4, where="the message 17.3 in #deploys"), EffectSeen("run_a", "run_a/tag/push/4")
    lost, late = EventSeen("run_lost", 1), EventSeen("run_done", 3)

    report = await restored(log, [*beyond, EventSeen("run_b", 2), lost, late], effects_of)

    assert report.behind == [
        Behind("run_a", 2, False, beyond), Behind("run_done", 2, True, (late,)), Behind("run_lost", 0, False, (lost,))
    ]  # fmt: skip
    assert not report.ok
    assert report.must_wait == ["run_a"]


async def test_a_run_that_went_another_way_since_is_behind(log: Log) -> None:
    heads = await chain(log, "run_a", 3)
    first, last = EventSeen("run_a", 2, "another"), EventSeen("run_a", 3, "another")

    report = await restored(log, [first, last, EventSeen("run_a", 2, heads[2].hash)])

    assert report.behind == [Behind("run_a", 3, False, (first, last))]


async def test_a_pruned_run_is_not_behind(log: Log) -> None:
    head = await ended(log, "run_a")
    seen = [EventSeen("run_a", 1, "its hash is gone"), EventSeen("run_a", 2, head.hash)]
    await log.prune("ws_local", T0 + 1, now=T0, by="Ana")

    assert (await restored(log, seen)).ok
    assert not (await restored(log, [EventSeen("run_a", 2, "another")])).ok
    assert not (await restored(log, [EventSeen("run_a", 3)])).ok


async def test_effects_cannot_be_judged_without_being_told_how(log: Log) -> None:
    with pytest.raises(ValueError, match="effects were seen"):
        await restored(log, [EffectSeen("run_a", "k")])


async def test_a_surviving_copy_s_testimony_shows_what_an_older_backup_lost(tmp_path: Path) -> None:
    sealer = Sealer.of(new_master_key())
    url, backup = f"sqlite:///{tmp_path / 'vb.db'}", tmp_path / "backup.db"
    log = await Log.open(url, KEY, sealer=sealer)
    heads = await chain(log, "run_a", 2)
    await appended(log, append("run_ana", run=run_row(status="completed", ended_at=T0), subject=ANA))
    await log.close()
    shutil.copy(tmp_path / "vb.db", backup)

    log = await Log.open(url, KEY, sealer=sealer)
    await appended(log, append("run_a", heads[2]))
    await chain(log, "run_b", 1)
    await log.erase(ANA, now=T0, by="Ben")
    lines = [line async for line in bear_witness(log, "the replica")]
    assert (await restored(log, map(from_line, lines))).ok
    await log.close()

    old = await Log.open(f"sqlite:///{backup}", KEY, sealer=sealer)
    report = await restored(old, map(from_line, lines))
    assert (await verify(old)).ok
    await old.close()

    assert [(it.stream, it.seq) for it in report.behind] == [("run_a", 2), ("run_b", 0), ("ws_local", 0)]
    assert report.must_wait == ["run_a"]
    assert report.revived == [ANA]


async def test_effects_of_an_erased_run_cannot_be_told(database_url: str) -> None:
    log = await Log.open(database_url, KEY, sealer=Sealer.of(new_master_key()))
    await appended(log, append("run_ana", run=run_row(status="completed", ended_at=T0), subject=ANA))
    await log.erase(ANA, now=T0, by="Ben")

    report = await restored(log, [EffectSeen("run_ana", "k")], effects_of)

    assert (report.behind, report.unreadable) == ([], ["run_ana"])
    await log.close()


async def test_every_head_is_testified_to_page_by_page(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["engine.store.restored"], "_PAGE", 2)
    for number in range(5):
        await chain(log, f"run_{number}", 1)
    await log.anchor("ws_local", T0)

    told = [from_line(line) async for line in bear_witness(log, "here")]

    assert [it.stream for it in told if isinstance(it, EventSeen)] == [f"run_{n}" for n in range(5)] + ["ws_local"]
    await tamper(log, "DELETE FROM events")
    await tamper(log, "DELETE FROM runs")
    assert len((await restored(log, told)).behind) == 5
    assert await query(log, "SELECT count(*) FROM workspaces") == [(1,)]


@pytest.mark.parametrize("witness", [EventSeen("run_a", 1, "ab", "é"), EffectSeen("run_a", "k"), ErasureSeen("key_a")])
def test_a_witness_is_the_same_after_a_line_of_json(witness: Witness) -> None:
    assert from_line(to_line(witness)) == witness


@pytest.mark.parametrize("line", ["", "{}", "[]", '{"saw":"event"}', '{"saw":"x","key":"k"}',
                                  '{"saw":"event","stream":"run_a","seq":"1"}'])  # fmt: skip
def test_a_line_that_is_no_witness_is_one_sentence(line: str) -> None:
    with pytest.raises(ValueError, match="this line"):
        from_line(line)
