"""Where a run is told, and its people are asked, when messages are deleted, places are closed and people are gone."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.console.runs import with_unshown
from bot.people.directory import Directory
from bot.people.roles import asked_by_role
from bot.sending.postings import unshown
from bot.simulator.calls import Fault
from bot.simulator.model import Message
from bot.simulator.simulator import Simulator
from engine.core import commands as c
from tests.bot.conftest import ACTOR, Setup, ended, gate, until, workflow
from tests.bot.front import ADMINS
from tests.bot.telling import ANA, CHAIN, GATED, Bench

LEADS = workflow(gate(approvers=["#eng-leads", "@release-managers"]), name="leads")


@pytest.fixture
async def bench(
    setup: Setup, simulator: Simulator, client: AsyncWebClient, directory: Directory
) -> AsyncIterator[Bench]:
    async with setup.working(CHAIN, GATED, LEADS) as engine:
        yield Bench(engine, client, directory, simulator)


def with_buttons(bench: Bench, channel: str = "releases") -> list[Message]:
    """Those by which people can decide."""
    return [one for one in bench.messages(channel) if "gate_approve" in str(one.blocks)]


def question(bench: Bench) -> Message:
    """The newest request in the channel."""
    return [one for one in bench.messages() if "please decide" in one.text][-1]


def key_of(message: Message) -> str:
    return message.metadata["event_payload"]["key"] if message.metadata else ""


# Deleted messages


async def test_a_deleted_card_is_posted_anew_and_the_thread_goes_on_under_it(bench: Bench) -> None:
    async with bench.telling():
        run = await bench.start("gated")
        await bench.shows("please decide")
        bench.simulator.delete_message("#releases", bench.card().ts)
        await bench.vote(run)
        await bench.shows("It goes on here.", "✓ Completed in")
        await bench.told(run)
    [card] = [message for message in bench.messages() if message.thread_ts is None]
    assert key_of(card) == "card:2"
    assert "gated: ✓ Completed" in card.text
    [ending] = [message for message in bench.messages() if "✓ Completed in" in message.text and message != card]
    assert ending.thread_ts == card.ts
    assert bench.simulator.direct_messages("ben") == []


async def test_a_card_that_is_deleted_when_all_is_said_is_not_posted_anew(bench: Bench) -> None:
    async with bench.telling():
        run = await bench.start("gated")
        await bench.shows("please decide")
        bench.simulator.fail_next("chat.update", Fault(retry_after_s=1))
        await bench.vote(run)
        await bench.shows("✓ Completed in")
        bench.simulator.delete_message("#releases", bench.card().ts)
        await bench.told(run)
    assert [message for message in bench.messages() if message.thread_ts is None] == []
    assert bench.simulator.direct_messages("ben") == []


async def test_whoever_deletes_card_after_card_is_obeyed_in_the_end(bench: Bench) -> None:
    def roots() -> list[Message]:
        return [message for message in bench.messages() if message.thread_ts is None]

    async with bench.telling():
        run = await bench.start("gated")
        await bench.shows("please decide")
        for key in ("card", "card:2", "card:3"):
            await bench.until(lambda key=key: [key_of(message) for message in roots()] == [key])
            bench.simulator.delete_message("#releases", roots()[0].ts)
            bench.simulator.advance_clock(31 * 60_000)  # there is something to tell: a reminder
        await bench.until(lambda: bench.simulator.direct_messages("ben"))
        await bench.vote(run)
        await bench.told(run)
        assert roots() == []


async def test_a_deleted_request_is_posted_anew_with_its_next_reminder(bench: Bench) -> None:
    async with bench.telling():
        run = await bench.start("gated")
        await bench.shows("please decide")
        gone = question(bench)
        bench.simulator.delete_message("#releases", gone.ts)
        assert with_buttons(bench) == []
        bench.simulator.advance_clock(31 * 60_000)
        await bench.until(lambda: [one for one in with_buttons(bench) if key_of(one).endswith("~2")])
        await bench.vote(run)
        await bench.told(run)
    assert all("Approved by Ana" in one.text for one in bench.messages() if key_of(one).endswith("~2"))
    assert len(bench.keys()) == len(set(bench.keys()))


async def test_a_request_that_was_deleted_after_its_decision_is_left_alone(bench: Bench) -> None:
    async with bench.telling():
        run = await bench.start("gated")
        await bench.shows("please decide")
        bench.simulator.delete_message("#releases", question(bench).ts)
        await bench.vote(run)
        await bench.told(run)
    keys = bench.keys()
    assert not any("~" in key for _, key in keys)


# Closed places


@pytest.mark.parametrize("happens", ["archived", "removed"])
async def test_a_run_whose_channel_is_closed_goes_on_with_its_starter(bench: Bench, happens: str) -> None:
    async with bench.telling():
        run = await bench.start("gated")
        await bench.shows("please decide")
        if happens == "archived":
            bench.simulator.archive_channel("#releases")
        else:
            bench.simulator.workspace.channels["C0RELEASES"].is_private = True
            bench.simulator.remove_from_channel("#releases")
        await bench.vote(run)
        await bench.until(lambda: any("✓ Completed in" in m.text for m in bench.simulator.direct_messages("ben")))
        await bench.told(run)


async def test_a_run_whose_channel_and_starter_are_gone_is_told_in_the_default_channel(bench: Bench) -> None:
    async with bench.telling(default_channel="C0OPSXXXXX"):
        run = await bench.start("gated")
        await bench.shows("please decide")
        bench.simulator.archive_channel("#releases")
        bench.simulator.deactivate("ben")
        await bench.vote(run)
        await bench.shows("✓ Completed in", "that channel is archived", channel="ops")
        await bench.told(run)


@pytest.mark.parametrize("event", ["escalation", "pause"])
async def test_a_request_whose_channel_is_closed_is_made_again_where_the_run_goes_on(bench: Bench, event: str) -> None:
    async with bench.telling(default_channel="C0OPSXXXXX"):
        run = await bench.start("gated")
        await bench.shows("please decide")
        bench.simulator.archive_channel("#releases")
        bench.simulator.deactivate("ben")
        if event == "escalation":
            bench.simulator.advance_clock(16 * 60_000)
        else:
            await bench.engine.operations.pause(run, by=ANA, reason="the registry burns")
        await bench.until(lambda: [one for one in with_buttons(bench, "ops") if ":0~2" in key_of(one)])
        await bench.vote(run)
        await bench.until(lambda: not with_buttons(bench, "ops"))
        await bench.told(run)


async def test_a_run_that_can_be_told_nowhere_is_done_all_the_same(bench: Bench) -> None:
    bench.simulator.archive_channel("#releases")
    bench.simulator.deactivate("ben")
    async with bench.telling():
        run = await bench.start("chain", word="hi")
        await bench.told(run)
    assert (await bench.engine.state(run)).end is not None
    assert bench.messages() == []


# Requests that those asked would not see


def asked_directly(bench: Bench, who: str) -> list[Message]:
    """The requests that somebody can decide in their conversation with the bot."""
    return [one for one in bench.simulator.direct_messages(who) if "gate_approve" in str(one.blocks)]


async def decided_directly(bench: Bench, run: str, who: str) -> None:
    await bench.until(lambda: asked_directly(bench, who))
    request = asked_directly(bench, who)[0]
    assert request.text.startswith("Publish?")
    await bench.vote(run)
    await bench.until(lambda: not asked_directly(bench, who))
    await bench.told(run)


@pytest.mark.parametrize("starter", ["there", "gone"])
async def test_where_the_channel_is_closed_the_approvers_are_asked_directly(bench: Bench, starter: str) -> None:
    bench.simulator.archive_channel("#releases")
    if starter == "gone":
        bench.simulator.deactivate("ben")
    async with bench.telling():
        run = await bench.start("gated")
        await decided_directly(bench, run, "ana")
    assert bench.messages() == []


async def test_a_run_that_was_started_in_a_conversation_with_the_bot_asks_its_approvers(bench: Bench) -> None:
    talk = bench.simulator.workspace.open_direct_channel("U0BENXXXXX", "U0VECTORBE").id
    async with bench.telling():
        origin = {"team": "T0ACMEDEMO", "channel": talk, "user": "U0BENXXXXX"}
        run = (await bench.engine.start("gated", {}, by=ACTOR, origin=origin)).run
        await decided_directly(bench, run, "ana")


async def test_the_approvers_channel_goes_before_their_conversations(bench: Bench) -> None:
    bench.simulator.archive_channel("#releases")
    async with bench.telling():
        run = await bench.start("leads")
        await bench.until(lambda: with_buttons(bench, "eng-leads"))
        await bench.told(run)
        await bench.vote(run)
        await bench.until(lambda: not with_buttons(bench, "eng-leads"))
        await bench.told(run)
    assert bench.simulator.direct_messages("ana") == []


async def test_where_the_approvers_channel_is_closed_too_each_of_them_is_asked(bench: Bench) -> None:
    for channel in ("#releases", "#eng-leads"):
        bench.simulator.archive_channel(channel)
    async with bench.telling():
        await decided_directly(bench, await bench.start("leads"), "ana")


async def test_where_no_approver_is_left_the_default_channel_is_asked(bench: Bench) -> None:
    """The starter can be told, but nobody who is asked."""
    bench.simulator.archive_channel("#releases")
    bench.simulator.set_group("release-managers", ["ana"])
    bench.simulator.deactivate("ana")
    async with bench.telling(default_channel="C0OPSXXXXX"):
        run = await bench.start("gated")
        await bench.until(lambda: with_buttons(bench, "ops"))
        await bench.until(lambda: bench.simulator.direct_messages("ben"))
        await bench.vote(run)
        await bench.told(run)


async def test_approvers_who_cannot_be_written_to_are_asked_in_the_default_channel(bench: Bench) -> None:
    bench.simulator.archive_channel("#releases")
    bench.simulator.fail_next("conversations.open", Fault(error="user_disabled"), 50)
    async with bench.telling(default_channel="C0OPSXXXXX"):
        run = (await bench.engine.start("gated", {}, by=ANA, origin={"channel": "C0RELEASES"})).run
        await bench.until(lambda: with_buttons(bench, "ops"))
        await bench.vote(run)
        await bench.told(run)


async def test_where_nobody_who_is_asked_can_be_shown_it_the_admins_are(
    bench: Bench, client: AsyncWebClient, simulator: Simulator
) -> None:
    roles = asked_by_role(bench.engine, ADMINS)
    directory = Directory(client, simulator.workspace.team_id, roles=roles)
    bench = Bench(bench.engine, client, directory, simulator)
    bench.simulator.archive_channel("#releases")
    bench.simulator.set_group("release-managers", ["ana"])
    bench.simulator.deactivate("ana")
    bench.simulator.deactivate("ben")
    async with bench.telling():
        run = await bench.start("gated")
        await bench.until(lambda: asked_directly(bench, "dana"))
        assert "so its admins are" in asked_directly(bench, "dana")[0].text
        await bench.vote(run)
        await bench.until(lambda: not asked_directly(bench, "dana"))
        await bench.told(run)
    assert await unshown(bench.engine.store, [run]) == {}
    await directory.close()


async def test_a_request_that_can_be_shown_nowhere_is_on_record(bench: Bench) -> None:
    for channel in ("#releases", "#eng-leads"):
        bench.simulator.archive_channel(channel)
    bench.simulator.fail_next("conversations.open", Fault(error="user_disabled"), 50)
    async with bench.telling():
        run = await bench.start("leads")

        async def is_on_record() -> bool:
            return run in await unshown(bench.engine.store, [run])

        await until(is_on_record)
        await bench.told(run)
        assert bench.simulator.direct_messages("ana") == []
        [listed] = await with_unshown(bench.engine, await bench.engine.bulk.attention("approval"))
        assert listed.summary == "waiting for a decision on publish; it could be shown to nobody in Slack: vb approve"
        await bench.engine.vote(run, c.Vote("publish", True, ANA, "in @release-managers", "looks good"))
        await ended(bench.engine, run)
