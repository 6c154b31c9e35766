"""The page's own API: what a person sees and does, what changes are told, and who else is kept out."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.simulator.demo import ANA, BEN, CHEN, demo_workspace
from bot.simulator.model import App
from bot.simulator.simulator import Options, Simulator

from .conftest import Connect, on, web_client

Json = dict[str, Any]

BUTTONS = [
    {
        "type": "actions",
        "block_id": "b",
        "elements": [{"type": "button", "action_id": "go", "text": {"type": "plain_text", "text": "Go"}}],
    }
]


class Page:
    """One browser's page: GET state, POST actions, and the stream of changes."""

    def __init__(self, simulator: Simulator, session: aiohttp.ClientSession) -> None:
        self._base = f"{simulator.page_url}_sim/"
        self._session = session

    async def state(self, user: str = "") -> Json:
        async with self._session.get(f"{self._base}state", params={"user": user} if user else {}) as response:
            return await response.json()

    async def post(self, action: str, **fields: Any) -> Json:
        async with self._session.post(f"{self._base}{action}", json=fields) as response:
            answer: Json = await response.json()
            assert answer["ok"] == (response.status == 200), (response.status, answer)
            return answer

    @asynccontextmanager
    async def events(self, user: str) -> AsyncGenerator[aiohttp.ClientWebSocketResponse]:
        async with self._session.ws_connect(f"{self._base}events", params={"user": user}) as socket:
            hello = await socket.receive_json(timeout=60)
            assert hello["type"] == "hello"
            yield socket


@pytest.fixture
async def page(simulator: Simulator) -> AsyncGenerator[Page]:
    async with aiohttp.ClientSession() as session:
        yield Page(simulator, session)


async def test_the_state_is_what_the_person_sees(simulator: Simulator, page: Page) -> None:
    client: Any = web_client(simulator)
    root = await client.chat_postMessage(channel="#releases", text="card", blocks=BUTTONS)
    await client.chat_postMessage(channel="#releases", text="reply", thread_ts=root["ts"])
    await client.chat_postEphemeral(channel="C0RELEASES", user=BEN, text="psst")
    await client.chat_postMessage(channel=CHEN, text="to Chen")

    ben = await page.state(BEN)
    ana = await page.state()
    assert (ana["me"], ana["team"]["name"], ana["app"]["name"]) == (ANA, "Acme", "Vectorbea")
    assert (ana["app"]["connected"], ana["app"]["mode"], ana["home"], ana["views"]) == (False, "socket", None, [])
    assert [channel["name"] for channel in ana["channels"]] == ["releases", "ops", "eng-leads", "Vectorbea"]
    assert [channel["name"] for channel in ben["channels"]] == ["releases", "ops", "Vectorbea"]
    assert [(m["text"], m["ephemeral"]) for m in ben["messages"]["C0RELEASES"]] == [
        ("card", False),
        ("reply", False),
        ("psst", True),
    ]
    first, second = ana["messages"]["C0RELEASES"]
    assert (first["reply_count"], first["reply_users"], first["latest_reply"]) == (
        1,
        [simulator.workspace.app.bot_user_id],
        second["ts"],
    )
    assert first["blocks"] == BUTTONS
    assert "to Chen" not in str(ben)
    assert {person["name"]: person["is_guest"] for person in ben["people"]}["eve"] is True


async def test_changes_are_told_to_those_who_see_them(simulator: Simulator, page: Page) -> None:
    client: Any = web_client(simulator)
    async with page.events("ben") as ben, page.events("ana") as ana:
        await client.chat_postEphemeral(channel="C0RELEASES", user=BEN, text="psst")
        posted = await client.chat_postMessage(channel="#releases", text="one")
        await client.chat_update(channel="C0RELEASES", ts=posted["ts"], text="two")
        await client.chat_delete(channel="C0RELEASES", ts=posted["ts"])
        await page.post("clock", advance_ms=60_000)
        told_ben = [await ben.receive_json(timeout=60) for _ in range(5)]
        told_ana = [await ana.receive_json(timeout=60) for _ in range(4)]
    types = ["message.posted", "message.updated", "message.deleted", "clock.moved"]
    assert [frame["type"] for frame in told_ben] == ["message.posted", *types]
    assert [frame["type"] for frame in told_ana] == types
    assert [frame["rev"] for frame in told_ben] == sorted({frame["rev"] for frame in told_ben})
    assert told_ben[0]["message"]["text"] == "psst"
    assert told_ana[1]["message"]["text"] == "two"
    assert told_ana[2] == {**told_ana[2], "channel": "C0RELEASES", "ts": posted["ts"]}


async def test_a_person_acts_through_the_page(
    simulator: Simulator, app: AsyncApp, connect: Connect, page: Page
) -> None:
    form = {
        "type": "modal",
        "callback_id": "form",
        "title": {"type": "plain_text", "text": "Run"},
        "submit": {"type": "plain_text", "text": "Start"},
        "blocks": [
            {
                "type": "input",
                "block_id": "name",
                "label": {"type": "plain_text", "text": "Name"},
                "element": {"type": "plain_text_input", "action_id": "value"},
            }
        ],
    }

    @on(app, "command", "/vb")
    async def _(ack: AsyncAck, body: Json, client: Any) -> None:
        await client.views_open(trigger_id=body["trigger_id"], view=form)
        await ack()

    @on(app, "view", "form")
    async def _(ack: AsyncAck, client: Any) -> None:
        await ack()
        await client.chat_postMessage(channel="C0RELEASES", text="started", blocks=BUTTONS)

    @on(app, "action", "go")
    async def _(ack: AsyncAck, body: Json, client: Any) -> None:
        await ack()
        await client.chat_update(channel=body["channel"]["id"], ts=body["message"]["ts"], text="gone")

    await connect(app)
    assert (await page.state())["app"]["connections"] == 1
    async with page.events("ben") as events:
        assert await page.post("command", user=BEN, channel="C0RELEASES", text="/vb run") == {"ok": True}
        opened = await events.receive_json(timeout=60)
        assert (opened["type"], opened["view_id"], len(opened["views"])) == ("view.opened", opened["view"]["id"], 1)
        empty = await page.post("submit", user=BEN, view_id=opened["view_id"], values={})
        assert empty == {"ok": True, "result": "errors", "errors": {"name": "Please complete this required field."}}
        values = {"name": {"value": "x"}}
        assert (await page.post("submit", user=BEN, view_id=opened["view_id"], values=values))["result"] == "closed"
        frames = {frame["type"]: frame for frame in [await events.receive_json(timeout=60) for _ in range(2)]}
        assert frames["view.closed"]["views"] == []
        ts = frames["message.posted"]["message"]["ts"]
        click = {"user": BEN, "channel": "C0RELEASES", "ts": ts, "block_id": "b", "action_id": "go"}
        assert await page.post("click", **click) == {"ok": True}
        assert (await events.receive_json(timeout=60))["message"]["text"] == "gone"
        again = await page.post("click", **click)
        assert again["error"] == "action_not_found"
        said = await page.post("message", user=BEN, channel="C0RELEASES", text="hi @ana", thread_ts=ts)
        assert simulator.workspace.message("C0RELEASES", said["ts"])
    assert (await page.post("close", user=BEN, view_id="V0NONE"))["error"] == "view_not_found"


@pytest.mark.parametrize(
    ("action", "fields", "error"),
    [
        ("command", {"user": BEN, "channel": "C0RELEASES"}, "bad_request"),
        ("command", {"user": BEN, "channel": "C0RELEASES", "text": "/nope"}, "unknown_command"),
        ("command", {"user": "U0NOBODY", "channel": "C0RELEASES", "text": "/vb"}, "user_not_found"),
        ("message", {"user": BEN, "channel": "C0ENGLEADS", "text": "x"}, "channel_not_found"),
        ("click", {"user": BEN, "channel": "C0RELEASES", "ts": "1.2", "action_id": "go"}, "message_not_found"),
        ("submit", {"user": BEN, "view_id": "V0NONE", "values": {}}, "view_not_found"),
        ("submit", {"user": BEN, "view_id": 7}, "bad_request"),
        ("clock", {"advance_ms": -1}, "bad_request"),
        ("clock", {"advance_ms": 10**12}, "bad_request"),
        ("clock", {"advance_ms": "soon"}, "bad_request"),
    ],
)
async def test_refusals_are_sentences(page: Page, action: str, fields: Json, error: str) -> None:
    answer = await page.post(action, **fields)
    assert answer["error"] == error
    assert answer["message"].endswith((".", "?"))
    assert "Traceback" not in answer["message"]


async def test_without_an_app_the_page_says_so() -> None:
    async with (
        Simulator(demo_workspace(), options=Options(ack_timeout_ms=20)).serve() as simulator,
        aiohttp.ClientSession() as session,
    ):
        answer = await Page(simulator, session).post("command", user=BEN, channel="C0RELEASES", text="/vb list")
        assert answer["error"] == "not_connected"


async def test_other_sites_are_kept_out(simulator: Simulator) -> None:
    url = f"{simulator.page_url}_sim/"
    body: Json = {"user": BEN, "channel": "C0RELEASES", "text": "x"}
    own = simulator.page_url.rstrip("/")
    async with aiohttp.ClientSession() as session:
        for headers, status in [
            ({"Origin": own}, 200),
            ({"Origin": "https://evil.example"}, 403),
            ({"Origin": "null"}, 403),
            ({"Host": "evil.example"}, 403),
            ({"Host": "127.0.0.1:1"}, 403),
        ]:
            async with session.post(f"{url}message", json=body, headers=headers) as response:
                assert response.status == status
        async with session.post(f"{url}message", data="{}", headers={"Content-Type": "text/plain"}) as response:
            assert response.status == 400
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(f"{url}events", headers={"Origin": "https://evil.example"})


async def test_only_the_pages_own_files_are_served(simulator: Simulator) -> None:
    async with aiohttp.ClientSession() as session:
        for name in ("", "archives/C0RELEASES/p1763786000000100"):
            async with session.get(simulator.page_url + name) as response:
                assert (response.status, response.content_type) == (200, "text/html")
                assert "default-src 'self'" in response.headers["Content-Security-Policy"]
        for name in ("simulator.py", "..%2Fsimulator.py", "%2e%2e%2fsimulator.py", "nothing.js"):
            async with session.get(simulator.page_url + name) as response:
                assert response.status == 404


async def test_the_page_of_an_app_without_home_and_messages(simulator: Simulator, page: Page) -> None:
    app: App = simulator.workspace.app
    app.home_tab, app.writable = False, False
    seen = (await page.state(BEN))["app"]
    assert (seen["home_tab"], seen["writable"]) == (False, False)
    assert (await page.post("home", user=BEN))["message"] == "Vectorbea has no Home tab."


async def test_a_page_that_does_not_read_is_cut_off(simulator: Simulator) -> None:
    changes = simulator.workspace.changes
    with changes.subscribe(BEN) as slow:
        for number in range(3_000):
            changes.publish("clock.moved", {"number": number})
        assert slow.lost
        assert slow.queue.qsize() == 2_000


async def test_the_server_stops_at_once_with_pages_open() -> None:
    async with aiohttp.ClientSession() as session:
        async with asyncio.timeout(180):
            async with Simulator(demo_workspace()).serve() as simulator:
                socket = await session.ws_connect(f"{simulator.page_url}_sim/events")
                await socket.receive_json(timeout=60)
            closed = await socket.receive(timeout=60)
    assert closed.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
