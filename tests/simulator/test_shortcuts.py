"""Shortcuts, global and on a message, through a real bolt app."""

from typing import Any

import pytest
from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.simulator.demo import BEN
from bot.simulator.errors import PersonError
from bot.simulator.model import Json
from bot.simulator.simulator import Simulator

from .conftest import Connect, on

FORM = {
    "type": "modal",
    "title": {"type": "plain_text", "text": "Run"},
    "blocks": [{"type": "divider"}],
}


async def test_a_global_shortcut_opens_a_form(simulator: Simulator, app: AsyncApp, connect: Connect) -> None:
    seen: list[Json] = []

    @on(app, "shortcut", "run_workflow")
    async def _(ack: AsyncAck, body: Json, client: Any) -> None:
        seen.append(body)
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=FORM)

    await connect(app)
    await simulator.use_shortcut("ben", "run_workflow")
    await simulator.wait_for(lambda: simulator.views("ben"))
    assert (seen[0]["type"], seen[0]["user"]["id"]) == ("shortcut", BEN)
    assert not seen[0].keys() & {"response_url", "channel", "message"}


async def test_a_message_shortcut_brings_the_message(simulator: Simulator, app: AsyncApp, connect: Connect) -> None:
    seen: list[Json] = []

    @on(app, "shortcut", "run_on_message")
    async def _(ack: AsyncAck, body: Json, respond: Any) -> None:
        seen.append(body)
        await ack()
        await respond("Which workflow?")

    await connect(app)
    asked = simulator.post_message("ana", "#releases", "The site is slow.")
    await simulator.use_message_shortcut("ben", "#releases", asked.ts, "run_on_message")
    assert (seen[0]["type"], seen[0]["message_ts"]) == ("message_action", asked.ts)
    assert (seen[0]["message"]["text"], seen[0]["channel"]["name"]) == ("The site is slow.", "releases")
    answers = await simulator.wait_for(
        lambda: [m for m in simulator.channel_messages("#releases", seen_by="ben") if m.ephemeral]
    )
    assert [(m.text, m.visible_to) for m in answers] == [("Which workflow?", BEN)]
    assert asked.text == "The site is slow."


async def test_only_what_the_app_offers_can_be_used(simulator: Simulator) -> None:
    asked = simulator.post_message("ana", "#releases", "x")
    with pytest.raises(PersonError, match="no such shortcut"):
        await simulator.use_shortcut("ben", "run_on_message")
    with pytest.raises(PersonError, match="no such shortcut"):
        await simulator.use_message_shortcut("ben", "#releases", asked.ts, "run_workflow")
    with pytest.raises(PersonError, match="not there"):
        await simulator.use_message_shortcut("ben", "#releases", "1.0", "run_on_message")
