"""The epoch: from a throw's acknowledgement on, nothing is written that was decided on before it."""

import asyncio
import random

from engine.store import Append, Appended, AtEpoch, Conflict, Head, Log, NewEpoch, Refused
from tests.store.build import append, appended, event, query, run_row

WS = "ws_e"
FAR = 4_000_000_000_000


def throw(head: Head, epoch: int, key: str = "workspace", stream: str = WS) -> Append:
    events = (event("SWITCH_THROWN"),)
    return Append(stream=stream, after=head, events=events, epoch=NewEpoch(epoch, throws=key))


def lift(head: Head, epoch: int, *, everywhere: bool = False) -> Append:
    new = NewEpoch(epoch, lifts="workspace", frees=True, everywhere=everywhere)
    return Append(stream=WS, after=head, events=(event("SWITCH_LIFTED"),), epoch=new)


def held(stream: str, workspace: str = WS) -> Append:
    return append(stream, run=run_row(workspace), due=FAR, due_kind="held")


async def test_what_was_decided_at_another_epoch_is_refused_and_changes_nothing(log: Log) -> None:
    head = await appended(log, append("run_1"))
    after = await appended(log, append("run_1", head, run=run_row(), guards=(AtEpoch(0),)))

    await appended(log, throw(Head.EMPTY, 1))

    assert await log.append(append("run_1", after, run=run_row(), guards=(AtEpoch(0),))) == Refused(AtEpoch(0))
    assert await log.append(append("run_1", head, run=run_row(), guards=(AtEpoch(1),))) == Conflict(after)
    assert (await log.load("run_1"))[1] == after
    await appended(log, append("run_1", after, run=run_row(), guards=(AtEpoch(1),)))


async def test_of_two_who_move_the_epoch_one_wins(log: Log) -> None:
    one, two = await asyncio.gather(
        log.append(throw(Head.EMPTY, 1)), log.append(throw(Head.EMPTY, 1, stream="ws_other"))
    )

    assert {type(one), type(two)} == {Appended, Refused}
    epoch, thrown = await log.switches()
    assert (epoch, [(each.type, each.seq) for each in thrown]) == (1, [("SWITCH_THROWN", 1)])


async def test_lifting_makes_what_is_held_due_in_its_workspace_or_everywhere(log: Log) -> None:
    for stream, workspace in (("run_1", WS), ("run_2", WS), ("run_3", "ws_other")):
        await appended(log, held(stream, workspace))
    await appended(log, append("run_4", run=run_row(WS), due=FAR, due_kind="timer"))
    head = await appended(log, throw(Head.EMPTY, 1))
    now = await log.now()
    assert await log.take_due(now, 10) == []

    head = await appended(log, lift(head, 2))
    assert (await log.switches())[1] == []
    assert sorted(one.run for one in await log.take_due(await log.now(), 10)) == ["run_1", "run_2"]

    await appended(log, lift(head, 3, everywhere=True))
    assert {one.run for one in await log.take_due(await log.now(), 10)} >= {"run_3"}
    assert await query(log, "SELECT due FROM open_work WHERE run = 'run_4'") == [(FAR,)]


async def test_no_start_is_written_after_a_throw_is_acknowledged(log: Log) -> None:
    """Many runs append while the epoch moves; half of the time they know the last one only."""
    heads = {f"run_{n:02}": await appended(log, append(f"run_{n:02}")) for n in range(30)}
    acknowledged, written = 0, 0
    late: list[str] = []
    chance = random.Random(7)

    async def start(run: str) -> None:
        nonlocal written
        for _ in range(12):
            now, epoch = acknowledged, max(0, acknowledged - chance.randint(0, 1))
            outcome = await log.append(append(run, heads[run], run=run_row(), guards=(AtEpoch(epoch),)))
            if isinstance(outcome, Appended):
                heads[run] = outcome.head
                written += 1
                late.extend([run] if epoch < now else [])

    async def throws() -> None:
        nonlocal acknowledged
        head = Head.EMPTY
        for epoch in range(1, 9):
            head = await appended(log, throw(head, epoch, key=f"run:{epoch}"))
            acknowledged = epoch
            await asyncio.sleep(chance.random() / 100)

    await asyncio.gather(throws(), *map(start, heads))

    assert late == []
    assert written > 0
    assert len((await log.switches())[1]) == 8
