"""What happens to people and places: archived, removed, deleted, gone; and a workspace without newer blocks."""

from typing import Any

import pytest
from slack_bolt.async_app import AsyncApp

from bot.simulator.demo import ANA, BEN, CHEN, DANA, FINN
from bot.simulator.errors import PersonError
from bot.simulator.model import Json
from bot.simulator.simulator import Simulator

from .conftest import Connect, on, refusal

NEWER: dict[str, Json] = {
    "markdown": {"type": "markdown", "text": "x"},
    "table": {"type": "table", "rows": [[{"type": "raw_text", "text": "x"}]]},
    "card": {"type": "card", "title": {"type": "plain_text", "text": "x"}},
    "task_card": {"type": "task_card", "task_id": "a", "title": "x"},
    "plan": {"type": "plan", "title": "x"},
}


async def test_an_archived_channel_takes_nothing(simulator: Simulator, client: Any) -> None:
    posted = await client.chat_postMessage(channel="#ops", text="x")
    simulator.archive_channel("#ops")
    where = {"channel": posted["channel"]}
    for call, error in [
        (client.chat_postMessage(**where, text="y"), "is_archived"),
        (client.chat_postEphemeral(**where, user=BEN, text="y"), "is_archived"),
        (client.chat_update(**where, ts=posted["ts"], text="y"), "is_inactive"),
        (client.reactions_add(**where, timestamp=posted["ts"], name="eyes"), "is_archived"),
    ]:
        assert (await refusal(call))["error"] == error
    assert (await client.conversations_info(**where))["channel"]["is_archived"]
    with pytest.raises(PersonError, match="archived"):
        simulator.post_message("ben", "#ops", "hello")
    assert simulator.violations.total == 0


async def test_an_app_that_was_removed(simulator: Simulator, client: Any) -> None:
    channel, secret = "C0RELEASES", "C0ENGLEADS"
    for place in ("#releases", "#eng-leads"):
        simulator.remove_from_channel(place)
    assert (await client.chat_postMessage(channel=channel, text="x"))["ok"], "public channels need no membership"
    for call, error in [
        (client.conversations_history(channel=channel), "not_in_channel"),
        (client.chat_postEphemeral(channel=channel, user=BEN, text="x"), "not_in_channel"),
        (client.chat_postMessage(channel=secret, text="x"), "channel_not_found"),
    ]:
        assert (await refusal(call))["error"] == error
    simulator.workspace.app.scopes = ("chat:write",)
    assert (await refusal(client.chat_postMessage(channel=channel, text="x")))["error"] == "not_in_channel"


async def test_a_message_that_an_admin_deleted(simulator: Simulator, client: Any) -> None:
    posted = await client.chat_postMessage(channel="#ops", text="x")
    simulator.delete_message("#ops", posted["ts"])
    where = {"channel": posted["channel"]}
    for call, error in [
        (client.chat_update(**where, ts=posted["ts"], text="y"), "message_not_found"),
        (client.chat_postMessage(**where, thread_ts=posted["ts"], text="y"), "cannot_reply_to_message"),
        (client.conversations_replies(**where, ts=posted["ts"]), "thread_not_found"),
    ]:
        assert (await refusal(call))["error"] == error
    assert simulator.violations.total == 0, "nobody could have known"


async def test_somebody_who_left(simulator: Simulator, client: Any) -> None:
    simulator.deactivate("ana")
    assert (await client.users_info(user=ANA))["user"]["deleted"]
    assert (await client.usergroups_users_list(usergroup="S0RELEASES"))["users"] == [DANA]
    assert (await client.usergroups_users_list(usergroup="S0PLATFORM"))["users"] == [BEN, CHEN]
    for gone in (ANA, FINN):
        assert (await refusal(client.conversations_open(users=gone)))["error"] == "user_disabled"
        assert (await refusal(client.chat_postMessage(channel=gone, text="x")))["error"] == "channel_not_found"
    assert (await refusal(client.chat_postEphemeral(channel="C0RELEASES", user=ANA, text="x")))["error"] == (
        "user_not_in_channel"
    )
    with pytest.raises(PersonError, match="cannot sign in"):
        simulator.post_message("ana", "#releases", "hello")


async def test_a_group_that_changes_is_told(simulator: Simulator, app: AsyncApp, connect: Connect) -> None:
    told: dict[str, Json] = {}

    for kind in ("subteam_members_changed", "subteam_updated"):

        @on(app, "event", kind)
        async def _(event: Json) -> None:
            told[event["type"]] = event

    await connect(app)
    simulator.set_group("@oncall", ["chen"])
    simulator.set_group("@oncall", ["ben", "dana"])
    await simulator.wait_for(lambda: len(told) == 2)
    changed = told["subteam_members_changed"]
    assert (changed["added_users"], changed["removed_users"]) == ([BEN, DANA], [CHEN])
    assert told["subteam_updated"]["subteam"]["users"] == [BEN, DANA]


@pytest.mark.parametrize("name", sorted(NEWER))
async def test_a_workspace_without_newer_blocks(simulator: Simulator, client: Any, name: str) -> None:
    message: Json = {"channel": "C0RELEASES", "text": "x", "blocks": [{"type": "divider"}, NEWER[name]]}
    assert (await client.chat_postMessage(**message))["ok"]
    simulator.workspace.takes_newer_blocks = False
    refused = await refusal(client.chat_postMessage(**message))
    assert (refused["error"], refused["errors"]) == (
        "invalid_blocks",
        [f"unsupported type: {name} [json-pointer:/blocks/1/type]"],
    )
    assert simulator.violations.total == 0, "an app has to find out"
