"""Held against the samples that Slack publishes: every field that is sent exists there, with the same type.

The samples (slackapi/java-slack-sdk, json-logs/samples) are the union of the fields seen, values blanked. Slack's
reference documents some fields that the samples lack; they are listed here one by one.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.simulator.demo import ANA, BEN
from bot.simulator.schema import is_array, is_object
from bot.simulator.simulator import Simulator

from .conftest import Connect, on

Json = dict[str, Any]

_BESIDE = Path(__file__).resolve().parents[2].parent / "shared" / "slack" / "samples"
SAMPLES = Path(os.environ.get("VB_SLACK_SAMPLES", _BESIDE))
pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason=f"no samples of Slack's payloads at {SAMPLES}")

_FREE = {"blocks", "attachments", "values", "metadata", "actions", "icons"}
"""Contents that are the app's own, or that the Block Kit tests check."""

_ONLY_IN_REFERENCE = {
    "chat.update": {"message.bot_profile.user_id"},
    "slash_command": {"is_enterprise_install: str is not bool"},  # a form has only texts
    "block_actions": {"message.bot_profile.user_id", "state.values"},
    "views.open": {"view.state.values"},
    "view_submission": {"view.blocks", "view.state.values", "response_urls"},
    "app_home_opened": {"event.view.blocks", "event.view.state.values", "context_team_id", "context_enterprise_id"},
}


def sample(path: str) -> Json:
    return json.loads((SAMPLES / path).read_text())


def disagreements(sent: Any, known: Any, where: str = "") -> list[str]:
    """Fields that the sample lacks, or has with another type."""
    if is_object(sent) and is_object(known):
        return [problem for name, value in sent.items() for problem in _of_field(name, value, known, where)]
    if is_array(sent) and is_array(known):
        return [problem for each in sent for problem in (disagreements(each, known[0], where) if known else [])]
    kind, expected = _kind(sent), _kind(known)
    return [] if kind == expected else [f"{where}: {kind} is not {expected}"]


def _of_field(name: str, value: Any, known: Json, where: str) -> list[str]:
    path = f"{where}.{name}".lstrip(".")
    if name not in known:
        return [path]
    return [] if name in _FREE or value is None else disagreements(value, known[name], path)


def _kind(value: Any) -> str:
    return "number" if type(value) in (int, float) else type(value).__name__


def assert_known(sent: Json, name: str, path: str) -> None:
    allowed = _ONLY_IN_REFERENCE.get(name, set[str]())
    assert [problem for problem in disagreements(sent, sample(path)) if problem not in allowed] == []


async def test_answers_of_the_web_api(simulator: Simulator, client: Any) -> None:
    root = await client.chat_postMessage(channel="#releases", text="x", blocks=[{"type": "divider"}])
    answers = {
        "chat.postMessage": await client.chat_postMessage(
            channel="#releases",
            text="x",
            thread_ts=root["ts"],
            metadata={"event_type": "a", "event_payload": {}},
        ),
        "chat.update": await client.chat_update(channel="C0RELEASES", ts=root["ts"], text="y"),
        "chat.postEphemeral": await client.chat_postEphemeral(channel="C0RELEASES", user=BEN, text="x"),
        "auth.test": await client.auth_test(),
        "users.info": await client.users_info(user=ANA, include_locale=True),
        "usergroups.users.list": await client.usergroups_users_list(usergroup="S0ONCALLXX"),
        "conversations.open": await client.conversations_open(users=BEN, return_im=True),
        "apps.connections.open": await client.apps_connections_open(app_token=simulator.app_token),
    }
    for name, answer in answers.items():
        assert_known(answer.data, name, f"api/{name}.json")


async def test_payloads_to_the_app(simulator: Simulator, app: AsyncApp, connect: Connect, client: Any) -> None:
    bodies: dict[str, Json] = {}
    view = {
        "type": "modal",
        "callback_id": "form",
        "title": {"type": "plain_text", "text": "Run"},
        "blocks": [{"type": "divider"}],
    }

    @on(app, "command", "/vb")
    async def _(ack: AsyncAck, body: Json, client: Any) -> None:
        bodies["slash_command"] = body
        bodies["views.open"] = (await client.views_open(trigger_id=body["trigger_id"], view=view)).data
        await ack()

    @on(app, "view", "form")
    async def _(ack: AsyncAck, body: Json) -> None:
        bodies["view_submission"] = body
        await ack()

    @on(app, "action", "go")
    async def _(ack: AsyncAck, body: Json) -> None:
        bodies["block_actions"] = body
        await ack()

    @on(app, "event", "app_home_opened")
    async def _(body: Json) -> None:
        bodies["app_home_opened"] = body

    await connect(app)
    home = {"type": "home", "blocks": [{"type": "divider"}]}
    await client.views_publish(user_id=BEN, view=home)
    simulator.open_home("ben")
    await simulator.type_command("ben", "#releases", "/vb run")
    await simulator.submit_view("ben", simulator.views("ben")[0].id)
    button = {"type": "button", "action_id": "go", "text": {"type": "plain_text", "text": "Go"}}
    root = await client.chat_postMessage(channel="#releases", text="x")
    posted = await client.chat_postMessage(
        channel="#releases", text="x", thread_ts=root["ts"], blocks=[{"type": "actions", "elements": [button]}]
    )
    await simulator.click("ben", "#releases", posted["ts"], "go")
    await simulator.wait_for(lambda: len(bodies) == 5)
    for name, path in {
        "slash_command": "app-backend/SlashCommandPayload.json",
        "views.open": "api/views.open.json",
        "view_submission": "app-backend/ViewSubmissionPayload.json",
        "block_actions": "app-backend/BlockActionPayload.json",
        "app_home_opened": "events/AppHomeOpenedPayload.json",
    }.items():
        assert_known(bodies[name], name, path)
