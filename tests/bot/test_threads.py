"""Runs told in a simulated Slack, from the log to the messages, through every fault in between."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.directory import Directory
from bot.narrator import Pace
from bot.simulator.calls import Fault
from bot.simulator.model import Message
from bot.simulator.simulator import Simulator
from bot.threads import Threads
from engine.core import commands as c
from engine.core.events import Actor
from engine.engine import Engine
from engine.store import Deliveries
from tests.bot.conftest import ACTOR, ORIGIN, Setup, World, ended, gate, until, workflow

ANA = Actor(via="slack", id="U0ANAXXXXX", name="Ana Ruiz")
QUICK = Pace(card=0.05, read=0.01, linger=0.2)

CHAIN = workflow(
    {"id": "one", "uses": "t.echo", "with": {"text": "${{ input.word }}"}},
    {"id": "two", "uses": "t.echo", "with": {"text": "!"}},
    name="chain",
    input={"word": {"type": "string"}},
)
GATED = workflow(
    {"id": "one", "uses": "t.echo", "with": {"text": "notes & more"}},
    gate(
        show={"notes": "${{ steps.one.output }}"},
        escalate=[{"after": "15m", "to": "@oncall"}, {"after": "1h", "to": "#eng-leads"}],
        remind_every="30m",
    ),
    {"id": "two", "uses": "t.echo", "with": {"text": "!"}},
    name="gated",
)


class Bench:
    """Threads of one process, on the test's engine and workspace."""

    def __init__(self, engine: Engine, client: AsyncWebClient, directory: Directory, simulator: Simulator) -> None:
        self.engine = engine
        self.simulator = simulator
        self._client = client
        self._directory = directory

    @asynccontextmanager
    async def telling(self, default_channel: str | None = None, pace: Pace = QUICK) -> AsyncGenerator[Threads]:
        threads = Threads(
            self.engine, self._client, self._directory, default_channel=default_channel, pace=pace, settle_ms=100
        )
        task = asyncio.create_task(threads.run())
        try:
            yield threads
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def start(self, name: str, **inputs: object) -> str:
        return (await self.engine.start(name, inputs, by=ACTOR, origin=ORIGIN)).run

    async def start_and_wait_at_gate(self) -> str:
        """A run of ``gated`` that has got as far as it can without a person."""
        run = await self.start("gated")

        async def open_gate() -> bool:
            return (await self.engine.state(run)).step("publish").gate is not None

        await until(open_gate)
        return run

    async def vote(self, run: str, *, granted: bool = True) -> None:
        await self.engine.vote(run, c.Vote("publish", granted, ANA, "in @release-managers", "looks good"))

    def messages(self, channel: str = "releases") -> list[Message]:
        return self.simulator.channel_messages(channel)

    def card(self) -> Message:
        return self.messages()[0]

    def texts(self, channel: str = "releases") -> list[str]:
        return [message.text for message in self.messages(channel)]

    async def shows(self, *parts: str, channel: str = "releases") -> None:
        """Wait until every part is somewhere in the channel."""
        await self.until(lambda: all(any(part in text for text in self.texts(channel)) for part in parts))

    async def until(self, condition: Callable[[], object]) -> None:
        try:
            await self.simulator.wait_for(condition, 10_000)
        except TimeoutError:
            raise AssertionError("not within 10 s; there is:\n" + "\n---\n".join(self.texts())) from None

    async def told(self, run: str) -> None:
        """Wait until nothing is left to say about the run."""

        async def at_its_end() -> bool:
            state = await self.engine.state(run)
            return f"ended at {state.seq}" == await self._cursor(run)

        await until(at_its_end, 10)

    async def _cursor(self, run: str) -> str:
        cursor = await Deliveries(self.engine.store).claim_cursor("slack", run, "wrk_looking", 1)
        if cursor is None:
            return "held"
        await Deliveries(self.engine.store).release_cursor("slack", run, "wrk_looking")
        return f"ended at {cursor.seq}"


@pytest.fixture
async def bench(setup: Setup, simulator: Simulator, client: AsyncWebClient, directory: Directory) -> Any:
    async with setup.working(CHAIN, GATED) as engine:
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


async def test_an_escalation_pings_the_next_and_reaches_a_channel(bench: Bench) -> None:
    async with bench.telling():
        run = await bench.start("gated")
        await bench.shows("<!subteam^S0RELEASES>: please decide.")
        bench.simulator.advance_clock(16 * 60_000)
        await bench.shows("<!subteam^S0ONCALLXX>: please decide. @release-managers has not for 15 min")
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


async def test_a_lost_card_moves_the_run_to_its_starter(bench: Bench) -> None:
    async with bench.telling():
        run = await bench.start("gated")
        await bench.shows("please decide")
        bench.simulator.fail_next("chat.update", Fault(error="message_not_found"), 3)
        await bench.vote(run)
        await bench.until(lambda: bench.simulator.direct_messages("ben"))
        await bench.told(run)
    assert "✓ Completed" in bench.simulator.direct_messages("ben")[0].text


# Crashes and faults


def keys(bench: Bench) -> list[str]:
    """The keys of all messages that carry one."""
    return [m.metadata["event_payload"]["key"] for m in bench.messages() if m.metadata]


async def test_a_post_whose_answer_was_lost_is_found_again(bench: Bench) -> None:
    bench.simulator.fail_next("chat.postMessage", Fault(drop="after"), 3)
    async with bench.telling():
        run = await bench.start("gated")
        await bench.shows("please decide")
        await bench.vote(run)
        await bench.shows("gated: ✓ Completed", "✓ Completed in")
        await bench.told(run)
    assert len(keys(bench)) == len(set(keys(bench)))


async def test_a_post_that_never_arrived_is_made_again(bench: Bench) -> None:
    bench.simulator.fail_next("chat.postMessage", Fault(drop="before"), 2)
    bench.simulator.fail_next("chat.postMessage", Fault(status=503))
    async with bench.telling():
        run = await bench.start("chain", word="hi")
        await bench.shows("chain · hi: ✓ Completed", "✓ Completed in")
        await bench.told(run)
    assert len(keys(bench)) == len(set(keys(bench)))


@pytest.mark.parametrize("post", range(1, 5))
async def test_a_process_that_ends_between_a_post_and_its_record_leaves_no_double(bench: Bench, post: int) -> None:
    """The post of that number reaches Slack, but its process never hears of it, nor gets to look for it."""
    posting, looking = "chat.postMessage", ("conversations.history", "conversations.replies")
    bench.simulator.fail_next(posting, Fault(), post - 1)
    bench.simulator.fail_next(posting, Fault(drop="after"))
    for method in looking:
        bench.simulator.fail_next(method, Fault(delay_ms=1_500))
    run = await bench.start_and_wait_at_gate()
    async with bench.telling():
        if post > 3:
            await bench.shows("please decide")
            await bench.vote(run)
        await bench.until(lambda: any(call.answer is None for call in bench.simulator.calls(posting)))
    lost = bench.simulator.calls(posting)
    assert len(lost) == post
    assert not any(bench.simulator.calls(method) for method in looking)

    if post == 3:
        await bench.vote(run)  # the request that nobody has on record is there, with its buttons
    async with bench.telling():
        if post < 3:
            await bench.shows("please decide")
            await bench.vote(run)
        await bench.shows("gated: ✓ Completed", "✓ Completed in", "✓ Approved by Ana")
        await bench.told(run)
    assert len(keys(bench)) == len(set(keys(bench))), "a message was posted twice"
    assert len([line for line in all_lines(bench) if line.startswith("✓ Completed in")]) == 1


def all_lines(bench: Bench) -> list[str]:
    return [line for text in bench.texts() for line in text.splitlines()]


async def test_where_nothing_can_be_looked_up_lines_are_not_repeated_but_requests_are(bench: Bench) -> None:
    bench.simulator.fail_next("chat.postMessage", Fault(), 1)
    bench.simulator.fail_next("chat.postMessage", Fault(drop="after"), 2)
    bench.simulator.fail_next("conversations.replies", Fault(error="not_in_channel"), 10)
    run = await bench.start_and_wait_at_gate()
    async with bench.telling():
        await bench.until(lambda: sum("please decide" in text for text in bench.texts()) == 2)
        await bench.vote(run)
        await bench.shows("gated: ✓ Completed")
        await bench.told(run)
    assert sum(line.startswith("→ Ben") for line in all_lines(bench)) == 1


async def test_a_card_that_cannot_be_looked_up_is_not_posted_there_again(bench: Bench) -> None:
    bench.simulator.fail_next("chat.postMessage", Fault(drop="after"))
    bench.simulator.fail_next("conversations.history", Fault(error="not_in_channel"), 10)
    async with bench.telling():
        run = await bench.start("chain", word="hi")
        await bench.until(lambda: any("✓ Completed in" in m.text for m in bench.simulator.direct_messages("ben")))
        await bench.told(run)
    assert len(bench.messages()) == 1


async def test_slack_asks_for_a_pause_and_gets_it(bench: Bench) -> None:
    bench.simulator.fail_next("chat.postMessage", Fault(retry_after_s=1))
    async with bench.telling():
        run = await bench.start("chain", word="hi")
        await bench.shows("✓ Completed in")
        await bench.told(run)
    calls = bench.simulator.calls("chat.postMessage")
    assert (calls[0].status, calls[1].status) == (429, 200)
    assert calls[1].at - calls[0].at >= 1_000
    assert len(calls) == 3


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
    assert [line for line in all_lines(bench) if line.startswith("· talk: line")] == [
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


async def test_several_processes_tell_each_run_once(bench: Bench) -> None:
    async with bench.telling(), bench.telling(), bench.telling():
        runs = [await bench.start("chain", word=str(number)) for number in range(2)]
        for run in runs:
            await ended(bench.engine, run)
        await bench.until(lambda: sum("✓ Completed in" in text for text in bench.texts()) == 2)
        for run in runs:
            await bench.told(run)
    found = [
        (m.metadata["event_payload"]["run"], m.metadata["event_payload"]["key"]) for m in bench.messages() if m.metadata
    ]
    assert len(found) == len(set(found))
    assert sum(1 for _, key in found if key == "card") == 2


async def test_what_happened_while_no_process_ran_is_told_in_the_end(bench: Bench) -> None:
    run = await bench.start("chain", word="hi")
    await ended(bench.engine, run)
    async with bench.telling():
        await bench.shows("✓ Completed in")
        await bench.told(run)
    assert len(bench.messages()) == 2
    assert bench.simulator.calls("chat.update") == [], "the card was right from the start"


async def test_a_decision_that_came_first_is_not_asked_for(bench: Bench) -> None:
    run = await bench.start_and_wait_at_gate()
    await bench.vote(run)
    await ended(bench.engine, run)
    async with bench.telling():
        await bench.shows("✓ publish approved by Ana Ruiz")
        await bench.told(run)
    assert not any("please decide" in text for text in bench.texts())


async def test_the_last_state_of_a_card_is_shown_even_if_slack_was_away(bench: Bench) -> None:
    async with bench.telling():
        run = await bench.start("gated")
        await bench.shows("please decide", "Waiting for a decision")
        bench.simulator.fail_next("chat.update", Fault(drop="before"), 2)
        bench.simulator.fail_next("chat.update", Fault(status=500), 1)
        await bench.vote(run)
        await bench.shows("gated: ✓ Completed", "✓ Approved by Ana Ruiz")
        await bench.told(run)


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


async def test_a_run_is_left_to_the_process_that_has_its_cursor(bench: Bench) -> None:
    cursors = Deliveries(bench.engine.store)
    run = await bench.start_and_wait_at_gate()
    assert [cursor.stream for cursor in await cursors.claim_cursors("slack", "wrk_other", 60_000, 1)] == [run]
    async with bench.telling() as threads:
        threads.wake(run)
        other = await bench.start("chain", word="hi")
        await bench.told(other)
        assert {m.metadata["event_payload"]["run"] for m in bench.messages() if m.metadata} == {other}
        await cursors.release_cursor("slack", run, "wrk_other")
        await bench.shows("please decide")


async def test_a_process_that_lost_the_cursor_stops_telling(bench: Bench) -> None:
    cursors = Deliveries(bench.engine.store)
    run = await bench.start_and_wait_at_gate()
    async with bench.telling(pace=Pace(lease=1.0, card=0.05, read=0.01, linger=30)) as threads:
        await bench.shows("please decide")

        async def taken() -> bool:
            await cursors.release_cursor("slack", run, threads.owner)
            return await cursors.claim_cursor("slack", run, "wrk_other", 60_000) is not None

        await until(taken)
        before = len(bench.simulator.calls())
        await bench.vote(run)
        await ended(bench.engine, run)
        later = (await bench.engine.start("chain", {"word": "hi"}, by=ACTOR, origin={"channel": "C0OPSXXXXX"})).run
        await bench.told(later)
    calls = [call for call in bench.simulator.calls()[before:] if call.method.startswith("chat.")]
    assert {call.args["channel"] for call in calls} == {"C0OPSXXXXX"}


async def test_a_card_is_updated_at_most_every_few_seconds_and_ends_right(
    setup: Setup, simulator: Simulator, client: AsyncWebClient, directory: Directory
) -> None:
    gates = workflow(*(gate(f"g{number}") for number in range(5)))
    async with setup.working(gates) as engine:
        bench = Bench(engine, client, directory, simulator)
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
    assert all(later - earlier >= 950 for earlier, later in pairwise(updates))
    assert len(updates) < 5


async def test_a_run_that_is_long_over_is_not_told_any_more(bench: Bench) -> None:
    run = await bench.start("chain", word="hi")
    await ended(bench.engine, run)
    bench.simulator.advance_clock(25 * 3_600_000)
    async with bench.telling():
        await bench.told(run)
    assert bench.messages() == []
