"""The Slack app's manifest: what the bot asks Slack for, and why.

The one rule: nothing is asked for that is not used. A test compares the scopes with the methods that the bot calls, and
the file ``manifest.yml`` with what is written here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from bot.blocks.vocabulary import usage_hint

NAME = "Vectorbea"
COMMAND = "/vb"
RUN_WORKFLOW, RUN_ON_MESSAGE = "run_workflow", "run_on_message"
EVENTS_PATH, REDIRECT_PATH = "/slack/events", "/slack/oauth_redirect"

SCOPES: Mapping[str, str] = {
    "app_mentions:read": "hear a mention, and start what it asks for in its thread",
    "channels:history": "find its own messages again after a crash, by their metadata",
    "channels:read": "check that a channel exists, and who is in it where a workflow asks a channel",
    "chat:write": "cards, threads, approvals",
    "chat:write.public": "the same in public channels that it has not joined",
    "commands": "/vb, and the two shortcuts",
    "files:write": "share the picture of what was spent, and the log of a run",
    "groups:history": "as channels:history, in private channels that it is in",
    "groups:read": "as channels:read, for private channels that it is in",
    "im:history": "as channels:history, in its direct messages",
    "im:write": "ask an approver in a direct message",
    "usergroups:read": "who is in @release-managers now",
    "users:read": "names, time zones, and who is a guest or deactivated",
}
"""What the bot may do, each with what it is for."""

EVENTS: Mapping[str, str] = {
    "app_home_opened": "show the Home tab as it is now",
    "app_mention": "answer whoever mentions the bot",
    "app_uninstalled": "stop, and pause the workspace's runs",
    "tokens_revoked": "the same",
}
"""What Slack tells the bot of by itself, each with what follows."""


def manifest(url: str | None = None, *, socket: bool = False, many: bool = False) -> dict[str, Any]:
    """The app that is called at ``url``, an https address without a path; for Socket Mode without one, or if told so.

    ``many``: people install it in their workspaces, at ``url``. Then tokens are such as end after twelve hours: the bot
    renews those of installations. One that somebody has copied into a setting would be renewed by nobody.
    """
    base = None if url is None else url.rstrip("/")
    requests = None if socket or base is None else base + EVENTS_PATH
    redirects = {"redirect_urls": [base + REDIRECT_PATH]} if many and base is not None else {}
    return {
        "_metadata": {"major_version": 2, "minor_version": 0},
        "display_information": _display(),
        "features": _features(requests),
        "oauth_config": {**redirects, "scopes": {"bot": list(SCOPES)}},
        "settings": {
            "event_subscriptions": {**_at("request_url", requests), "bot_events": list(EVENTS)},
            "interactivity": {
                "is_enabled": True,
                **_at("request_url", requests),
                **_at("message_menu_options_url", requests),
            },
            "org_deploy_enabled": many,
            "socket_mode_enabled": requests is None,
            "token_rotation_enabled": many,
        },
    }


def written(url: str | None = None, *, socket: bool = False, many: bool = False) -> str:
    """The manifest as YAML, with a reason beside each scope and event."""
    untyped: Any = yaml
    text: str = untyped.safe_dump(
        manifest(url, socket=socket, many=many), sort_keys=False, allow_unicode=True, width=100
    )
    reasons = {f"- {name}": why for name, why in {**SCOPES, **EVENTS}.items()}
    return "\n".join(_with_reasons(text, reasons)) + "\n"


def _display() -> dict[str, Any]:
    return {
        "name": NAME,
        "description": "Workflows with approvals that survive crashes, deploys and slow humans.",
        "long_description": (
            "Start a workflow with /vb run, watch it in its thread, and decide at its approvals with a click. Every "
            "message says what is happening, what happens next and when, and who is waited for. Runs survive crashes, "
            "restarts and days of waiting, and go on exactly where they left off. All that happened is kept in a "
            "history that cannot be rewritten unseen."
        ),
        "background_color": "#1f3a5f",
    }


def _features(requests: str | None) -> dict[str, Any]:
    return {
        "app_home": {"home_tab_enabled": True, "messages_tab_enabled": True, "messages_tab_read_only_enabled": True},
        "bot_user": {"display_name": NAME, "always_online": True},
        "shortcuts": [
            {
                "name": "Run a workflow",
                "type": "global",
                "callback_id": RUN_WORKFLOW,
                "description": "Pick a workflow, and start it",
            },
            {
                "name": "Run on this message",
                "type": "message",
                "callback_id": RUN_ON_MESSAGE,
                "description": "Start a workflow about this message, in its thread",
            },
        ],
        "slash_commands": [
            {
                "command": COMMAND,
                "description": "Run workflows, decide, see what they do, and stop them",
                "usage_hint": usage_hint(),
                # Without it mentions would arrive as names that anybody can take.
                "should_escape": True,
                **_at("url", requests),
            }
        ],
    }


def _at(name: str, url: str | None) -> dict[str, str]:
    return {} if url is None else {name: url}


def _with_reasons(text: str, reasons: Mapping[str, str]) -> Iterator[str]:
    for line in text.splitlines():
        why = reasons.get(line.strip())
        yield line if why is None else f"{line} # {why}"
