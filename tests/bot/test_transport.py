"""Connections to Slack that break, fall silent, are refreshed or are refused; deliveries that come twice."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.web.async_client import AsyncWebClient

from bot.receiving.attending import Attending
from bot.receiving.links import LINKS, Envelope, Links, Patience, Payload
from bot.receiving.once import Once
from bot.simulator.calls import Fault
from bot.simulator.http_delivery import signature
from bot.simulator.simulator import Simulator
from tests.bot.conftest import Setup
from tests.bot.front import HTTP, SIMPLE, serving
from tests.httpd import listening
from tests.waiting import until

USUAL = Patience(pauses=(0.0, 0.05))
DEAF = Patience(ping=0.2, drain=2.0, pauses=(0.0, 0.05))
HASTY = Patience(hello=0.5, pauses=(0.0, 0.05))
"""Only where a connection is to be given up: a machine that is busy makes every connection fall silent for so long."""


@dataclass
class App:
    """What receives: it answers with the command's text, once it may."""

    received: list[str] = field(default_factory=list[str])
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    async def deliver(self, envelope: Envelope) -> Payload | None:
        text = str(envelope.payload.get("text", ""))
        self.received.append(text)
        await self.may_answer.wait()
        return {"text": f"told {text}"}


@pytest.fixture
def app() -> App:
    made = App()
    made.may_answer.set()
    return made


async def address(simulator: Simulator, client: Any) -> str:
    """That of a new connection, as Slack gives it."""
    return (await client.apps_connections_open(app_token=simulator.app_token))["url"]


@asynccontextmanager
async def linked(
    simulator: Simulator, client: AsyncWebClient, app: App, *first: str, patience: Patience = USUAL
) -> AsyncGenerator[Links]:
    """Connections to the simulator; ``first`` are the addresses that are tried before those that it gives."""
    addresses = list(first)

    async def ticket() -> str:
        return addresses.pop(0) if addresses else await address(simulator, client)

    async with aiohttp.ClientSession() as session:
        links = Links(session, ticket, app.deliver, Attending(), patience)
        holding = asyncio.create_task(links.run())
        try:
            yield links
        finally:
            holding.cancel()
            await asyncio.gather(holding, return_exceptions=True)


async def both(simulator: Simulator) -> None:
    await simulator.wait_for(lambda: simulator.socket.connections == LINKS)


def opened(simulator: Simulator) -> int:
    """How many tickets were given out."""
    return len(simulator.calls("apps.connections.open"))


async def told(simulator: Simulator, text: str) -> None:
    """Type a command, and see it answered."""
    await simulator.type_command("ben", "#releases", f"/vb {text}")
    seen = simulator.channel_messages("#releases", seen_by="ben")
    assert seen[-1].text == f"told {text}"


# Connections


async def test_a_refresh_leaves_no_moment_without_a_connection(
    simulator: Simulator, client: AsyncWebClient, app: App
) -> None:
    async with linked(simulator, client, app):
        await both(simulator)
        over = asyncio.Event()
        refreshing = asyncio.create_task(simulator.socket.refresh(over=over))
        asked = 0
        while not refreshing.done() or asked < 20:
            assert simulator.socket.connected, "there is none that takes an envelope"
            if asked < 20:
                asked += 1
                await told(simulator, str(asked))
            if asked == 10:
                await simulator.wait_for(lambda: simulator.socket.connections == 2 * LINKS)
                over.set()
            await asyncio.sleep(0.005)
        await both(simulator)
        assert opened(simulator) == 2 * LINKS
    assert app.received == [str(number) for number in range(1, 21)]


async def test_the_next_connection_is_there_before_the_old_one_is_closed(
    simulator: Simulator, client: AsyncWebClient, app: App
) -> None:
    async with linked(simulator, client, app):
        await both(simulator)
        refreshing = asyncio.create_task(simulator.socket.refresh(over=asyncio.Event()))
        await simulator.wait_for(lambda: simulator.socket.connections == 2 * LINKS)
        refreshing.cancel()
        await asyncio.gather(refreshing, return_exceptions=True)


async def test_what_came_by_a_lost_connection_is_acknowledged_on_another(
    simulator: Simulator, client: AsyncWebClient, app: App
) -> None:
    async with linked(simulator, client, app):
        await both(simulator)
        app.may_answer.clear()
        typing = asyncio.create_task(told(simulator, "late"))
        await simulator.wait_for(lambda: app.received)
        simulator.socket.drop()
        await simulator.wait_for(lambda: opened(simulator) == 2 * LINKS)
        await simulator.wait_connected()
        app.may_answer.set()
        await typing
    assert app.received == ["late"]


async def test_a_connection_without_pongs_is_given_up_and_made_anew(
    simulator: Simulator, client: AsyncWebClient, app: App
) -> None:
    async with linked(simulator, client, app, patience=DEAF):
        await both(simulator)
        simulator.socket.muted = True
        await simulator.wait_for(lambda: opened(simulator) >= 2 * LINKS)
        simulator.socket.muted = False
        await both(simulator)


@pytest.fixture
async def silent() -> AsyncIterator[str]:
    """The address of a server that takes a connection and says nothing."""

    async def handle(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for _ in socket:
            pass
        return socket

    server = web.Application()
    server.router.add_get("/", handle)
    async with listening(server) as port:
        yield f"ws://127.0.0.1:{port}/"


async def test_a_connection_without_a_hello_is_given_up(
    simulator: Simulator, client: AsyncWebClient, app: App, silent: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "bot.receiving.links"):
        async with linked(simulator, client, app, *[silent] * LINKS, patience=HASTY):
            await both(simulator)
            await told(simulator, "hello")
    levels = [record.levelname for record in caplog.records]
    assert levels[:2] == ["WARNING", "INFO"]
    assert all(level != later for level, later in pairwise(levels)), "each trouble is told once, and its end"
    assert "no hello in time" in caplog.text


@dataclass
class Lasting:
    """A server whose connections say that they last for a second, and stay; ``states`` of them in their order."""

    address: str = ""
    states: list[str] = field(default_factory=list[str])

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        socket, number = web.WebSocketResponse(), len(self.states)
        self.states.append("open")
        await socket.prepare(request)
        await socket.send_json({"type": "hello", "debug_info": {"approximate_connection_time": 1}})
        async for _ in socket:
            pass
        self.states[number] = "closed"
        return socket


@pytest.fixture
async def lasting() -> AsyncIterator[Lasting]:
    server, made = web.Application(), Lasting()
    server.router.add_get("/", made.handle)
    async with listening(server) as port:
        made.address = f"ws://127.0.0.1:{port}/"
        yield made


async def test_the_two_connections_do_not_come_to_their_ends_together(
    simulator: Simulator, client: AsyncWebClient, app: App, lasting: Lasting
) -> None:
    async def one_was_replaced() -> bool:
        return lasting.states.count("closed") == 1 and len(lasting.states) == LINKS + 1

    async with linked(simulator, client, app, *[lasting.address] * (LINKS + 1)):
        await until(one_was_replaced)
        assert lasting.states[-1] == "open"


async def test_a_used_up_address_does_not_keep_the_bot_out(
    simulator: Simulator, client: AsyncWebClient, app: App
) -> None:
    used = f"{simulator.page_url.replace('http', 'ws')}link/?ticket=used"
    async with linked(simulator, client, app, used, "ws://127.0.0.1:9/link/"):
        await both(simulator)


async def test_beyond_ten_connections_it_says_so_and_uses_what_it_has(
    simulator: Simulator, client: AsyncWebClient, app: App, caplog: pytest.LogCaptureFixture
) -> None:
    async with aiohttp.ClientSession() as session:
        others = [await session.ws_connect(await address(simulator, client)) for _ in range(9)]
        async with linked(simulator, client, app) as links:
            await links.connected()
            await until(lambda: "run fewer processes" in caplog.text)
            await others.pop().close()
            await simulator.wait_for(lambda: simulator.socket.connections == 10)
        for other in others:
            await other.close()


async def test_a_pause_that_slack_asks_for_is_kept_between_tickets(
    simulator: Simulator, client: AsyncWebClient, app: App
) -> None:
    simulator.fail_next("apps.connections.open", Fault(retry_after_s=1), LINKS)
    begun = time.monotonic()
    async with linked(simulator, client, app):
        await both(simulator)
    assert time.monotonic() - begun >= 1
    assert opened(simulator) == 2 * LINKS


# Deliveries that come twice


@dataclass
class Counting:
    """A bolt app that counts what its listeners do, and answers with the count."""

    app: AsyncApp
    calls: int = 0
    fails: int = 0
    answers: asyncio.Event = field(default_factory=asyncio.Event)


@pytest.fixture
def counting(simulator: Simulator) -> Counting:
    async def authorize() -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=None, team_id="T0ACMEDEMO", bot_token=simulator.bot_token)

    bolt: Any = AsyncApp(authorize=authorize, signing_secret="")
    made = Counting(bolt)
    made.answers.set()

    async def command(ack: Any) -> None:
        made.calls += 1
        if made.calls <= made.fails:
            raise RuntimeError("the first ones fail")
        await made.answers.wait()
        await ack(text=f"answer {made.calls}")

    bolt.command("/vb")(command)
    return made


def typed(trigger: str, text: str = "help") -> AsyncBoltRequest:
    body = {"command": "/vb", "text": text, "trigger_id": trigger, "team_id": "T0ACMEDEMO", "user_id": "U0BENXXXXX"}
    return AsyncBoltRequest(mode="socket_mode", body=body)


async def test_copies_get_the_answer_of_the_first_whenever_they_come(counting: Counting) -> None:
    once = Once(counting.app)
    counting.answers.clear()
    copies = [asyncio.create_task(once.dispatch(typed("1.2"))) for _ in range(2)]
    await until(lambda: counting.calls)
    counting.answers.set()
    both = await asyncio.gather(*copies)
    later = await once.dispatch(typed("1.2"))
    assert {answer.body for answer in (*both, later)} == {"answer 1"}
    assert counting.calls == 1


async def test_another_delivery_and_another_text_are_no_copies(counting: Counting) -> None:
    once = Once(counting.app)
    for request in (typed("1.2"), typed("1.3"), typed("1.2", "list")):
        await once.dispatch(request)
    assert counting.calls == 3


async def test_a_delivery_that_failed_is_taken_anew(counting: Counting) -> None:
    counting.fails = 1
    once = Once(counting.app)
    failed, taken = await once.dispatch(typed("1.2")), await once.dispatch(typed("1.2"))
    assert (failed.status, taken.status) == (500, 200)


async def test_a_copy_whose_connection_is_gone_does_not_stop_the_first(counting: Counting) -> None:
    once = Once(counting.app)
    counting.answers.clear()
    first, copy = (asyncio.create_task(once.dispatch(typed("1.2"))) for _ in range(2))
    await until(lambda: counting.calls)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    counting.answers.set()
    assert (await copy).status == 200
    assert counting.calls == 1


async def test_an_event_that_slack_delivers_again_over_http_is_answered_once(
    setup: Setup, simulator: Simulator
) -> None:
    async with serving(setup, simulator, [SIMPLE], transport=HTTP) as front:
        simulator.post_message("ben", "#releases", "@vectorbea hello")
        await front.told("ben", 1)
        [event] = simulator.deliveries("events_api")
        body = json.dumps(event.payload).encode()
        now = int(time.time())
        headers = {
            "Content-Type": "application/json",
            "X-Slack-Request-Timestamp": str(now),
            "X-Slack-Signature": signature(simulator.signing_secret, now, body),
            "X-Slack-Retry-Num": "1",
            "X-Slack-Retry-Reason": "http_timeout",
        }
        async with (
            aiohttp.ClientSession() as session,
            session.post(front.service.request_url, data=body, headers=headers) as answer,
        ):
            assert answer.status == 200
        await front.type("ben", "help")
        assert len(simulator.calls("chat.postEphemeral")) == 1


@pytest.mark.parametrize("method", ["auth.test", "apps.connections.open"])
@pytest.mark.parametrize("fault", [Fault(error="internal_error"), Fault(retry_after_s=1)])
async def test_a_trouble_of_slacks_own_at_the_start_passes(
    setup: Setup, simulator: Simulator, method: str, fault: Fault
) -> None:
    simulator.fail_next(method, fault)
    async with serving(setup, simulator, [SIMPLE]) as front:
        assert await front.type("ben", "run simple") == ""
