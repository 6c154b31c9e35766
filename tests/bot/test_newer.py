"""Newer blocks: the same message without them, and how a workspace that does not take them is learned."""

from __future__ import annotations

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.card import card
from bot.blocks.kit import Message
from bot.blocks.newer import degrade, is_newer
from bot.sending.newer import REMEMBERED_S, NewerBlocks
from bot.sending.outbox import Outbox, Priority, Refused
from bot.sending.postings import Item, Postings, Target
from bot.simulator.calls import Fault
from bot.simulator.simulator import Simulator
from tests.bot.conftest import ACTOR, ORIGIN, Setup, workflow
from tests.bot.front import SIMPLE, serving
from tests.bot.reading import spoken
from tests.bot.scenes import scenes

FAILED = card(scenes()["exhausted"].state)
BROKEN = workflow({"id": "one", "uses": "t.flaky", "with": {"name": "one"}}, name="broken")


def tasks(message: Message) -> list[tuple[str, str, str]]:
    """Title, status and note of each task of its plan."""
    (plan,) = (block for block in message.blocks if block["type"] == "plan")
    notes = [task.get("details", {"elements": [{"elements": [{"text": ""}]}]}) for task in plan["tasks"]]
    said = [note["elements"][0]["elements"][0]["text"] for note in notes]
    return [(task["title"], task["status"], note) for task, note in zip(plan["tasks"], said, strict=True)]


def test_a_card_has_a_plan_of_what_is_at_work_failed_or_comes_next_and_says_the_same_without_it() -> None:
    assert tasks(FAILED) == [("tag", "error", "")]
    assert tasks(card(scenes()["asked"].state))[0] == ("publish", "pending", "Waiting for a decision")
    assert is_newer(FAILED)
    plain = degrade(FAILED)
    assert not is_newer(plain)
    assert plain.text == FAILED.text
    assert plain.digest != FAILED.digest
    assert set(spoken(plain)) == set(spoken(FAILED)) - {"tag"}


def test_a_task_says_its_attempt_where_the_text_does() -> None:
    retrying = card(scenes()["retrying"].state)
    assert tasks(retrying) == [("tag", "in_progress", "attempt 2 of 5"), ("verify", "pending", "")]


def test_a_card_without_anything_left_to_do_has_no_plan() -> None:
    assert not is_newer(card(scenes()["completed"].state))


def test_it_is_learned_from_a_refusal_of_newer_blocks_alone_and_for_a_day() -> None:
    now = 0.0
    known = NewerBlocks(lambda: now)
    assert known.fitted(FAILED) is FAILED
    assert not known.learn("channel_not_found", FAILED)
    assert not known.learn("invalid_blocks", Message("plain"))
    assert known.fitted(FAILED) is FAILED
    assert known.learn("invalid_blocks", FAILED)
    assert known.fitted(FAILED) == degrade(FAILED)
    now = REMEMBERED_S
    assert known.fitted(FAILED) is FAILED


async def test_a_workspace_that_refuses_them_has_the_message_without_them(
    setup: Setup, simulator: Simulator, client: AsyncWebClient
) -> None:
    async with setup.engine(SIMPLE) as engine:
        run = (await engine.start("simple", {}, by=ACTOR, origin=ORIGIN)).run
        postings = Postings(Outbox(client), engine.store, "test", settle_ms=100)
        simulator.fail_next("chat.postMessage", Fault(error="invalid_blocks"))
        target = Target("C0RELEASES")
        posted = await postings.post(Item(run, "card", 1, {}), target, FAILED, Priority.CARD)
        (message,) = simulator.channel_messages("#releases")
        assert "plan" not in [block["type"] for block in message.blocks]
        assert message.text == FAILED.text
        assert posted.digest == postings.newer.fitted(FAILED).digest, "so that it is not taken to show something else"


async def test_so_it_is_where_a_message_is_replaced(setup: Setup, simulator: Simulator, client: AsyncWebClient) -> None:
    async with setup.engine(SIMPLE) as engine:
        run = (await engine.start("simple", {}, by=ACTOR, origin=ORIGIN)).run
        postings = Postings(Outbox(client), engine.store, "test", settle_ms=100)
        before = await postings.post(Item(run, "card", 1, {}), Target("C0RELEASES"), Message("before"), Priority.CARD)
        simulator.fail_next("chat.update", Fault(error="invalid_blocks"))
        await postings.outbox.turn("chat.update", Priority.CARD)
        after = await postings.update(run, "card", before, FAILED, Priority.CARD)
        (message,) = simulator.channel_messages("#releases")
        assert "plan" not in [block["type"] for block in message.blocks]
        assert after.digest == degrade(FAILED).digest
        await postings.outbox.turn("chat.update", Priority.CARD)
        simulator.fail_next("chat.update", Fault(error="invalid_blocks"))
        with pytest.raises(Refused):
            await postings.update(run, "card", before, Message("plain"), Priority.CARD)


async def test_a_failed_run_has_a_task_that_failed(setup: Setup, simulator: Simulator) -> None:
    setup.world.failures["one"] = 1
    async with serving(setup, simulator, [BROKEN]) as front:
        assert await front.type("ben", "run broken") == ""
        await simulator.wait_for(lambda: "'status': 'error'" in str(simulator.channel_messages("#releases")))
