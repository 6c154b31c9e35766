"""Files as Slack takes them: announced, brought whole and once, and shared once where the app is a member."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from bot.simulator.demo import SCOPES, demo_workspace, vectorbea_app
from bot.simulator.simulator import Simulator

from .conftest import refusal, web_client

LOG = b"first line\nsecond line\n"
PNG = b"\x89PNG\r\n\x1a\n and more"


async def bring(url: str, body: bytes) -> int:
    async with aiohttp.ClientSession() as session, session.post(url, data=body) as answer:
        return answer.status


async def uploaded(client: Any, body: bytes = LOG, name: str = "run.log") -> str:
    begun = await client.files_getUploadURLExternal(filename=name, length=len(body))
    assert await bring(begun["upload_url"], body) == 200
    return begun["file_id"]


async def test_the_clients_own_upload_shares_a_file_in_a_thread(simulator: Simulator, client: Any) -> None:
    root = await client.chat_postMessage(channel="C0RELEASES", text="x")
    done = await client.files_upload_v2(
        content=PNG,
        filename="spend.png",
        title="Spend",
        alt_txt="most on Monday",
        channel="C0RELEASES",
        thread_ts=root["ts"],
        initial_comment="Spent in all: *4.00 USD*",
    )
    _, reply = simulator.channel_messages("releases")
    assert (reply.thread_ts, reply.text) == (root["ts"], "Spent in all: *4.00 USD*")
    (file,) = (await client.conversations_replies(channel="C0RELEASES", ts=root["ts"]))["messages"][1]["files"]
    assert (file["id"], file["title"]) == (done["file"]["id"], "Spend")
    async with aiohttp.ClientSession() as session, session.get(file["permalink"]) as shown:
        assert (shown.content_type, await shown.read()) == ("image/png", PNG)


async def test_an_address_takes_the_bytes_that_were_announced_and_once(simulator: Simulator, client: Any) -> None:
    begun = await client.files_getUploadURLExternal(filename="run.log", length=len(LOG))
    assert await bring(begun["upload_url"], LOG + b"!") == 400
    assert await bring(begun["upload_url"], LOG) == 200
    assert await bring(begun["upload_url"], LOG) == 400
    assert await bring(f"{simulator.page_url}upload/v1/unknown", LOG) == 400
    assert simulator.violations.counts["wrong_upload"] == 3


async def test_what_is_uploaded_is_seen_by_nobody_until_it_is_shared_and_that_is_done_once(
    simulator: Simulator, client: Any
) -> None:
    begun = await client.files_getUploadURLExternal(filename="run.log", length=len(LOG))
    wanted: dict[str, Any] = {"files": [{"id": begun["file_id"]}], "channel_id": "C0RELEASES"}
    assert (await refusal(client.files_completeUploadExternal(**wanted)))["error"] == "file_not_found"
    await bring(begun["upload_url"], LOG)
    assert simulator.channel_messages("releases") == []
    long = {**wanted, "initial_comment": "x" * 40_001}
    assert (await refusal(client.api_call("files.completeUploadExternal", json=long)))["error"] == "msg_too_long"
    (file,) = (await client.files_completeUploadExternal(**wanted))["files"]
    assert file["title"] == "run.log", "the name, where no title is given"
    async with aiohttp.ClientSession() as session, session.get(file["permalink"]) as shown:
        assert (shown.content_type, await shown.read()) == ("text/plain", LOG), "and never a page"
    assert (await refusal(client.files_completeUploadExternal(**wanted)))["error"] == "file_not_found"
    assert len(simulator.channel_messages("releases")) == 1


async def test_where_a_file_cannot_be_shared(simulator: Simulator, client: Any) -> None:
    workspace, bot = simulator.workspace, simulator.workspace.app.bot_user_id
    file = await uploaded(client)

    async def error(**where: str) -> str:
        return (await refusal(client.files_completeUploadExternal(files=[{"id": file}], **where)))["error"]

    assert await error(channel_id="C0NOWHEREX") == "channel_not_found"
    workspace.leave(workspace.place("ops"), bot)
    assert await error(channel_id="C0OPSXXXXX") == "not_in_channel", "although the app may post there"
    workspace.archive(workspace.place("releases"))
    assert await error(channel_id="C0RELEASES") == "is_archived"
    workspace.archive(workspace.place("releases"), archived=False)
    assert await error(channel_id="C0RELEASES", thread_ts="1700000000.000100") == "cannot_reply_to_message"
    private = (await client.files_completeUploadExternal(files=[{"id": file}]))["files"]
    assert private[0]["id"] == file
    assert simulator.channel_messages("releases") == []


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        ({"filename": "x.log", "length": 0}, "missing_argument"),
        ({"filename": "", "length": 1}, "invalid_arguments"),
        ({"filename": "x.log", "length": 2_000_000_000}, "file_upload_size_restricted"),
        ({"filename": "x.log", "length": 1_000_001, "snippet_type": "text"}, "snippet_too_large"),
        ({"filename": "x.log", "length": 1, "snippet_type": "poem"}, "unknown_snippet_type"),
        ({"filename": "x.png", "length": 1, "alt_txt": "x" * 1_001}, "alt_txt_too_large"),
    ],
)
async def test_what_is_not_a_file(client: Any, wanted: dict[str, Any], error: str) -> None:
    assert (await refusal(client.files_getUploadURLExternal(**wanted)))["error"] == error


async def test_files_take_a_scope_of_their_own() -> None:
    app = vectorbea_app(tuple(scope for scope in SCOPES if scope != "files:write"))
    async with Simulator(demo_workspace(app=app)).serve() as simulator:
        client: Any = web_client(simulator)
        refused = await refusal(client.files_getUploadURLExternal(filename="x", length=1))
    assert (refused["error"], refused["needed"]) == ("missing_scope", "files:write")
