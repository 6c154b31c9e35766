"""Slash commands and messages: what the app hears, and what comes of its answers."""

import asyncio
import contextlib
from typing import Any

import pytest
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.simulator.demo import ANA, BEN, demo_workspace, vectorbea_app
from bot.simulator.errors import PersonError
from bot.simulator.model import SlashCommand
from bot.simulator.simulator import Options, Simulator

from .conftest import Connect, bolt_app, connected, on

Fields = dict[str, Any]


async def test_an_answer_in_the_acknowledgement_is_seen_by_the_person_alone(
    simulator: Simulator, app: AsyncApp, connect: Connect
) -> None:
    heard: list[Fields] = []

    @on(app, "command", "/vb")
    async def _(ack: AsyncAck, command: Fields) -> None:
        heard.append(command)
        await ack("Only you see this")

    await connect(app)
    await simulator.type_command("ben", "#releases", "/vb run x a=1")

    assert (heard[0]["command"], heard[0]["text"], heard[0]["user_id"]) == ("/vb", "run x a=1", BEN)
    assert heard[0]["channel_name"] == "releases"
    assert [(m.text, m.ephemeral) for m in simulator.channel_messages("#releases", seen_by="ben")] == [
        ("Only you see this", True)
    ]
    assert simulator.channel_messages("#releases", seen_by="ana") == []


async def test_mentions_arrive_escaped_when_the_command_asks_for_it(
    simulator: Simulator, app: AsyncApp, connect: Connect
) -> None:
    heard: list[str] = []

    @on(app, "command", "/vb")
    async def _(ack: AsyncAck, command: Fields) -> None:
        heard.append(command["text"])
        await ack()

    await connect(app)
    await simulator.type_command("ben", "#releases", "/vb run x who=@ana in=#ops note=a&b<c")
    simulator.workspace.app.commands = (SlashCommand("/vb", should_escape=False),)
    await simulator.type_command("ben", "#releases", "/vb run x who=@ana note=a&b")

    assert heard == [f"run x who=<@{ANA}> in=<#C0OPSXXXXX|ops> note=a&amp;b&lt;c", "run x who=@ana note=a&b"]


async def test_in_private_and_direct_conversations_the_channels_name_is_hidden(
    simulator: Simulator, app: AsyncApp, connect: Connect
) -> None:
    heard: list[str] = []

    @on(app, "command", "/vb")
    async def _(ack: AsyncAck, command: Fields) -> None:
        heard.append(command["channel_name"])
        await ack()

    await connect(app)
    await simulator.type_command("dana", "#eng-leads", "/vb list")
    direct = simulator.workspace.direct_channel(
        simulator.workspace.person("dana").id, simulator.workspace.app.bot_user_id
    )
    assert direct is not None
    await simulator.type_command("dana", direct.id, "/vb list")

    assert heard == ["privategroup", "directmessage"]


@pytest.mark.parametrize(
    ("user", "channel", "line", "code"),
    [
        ("ben", "#releases", "/nope", "unknown_command"),
        ("ben", "#eng-leads", "/vb list", "channel_not_found"),
        ("eve", "#ops", "/vb list", "channel_not_found"),
        ("finn", "#releases", "/vb list", "user_not_found"),
        ("vectorbea", "#releases", "/vb list", "user_not_found"),
        ("nobody", "#releases", "/vb list", "user_not_found"),
        ("ben", "#nowhere", "/vb list", "channel_not_found"),
    ],
)
async def test_what_a_client_does_not_allow(
    simulator: Simulator, user: str, channel: str, line: str, code: str
) -> None:
    with pytest.raises(PersonError) as refused:
        await simulator.type_command(user, channel, line)
    assert refused.value.code == code
    assert simulator.deliveries() == []


async def test_no_acknowledgement_in_time_shows_operation_timeout() -> None:
    async with Simulator(demo_workspace(), options=Options(ack_timeout_ms=100)).serve() as simulator:
        app = bolt_app(simulator)
        release = asyncio.Event()

        @on(app, "command", "/vb")
        async def _(ack: AsyncAck) -> None:
            await release.wait()
            await ack()

        async with connected(simulator, app):
            with pytest.raises(PersonError) as refused:
                await simulator.type_command("ben", "#releases", "/vb list")
            release.set()
        assert refused.value.code == "operation_timeout"
        (notice,) = simulator.channel_messages("#releases", seen_by="ben")
        assert notice.text == '/vb failed with the error "operation_timeout"'
        assert (notice.user, notice.ephemeral) == ("USLACKBOT", True)


async def test_without_an_app_the_person_is_told() -> None:
    async with Simulator(demo_workspace(), options=Options(ack_timeout_ms=50)).serve() as simulator:
        with pytest.raises(PersonError, match="No app is connected"):
            await simulator.type_command("ben", "#releases", "/vb list")


async def test_an_unacknowledged_command_is_delivered_again_when_asked_to() -> None:
    async with Simulator(demo_workspace(), options=Options(ack_timeout_ms=200, redeliver=True)).serve() as simulator:
        app = bolt_app(simulator)
        heard: list[str] = []
        release = asyncio.Event()

        @on(app, "command", "/vb")
        async def _(ack: AsyncAck, command: Fields) -> None:
            heard.append(command["trigger_id"])
            if len(heard) == 1:
                await release.wait()
            await ack()

        async with connected(simulator, app):
            with contextlib.suppress(PersonError):  # for this one, too, there is little time
                await simulator.type_command("ben", "#releases", "/vb list")
            await simulator.wait_for(lambda: len(heard) == 2)
            release.set()
        assert heard[0] == heard[1]


async def test_a_command_can_be_delivered_twice(simulator: Simulator, app: AsyncApp, connect: Connect) -> None:
    heard: list[str] = []

    @on(app, "command", "/vb")
    async def _(ack: AsyncAck, command: Fields) -> None:
        heard.append(command["trigger_id"])
        await ack()

    await connect(app)
    simulator.duplicate_next("slash_commands")
    await simulator.type_command("ben", "#releases", "/vb list")
    await simulator.type_command("ben", "#releases", "/vb list")

    assert heard[0] == heard[1] != heard[2]


async def test_response_url_takes_five_posts_in_thirty_minutes(
    simulator: Simulator, app: AsyncApp, connect: Connect
) -> None:
    urls: list[str] = []

    @on(app, "command", "/vb")
    async def _(ack: AsyncAck, command: Fields, respond: AsyncRespond) -> None:
        await ack()
        urls.append(command["response_url"])
        await respond("to you")
        await respond("to all", response_type="in_channel")

    await connect(app)
    await simulator.type_command("ben", "#releases", "/vb list")
    await simulator.wait_for(lambda: len(simulator.channel_messages("#releases", seen_by="ben")) == 2)
    assert [m.text for m in simulator.channel_messages("#releases")] == ["to all"]

    webhook = AsyncWebhookClient(urls[0])
    answers = [await webhook.send(text=str(number)) for number in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 404]
    assert "used_url" in answers[-1].body

    await simulator.type_command("ben", "#releases", "/vb list")
    await simulator.wait_for(lambda: len(simulator.channel_messages("#releases")) == 2)
    simulator.advance_clock(31 * 60 * 1000)
    late = await AsyncWebhookClient(urls[1]).send(text="late")
    assert (late.status_code, "expired_url" in late.body) == (404, True)


async def test_response_url_refuses_what_slack_refuses(simulator: Simulator, app: AsyncApp, connect: Connect) -> None:
    urls: list[str] = []

    @on(app, "command", "/vb")
    async def _(ack: AsyncAck, command: Fields) -> None:
        await ack()
        urls.append(command["response_url"])

    await connect(app)
    await simulator.type_command("ben", "#releases", "/vb list")
    await simulator.wait_for(lambda: urls)
    broken = await AsyncWebhookClient(urls[0]).send(text="x", blocks=[{"type": "nonsense"}])
    assert (broken.status_code, "invalid_blocks" in broken.body) == (400, True)
    nowhere = await AsyncWebhookClient(urls[0].rsplit("/", 1)[0] + "/none").send(text="x")
    assert nowhere.status_code == 404


async def test_a_mention_becomes_an_event_and_goes_to_a_thread(
    simulator: Simulator, app: AsyncApp, connect: Connect
) -> None:
    events: list[Fields] = []

    @on(app, "event", "app_mention")
    async def _(event: Fields) -> None:
        events.append(event)

    await connect(app)
    root = simulator.post_message("ben", "#releases", "no mention")
    simulator.post_message("ben", "#releases", "@Vectorbea help, see <https://x.example> & @oncall", thread_ts=root.ts)
    await simulator.wait_for(lambda: events)

    assert [event["thread_ts"] for event in events] == [root.ts]
    assert events[0]["text"] == (
        f"<@{simulator.workspace.app.bot_user_id}> help, see <https://x.example> &amp; <!subteam^S0ONCALLXX|@oncall>"
    )


async def test_a_direct_message_becomes_an_event(simulator: Simulator, app: AsyncApp, connect: Connect) -> None:
    events: list[Fields] = []

    @on(app, "event", "message")
    async def _(event: Fields) -> None:
        events.append(event)

    await connect(app)
    direct = simulator.workspace.direct_channel(BEN, simulator.workspace.app.bot_user_id)
    assert direct is not None
    simulator.post_message("ben", direct.id, "hello")
    await simulator.wait_for(lambda: events)
    assert (events[0]["channel_type"], events[0]["user"], events[0]["text"]) == ("im", BEN, "hello")


async def test_people_write_only_where_they_may(simulator: Simulator) -> None:
    simulator.workspace.app = vectorbea_app()
    simulator.workspace.app.writable = False
    direct = simulator.workspace.direct_channel(BEN, simulator.workspace.app.bot_user_id)
    assert direct is not None
    with pytest.raises(PersonError, match="does not take messages"):
        simulator.post_message("ben", direct.id, "hello")
    with pytest.raises(PersonError, match="cannot see"):
        simulator.post_message("ben", "#eng-leads", "hello")
    with pytest.raises(PersonError, match="empty"):
        simulator.post_message("ben", "#releases", "  ")
    root = simulator.post_message("ben", "#releases", "root")
    reply = simulator.post_message("ana", "#releases", "reply", thread_ts=root.ts)
    assert simulator.post_message("ben", "#releases", "more", thread_ts=reply.ts).thread_ts == root.ts
    root.visible_to = BEN
    with pytest.raises(PersonError, match="has no thread"):
        simulator.post_message("ben", "#releases", "x", thread_ts=root.ts)


async def test_an_answer_that_slack_refuses_is_told(simulator: Simulator, app: AsyncApp, connect: Connect) -> None:
    @on(app, "command", "/vb")
    async def _(ack: AsyncAck) -> None:
        await ack(text="x", blocks=[{"type": "header"}])

    await connect(app)
    with pytest.raises(PersonError, match="missing required field: text"):
        await simulator.type_command("ben", "#releases", "/vb list")
