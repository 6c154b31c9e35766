"""Signed HTTP delivery to a real bolt app behind a real aiohttp server, and the refusals on both sides."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.signature import SignatureVerifier

from bot.simulator.demo import BEN, demo_workspace
from bot.simulator.errors import PersonError
from bot.simulator.http_delivery import signature
from bot.simulator.simulator import Options, Simulator
from tests.httpd import listening

from .conftest import bolt_app, on, web_client

Fields = dict[str, Any]


@asynccontextmanager
async def receiving(handler: Any) -> AsyncGenerator[str]:
    """A server on a free port; the address of its request URL."""
    server = web.Application()
    server.router.add_post("/slack/events", handler)
    async with listening(server) as port:
        yield f"http://127.0.0.1:{port}/slack/events"


def bolt_endpoint(app: AsyncApp) -> Any:
    async def handle(request: web.Request) -> web.Response:
        return await to_aiohttp_response(await app.async_dispatch(await to_bolt_request(request)))

    return handle


async def test_bolt_over_signed_http(simulator: Simulator) -> None:
    app = bolt_app(simulator)
    heard: list[str] = []

    @on(app, "command", "/vb")
    async def _(ack: AsyncAck, command: Fields) -> None:
        heard.append(command["text"])
        await ack("Only you")

    @on(app, "action", "go")
    async def _(ack: AsyncAck, body: Fields) -> None:
        heard.append(body["actions"][0]["action_id"])
        await ack()

    @on(app, "event", "app_mention")
    async def _(event: Fields) -> None:
        heard.append(event["user"])

    async with receiving(bolt_endpoint(app)) as url:
        http = simulator.use_http(url)
        assert await http.verify_url("token")
        await simulator.type_command("ben", "#releases", "/vb list")
        button = {"type": "button", "action_id": "go", "text": {"type": "plain_text", "text": "Go"}}
        client: Any = web_client(simulator)
        blocks = [{"type": "actions", "elements": [button]}]
        posted = await client.chat_postMessage(channel="#releases", text="x", blocks=blocks)
        await simulator.click("ben", "#releases", posted["ts"], "go")
        simulator.post_message("ben", "#releases", "@vectorbea hi")
        await simulator.wait_for(lambda: len(heard) == 3)
        assert heard == ["list", "go", BEN]
        assert simulator.channel_messages("#releases", seen_by="ben")[0].text == "Only you"


async def test_bolt_refuses_a_wrong_secret_and_an_old_timestamp(simulator: Simulator) -> None:
    app = bolt_app(simulator)
    heard: list[str] = []

    @on(app, "command", "/vb")
    async def _(ack: AsyncAck) -> None:
        heard.append("heard")
        await ack()

    async with receiving(bolt_endpoint(app)) as url:
        simulator.use_http(url).time_shift_s = -600
        with pytest.raises(PersonError, match="answered with an error"):
            await simulator.type_command("ben", "#releases", "/vb list")
        async with Simulator(demo_workspace(), signing_secret="another").serve() as stranger:
            stranger.use_http(url)
            with pytest.raises(PersonError, match="answered with an error"):
                await stranger.type_command("ben", "#releases", "/vb list")
    assert heard == []


async def test_bodies_and_headers_are_slacks(simulator: Simulator) -> None:
    seen: list[tuple[str, bytes, bool]] = []
    verifier = SignatureVerifier(simulator.signing_secret)

    async def record(request: web.Request) -> web.Response:
        body = await request.read()
        seen.append((request.content_type, body, verifier.is_valid_request(body, dict(request.headers))))
        return web.Response()

    async with receiving(record) as url:
        simulator.use_http(url)
        await simulator.type_command("ben", "#releases", "/vb run é=1&2")
        simulator.post_message("ben", "#releases", "@vectorbea hi")
        await simulator.wait_for(lambda: len(seen) == 2)
    command, event = seen
    assert command[0] == "application/x-www-form-urlencoded"
    assert parse_qs(command[1].decode())["text"] == ["run é=1&amp;2"]
    assert (event[0], json.loads(event[1])["type"]) == ("application/json", "event_callback")
    assert (command[2], event[2]) == (True, True)


async def test_events_are_retried_with_headers_until_the_app_says_stop() -> None:
    seen: list[tuple[str | None, str | None]] = []

    async def fail(request: web.Request) -> web.Response:
        seen.append((request.headers.get("x-slack-retry-num"), request.headers.get("x-slack-retry-reason")))
        headers = {"x-slack-no-retry": "1"} if len(seen) >= 6 else {}
        return web.Response(status=500, headers=headers)

    options = Options(event_retry_ms=(1, 1, 1))
    async with Simulator(demo_workspace(), options=options).serve() as simulator, receiving(fail) as url:
        simulator.use_http(url)
        simulator.post_message("ben", "#releases", "@vectorbea hi")
        await simulator.wait_for(lambda: [d for d in simulator.deliveries() if d.finished])
        assert seen == [(None, None), ("1", "http_error"), ("2", "http_error"), ("3", "http_error")]
        simulator.post_message("ben", "#releases", "@vectorbea hi")
        await simulator.wait_for(lambda: len([d for d in simulator.deliveries() if d.finished]) == 2)
        assert len(seen) == 6
        assert [d.acknowledged for d in simulator.deliveries()] == [False, False]


async def test_nobody_listening_and_not_json(simulator: Simulator) -> None:
    async def broken(_request: web.Request) -> web.Response:
        return web.Response(text="{", content_type="application/json")

    async with receiving(broken) as broken_url:
        for url in ("http://127.0.0.1:1/slack/events", broken_url):
            simulator.use_http(url)
            with pytest.raises(PersonError) as failed:
                await simulator.type_command("ben", "#releases", "/vb list")
            assert failed.value.code == "dispatch_failed"


async def test_an_answer_that_does_not_come() -> None:
    release = asyncio.Event()

    async def slow(_request: web.Request) -> web.Response:
        await release.wait()
        return web.Response()

    async with (
        Simulator(demo_workspace(), options=Options(ack_timeout_ms=100)).serve() as simulator,
        receiving(slow) as url,
    ):
        simulator.use_http(url)
        with pytest.raises(PersonError) as failed:
            await simulator.type_command("ben", "#releases", "/vb list")
        release.set()
    assert failed.value.code == "operation_timeout"


def test_the_signature_is_the_one_that_the_sdk_makes() -> None:
    body = b"command=%2Fvb&text=list"
    assert signature("secret", 1763786000, body) == SignatureVerifier("secret").generate_signature(
        timestamp="1763786000", body=body
    )
