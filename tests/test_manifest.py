"""The Slack app's manifest: valid by Slack's own schema in every form, and asking for what the bot uses and no more."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from bot.manifest import COMMAND, EVENTS, SCOPES, manifest, written
from bot.receiving.transport import SCOPES as NEEDED
from bot.simulator.webapi import METHODS
from tests.simulator.used_methods import used_methods

ROOT = Path(__file__).parent.parent
SCHEMA = Path(os.environ.get("VB_SLACK_SCHEMA", ROOT.parent / "shared/slack/manifest.schema.2.0.0.json"))
URL = "https://bot.example.com"

FORMS: dict[str, dict[str, Any]] = {
    "Socket Mode": {},
    "HTTP": {"url": URL},
    "many workspaces": {"url": URL, "many": True},
    "many workspaces over Socket Mode": {"url": URL, "many": True, "socket": True},
}

OF_FEATURES = {
    "app_mentions:read": "the event app_mention",
    "chat:write.public": "posts in public channels that the bot is no member of",
    "commands": "slash commands and shortcuts",
}
"""What no method needs, and what it is needed for."""


@pytest.mark.parametrize("form", FORMS)
def test_it_is_valid_by_slacks_schema(form: str) -> None:
    if not SCHEMA.is_file():
        pytest.skip(f"Slack's manifest schema is not at {SCHEMA}; VB_SLACK_SCHEMA may name it")
    jsonschema.validate(yaml.safe_load(written(**FORMS[form])), json.loads(SCHEMA.read_text(encoding="utf-8")))


def test_the_file_is_what_vb_manifest_prints() -> None:
    text = (ROOT / "manifest.yml").read_text(encoding="utf-8")
    assert text.split("\n", 1)[1] == written(), "write it anew: vb manifest > manifest.yml"
    assert yaml.safe_load(text) == manifest()


def test_every_scope_and_event_has_its_reason_beside_it() -> None:
    lines = [line.strip() for line in written().splitlines() if line.strip().startswith("- ") and " # " in line]
    assert [line.split()[1] for line in lines] == [*SCOPES, *EVENTS]
    assert len(SCOPES) + len(EVENTS) == len({line.split()[1] for line in lines})


def test_mentions_are_escaped_and_shortcuts_are_there() -> None:
    features = manifest()["features"]
    (command,) = features["slash_commands"]
    assert command["command"] == COMMAND
    assert command["should_escape"] is True, "without it mentions arrive as names that anybody can take"
    assert command["usage_hint"].startswith("run NAME key=value")
    kinds = {shortcut["callback_id"]: shortcut["type"] for shortcut in features["shortcuts"]}
    assert kinds == {"run_workflow": "global", "run_on_message": "message"}
    assert features["app_home"]["home_tab_enabled"] is True
    assert features["app_home"]["messages_tab_enabled"] is True, "else nobody could be written to directly"


def test_over_socket_mode_there_is_no_address_but_that_of_the_installation() -> None:
    assert "https://" not in written()
    settings = manifest(URL, many=True, socket=True)
    assert settings["settings"]["socket_mode_enabled"] is True
    assert settings["oauth_config"]["redirect_urls"] == [f"{URL}/slack/oauth_redirect"]
    assert f"{URL}/slack/events" not in json.dumps(settings)


def test_over_http_everything_comes_to_one_address() -> None:
    made = manifest(URL + "/")
    assert made["settings"]["socket_mode_enabled"] is False
    addresses = {
        made["features"]["slash_commands"][0]["url"],
        made["settings"]["interactivity"]["request_url"],
        made["settings"]["interactivity"]["message_menu_options_url"],
        made["settings"]["event_subscriptions"]["request_url"],
    }
    assert addresses == {f"{URL}/slack/events"}


def test_only_tokens_of_installations_end_by_themselves() -> None:
    """A token that was copied into SLACK_BOT_TOKEN would be dead after twelve hours."""
    for form, given in FORMS.items():
        assert manifest(**given)["settings"]["token_rotation_enabled"] is form.startswith("many"), form
        assert manifest(**given)["settings"]["org_deploy_enabled"] is form.startswith("many"), form


def test_it_asks_for_the_scopes_of_the_methods_that_the_bot_calls_and_no_more() -> None:
    wanted = {method: METHODS[method].scopes for method in used_methods() if METHODS[method].caller == "bot"}
    lacking = {method: scopes for method, scopes in wanted.items() if scopes and not set(scopes) & set(SCOPES)}
    assert lacking == {}
    used = {scope for scopes in wanted.values() for scope in scopes}
    assert set(SCOPES) - used == set(OF_FEATURES)


def test_what_the_bot_cannot_do_without_is_in_it() -> None:
    assert set(SCOPES) >= NEEDED
