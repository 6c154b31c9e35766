"""Who may speak when, what is repeated, and that no post is made twice."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.kit import Message
from bot.sending.outbox import Outbox, OutcomeUnknown, Priority, Refused
from bot.sending.postings import EVENT_TYPE, Item, Posted, Postings, Target
from bot.simulator.calls import Fault
from bot.simulator.demo import demo_workspace
from bot.simulator.model import Message as SlackMessage
from bot.simulator.simulator import Simulator
from tests.bot.conftest import Setup, until
from tests.bot.front import unanswered

POST, UPDATE, HISTORY = "chat.postMessage", "chat.update", "conversations.history"
HELLO = {"channel": "C0RELEASES", "text": "hello"}


@pytest.fixture
def outbox(client: AsyncWebClient) -> Outbox:
    return Outbox(client, answer_within_s=60)


# Turns


async def test_the_most_important_goes_first_and_may_move_up(outbox: Outbox) -> None:
    for _ in range(4):
        await outbox.queue(POST, Priority.TIMELINE, "C1").granted
    order: list[str] = []
    turns = {
        name: outbox.queue(POST, priority, "C1")
        for name, priority in (
            ("lines", Priority.TIMELINE),
            ("left", Priority.APPROVAL),
            ("hurried", Priority.TIMELINE),
            ("request", Priority.APPROVAL),
        )
    }
    for name, turn in turns.items():
        turn.granted.add_done_callback(lambda _, name=name: order.append(name))
    outbox.leave(turns["left"])
    outbox.hurry(turns["hurried"], Priority.ALERT)
    outbox.hurry(turns["hurried"], Priority.TIMELINE)
    async with asyncio.timeout(180):
        await turns["lines"].granted
    await asyncio.sleep(0)
    assert order == ["request", "hurried", "lines"]


async def test_a_cancelled_wait_leaves_the_queue(outbox: Outbox) -> None:
    for _ in range(4):
        await outbox.queue(POST, Priority.TIMELINE, "C1").granted
    waiting = asyncio.create_task(outbox.call(POST, HELLO, Priority.CARD, channel="C1"))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert outbox.waiting == 0


# Calls


async def test_a_pause_that_slack_asks_for_closes_that_method_only(simulator: Simulator, outbox: Outbox) -> None:
    posted = await outbox.call(POST, HELLO, Priority.CARD, channel="C0RELEASES")
    simulator.fail_next(POST, Fault(retry_after_s=3_600))
    again = asyncio.create_task(outbox.call(POST, HELLO, Priority.CARD, channel="C0RELEASES"))
    await simulator.wait_for(lambda: any(call.status == 429 for call in simulator.calls(POST)))
    await outbox.call(UPDATE, {"channel": posted["channel"], "ts": posted["ts"], "text": "x"}, Priority.CARD)
    assert not again.done()
    again.cancel()
    await asyncio.gather(again, return_exceptions=True)
    assert [call.status for call in simulator.calls(POST)] == [200, 429]


@pytest.mark.parametrize("fault", [Fault(drop="after"), Fault(status=503), Fault(error="internal_error")])
async def test_a_post_of_unknown_outcome_is_not_repeated(simulator: Simulator, outbox: Outbox, fault: Fault) -> None:
    simulator.fail_next(POST, fault)
    with pytest.raises(OutcomeUnknown):
        await outbox.call(POST, HELLO, Priority.CARD, repeatable=False)
    assert len(simulator.calls(POST)) <= 1


async def test_a_post_that_is_not_answered_is_not_repeated(simulator: Simulator, client: AsyncWebClient) -> None:
    outbox = Outbox(client, answer_within_s=0.2)
    with unanswered(simulator, POST), pytest.raises(OutcomeUnknown):
        await outbox.call(POST, HELLO, Priority.CARD, repeatable=False)
    assert len(simulator.calls(POST)) <= 1


@pytest.mark.parametrize("fault", [Fault(drop="after"), Fault(drop="before"), Fault(status=500)])
async def test_what_changes_nothing_is_repeated(simulator: Simulator, outbox: Outbox, fault: Fault) -> None:
    simulator.fail_next(HISTORY, fault)
    answer = await outbox.call(HISTORY, {"channel": "C0RELEASES"}, Priority.CARD)
    assert answer["messages"] == []
    assert len(simulator.calls(HISTORY)) == 2


async def test_a_refusal_has_slacks_name_and_reason(outbox: Outbox) -> None:
    with pytest.raises(Refused, match=r"missing required field: text .json-pointer:/blocks/0") as refused:
        await outbox.call(POST, {**HELLO, "blocks": [{"type": "header"}]}, Priority.CARD)
    assert refused.value.error == "invalid_blocks"


async def test_without_a_connection_it_waits_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    later = Simulator(demo_workspace())
    away = Outbox(AsyncWebClient(token=later.bot_token, base_url=f"http://127.0.0.1:{port}/api/"))
    with caplog.at_level(logging.INFO, "bot.sending.outbox"):
        waiting = asyncio.create_task(away.call(POST, HELLO, Priority.CARD, repeatable=False))
        await until(lambda: caplog.records)
        assert not waiting.done()
        async with later.serve(port=port):
            await waiting
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert later.bot_token not in caplog.text
    assert len(later.calls(POST)) == 1


async def test_a_revoked_token_is_an_operators_matter(
    simulator: Simulator, outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    simulator.fail_next(POST, Fault(error="token_revoked"))
    await outbox.call(POST, HELLO, Priority.CARD)
    assert "check SLACK_BOT_TOKEN" in caplog.text


# Posts


@pytest.fixture
async def postings(setup: Setup, outbox: Outbox) -> AsyncIterator[Postings]:
    async with setup.engine() as engine:
        yield Postings(outbox, engine.store, "slack", settle_ms=100)


def item(key: str = "card", **more: Any) -> Item:
    return Item("run_1", key, 1, {"kind": "card"}, **more)


async def post(postings: Postings, one: Item, target: Target | None = None) -> Posted:
    return await postings.post(one, target or Target("C0RELEASES"), Message("hello"), Priority.CARD)


async def test_a_message_carries_its_run_and_key_and_is_posted_once(postings: Postings, simulator: Simulator) -> None:
    first = await post(postings, item())
    second = await post(postings, item())
    assert first == second
    [message] = simulator.channel_messages("releases")
    assert message.metadata == {
        "event_type": EVENT_TYPE,
        "event_payload": {"run": "run_1", "key": "card", "seq": 1},
    }
    assert (first.channel, first.ts, first.digest) == ("C0RELEASES", message.ts, Message("hello").digest)


async def test_of_two_processes_that_post_one_message_the_later_takes_its_own_back(
    setup: Setup, simulator: Simulator, client: AsyncWebClient
) -> None:
    """The first was stopped between its last look at the lease and the post, longer than others wait for it."""
    stopped = asyncio.Event()
    async with setup.engine() as engine:
        first, other = (Postings(Outbox(client), engine.store, "slack", settle_ms=50) for _ in range(2))
        simulator.fail_next(POST, Fault(held=stopped))
        late = asyncio.create_task(post(first, item()))

        async def is_posting() -> bool:
            return bool(await first.deliveries.deliveries("slack", "run_1"))

        await until(is_posting)
        taken = await post(other, item())
        stopped.set()
        assert await late == taken, "both know the one that stays"
    [message] = simulator.channel_messages("releases")
    assert (message.ts, len(simulator.calls(POST)), len(simulator.calls("chat.delete"))) == (taken.ts, 2, 1)


async def test_a_message_that_another_process_has_adopted_is_not_taken_back(
    postings: Postings, setup: Setup, simulator: Simulator, client: AsyncWebClient
) -> None:
    async with setup.engine() as engine:
        other = Postings(Outbox(client), engine.store, "slack", settle_ms=50)
        simulator.fail_next(POST, Fault(drop="after"))
        with unanswered(simulator, HISTORY):
            late = asyncio.create_task(post(postings, item()))
            await simulator.wait_for(lambda: simulator.calls(POST) and simulator.calls_in_hand)  # it looks for it now
            async with asyncio.timeout(180):
                adopted = await post(other, item())
        assert (await late).where == adopted.where
    assert len(simulator.channel_messages("releases")) == len(simulator.calls(POST)) == 1
    assert simulator.calls("chat.delete") == []


async def test_a_receipt_finds_the_run_of_a_message(postings: Postings) -> None:
    posted = await post(postings, item())
    found = await postings.deliveries.find_delivery("slack", posted.where)
    assert found is not None
    assert (found.stream, found.key) == ("run_1", "card")


async def test_a_lost_answer_is_looked_for_among_many_messages(postings: Postings, simulator: Simulator) -> None:
    workspace = simulator.workspace

    def chatter(count: int) -> None:
        for number in range(count):
            workspace.post(SlackMessage("C0RELEASES", workspace.next_ts(), "U0BENXXXXX", f"talk {number}"))

    chatter(150)
    simulator.fail_next(POST, Fault(drop="after"))
    waiting = asyncio.create_task(post(postings, item()))
    await simulator.wait_for(lambda: simulator.calls(POST))
    chatter(450)
    posted = await waiting
    assert len(simulator.calls(POST)) == 1
    assert posted.ts in {message.ts for message in simulator.channel_messages("releases") if message.metadata}
    assert len(simulator.calls(HISTORY)) >= 2, "the message was not on the first page"


async def test_a_reply_is_looked_for_in_its_thread(postings: Postings, simulator: Simulator) -> None:
    root = await post(postings, item())
    simulator.fail_next(POST, Fault(drop="after"))
    reply = await post(postings, item("timeline:2"), Target(root.channel, root.ts))
    assert [message.thread_ts for message in simulator.channel_messages("releases")] == [None, root.ts]
    assert reply.digest == "", "what is found may show an earlier state"


async def test_another_runs_message_is_not_taken_for_it(postings: Postings, simulator: Simulator) -> None:
    await post(postings, item())
    await post(postings, Item("run_2", "card", 1, {"kind": "card"}))
    simulator.fail_next(POST, Fault(drop="before"))
    await post(postings, item("card:dm"))
    assert len(simulator.channel_messages("releases")) == 3


async def test_what_was_given_up_stays_so(postings: Postings, simulator: Simulator) -> None:
    await postings.give_up(item(), "is_archived")
    assert (await post(postings, item())).failed == "is_archived"
    assert simulator.channel_messages("releases") == []


async def test_a_message_can_be_given_up_after_it_was_posted(postings: Postings) -> None:
    await post(postings, item())
    await postings.give_up(item(), "message_not_found")
    [delivery] = await postings.deliveries.deliveries("slack", "run_1")
    assert delivery.receipt == {"failed": "message_not_found"}


async def test_an_update_is_remembered(postings: Postings, simulator: Simulator) -> None:
    posted = await post(postings, item())
    turn = postings.outbox.queue(UPDATE, Priority.CARD)
    await turn.granted
    shown = await postings.update("run_1", "card", posted, Message("changed"), Priority.CARD)
    assert simulator.channel_messages("releases")[0].text == "changed"
    [delivery] = await postings.deliveries.deliveries("slack", "run_1")
    assert delivery.receipt is not None
    assert Posted.of(delivery.receipt) == shown


async def test_what_was_refused_in_one_place_is_posted_in_the_next_without_a_search(
    postings: Postings, simulator: Simulator
) -> None:
    with pytest.raises(Refused):
        await post(postings, item("timeline:1"), Target("C0NOWHERE"))
    posted = await post(postings, item("timeline:1"), Target("C0OPSXXXXX"))
    assert posted.channel == "C0OPSXXXXX"
    assert simulator.calls(HISTORY) == []


async def test_a_request_that_came_too_late_is_found_or_given_up(postings: Postings, simulator: Simulator) -> None:
    for key, drop in (("approval:3:0", "after"), ("approval:4:0", "before")):
        simulator.fail_next(POST, Fault(drop="after" if drop == "after" else "before"))
        with unanswered(simulator, HISTORY):
            lost = asyncio.create_task(post(postings, item(key)))
            await simulator.wait_for(lambda drop=drop: len(simulator.calls(POST)) == (1 if drop == "after" else 2))
            lost.cancel()
            await asyncio.gather(lost, return_exceptions=True)
    found = await postings.settle(item("approval:3:0"), Priority.APPROVAL)
    assert found.ts == simulator.channel_messages("releases")[0].ts
    late = await postings.settle(item("approval:4:0"), Priority.APPROVAL)
    assert late.failed == "it came too late"
    assert len(simulator.channel_messages("releases")) == 1
