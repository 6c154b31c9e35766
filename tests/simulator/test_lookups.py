"""Conversations, people and groups through the real client, and the rate limits."""

from typing import Any

import pytest

from bot.simulator.calls import Fault
from bot.simulator.demo import ANA, BEN, CHEN, DANA, EVE, FINN, demo_workspace
from bot.simulator.model import Channel
from bot.simulator.rates import RateLimits
from bot.simulator.simulator import Options, Simulator
from bot.simulator.tickets import monotonic_ms

from .conftest import StillClock, refusal, web_client


async def test_people_and_their_standing(simulator: Simulator, client: Any) -> None:
    ben = (await client.users_info(user=BEN, include_locale=True))["user"]
    eve = (await client.users_info(user=EVE))["user"]
    finn = (await client.users_info(user=FINN))["user"]
    bot = (await client.users_info(user=simulator.workspace.app.bot_user_id))["user"]
    assert (ben["name"], ben["tz"], ben["tz_offset"], ben["locale"]) == ("ben", "Europe/London", 0, "en-US")
    assert (ben["is_restricted"], eve["is_restricted"]) == (False, True)
    assert (finn["deleted"], "tz" in finn) == (True, False)
    assert (bot["is_bot"], bot["profile"]["bot_id"]) == (True, simulator.workspace.app.bot_id)
    assert (await refusal(client.users_info(user="U0NOBODY")))["error"] == "user_not_found"
    found = await client.users_lookupByEmail(email="Chen@acme.example")
    assert found["user"]["id"] == CHEN
    for email in ("nobody@acme.example", "finn@acme.example"):
        assert (await refusal(client.users_lookupByEmail(email=email)))["error"] == "users_not_found"


async def test_without_its_scope_no_email_is_told(simulator: Simulator, client: Any) -> None:
    simulator.workspace.app.scopes = ("users:read",)
    assert "email" not in (await client.users_info(user=BEN))["user"]["profile"]
    assert (await refusal(client.users_lookupByEmail(email="ben@acme.example")))["error"] == "missing_scope"


async def test_paging(simulator: Simulator, client: Any) -> None:
    found: list[str] = []
    cursor = ""
    while True:
        page = await client.users_list(limit=3, cursor=cursor)
        assert len(page["members"]) <= 3
        found += [member["id"] for member in page["members"]]
        cursor = page["response_metadata"]["next_cursor"]
        if not cursor:
            break
    assert found == list(simulator.workspace.users)
    for wrong in ("nonsense", "bm90OjM="):
        assert (await refusal(client.users_list(cursor=wrong)))["error"] == "invalid_cursor"
    assert (await refusal(client.users_list(limit="many")))["error"] == "invalid_arguments"


async def test_groups(simulator: Simulator, client: Any) -> None:
    groups = (await client.usergroups_list(include_users=True))["usergroups"]
    assert {group["handle"]: group["users"] for group in groups} == {
        "release-managers": [ANA, DANA],
        "oncall": [CHEN],
        "platform": [ANA, BEN, CHEN],
    }
    assert "users" not in (await client.usergroups_list())["usergroups"][0]
    assert (await client.usergroups_users_list(usergroup="S0ONCALLXX"))["users"] == [CHEN]
    assert (await refusal(client.usergroups_users_list(usergroup="S0NONE")))["error"] == "no_such_subteam"
    simulator.workspace.groups["S0ONCALLXX"].date_delete = 1_763_786_000
    assert (await refusal(client.usergroups_users_list(usergroup="S0ONCALLXX")))["error"] == "no_such_subteam"
    assert len((await client.usergroups_list())["usergroups"]) == 2
    assert len((await client.usergroups_list(include_disabled=True))["usergroups"]) == 3


async def test_channels(simulator: Simulator, client: Any) -> None:
    simulator.workspace.add_channel(Channel("C0SECRETXX", "secret", [BEN], is_private=True))
    public = (await client.conversations_list())["channels"]
    assert [channel["name"] for channel in public] == ["releases", "ops"]
    private = (await client.conversations_list(types="private_channel"))["channels"]
    assert [(channel["name"], channel["is_private"]) for channel in private] == [("eng-leads", True)]
    assert len((await client.conversations_list(types="im"))["channels"]) == 5
    assert (await refusal(client.conversations_list(types="nonsense")))["error"] == "invalid_types"
    info = (await client.conversations_info(channel="C0RELEASES"))["channel"]
    assert (info["name"], info["is_member"], info["num_members"]) == ("releases", True, 6)
    assert ANA in (await client.conversations_members(channel="C0ENGLEADS"))["members"]
    for channel in ("C0SECRETXX", "C0NOWHERE"):
        assert (await refusal(client.conversations_info(channel=channel)))["error"] == "channel_not_found"
    simulator.workspace.app.scopes = ("channels:read",)
    assert (await refusal(client.conversations_info(channel="C0ENGLEADS")))["needed"] == "groups:read"


async def test_direct_messages_are_opened_once(simulator: Simulator, client: Any) -> None:
    first = await client.conversations_open(users=BEN)
    again = await client.conversations_open(users=[BEN], return_im=True)
    assert first["channel"]["id"] == again["channel"]["id"]
    assert (again["already_open"], again["channel"]["is_im"], again["channel"]["user"]) == (True, True, BEN)
    by_id = await client.conversations_open(channel=first["channel"]["id"])
    assert by_id["channel"]["id"] == first["channel"]["id"]
    for users, error in [
        (FINN, "user_disabled"),
        ("U0NOBODY", "user_not_found"),
        ("", "users_list_not_supplied"),
        ([ANA, BEN], "missing_scope"),
    ]:
        assert (await refusal(client.conversations_open(users=users)))["error"] == error
    assert (await refusal(client.conversations_open(channel="C0RELEASES")))["error"] == "channel_not_found"


async def test_history_and_threads(simulator: Simulator, client: Any) -> None:
    roots = [simulator.post_message("ben", "#releases", f"root {number}") for number in range(3)]
    replies = [
        simulator.post_message("ana", "#releases", f"reply {number}", thread_ts=roots[0].ts) for number in range(3)
    ]
    history = await client.conversations_history(channel="C0RELEASES", limit=2)
    assert [message["text"] for message in history["messages"]] == ["root 2", "root 1"]
    assert history["has_more"]
    rest = await client.conversations_history(
        channel="C0RELEASES", limit=2, cursor=history["response_metadata"]["next_cursor"]
    )
    assert [message["text"] for message in rest["messages"]] == ["root 0"]
    alone = await client.conversations_replies(channel="C0RELEASES", ts=replies[1].ts)
    assert [m["text"] for m in alone["messages"]] == ["reply 1"]
    thread = await client.conversations_replies(channel="C0RELEASES", ts=roots[0].ts)
    assert [m["text"] for m in thread["messages"]] == ["root 0", "reply 0", "reply 1", "reply 2"]
    since = await client.conversations_replies(channel="C0RELEASES", ts=roots[0].ts, oldest=replies[0].ts)
    assert [m["text"] for m in since["messages"]] == ["root 0", "reply 1", "reply 2"]
    with_it = await client.conversations_history(channel="C0RELEASES", oldest=roots[1].ts, inclusive=True)
    assert [m["text"] for m in with_it["messages"]] == ["root 2", "root 1"]
    nowhere = await refusal(client.conversations_replies(channel="C0RELEASES", ts="1763786000.000100"))
    assert nowhere["error"] == "thread_not_found"
    wrong = await refusal(client.conversations_history(channel="C0RELEASES", oldest="yesterday"))
    assert wrong["error"] == "invalid_ts_oldest"
    simulator.workspace.add_channel(Channel("C0PUBLICXX", "public", [BEN]))
    assert (await refusal(client.conversations_history(channel="C0PUBLICXX")))["error"] == "not_in_channel"
    simulator.workspace.app.scopes = ("groups:history",)
    assert (await refusal(client.conversations_history(channel="C0RELEASES")))["needed"] == "channels:history"


async def test_strict_rates_answer_429_and_count() -> None:
    async with Simulator(demo_workspace(StillClock()), options=Options(strict_rates=True)).serve() as simulator:
        client: Any = web_client(simulator)
        for number in range(5):
            await client.chat_postMessage(channel="C0RELEASES", text=str(number))
        refused = await refusal(client.chat_postMessage(channel="C0RELEASES", text="6"))
        assert refused["error"] == "ratelimited"
        assert (simulator.rates.violations, simulator.calls()[-1].status) == (1, 429)
        # The other channel's turn has not come either: the method is closed until Retry-After has passed.
        assert (await refusal(client.chat_postMessage(channel="C0OPSXXXXX", text="7")))["error"] == "ratelimited"
        assert (await client.users_info(user=BEN))["ok"]


async def test_lenient_rates_only_count() -> None:
    async with Simulator(demo_workspace(StillClock())).serve() as simulator:
        client: Any = web_client(simulator)
        for number in range(8):
            await client.chat_postMessage(channel="C0RELEASES", text=str(number))
        assert simulator.rates.violations == 3


def test_a_bucket_fills_again_with_time() -> None:
    now = [0]
    rates = RateLimits(strict=True, now_ms=lambda: now[0])
    assert [rates.admit("m", 60) for _ in range(60)] == [0] * 60
    assert rates.admit("m", 60) == 1
    now[0] += 999
    assert rates.admit("m", 60) == 1
    now[0] += 1001
    assert rates.admit("m", 60) == 0
    assert rates.violations == 2


@pytest.mark.parametrize("times", [1, 2])
async def test_faults_are_counted_per_method(simulator: Simulator, client: Any, times: int) -> None:
    simulator.fail_next("auth.test", Fault(error="fatal_error"), times)
    for _ in range(times):
        assert (await refusal(client.auth_test()))["error"] == "fatal_error"
    assert (await client.auth_test())["ok"]


async def test_a_delayed_call_is_answered_late(simulator: Simulator, client: Any) -> None:
    simulator.fail_next("auth.test", Fault(delay_ms=80))
    started = monotonic_ms()
    assert (await client.auth_test())["ok"]
    assert monotonic_ms() - started >= 80
