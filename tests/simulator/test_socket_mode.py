"""Socket Mode: what a raw client sees on the wire, and that bolt's own client loses nothing over a refresh."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltRequest
from slack_sdk.web.async_client import AsyncWebClient

from bot.simulator.calls import Fault
from bot.simulator.demo import demo_workspace
from bot.simulator.errors import PersonError
from bot.simulator.simulator import Options, Simulator
from bot.simulator.socket_mode import MAX_CONNECTIONS

from .conftest import QUICK, Connect, bolt_app, connected, on, refusal

Frame = dict[str, Any]


async def ticket_url(simulator: Simulator) -> str:
    client: Any = AsyncWebClient(base_url=simulator.api_url)
    return (await client.apps_connections_open(app_token=simulator.app_token))["url"]


async def frame_of(socket: aiohttp.ClientWebSocketResponse) -> Frame:
    return json.loads(await socket.receive_str(timeout=60))


async def test_hello_tells_the_app_and_the_number_of_connections(simulator: Simulator) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(await ticket_url(simulator)) as first:
        hello = await frame_of(first)
        async with session.ws_connect(await ticket_url(simulator) + "&debug_reconnects=true") as second:
            again = await frame_of(second)
    assert hello["type"] == "hello"
    assert hello["connection_info"] == {"app_id": simulator.workspace.app.id}
    assert (hello["num_connections"], again["num_connections"]) == (1, 2)
    assert set(hello["debug_info"]) == {"host", "build_number", "approximate_connection_time"}
    assert again["debug_info"]["approximate_connection_time"] == 360


async def test_a_ticket_is_good_once(simulator: Simulator) -> None:
    url = await ticket_url(simulator)
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(url) as socket:
            await frame_of(socket)
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(url)


async def test_a_ticket_needs_the_app_token(simulator: Simulator, client: Any) -> None:
    refused = await refusal(client.apps_connections_open(app_token=simulator.bot_token))
    assert refused["error"] == "not_allowed_token_type"


async def test_pings_come_back_byte_for_byte_unless_muted(simulator: Simulator) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(await ticket_url(simulator), autoping=False) as socket,
    ):
        await frame_of(socket)
        await socket.ping(b"sdk-ping-pong:1763786000.123")
        pong = await socket.receive(timeout=60)
        assert (pong.type, bytes(pong.data)) == (aiohttp.WSMsgType.PONG, b"sdk-ping-pong:1763786000.123")
        simulator.socket.muted = True
        await socket.ping(b"unheard")
        with pytest.raises(TimeoutError):
            await socket.receive(timeout=0.1)


async def test_the_eleventh_connection_is_one_too_many(simulator: Simulator) -> None:
    async with aiohttp.ClientSession() as session:
        sockets = [await session.ws_connect(await ticket_url(simulator)) for _ in range(MAX_CONNECTIONS)]
        for socket in sockets:
            await frame_of(socket)
        extra = await session.ws_connect(await ticket_url(simulator))
        refused = await frame_of(extra)
        assert (refused["type"], refused["reason"]) == ("disconnect", "too_many_websockets")
        assert (await extra.receive(timeout=60)).type == aiohttp.WSMsgType.CLOSE
        for socket in [*sockets, extra]:
            await socket.close()


async def test_envelopes_go_to_any_one_connection(simulator: Simulator) -> None:
    async with aiohttp.ClientSession() as session:
        sockets = [await session.ws_connect(await ticket_url(simulator)) for _ in range(2)]
        for socket in sockets:
            await frame_of(socket)
        commands = [asyncio.create_task(simulator.type_command("ben", "#releases", "/vb list")) for _ in range(2)]
        envelopes = [await frame_of(socket) for socket in sockets]
        assert all(e["type"] == "slash_commands" and e["accepts_response_payload"] for e in envelopes)
        assert "retry_attempt" not in envelopes[0]
        # The acknowledgement counts on whichever connection it comes back.
        for envelope in envelopes:
            await sockets[0].send_json({"envelope_id": envelope["envelope_id"], "payload": {"text": "done"}})
        await asyncio.gather(*commands)
        for socket in sockets:
            await socket.close()
    assert [m.text for m in simulator.channel_messages("#releases", seen_by="ben")] == ["done", "done"]


async def test_nonsense_from_the_client_is_ignored(simulator: Simulator) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(await ticket_url(simulator)) as socket:
        await frame_of(socket)
        command = asyncio.create_task(simulator.type_command("ben", "#releases", "/vb list"))
        envelope = await frame_of(socket)
        for nonsense in ("not json", "[]", '{"envelope_id": "unknown"}'):
            await socket.send_str(nonsense)
        assert not command.done()
        await socket.send_json({"envelope_id": envelope["envelope_id"]})
        await command


async def test_events_are_delivered_until_acknowledged(simulator: Simulator) -> None:
    async with aiohttp.ClientSession() as session:
        socket = await session.ws_connect(await ticket_url(simulator))
        await frame_of(socket)
        simulator.post_message("ben", "#releases", "@vectorbea hello")
        first = await frame_of(socket)
        assert (first["retry_attempt"], first["accepts_response_payload"]) == (0, False)
        await socket.close()  # the link is lost before the acknowledgement
        socket = await session.ws_connect(await ticket_url(simulator))
        await frame_of(socket)
        second = await frame_of(socket)
        assert (second["retry_attempt"], second["retry_reason"]) == (1, "connection_failed")
        assert second["payload"] == first["payload"]
        assert second["envelope_id"] != first["envelope_id"]
        await socket.send_json({"envelope_id": second["envelope_id"]})
        (delivery,) = await simulator.wait_for(lambda: [d for d in simulator.deliveries("events_api") if d.finished])
        assert (delivery.acknowledged, delivery.attempts) == (True, 2)
        await socket.close()


async def test_events_are_given_up_after_three_retries() -> None:
    options = Options(ack_timeout_ms=50, event_retry_ms=(1, 1, 1))
    async with (
        Simulator(demo_workspace(), options=options).serve() as simulator,
        aiohttp.ClientSession() as session,
        session.ws_connect(await ticket_url(simulator)) as socket,
    ):
        await frame_of(socket)
        simulator.post_message("ben", "#releases", "@vectorbea hello")
        frames = [await frame_of(socket) for _ in range(4)]
        assert [frame["retry_attempt"] for frame in frames] == [0, 1, 2, 3]
        assert frames[3]["retry_reason"] == "timeout"
        (delivery,) = await simulator.wait_for(lambda: [d for d in simulator.deliveries() if d.finished])
        assert (delivery.acknowledged, delivery.attempts) == (False, 4)


async def test_refresh_warns_then_asks_then_closes(simulator: Simulator) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(await ticket_url(simulator)) as socket:
        await frame_of(socket)
        refreshing = asyncio.create_task(simulator.socket.refresh(warning_ms=20))
        frames = [await frame_of(socket), await frame_of(socket)]
        assert [frame["reason"] for frame in frames] == ["warning", "refresh_requested"]
        assert not simulator.socket.connected
        assert (await socket.receive(timeout=60)).type == aiohttp.WSMsgType.CLOSE
        await refreshing


async def test_a_connection_is_refreshed_when_it_is_old() -> None:
    options = Options(connection_lifetime_ms=50)
    async with (
        Simulator(demo_workspace(), options=options).serve() as simulator,
        aiohttp.ClientSession() as session,
        session.ws_connect(await ticket_url(simulator)) as socket,
    ):
        await frame_of(socket)
        assert [(await frame_of(socket))["reason"] for _ in range(2)] == ["warning", "refresh_requested"]


async def test_bolt_loses_no_command_over_refreshes(simulator: Simulator, app: AsyncApp, connect: Connect) -> None:
    heard: list[str] = []

    @on(app, "command", "/vb")
    async def _(ack: AsyncAck, command: Frame) -> None:
        heard.append(command["text"])
        await ack()

    await connect(app)
    for number in range(12):
        refreshing = asyncio.create_task(simulator.socket.refresh()) if number % 4 == 0 else None
        await simulator.type_command("ben", "#releases", f"/vb {number}")
        if refreshing is not None:
            await refreshing
    assert heard == [str(number) for number in range(12)]


async def test_bolt_is_told_that_an_event_comes_again(simulator: Simulator, app: AsyncApp, connect: Connect) -> None:
    heard: list[tuple[str, list[str]]] = []

    @on(app, "event", "app_mention")
    async def _(body: Frame, request: AsyncBoltRequest) -> None:
        heard.append((body["event_id"], list(request.headers.get("x-slack-retry-num", []))))

    async with aiohttp.ClientSession() as session, session.ws_connect(await ticket_url(simulator)) as socket:
        await frame_of(socket)
        simulator.post_message("ben", "#releases", "@vectorbea hello")
        unacknowledged = await frame_of(socket)
    await connect(app)
    await simulator.wait_for(lambda: heard)
    assert heard == [(unacknowledged["payload"]["event_id"], ["1"])]


async def test_a_dropped_connection_is_not_an_acknowledgement() -> None:
    options = Options(ack_timeout_ms=100)
    async with (
        Simulator(demo_workspace(), options=options).serve() as simulator,
        aiohttp.ClientSession() as session,
    ):
        socket = await session.ws_connect(await ticket_url(simulator))
        await frame_of(socket)
        command = asyncio.create_task(simulator.type_command("ben", "#releases", "/vb list"))
        await frame_of(socket)
        simulator.socket.drop()
        with pytest.raises(PersonError) as failed:
            await command
        assert failed.value.code == "operation_timeout"
        await socket.close()


async def test_bolt_retries_the_ticket_when_slack_is_down() -> None:
    async with Simulator(demo_workspace(), options=QUICK).serve() as simulator:
        app = bolt_app(simulator)
        simulator.fail_next("apps.connections.open", Fault(drop="before"))
        async with connected(simulator, app):
            assert [call.status for call in simulator.calls("apps.connections.open")] == [0, 200]
