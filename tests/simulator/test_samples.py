"""Held against the samples that Slack publishes: every field that is sent exists there, with the same type.

The samples (slackapi/java-slack-sdk, json-logs/samples) are the union of the fields seen, values blanked. Slack's
reference documents some fields that the samples lack; they are listed here one by one. Methods without a sample of
their own are held against one that has the same things, or against the reference's own shape.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.simulator.demo import ANA, BEN, demo_workspace
from bot.simulator.model import User
from bot.simulator.schema import is_array, is_object
from bot.simulator.simulator import Options, Simulator
from bot.simulator.webapi import METHODS

from .conftest import Connect, bolt_app, connected, on, web_client
from .test_files import bring
from .used_methods import names_in, used_methods

Json = dict[str, Any]

_BESIDE = Path(__file__).resolve().parents[2].parent / "shared" / "slack" / "samples"
SAMPLES = Path(os.environ.get("VB_SLACK_SAMPLES", _BESIDE))
published = pytest.mark.skipif(not SAMPLES.is_dir(), reason=f"no samples of Slack's payloads at {SAMPLES}")

OWN_SAMPLE = (
    "apps.connections.open",
    "auth.test",
    "chat.postEphemeral",
    "chat.postMessage",
    "chat.update",
    "conversations.open",
    "oauth.v2.access",
    "usergroups.users.list",
    "users.info",
    "views.open",
)
"""Methods whose answers Slack has published a sample of."""

_MESSAGE = ("app-backend/MessageShortcutPayload.json", "message")
_USER = ("api/users.info.json", "user")
_VIEW = ("api/views.open.json", "view")
SAME_AS = {
    "conversations.history": ("messages", *_MESSAGE),
    "conversations.replies": ("messages", *_MESSAGE),
    "users.list": ("members", *_USER),
    "users.lookupByEmail": ("user", *_USER),
    "views.publish": ("view", *_VIEW),
    "views.push": ("view", *_VIEW),
    "views.update": ("view", *_VIEW),
}
"""What a method answers with is what the sample of something else has: (its field, that sample, its field there)."""

_CHANNEL: Json = {
    **dict.fromkeys(("id", "name", "name_normalized", "context_team_id"), ""),
    **dict.fromkeys(("created", "updated", "num_members"), 0),
    **{f"is_{what}": True for what in ("channel", "group", "im", "mpim", "private", "general", "archived")},
    **{f"is_{what}": True for what in ("shared", "org_shared", "member")},
    **{what: {"value": "", "creator": "", "last_set": 0} for what in ("topic", "purpose")},
}
_FILE: Json = {
    **dict.fromkeys(("id", "name", "title", "alt_txt", "mimetype", "filetype", "pretty_type", "user", "user_team"), ""),
    **dict.fromkeys(("mode", "external_type", "username", "url_private", "permalink"), ""),
    **dict.fromkeys(("created", "timestamp", "size"), 0),
    **{f"is_{what}": False for what in ("external", "public")},
    **dict.fromkeys(("editable", "public_url_shared", "display_as_bot"), False),
    "shares": {},
}
"""As in a message that has files, but for what Slack finds out after it has answered: the shares."""

_OK: Json = {"ok": True, "warning": "", "response_metadata": {"next_cursor": "", "warnings": [""]}}
BY_REFERENCE: dict[str, Json] = {
    "auth.revoke": {"revoked": True},
    "auth.teams.list": {"teams": [{"id": "", "name": ""}]},
    "chat.delete": {"channel": "", "ts": ""},
    "chat.getPermalink": {"channel": "", "permalink": ""},
    "conversations.info": {"channel": _CHANNEL},
    "conversations.list": {"channels": [_CHANNEL]},
    "conversations.members": {"members": [""]},
    "files.completeUploadExternal": {"files": [_FILE]},
    "files.getUploadURLExternal": {"upload_url": "", "file_id": ""},
    "reactions.add": {},
    "usergroups.list": {
        "usergroups": [
            {
                "id": "",
                "team_id": "",
                "is_usergroup": True,
                "is_subteam": True,
                "name": "",
                "description": "",
                "handle": "",
                "is_external": False,
                "date_create": 0,
                "date_update": 0,
                "date_delete": 0,
                "users": [""],
                "user_count": 0,
            }
        ]
    },
}
"""The shape that Slack's reference gives, where no sample has it."""

_ALWAYS = {
    "apps.connections.open": {"url"},
    "auth.test": {"url", "team", "user", "team_id", "user_id", "bot_id", "is_enterprise_install"},
    "chat.postEphemeral": {"message_ts"},
    "chat.postMessage": {"channel", "ts", "message"},
    "chat.update": {"channel", "ts", "text", "message"},
    "conversations.history": {"messages", "has_more"},
    "conversations.replies": {"messages", "has_more"},
    "oauth.v2.access": {
        "access_token",
        "expires_in",
        "refresh_token",
        "team",
        "enterprise",
        "bot_user_id",
        "authed_user",
    },
}
"""What the reference says an answer always has, beside the things that are looked at below."""

_FREE = {"blocks", "attachments", "values", "metadata", "actions", "icons"}
"""Contents that are the app's own, or that the Block Kit tests check."""

_ONLY_IN_REFERENCE = {
    "chat.update": {"message.bot_profile.user_id"},
    "slash_command": {"is_enterprise_install: str is not bool"},  # a form has only texts
    "block_actions": {"message.bot_profile.user_id", "state.values"},
    "views.open": {"view.state.values"},
    "view_submission": {"view.blocks", "view.state.values", "response_urls"},
    "conversations.history": {"messages.bot_profile.user_id", "messages.reactions.users"},
    "conversations.replies": {"messages.bot_profile.user_id", "messages.reactions.users"},
    "views.publish": {"view.state.values"},
    "views.push": {"view.state.values"},
    "views.update": {"view.state.values"},
    "message_action": {"message.bot_profile.user_id"},
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


def unknown_fields(sent: Json, name: str, known: Json) -> set[str]:
    """What is sent under this name, and is neither in the sample nor among the documented exceptions."""
    return set(disagreements(sent, known)) - _ONLY_IN_REFERENCE.get(name, set[str]())


def test_every_method_that_the_bot_calls_is_held_against_slack() -> None:
    held = {*OWN_SAMPLE, *SAME_AS, *BY_REFERENCE}
    assert {method: files for method, files in used_methods().items() if method not in held} == {}
    assert held == METHODS.keys(), "and so is every method that there is"


def test_uses_are_found_under_both_names() -> None:
    source = 'await client.chat_delete(ts="1"); await outbox.call("users.profile.get", {}); x = "chat"'
    assert set(names_in(source)) == {"chat.delete", "users.profile.get"}


async def _answers(simulator: Simulator, client: Any) -> dict[str, Json]:
    """An answer of each method, as full as it gets."""
    where: Json = {"channel": "C0RELEASES"}
    metadata: Json = {"event_type": "a", "event_payload": {}}
    root = await client.chat_postMessage(**where, text="x", blocks=[{"type": "divider"}])
    simulator.workspace.add_user(User("U0IDLEXXXX", "idle", "Ida Lee", email="ida@acme.example"))
    home = {"type": "home", "blocks": [{"type": "divider"}]}
    gone = await client.chat_postMessage(**where, text="x")
    files = await _files(client)
    calls: dict[str, Any] = {
        "chat.postMessage": client.chat_postMessage(**where, text="x", thread_ts=root["ts"], metadata=metadata),
        "chat.update": client.chat_update(**where, ts=root["ts"], text="y"),
        "reactions.add": client.reactions_add(**where, timestamp=root["ts"], name="eyes"),
        "chat.postEphemeral": client.chat_postEphemeral(**where, user=BEN, text="x"),
        "chat.getPermalink": client.chat_getPermalink(**where, message_ts=root["ts"]),
        "chat.delete": client.chat_delete(**where, ts=gone["ts"]),
        "auth.teams.list": client.auth_teams_list(),
        "auth.test": client.auth_test(),
        "users.info": client.users_info(user=ANA, include_locale=True),
        "users.list": client.users_list(limit=2),
        "users.lookupByEmail": client.users_lookupByEmail(email="ida@acme.example"),
        "usergroups.list": client.usergroups_list(include_users=True),
        "usergroups.users.list": client.usergroups_users_list(usergroup="S0ONCALLXX"),
        "conversations.open": client.conversations_open(users=BEN, return_im=True),
        "conversations.info": client.conversations_info(**where),
        "conversations.list": client.conversations_list(limit=1),
        "conversations.members": client.conversations_members(**where, limit=1),
        "conversations.history": client.conversations_history(**where, include_all_metadata=True),
        "conversations.replies": client.conversations_replies(**where, ts=root["ts"], include_all_metadata=True),
        "views.publish": client.views_publish(user_id=BEN, view=home),
        "apps.connections.open": client.apps_connections_open(app_token=simulator.app_token),
        "oauth.v2.access": _install(simulator, client),
    }
    answers = {name: (await call).data for name, call in calls.items()} | await _views(simulator) | files
    answers["auth.revoke"] = (await client.auth_revoke()).data
    return answers


async def _files(client: Any) -> dict[str, Json]:
    begun = await client.files_getUploadURLExternal(filename="x.log", length=1, alt_txt="x", snippet_type="text")
    assert await bring(begun["upload_url"], b"x") == 200
    done = await client.files_completeUploadExternal(files=[{"id": begun["file_id"]}], channel_id="C0RELEASES")
    return {"files.getUploadURLExternal": begun.data, "files.completeUploadExternal": done.data}


async def _install(simulator: Simulator, client: Any) -> Any:
    grants = simulator.grants
    code = grants.issue_code(simulator.workspace.team_id, BEN, "http://127.0.0.1/", simulator.workspace.app.scopes)
    secrets = {"client_id": grants.client_id, "client_secret": grants.client_secret}
    return await client.api_call(
        "oauth.v2.access", params={**secrets, "code": code, "redirect_uri": "http://127.0.0.1/"}
    )


async def _views(simulator: Simulator) -> dict[str, Json]:
    """Open a modal, push another one on it, and update that."""
    answers: dict[str, Json] = {}
    app = bolt_app(simulator)
    view: Json = {"type": "modal", "title": {"type": "plain_text", "text": "x"}, "callback_id": "form"}
    button = {"type": "button", "action_id": "more", "text": {"type": "plain_text", "text": "More"}}
    view |= {"submit": view["title"], "blocks": [{"type": "actions", "elements": [button]}]}

    @on(app, "command", "/vb")
    async def _(ack: AsyncAck, body: Json, client: Any) -> None:
        answers["views.open"] = (await client.views_open(trigger_id=body["trigger_id"], view=view)).data
        await ack()

    @on(app, "action", "more")
    async def _(ack: AsyncAck, body: Json, client: Any) -> None:
        pushed = await client.views_push(trigger_id=body["trigger_id"], view=view)
        answers["views.push"] = pushed.data
        answers["views.update"] = (await client.views_update(view_id=pushed["view"]["id"], view=view)).data
        await ack()

    async with connected(simulator, app):
        await simulator.type_command("ben", "#releases", "/vb x")
        await simulator.click_in_view("ben", simulator.views("ben")[0].id, "more")
    return answers


@published
async def test_answers_of_the_web_api() -> None:
    async with Simulator(demo_workspace(), options=Options(rotating=True)).serve() as simulator:
        answers = await _answers(simulator, web_client(simulator))
    assert answers.keys() == METHODS.keys()
    known = {name: sample(f"api/{name}.json") for name in OWN_SAMPLE}
    for name, (field, path, there) in SAME_AS.items():
        part = sample(path)[there]
        several = is_array(answers[name][field])
        known[name] = {**_OK, "has_more": False, "cache_ts": 0, field: [part] if several else part}
        assert answers[name][field], name
    known |= {name: _OK | shape for name, shape in BY_REFERENCE.items()}
    unknown = {name: unknown_fields(answers[name], name, known[name]) for name in known}
    assert {name: fields for name, fields in unknown.items() if fields} == {}
    lacking = {name: fields - answers[name].keys() for name, fields in _ALWAYS.items()}
    assert {name: fields for name, fields in lacking.items() if fields} == {}


@published
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

    @on(app, "shortcut", "run_on_message")
    async def _(ack: AsyncAck, body: Json) -> None:
        bodies["message_action"] = body
        await ack()

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
    await simulator.use_message_shortcut("ben", "#releases", posted["ts"], "run_on_message")
    await simulator.wait_for(lambda: len(bodies) == 6)
    published_as = {
        "slash_command": "app-backend/SlashCommandPayload.json",
        "views.open": "api/views.open.json",
        "view_submission": "app-backend/ViewSubmissionPayload.json",
        "block_actions": "app-backend/BlockActionPayload.json",
        "app_home_opened": "events/AppHomeOpenedPayload.json",
        "message_action": "app-backend/MessageShortcutPayload.json",
    }
    unknown = {name: unknown_fields(bodies[name], name, sample(path)) for name, path in published_as.items()}
    assert {name: fields for name, fields in unknown.items() if fields} == {}
