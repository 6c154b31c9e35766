"""Runs told in a simulated Slack: what a person reads, from the start to the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.people.directory import Directory
from bot.simulator.calls import Fault
from bot.simulator.simulator import Simulator
from bot.telling.shared import Pace
from engine.core import commands as c
from engine.core import events as e
from tests.bot.conftest import Setup, World, ended, gate, until, workflow
from tests.bot.telling import ANA, CHAIN, GATED, QUICK, Bench

COPIED = workflow(gate(approvers=["@ana", "@chen", "@dana"], direct_messages=True), name="copied")
DMS = ("ana", "chen", "dana")


@pytest.fixture
async def bench(
    setup: Setup, simulator: Simulator, client: AsyncWebClient, directory: Directory
) -> AsyncIterator[Bench]:
    async with setup.working(CHAIN, GATED, COPIED) as engine:
        yield Bench(engine, client, directory, simulator)


async def test_a_simple_run_is_a_card_and_its_lines(bench: Bench) -> None:
    async with bench.telling():
        run = await bench.start("chain", word="hi")
        await bench.shows("✓ Completed · 2 of 2 steps done", "✓ Completed in")
        await bench.told(run)
    card, *thread = bench.messages()
    assert card.text.startswith("chain · hi: ✓ Completed")
    assert card.thread_ts is None
    lines = [line for message in thread for line in message.text.splitlines()]
    assert lines[0] == "→ Ben Okafor started chain: word hi"
    assert [line.split(" in ")[0] for line in lines[1:]] == ["✓ one done", "✓ two done", "✓ Completed"]
    assert {message.thread_ts for message in thread} == {card.ts}
    assert card.metadata == {
        "event_type": "vectorbea_message",
        "event_payload": {"run": run, "key": "card", "seq": 1},
    }


async def test_what_a_step_says_that_it_is_doing_is_on_the_card_and_in_no_line(
    setup: Setup, simulator: Simulator, client: AsyncWebClient, directory: Directory
) -> None:
    async with setup.working(workflow({"id": "read", "uses": "t.rows"})) as engine:
        bench = Bench(engine, client, directory, simulator)
        async with bench.telling():
            run = await bench.start("wf")
            await bench.until(lambda: bench.texts() and ": row 3 of 9." in bench.card().text)
            setup.world.open.set()
            await bench.shows("✓ Completed · 1 of 1 step done")
            await bench.told(run)
        assert not [line for line in bench.lines() if "row" in line]
        reported = [one for one in await engine.history(run) if isinstance(one.event, e.StepReported)]
        assert len(reported) == 3, "and yet each is on record"


async def test_a_gate_is_asked_presented_decided_and_closed(bench: Bench) -> None:
    async with bench.telling():
        run = await bench.start("gated")
        await bench.shows("<!subteam^S0RELEASES>: please decide.")
        asked = next(m for m in bench.messages() if m.text.startswith("Publish?"))
        assert [b["type"] for b in asked.blocks][-1] == "actions"

        async def presented() -> bool:
            return any(one.event.type == "APPROVAL_PRESENTED" for one in await bench.engine.history(run))

        await until(presented)
        shown = next(one.event for one in await bench.engine.history(run) if one.event.type == "APPROVAL_PRESENTED")
        assert shown.model_dump()["where"] == f"C0RELEASES/{asked.ts}"
        await bench.vote(run)
        await bench.shows("✓ Approved by Ana Ruiz (in @release-managers)", "✓ Completed · 3 of 3 steps done")
        await ended(bench.engine, run)
        await bench.told(run)
    after = next(m for m in bench.messages() if m.ts == asked.ts)
    assert not [b for b in after.blocks if b["type"] == "actions"]
    assert any("✓ publish approved by Ana Ruiz (in @release-managers): looks good" in text for text in bench.texts())
    assert len(bench.simulator.calls("chat.postMessage")) <= 6


async def test_the_copies_of_a_request_are_put_on_record_together(bench: Bench) -> None:
    """But for the first, which is on record at once; ``record`` is longer here than the test."""
    async with bench.telling(pace=replace(QUICK, record=60.0)):
        run = await bench.start("copied")

        async def presented() -> list[e.ApprovalPresented]:
            events = [one.event for one in await bench.engine.history(run)]
            return [event for event in events if isinstance(event, e.ApprovalPresented)]

        async def all_presented() -> bool:
            return sum(len(event.copies) for event in await presented()) >= 4

        await until(all_presented, 10)
        assert [len(event.copies) for event in await presented()] == [1, 3]
        asked = [*bench.messages(), *(one for who in DMS for one in bench.simulator.direct_messages(who))]
        where = {f"{one.channel}/{one.ts}" for one in asked if "gate_approve" in str(one.blocks)}
        assert {copy.where for event in await presented() for copy in event.copies} == where


async def test_an_escalation_pings_the_next_and_reaches_a_channel(bench: Bench) -> None:
    async with bench.telling():
        run = await bench.start("gated")
        await bench.shows("<!subteam^S0RELEASES>: please decide.")
        bench.simulator.advance_clock(16 * 60_000)
        await bench.shows("<!subteam^S0ONCALLXX>: please decide. @release-managers has not decided for 15 min")
        await bench.shows("<!subteam^S0RELEASES>: please decide. @oncall may decide too.")
        bench.simulator.advance_clock(15 * 60_000)
        await bench.shows("Reminder: Publish?")
        bench.simulator.advance_clock(30 * 60_000)
        await bench.shows("<#C0ENGLEADS>: please decide.", channel="eng-leads")
        assert "archives/C0RELEASES/p" in bench.texts("eng-leads")[0]
        await bench.vote(run, granted=False)
        await bench.shows("✗ Denied by Ana Ruiz", channel="eng-leads")
        await bench.shows("gated: ✗ Denied")
        await bench.told(run)
    questions = [m for m in (*bench.messages(), *bench.messages("eng-leads")) if "✗ Denied by Ana Ruiz" in m.text]
    assert len(questions) == 3
    assert not [b for m in questions for b in m.blocks if b["type"] == "actions"]


async def test_retries_are_told_with_reason_pause_and_attempt(
    setup: Setup, simulator: Simulator, client: AsyncWebClient, directory: Directory, world: World
) -> None:
    world.failures["deploy"] = 1
    flaky = workflow(
        {"id": "deploy", "uses": "t.flaky", "with": {"name": "deploy"}, "retry": {"attempts": 5, "initial": "10s"}}
    )
    async with setup.working(flaky) as engine:
        bench = Bench(engine, client, directory, simulator)
        async with bench.telling():
            run = await bench.start("wf")
            await bench.shows("↻ deploy failed (connection refused), retrying in", "attempt 2 of 5")
            simulator.advance_clock(10_000)
            await bench.shows("✓ deploy done in under 1 s, at attempt 2 of 5")
            await bench.told(run)


async def test_a_child_run_asks_where_the_run_was_started_that_it_is_a_part_of(
    setup: Setup, simulator: Simulator, client: AsyncWebClient, directory: Directory
) -> None:
    parent = workflow({"id": "release", "workflow": "gated"}, name="parent")
    async with setup.working(GATED, parent) as engine:
        bench = Bench(engine, client, directory, simulator)
        async with bench.telling():
            run = await bench.start("parent")
            await bench.shows("→ release is done by gated", "<!subteam^S0RELEASES>: please decide.")
            child = (await engine.state(run)).step("release").child
            assert any(f"which is release of {run[:14]}" in text for text in bench.texts())
            await bench.vote(child)
            await bench.shows("✓ release done in", "parent: ✓ Completed · 1 of 1 step done")
            await bench.told(run)


async def test_a_run_in_a_channel_that_is_closed_to_the_bot_is_told_its_starter(bench: Bench) -> None:
    bench.simulator.fail_next("chat.postMessage", Fault(error="not_in_channel"))
    async with bench.telling():
        run = await bench.start("chain", word="hi")
        await bench.until(lambda: any("✓ Completed in" in m.text for m in bench.simulator.direct_messages("ben")))
        await bench.told(run)
    card, *rest = bench.simulator.direct_messages("ben")
    assert "This run was started in <#C0RELEASES> and is told here: I am not in that channel" in card.text
    assert {message.thread_ts for message in rest} == {card.ts}
    assert bench.messages() == []


async def test_a_run_without_a_channel_is_told_in_the_default_one_or_nowhere(bench: Bench) -> None:
    async with bench.telling():
        run = (await bench.engine.start("chain", {"word": "hi"}, by=ANA)).run
        await ended(bench.engine, run)
        await bench.told(run)
    assert bench.simulator.calls("chat.postMessage") == []
    async with bench.telling(default_channel="C0OPSXXXXX"):
        run = (await bench.engine.start("chain", {"word": "hi"}, by=ANA)).run
        await bench.shows("✓ Completed in", channel="ops")
        await bench.told(run)


async def test_what_waits_goes_out_together(
    setup: Setup, simulator: Simulator, client: AsyncWebClient, directory: Directory
) -> None:
    chatty = workflow({"id": "talk", "uses": "t.lines", "with": {"count": 40}})
    simulator.fail_next("chat.postMessage", Fault(retry_after_s=2))
    async with setup.working(chatty) as engine:
        bench = Bench(engine, client, directory, simulator)
        async with bench.telling():
            run = await bench.start("wf")
            await bench.shows("✓ Completed in")
            await bench.told(run)
    assert [line for line in bench.lines() if line.startswith("· talk: line")] == [
        f"· talk: line {number}" for number in range(40)
    ]
    assert len(bench.messages()) == 2


async def test_many_runs_at_once_stay_within_slacks_limits(bench: Bench) -> None:
    async with bench.telling():
        runs = [await bench.start("chain", word=str(number)) for number in range(3)]
        for run in runs:
            await bench.told(run)
    assert bench.simulator.rates.violations == 0
    cards = [m for m in bench.messages() if m.thread_ts is None]
    assert len(cards) == 3
    assert all("✓ Completed" in m.text for m in cards)


async def test_a_decision_that_came_first_is_not_asked_for(bench: Bench) -> None:
    run = await bench.start_and_wait_at_gate()
    await bench.vote(run)
    await ended(bench.engine, run)
    async with bench.telling():
        await bench.shows("✓ publish approved by Ana Ruiz")
        await bench.told(run)
    assert not any("please decide" in text for text in bench.texts())


async def test_unknown_approvers_are_said_and_the_run_waits(
    setup: Setup, simulator: Simulator, client: AsyncWebClient, directory: Directory
) -> None:
    nobody = workflow(gate(approvers=["@nobody-here", "#nowhere"]))
    async with setup.working(nobody) as engine:
        bench = Bench(engine, client, directory, simulator)
        async with bench.telling():
            await bench.start("wf")
            await bench.shows(
                "There is no user group or person @nobody-here in this workspace.",
                "There is no channel #nowhere in this workspace.",
            )


async def test_a_channel_that_is_closed_to_the_bot_is_asked_in_the_thread(bench: Bench) -> None:
    async with bench.telling():
        await bench.start("gated")
        await bench.shows("please decide")
        bench.simulator.workspace.channels["C0ENGLEADS"].is_archived = True
        bench.simulator.advance_clock(61 * 60_000)
        await bench.shows("I may not post in #eng-leads")


async def test_a_card_is_updated_at_most_every_few_seconds_and_ends_right(
    setup: Setup, simulator: Simulator, client: AsyncWebClient, directory: Directory
) -> None:
    gates = workflow(*(gate(f"g{number}") for number in range(5)))
    async with setup.working(gates) as engine:
        bench = Bench(engine, client, directory, simulator)
        begun = setup.clock.now()
        async with bench.telling(pace=Pace(card=1.0, read=0.01, linger=0.2)):
            run = await bench.start("wf")
            await bench.shows("g0 waits for")
            for number in range(5):
                await engine.vote(run, c.Vote(f"g{number}", True, ANA))
                await bench.shows(f"✓ g{number} approved by")
            await bench.shows("wf: ✓ Completed · 5 of 5 steps done")
            await bench.told(run)
    card = bench.card().ts
    updates = [call.at for call in simulator.calls("chat.update") if call.args["ts"] == card]
    # A call may be late, but none is early: so many seconds have gone by at least.
    assert updates[-1] - begun >= 950 * (len(updates) - 1)


async def test_a_card_whose_meaning_changes_does_not_wait_for_its_pace(bench: Bench) -> None:
    async with bench.telling(pace=Pace(card=60.0, read=0.01, linger=0.2)):
        run = await bench.start("gated")
        await bench.shows("gated: … Waiting for a decision")
        bench.simulator.advance_clock(16 * 60_000)
        await bench.until(lambda: "If nobody decides: #eng-leads is asked too" in bench.card().text)
        await bench.vote(run)
        await bench.until(lambda: "✓ Completed · 3 of 3 steps done" in bench.card().text)
        await bench.told(run)
    updates = [call.at for call in bench.simulator.calls("chat.update") if call.args["ts"] == bench.card().ts]
    assert len(updates) <= 4


async def test_it_can_be_stopped_in_the_moment_in_which_a_run_wakes_it(bench: Bench) -> None:
    async with asyncio.timeout(180) as limit, bench.telling() as threads:
        run = await bench.start("chain", word="hi")
        await bench.told(run)
        threads.wake(run)
    assert not limit.expired()


async def test_a_run_that_is_long_over_is_not_told_any_more(bench: Bench) -> None:
    run = await bench.start("chain", word="hi")
    await ended(bench.engine, run)
    bench.simulator.advance_clock(25 * 3_600_000)
    async with bench.telling():
        await bench.told(run)
    assert bench.messages() == []
