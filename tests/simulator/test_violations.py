"""Rules of Slack that an app breaks are counted by kind; what it could not know is not."""

from typing import Any

import aiohttp
import pytest
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.errors import SlackApiError

from bot.simulator.demo import BEN, EVE, demo_workspace
from bot.simulator.model import Json
from bot.simulator.rates import RateLimits
from bot.simulator.simulator import Options, Simulator
from bot.simulator.violations import Violations
from engine.clock import MovableClock

from .conftest import Connect, StillClock, bolt_app, connected, on, refusal, web_client

DIVIDER: Json = {"type": "divider"}
MODAL: Json = {"type": "modal", "title": {"type": "plain_text", "text": "x"}, "blocks": [DIVIDER]}


@pytest.mark.parametrize(
    ("method", "arguments", "kind"),
    [
        ("chat.postMessage", {"channel": "C0OPSXXXXX", "text": "x", "blocks": [DIVIDER] * 51}, "invalid_blocks"),
        ("chat.postMessage", {"channel": "C0OPSXXXXX"}, "no_text"),
        ("chat.postMessage", {"text": "x"}, "invalid_arguments"),
        ("chat.postEphemeral", {"channel": "C0OPSXXXXX", "user": EVE, "text": "x"}, "user_not_in_channel"),
        ("views.open", {"trigger_id": "1.2.3", "view": MODAL}, "invalid_trigger_id"),
        ("users.nonsense", {}, "unknown_method"),
        ("conversations.open", {}, "users_list_not_supplied"),
    ],
)
async def test_a_broken_rule_is_counted(
    simulator: Simulator, client: Any, method: str, arguments: Json, kind: str
) -> None:
    await refusal(client.api_call(method, json=arguments))
    assert simulator.violations.counts == {kind: 1}
    assert simulator.violations.latest[0].startswith(f"{kind}: {method}")


async def test_what_nobody_can_know_is_not_counted(simulator: Simulator, client: Any) -> None:
    for call in (
        client.chat_update(channel="C0OPSXXXXX", ts="1700000000.000001", text="x"),
        client.conversations_open(users="U0GONE"),
        client.users_lookupByEmail(email="nobody@acme.example"),
        client.usergroups_users_list(usergroup="S0GONE"),
    ):
        await refusal(call)
    assert (simulator.violations.total, str(simulator.violations)) == (0, "none")


async def test_calls_that_come_too_fast() -> None:
    async with Simulator(demo_workspace(StillClock()), options=Options(strict_rates=True)).serve() as simulator:
        client: Any = web_client(simulator)
        for _ in range(5):
            await client.chat_postMessage(channel="C0OPSXXXXX", text="x")
        await refusal(client.chat_postMessage(channel="C0OPSXXXXX", text="x"))
        await refusal(client.chat_postMessage(channel="C0RELEASES", text="x"))
        assert simulator.violations.counts == {"over_channel_rate": 1}


def test_calls_that_come_too_soon() -> None:
    now, violations = [0], Violations()
    rates = RateLimits(strict=True, now_ms=lambda: now[0], violations=violations, in_flight_ms=250)
    assert rates.close("m", 60, 2_000) == 2
    for at, counted in [(0, 0), (250, 0), (251, 1), (1_999, 2)]:
        now[0] = at
        assert rates.admit("m", 60) > 0
        assert violations.counts["before_retry_after"] == counted


async def test_limits_follow_the_workspaces_clock() -> None:
    clock = MovableClock(pace=10_000)
    async with Simulator(demo_workspace(clock), options=Options(strict_rates=True)).serve() as simulator:
        client: Any = web_client(simulator)
        for _ in range(20):
            await client.chat_postMessage(channel="C0OPSXXXXX", text="x")
        assert simulator.violations.total == 0


async def test_a_trigger_that_was_used_through_the_apps_own_fault() -> None:
    async with Simulator(demo_workspace()).serve() as simulator:
        app = bolt_app(simulator)
        answers: list[str] = []

        @on(app, "command", "/vb")
        async def _(ack: AsyncAck, body: Json, client: Any) -> None:
            await ack()
            opened = (await client.api_call("views.open", json={"trigger_id": body["trigger_id"], "view": MODAL})).data
            answers.append(opened["view"]["id"])
            again = {"trigger_id": body["trigger_id"], "view": MODAL}
            answers.append((await refusal(client.api_call("views.open", json=again)))["error"])

        async with connected(simulator, app):
            await simulator.type_command("ben", "#releases", "/vb x")
            await simulator.wait_for(lambda: len(answers) == 2)
    assert answers[1] == "exchanged_trigger_id"
    assert simulator.violations.counts == {"exchanged_trigger_id": 1}


async def test_a_command_that_came_twice_excuses_its_trigger(
    simulator: Simulator, app: AsyncApp, connect: Connect
) -> None:
    refused: list[str] = []

    @on(app, "command", "/vb")
    async def _(ack: AsyncAck, body: Json, client: Any) -> None:
        await ack()
        try:
            await client.views_open(trigger_id=body["trigger_id"], view=MODAL)
        except SlackApiError as error:
            refused.append(str(error))

    await connect(app)
    simulator.duplicate_next("slash_commands")
    await simulator.type_command("ben", "#releases", "/vb x")
    await simulator.wait_for(lambda: refused)
    assert "exchanged_trigger_id" in refused[0]
    assert simulator.violations.total == 0


async def test_an_acknowledgement_that_comes_too_late() -> None:
    async with Simulator(demo_workspace(), options=Options(ack_timeout_ms=1_000)).serve() as simulator:
        app = bolt_app(simulator)

        @on(app, "command", "/vb")
        async def _() -> None:
            """Never acknowledges."""

        async with connected(simulator, app):
            with pytest.raises(Exception, match="within 3 seconds"):
                await simulator.type_command("ben", "#releases", "/vb x")
    assert simulator.violations.counts == {"late_acknowledgement": 1}


async def test_the_page_tells_them(simulator: Simulator, client: Any) -> None:
    await refusal(client.chat_postEphemeral(channel="C0OPSXXXXX", user=EVE, text="x"))
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{simulator.page_url}_sim/violations") as response,
    ):
        told = await response.json()
    assert (told["total"], told["counts"]) == (1, {"user_not_in_channel": 1})
    assert BEN not in str(told)
