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


def test_a_failure_is_set_apart_and_says_the_same_without_newer_blocks() -> None:
    plain = degrade(FAILED)
    assert is_newer(FAILED)
    assert not is_newer(plain)
    assert plain.text == FAILED.text
    assert spoken(plain) == spoken(FAILED)
    assert plain.digest != FAILED.digest


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
        assert "alert" not in [block["type"] for block in message.blocks]
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
        assert "alert" not in [block["type"] for block in message.blocks]
        assert after.digest == degrade(FAILED).digest
        await postings.outbox.turn("chat.update", Priority.CARD)
        simulator.fail_next("chat.update", Fault(error="invalid_blocks"))
        with pytest.raises(Refused):
            await postings.update(run, "card", before, Message("plain"), Priority.CARD)


async def test_a_failed_run_has_its_failure_set_apart(setup: Setup, simulator: Simulator) -> None:
    setup.world.failures["one"] = 1
    async with serving(setup, simulator, [BROKEN]) as front:
        assert await front.type("ben", "run broken") == ""
        await simulator.wait_for(lambda: "alert" in str([m.blocks for m in simulator.channel_messages("#releases")]))
