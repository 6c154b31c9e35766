"""The mailbox of signals, and who listens."""

import asyncio
from dataclasses import replace

from engine.store import Append, Head, Listens, Log, Signal
from tests.store.build import T0, append, appended, query, run_row

FAR = 4_000_000_000_000


def signal(id_: str, correlation: str = "order 7", *, at: int = T0, workspace: str = "ws_local") -> Signal:
    return Signal(id=id_, workspace=workspace, name="paid", correlation=correlation, payload=f'{{"id":"{id_}"}}', at=at)


def listening(run: str, head: Head = Head.EMPTY, *to: Listens) -> Append:
    return Append(
        stream=run, after=head, events=append(run).events, run=run_row(), due=FAR, due_kind="timer", listens=to
    )


async def ids(log: Log, run: str, correlation: str = "order 7") -> list[str]:
    return [each.id for each in await log.take_signals(run, "paid", correlation, "ws_local")]


async def test_a_signal_is_kept_until_it_is_taken_and_may_be_taken_again_by_the_same_run(log: Log) -> None:
    await log.put_signal(signal("sig_2", at=T0 + 5))
    await log.put_signal(signal("sig_1"))

    assert await log.take_signals("run_a", "paid", "order 7", "ws_local") == [
        signal("sig_1"), signal("sig_2", at=T0 + 5),
    ]  # fmt: skip
    await log.put_signal(signal("sig_3", at=T0 + 9))
    assert await ids(log, "run_a") == ["sig_1", "sig_2", "sig_3"]
    assert await ids(log, "run_b") == []


async def test_of_signals_with_one_id_the_first_counts(log: Log) -> None:
    await log.put_signal(signal("sig_1"))
    await log.put_signal(replace(signal("sig_1"), payload='"another"'))

    assert await log.take_signals("run_a", "paid", "order 7", "ws_local") == [signal("sig_1")]


async def test_signals_of_another_correlation_name_or_workspace_stay(log: Log) -> None:
    await log.put_signal(signal("sig_1", "order 8"))
    await log.put_signal(signal("sig_2", workspace="ws_other"))

    assert await ids(log, "run_a") == []
    assert await log.take_signals("run_a", "sent", "order 8", "ws_local") == []
    assert await ids(log, "run_a", "order 8") == ["sig_1"]


async def test_each_signal_goes_to_one_of_many_takers(log: Log, other: Log) -> None:
    await asyncio.gather(*((log, other)[n % 2].put_signal(signal(f"sig_{n:02d}")) for n in range(30)))

    parts = await asyncio.gather(*(ids((log, other)[n % 2], f"run_{n}") for n in range(10)))

    assert sorted(one for part in parts for one in part) == [f"sig_{n:02d}" for n in range(30)]


async def test_listeners_are_replaced_by_appends_that_say_so_and_gone_at_the_end(log: Log) -> None:
    paid, sent = Listens("paid", "order 7"), Listens("sent", "order 7")
    head = await appended(log, listening("run_a", Head.EMPTY, paid, sent))
    await appended(log, listening("run_b", Head.EMPTY, paid))
    await appended(log, listening("run_c", Head.EMPTY, Listens("paid", "order 8")))

    assert await log.listeners("ws_local", "paid", "order 7") == ["run_a", "run_b"]
    assert await log.listeners("ws_other", "paid", "order 7") == []
    head = await appended(log, append("run_a", head))
    assert await log.listeners("ws_local", "sent", "order 7") == ["run_a"]
    head = await appended(log, append("run_a", head))
    head = await appended(log, Append(stream="run_a", after=head, events=append("run_a").events, listens=(sent,)))
    assert await log.listeners("ws_local", "paid", "order 7") == ["run_b"]
    assert await log.listeners("ws_local", "sent", "order 7") == ["run_a"]
    await appended(log, append("run_a", head, run=run_row(status="completed", ended_at=T0), due=None))
    assert await query(log, "SELECT run FROM listeners ORDER BY run") == [("run_b",), ("run_c",)]


async def test_a_signal_makes_those_due_who_wait_for_it_and_only_once(log: Log) -> None:
    await appended(log, listening("run_a", Head.EMPTY, Listens("paid", "order 7")))
    await appended(log, listening("run_b", Head.EMPTY, Listens("paid", "order 8")))

    await log.put_signal(signal("sig_1"))

    assert [each.run for each in await log.take_due(await log.now(), 10)] == ["run_a"]
    await log.put_signal(signal("sig_1"))
    assert await log.take_due(await log.now(), 10) == []


async def test_who_begins_to_wait_for_what_is_there_already_is_due_at_once(log: Log) -> None:
    await log.put_signal(signal("sig_1"))
    await log.put_signal(signal("sig_2", "order 8"))
    await ids(log, "run_x", "order 8")
    await appended(log, listening("run_a", Head.EMPTY, Listens("paid", "order 7")))
    await appended(log, listening("run_b", Head.EMPTY, Listens("paid", "order 8")))
    due = dict(await query(log, "SELECT run, due FROM open_work"))
    assert due["run_a"] <= await log.now()
    assert due["run_b"] == FAR, "another run has taken it"


async def test_an_append_of_a_run_that_still_waits_does_not_postpone_a_signal(log: Log) -> None:
    paid = Listens("paid", "order 7")
    head = await appended(log, listening("run_a", Head.EMPTY, paid))
    await log.put_signal(signal("sig_1"))
    head = await appended(log, listening("run_a", head, paid))
    assert [each.run for each in await log.take_due(await log.now(), 10)] == ["run_a"]

    await ids(log, "run_a")  # by a worker that dies before it has recorded what it took
    await appended(log, listening("run_a", head, paid))
    assert [each.run for each in await log.take_due(await log.now(), 10)] == ["run_a"]
