"""The chat methods through the real client: posting, changing, removing, and every refusal that matters."""

from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.simulator.calls import Fault
from bot.simulator.demo import BEN, CHEN, EVE, FINN, demo_workspace, vectorbea_app
from bot.simulator.model import Channel
from bot.simulator.simulator import Simulator

from .conftest import refusal, web_client

TOO_LARGE = {"event_type": "a", "event_payload": {"x": "y" * 17_000}}
SECTION = {"type": "section", "text": {"type": "mrkdwn", "text": "*hello*"}}


async def test_a_message_with_blocks_thread_and_metadata(simulator: Simulator, client: Any) -> None:
    metadata = {"event_type": "run_card", "event_payload": {"run": "run_1", "seq": 3}}
    root = await client.chat_postMessage(channel="#releases", text="hello", blocks=[SECTION], metadata=metadata)
    reply = await client.chat_postMessage(channel=root["channel"], text="more", thread_ts=root["ts"])

    assert root["message"]["blocks"][0]["block_id"]
    assert root["message"]["metadata"] == metadata
    assert reply["message"]["thread_ts"] == root["ts"]
    assert reply["message"]["parent_user_id"] == simulator.workspace.app.bot_user_id
    assert float(reply["ts"]) > float(root["ts"])
    thread = await client.conversations_replies(channel=root["channel"], ts=root["ts"], include_all_metadata=True)
    assert [message["text"] for message in thread["messages"]] == ["hello", "more"]
    assert thread["messages"][0]["metadata"] == metadata
    assert (thread["messages"][0]["reply_count"], thread["messages"][0]["latest_reply"]) == (1, reply["ts"])
    without = await client.conversations_replies(channel=root["channel"], ts=root["ts"])
    assert "metadata" not in without["messages"][0]


async def test_form_and_query_arguments_are_read_as_json_bodies_are(simulator: Simulator) -> None:
    headers = {"Authorization": f"Bearer {simulator.bot_token}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        form = {"channel": "C0RELEASES", "text": "x", "blocks": '[{"type":"divider"}]', "nobody_knows": "1"}
        async with session.post(f"{simulator.api_url}chat.postMessage", data=form) as response:
            posted = await response.json()
        assert posted["message"]["blocks"][0]["type"] == "divider"
        async with session.post(
            f"{simulator.api_url}chat.postMessage",
            data=b'{"channel":"C0RELEASES","text":"y"}',
            headers={"Content-Type": "application/json"},
        ) as response:
            assert (await response.json())["warning"] == "missing_charset"
        for data, kind, error in [
            (b"{", "application/json", "invalid_json"),
            (b"[]", "application/json", "json_not_object"),
            (b"x", "text/csv", "invalid_post_type"),
        ]:
            async with session.post(
                f"{simulator.api_url}chat.postMessage", data=data, headers={"Content-Type": kind}
            ) as response:
                assert (response.status, (await response.json())["error"]) == (200, error)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"channel": "C0NOWHERE", "text": "x"}, "channel_not_found"),
        ({"channel": "C0RELEASES"}, "no_text"),
        ({"channel": "C0RELEASES", "text": "  "}, "no_text"),
        ({"text": "x"}, "invalid_arguments"),
        ({"channel": FINN, "text": "x"}, "channel_not_found"),
        ({"channel": "C0RELEASES", "text": "x", "blocks": "not json"}, "invalid_blocks_format"),
        ({"channel": "C0RELEASES", "text": "x", "blocks": [{"type": "header"}]}, "invalid_blocks"),
        ({"channel": "C0RELEASES", "text": "x", "thread_ts": "1.2"}, "cannot_reply_to_message"),
        ({"channel": "C0RELEASES", "text": "x", "thread_ts": "1763786000.000100"}, "cannot_reply_to_message"),
        ({"channel": "C0RELEASES", "text": "x", "markdown_text": "y"}, "markdown_text_conflict"),
        ({"channel": "C0RELEASES", "text": "x", "metadata": "["}, "invalid_metadata_format"),
        ({"channel": "C0RELEASES", "text": "x", "metadata": {"event_type": "a"}}, "invalid_metadata_schema"),
        (
            {
                "channel": "C0RELEASES",
                "text": "x",
                "metadata": {"event_type": "a", "event_payload": {"x": "y" * 17_000}},
            },
            "metadata_too_large",
        ),
        ({"channel": "C0RELEASES", "text": "x", "attachments": [{"text": "x"}] * 101}, "too_many_attachments"),
        ({"channel": "C0RELEASES", "text": "x", "username": "Other"}, "missing_scope"),
    ],
)
async def test_what_posting_refuses(client: Any, arguments: dict[str, Any], error: str) -> None:
    refused = await refusal(client.api_call("chat.postMessage", json=arguments))
    assert refused["error"] == error


async def test_missing_arguments_are_named(client: Any) -> None:
    refused = await refusal(client.api_call("chat.update", json={"text": "x"}))
    assert refused["response_metadata"]["messages"] == [
        "[ERROR] missing required field: channel [json-pointer:/channel]",
        "[ERROR] missing required field: ts [json-pointer:/ts]",
    ]


async def test_where_the_app_may_post(simulator: Simulator, client: Any) -> None:
    workspace = simulator.workspace
    workspace.add_channel(Channel("C0SECRETXX", "secret", [BEN], is_private=True))
    workspace.add_channel(Channel("C0ARCHIVED", "old", [BEN, workspace.app.bot_user_id], is_archived=True))
    workspace.add_channel(Channel("C0PUBLICXX", "public", [BEN]))

    assert (await refusal(client.chat_postMessage(channel="C0SECRETXX", text="x")))["error"] == "channel_not_found"
    assert (await refusal(client.chat_postMessage(channel="C0ARCHIVED", text="x")))["error"] == "is_archived"
    assert (await client.chat_postMessage(channel="C0PUBLICXX", text="x"))["ok"]
    workspace.app.scopes = ("chat:write",)
    assert (await refusal(client.chat_postMessage(channel="C0PUBLICXX", text="x")))["error"] == "not_in_channel"
    direct = await client.chat_postMessage(channel=CHEN, text="to you")
    assert direct["channel"].startswith("D")
    assert [message.text for message in simulator.direct_messages("chen")] == ["to you"]


async def test_replies_go_to_roots_only(client: Any) -> None:
    root = await client.chat_postMessage(channel="#releases", text="root")
    reply = await client.chat_postMessage(channel="#releases", text="reply", thread_ts=root["ts"])
    refused = await refusal(client.chat_postMessage(channel="#releases", text="x", thread_ts=reply["ts"]))
    assert refused["error"] == "cannot_reply_to_message"


async def test_update_replaces_keeps_and_clears_as_slack_does(simulator: Simulator, client: Any) -> None:
    metadata = {"event_type": "card", "event_payload": {"n": 1}}
    posted = await client.chat_postMessage(channel="#releases", text="one", blocks=[SECTION], metadata=metadata)
    where = {"channel": posted["channel"], "ts": posted["ts"]}
    message = simulator.channel_messages("#releases")[0]

    divider = {"type": "divider"}
    await client.chat_update(**where, text="two", blocks=[divider])
    assert (message.text, message.blocks[0]["type"], message.edited) == ("two", "divider", None)
    await client.api_call("chat.update", json={**where, "blocks": [SECTION]})
    assert (message.text, message.blocks[0]["type"]) == ("two", "section")
    assert message.metadata == metadata
    await client.chat_update(**where, text="three")
    assert (message.text, message.blocks) == ("three", [])
    assert message.edited is not None
    await client.chat_update(**where, text="four", blocks=[SECTION])
    await client.api_call("chat.update", json={**where, "blocks": []})
    assert (message.text, message.blocks) == ("four", [])
    await client.api_call("chat.update", json={**where, "metadata": {}})
    assert (message.text, message.metadata) == ("four", None)


async def test_what_updating_refuses(simulator: Simulator, client: Any) -> None:
    human = simulator.post_message("ben", "#releases", "mine")
    posted = await client.chat_postMessage(channel="#releases", text="x")
    hidden = await client.chat_postEphemeral(channel="C0RELEASES", user=BEN, text="x")
    for ts, changes, error in [
        (human.ts, {"text": "x"}, "cant_update_message"),
        ("1763786000.000100", {"text": "x"}, "message_not_found"),
        (hidden["message_ts"], {"text": "x"}, "message_not_found"),
        (posted["ts"], {"text": "x" * 4001}, "msg_too_long"),
        (posted["ts"], {}, "no_text"),
    ]:
        refused = await refusal(client.api_call("chat.update", json={"channel": "C0RELEASES", "ts": ts, **changes}))
        assert refused["error"] == error
    by_user = await refusal(client.api_call("chat.update", json={"channel": BEN, "ts": posted["ts"], "text": "x"}))
    assert by_user["error"] == "channel_not_found"


async def test_an_ephemeral_message_is_seen_by_one(simulator: Simulator, client: Any) -> None:
    await client.chat_postEphemeral(channel="C0RELEASES", user=BEN, text="only you")
    assert [m.text for m in simulator.channel_messages("#releases", seen_by="ben")] == ["only you"]
    assert simulator.channel_messages("#releases", seen_by="ana") == []
    assert (await client.conversations_history(channel="C0RELEASES"))["messages"] == []
    not_there = await refusal(client.chat_postEphemeral(channel="C0OPSXXXXX", user=EVE, text="x"))
    assert not_there["error"] == "user_not_in_channel"


async def test_deleting(simulator: Simulator, client: Any) -> None:
    human = simulator.post_message("ben", "#releases", "mine")
    root = await client.chat_postMessage(channel="#releases", text="root")
    reply = await client.chat_postMessage(channel="#releases", text="reply", thread_ts=root["ts"])
    await client.chat_delete(channel="C0RELEASES", ts=root["ts"])
    assert [(m.text, m.subtype) for m in simulator.channel_messages("#releases")][1] == (
        "This message was deleted.",
        "tombstone",
    )
    await client.chat_delete(channel="C0RELEASES", ts=reply["ts"])
    assert len(simulator.channel_messages("#releases")) == 2
    assert (await refusal(client.chat_delete(channel="C0RELEASES", ts=human.ts)))["error"] == "cant_delete_message"
    assert (await refusal(client.chat_delete(channel="C0RELEASES", ts=reply["ts"])))["error"] == "message_not_found"


async def test_permalinks_lead_to_the_page(simulator: Simulator, client: Any) -> None:
    root = await client.chat_postMessage(channel="#releases", text="root")
    reply = await client.chat_postMessage(channel="#releases", text="reply", thread_ts=root["ts"])
    of_root = await client.chat_getPermalink(channel="C0RELEASES", message_ts=root["ts"])
    of_reply = await client.chat_getPermalink(channel="C0RELEASES", message_ts=reply["ts"])
    assert of_root["permalink"] == f"{simulator.page_url}archives/C0RELEASES/p{root['ts'].replace('.', '')}"
    assert of_reply["permalink"].endswith(f"?thread_ts={root['ts']}&cid=C0RELEASES")


async def test_reactions(simulator: Simulator, client: Any) -> None:
    human = simulator.post_message("ben", "#releases", "mine")
    await client.reactions_add(channel="C0RELEASES", timestamp=human.ts, name="eyes")
    assert human.reactions == {"eyes": [simulator.workspace.app.bot_user_id]}
    for name, error in [("eyes", "already_reacted"), ("not an emoji", "invalid_name")]:
        refused = await refusal(client.reactions_add(channel="C0RELEASES", timestamp=human.ts, name=name))
        assert refused["error"] == error


async def test_tokens_and_scopes(simulator: Simulator) -> None:
    workspace = simulator.workspace
    nobody: Any = AsyncWebClient(base_url=simulator.api_url)
    stranger: Any = AsyncWebClient(token="xoxb-other", base_url=simulator.api_url)
    socket_only: Any = AsyncWebClient(token=simulator.app_token, base_url=simulator.api_url)
    assert (await refusal(nobody.auth_test()))["error"] == "not_authed"
    assert (await refusal(stranger.auth_test()))["error"] == "invalid_auth"
    assert (await refusal(socket_only.auth_test()))["error"] == "not_allowed_token_type"
    client: Any = web_client(simulator)
    assert (await refusal(client.api_call("chat.nonsense")))["error"] == "unknown_method"
    workspace.app = vectorbea_app(scopes=("commands",))
    refused = await refusal(client.chat_postMessage(channel="#releases", text="x"))
    assert (refused["error"], refused["needed"], refused["provided"]) == ("missing_scope", "chat:write", "commands")
    answer = await client.auth_test()
    assert (answer["team_id"], answer["user_id"]) == (workspace.team_id, workspace.app.bot_user_id)
    assert answer.headers["x-oauth-scopes"] == "commands"


async def test_no_token_is_kept_in_the_log(simulator: Simulator, client: Any) -> None:
    await client.chat_postMessage(channel="#releases", text="x")
    in_form = {"channel": "C0RELEASES", "text": "y", "token": simulator.bot_token}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{simulator.api_url}chat.postMessage", data=in_form) as response,
    ):
        assert (await response.json())["ok"]
    assert [call.args["text"] for call in simulator.calls("chat.postMessage")] == ["x", "y"]
    assert simulator.bot_token not in repr(simulator.calls())
    assert simulator.bot_token not in repr(simulator)


async def test_faults_come_once_and_as_asked(simulator: Simulator, client: Any) -> None:
    post = {"channel": "C0RELEASES", "text": "x"}
    simulator.fail_next("chat.postMessage", Fault(error="restricted_action"))
    assert (await refusal(client.chat_postMessage(**post)))["error"] == "restricted_action"
    simulator.fail_next("chat.postMessage", Fault(retry_after_s=7))
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {simulator.bot_token}"}) as session,
        session.post(f"{simulator.api_url}chat.postMessage", data=post) as limited,
    ):
        assert (limited.status, limited.headers["Retry-After"]) == (429, "7")
        assert (await limited.json())["error"] == "ratelimited"
    simulator.fail_next("chat.postMessage", Fault(status=503))
    with pytest.raises(SlackApiError, match="internal_error"):
        await client.chat_postMessage(**post)
    assert simulator.channel_messages("#releases") == []
    assert (await client.chat_postMessage(**post))["ok"]


async def test_a_dropped_connection_before_or_after_the_work(simulator: Simulator) -> None:
    client: Any = AsyncWebClient(token=simulator.bot_token, base_url=simulator.api_url, retry_handlers=[])
    simulator.fail_next("chat.postMessage", Fault(drop="before"))
    with pytest.raises(aiohttp.ClientError):
        await client.chat_postMessage(channel="#releases", text="before")
    assert simulator.channel_messages("#releases") == []
    simulator.fail_next("chat.postMessage", Fault(drop="after"))
    with pytest.raises(aiohttp.ClientError):
        await client.chat_postMessage(channel="#releases", text="after")
    assert [message.text for message in simulator.channel_messages("#releases")] == ["after"]
    assert [(call.answer, call.status) for call in simulator.calls("chat.postMessage")] == [(None, 0), (None, 0)]


async def test_only_loopback(simulator: Simulator) -> None:
    with pytest.raises(ValueError, match="loopback only"):
        async with Simulator(demo_workspace()).serve(host="0.0.0.0"):  # noqa: S104 - refused
            pass
    async with aiohttp.ClientSession() as session:
        async with session.post(f"{simulator.api_url}auth.test", headers={"Host": "evil.example"}) as response:
            assert response.status == 403
        async with session.post(
            f"{simulator.api_url}auth.test", headers={"Origin": "https://evil.example"}
        ) as response:
            assert response.status == 403
