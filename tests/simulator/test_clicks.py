"""Clicks on messages: the payload, who may click what, and the answers."""

from typing import Any

import pytest
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond

from bot.simulator.demo import ANA, BEN
from bot.simulator.errors import PersonError
from bot.simulator.model import Channel
from bot.simulator.simulator import Simulator

from .conftest import Connect, on

Fields = dict[str, Any]


def button(action_id: str, text: str, **more: Any) -> Fields:
    return {"type": "button", "action_id": action_id, "text": {"type": "plain_text", "text": text}, **more}


APPROVAL = [
    {"type": "section", "block_id": "what", "text": {"type": "mrkdwn", "text": "Publish?"}},
    {
        "type": "actions",
        "block_id": "decide",
        "elements": [
            button("deny", "Deny", value="run_1"),
            button("approve", "Approve", value="run_1", style="primary"),
            {
                "type": "static_select",
                "action_id": "why",
                "options": [{"text": {"type": "plain_text", "text": t.title()}, "value": t} for t in ("tests", "time")],
            },
            {"type": "users_select", "action_id": "who", "initial_user": ANA},
        ],
    },
]


async def test_a_click_says_who_clicked_what_and_where(
    simulator: Simulator, app: AsyncApp, connect: Connect, client: Any
) -> None:
    bodies: list[Fields] = []

    @on(app, "action", "approve")
    async def _(ack: AsyncAck, body: Fields) -> None:
        await ack()
        bodies.append(body)

    await connect(app)
    root = await client.chat_postMessage(channel="#releases", text="card")
    posted = await client.chat_postMessage(channel="#releases", text="Publish?", blocks=APPROVAL, thread_ts=root["ts"])
    await simulator.click("ana", "#releases", posted["ts"], "approve")
    await simulator.wait_for(lambda: bodies)

    (body,) = bodies
    assert body["user"]["id"] == ANA
    assert body["container"] == {
        "type": "message",
        "message_ts": posted["ts"],
        "channel_id": "C0RELEASES",
        "is_ephemeral": False,
        "thread_ts": root["ts"],
    }
    assert body["channel"] == {"id": "C0RELEASES", "name": "releases"}
    assert body["message"]["ts"] == posted["ts"]
    (action,) = body["actions"]
    assert (action["action_id"], action["block_id"], action["value"]) == ("approve", "decide", "run_1")
    assert body["state"]["values"]["decide"] == {
        "why": {"type": "static_select", "selected_option": None},
        "who": {"type": "users_select", "selected_user": ANA},
    }


async def test_a_select_carries_the_option(simulator: Simulator, app: AsyncApp, connect: Connect, client: Any) -> None:
    actions: list[Fields] = []

    @on(app, "action", "why")
    async def _(ack: AsyncAck, body: Fields) -> None:
        await ack()
        actions.append(body)

    await connect(app)
    posted = await client.chat_postMessage(channel="#releases", text="Publish?", blocks=APPROVAL)
    await simulator.click("ana", "#releases", posted["ts"], "why", value="time")
    await simulator.wait_for(lambda: actions)
    chosen = {"text": {"type": "plain_text", "text": "Time"}, "value": "time"}
    assert actions[0]["actions"][0]["selected_option"] == chosen
    assert actions[0]["state"]["values"]["decide"]["why"]["selected_option"] == chosen
    with pytest.raises(PersonError, match="not one of the options"):
        await simulator.click("ana", "#releases", posted["ts"], "why", value="weather")


async def test_only_what_is_there_can_be_clicked(simulator: Simulator, client: Any) -> None:
    posted = await client.chat_postMessage(channel="#releases", text="Publish?", blocks=APPROVAL)
    await client.chat_update(channel="C0RELEASES", ts=posted["ts"], text="Published", blocks=APPROVAL[:1])
    with pytest.raises(PersonError) as gone:
        await simulator.click("ana", "#releases", posted["ts"], "approve")
    with pytest.raises(PersonError) as nowhere:
        await simulator.click("ana", "#releases", "1763786000.000100", "approve")
    assert (gone.value.code, nowhere.value.code) == ("action_not_found", "message_not_found")
    assert simulator.deliveries() == []


async def test_who_cannot_see_cannot_click(simulator: Simulator, client: Any) -> None:
    workspace = simulator.workspace
    workspace.add_channel(Channel("C0SECRETXX", "secret", [ANA, workspace.app.bot_user_id], is_private=True))
    posted = await client.chat_postMessage(channel="C0SECRETXX", text="Publish?", blocks=APPROVAL)
    hidden = await client.chat_postEphemeral(channel="C0RELEASES", user=BEN, text="Publish?", blocks=APPROVAL)
    with pytest.raises(PersonError) as private:
        await simulator.click("ben", "C0SECRETXX", posted["ts"], "approve")
    with pytest.raises(PersonError) as ephemeral:
        await simulator.click("ana", "#releases", hidden["message_ts"], "approve")
    assert (private.value.code, ephemeral.value.code) == ("channel_not_found", "message_not_found")


async def test_an_ephemeral_message_is_replaced_and_deleted_through_its_response_url(
    simulator: Simulator, app: AsyncApp, connect: Connect, client: Any
) -> None:
    bodies: list[Fields] = []

    @on(app, "action", "approve")
    async def _(ack: AsyncAck, body: Fields, respond: AsyncRespond) -> None:
        bodies.append(body)
        await ack()
        await respond("Replaced", replace_original=True, response_type="in_channel", blocks=APPROVAL[1:])

    @on(app, "action", "deny")
    async def _(ack: AsyncAck, respond: AsyncRespond) -> None:
        await ack()
        await respond(delete_original=True)

    await connect(app)
    hidden = await client.chat_postEphemeral(channel="C0RELEASES", user=BEN, text="Publish?", blocks=APPROVAL)
    await simulator.click("ben", "#releases", hidden["message_ts"], "approve")
    (message,) = await simulator.wait_for(
        lambda: [m for m in simulator.channel_messages("#releases", seen_by="ben") if m.text == "Replaced"]
    )
    assert message.ephemeral
    assert "message" not in bodies[0]
    assert bodies[0]["container"]["is_ephemeral"]
    await simulator.click("ben", "#releases", hidden["message_ts"], "deny")
    await simulator.wait_for(lambda: not simulator.channel_messages("#releases", seen_by="ben"))


async def test_an_answer_to_a_click_is_new_and_private_unless_it_says_otherwise(
    simulator: Simulator, app: AsyncApp, connect: Connect, client: Any
) -> None:
    @on(app, "action", "approve")
    async def _(ack: AsyncAck, body: Fields, respond: AsyncRespond) -> None:
        await ack()
        await respond("You may not decide this")
        await respond("for all", response_type="in_channel", replace_original=False, thread_ts=body["message"]["ts"])

    await connect(app)
    posted = await client.chat_postMessage(channel="#releases", text="Publish?", blocks=APPROVAL)
    await simulator.click("ben", "#releases", posted["ts"], "approve")
    await simulator.wait_for(lambda: len(simulator.channel_messages("#releases")) == 2)
    private = [m for m in simulator.channel_messages("#releases", seen_by="ben") if m.ephemeral]
    assert [(m.text, m.visible_to) for m in private] == [("You may not decide this", BEN)]
    assert [m.thread_ts for m in simulator.channel_messages("#releases")] == [None, posted["ts"]]
    assert simulator.channel_messages("#releases")[0].text == "Publish?"
