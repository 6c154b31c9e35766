"""What the app receives: slash commands, interactions and events, in the published shapes.

Facts: docs.slack.dev/reference/interaction-payloads and the samples of slackapi/java-slack-sdk.
"""

import secrets

from bot.simulator.model import Channel, Json, Message, Shortcut, SlashCommand, User, UserGroup, View
from bot.simulator.wire import group_wire, message_wire, view_wire
from bot.simulator.workspace import Workspace

VERIFICATION = "simulator-verification"
"""Slack's deprecated token, the same in every payload; it protects nothing."""


def channel_name(channel: Channel) -> str:
    return {"dm": "directmessage", "private": "privategroup"}.get(channel.kind, channel.name)


def slash_command(
    workspace: Workspace,
    command: SlashCommand,
    text: str,
    user: User,
    channel: Channel,
    permits: tuple[str, str],
) -> Json:
    """`permits` are the trigger id and the response URL."""
    return {
        "token": VERIFICATION,
        "team_id": workspace.team_id,
        "team_domain": workspace.domain,
        "channel_id": channel.id,
        "channel_name": channel_name(channel),
        "user_id": user.id,
        "user_name": user.name,
        "command": command.command,
        "text": text,
        "api_app_id": workspace.app.id,
        "response_url": permits[1],
        "trigger_id": permits[0],
        **_of_organization(workspace),
        "is_enterprise_install": "false" if workspace.organization is None else "true",
    }


def _of_organization(workspace: Workspace) -> Json:
    whose = workspace.organization
    return {} if whose is None else {"enterprise_id": whose.id, "enterprise_name": whose.name}


def interaction(workspace: Workspace, kind: str, user: User) -> Json:
    """The fields that all interactions share."""
    whose = workspace.organization
    return {
        "type": kind,
        # Where the app is installed org-wide, a payload need not say in which of its workspaces something happened.
        "team": {"id": workspace.team_id, "domain": workspace.domain} if whose is None else None,
        "enterprise": None if whose is None else {"id": whose.id, "name": whose.name},
        "is_enterprise_install": whose is not None,
        "user": {"id": user.id, "username": user.name, "name": user.name, "team_id": workspace.team_id},
        "api_app_id": workspace.app.id,
        "token": VERIFICATION,
    }


def shortcut(workspace: Workspace, chosen: Shortcut, user: User, trigger_id: str) -> Json:
    """A shortcut's payload; one that was used on a message has `on_message` besides."""
    shared = interaction(workspace, "shortcut" if chosen.kind == "global" else "message_action", user)
    del shared["api_app_id"], shared["user"]["username" if chosen.kind == "message" else "name"]
    return shared | {
        "callback_id": chosen.callback_id,
        "trigger_id": trigger_id,
        "action_ts": workspace.next_ts(),
    }


def on_message(workspace: Workspace, message: Message, response_url: str) -> Json:
    """Which message a shortcut was used on."""
    channel = workspace.channels[message.channel]
    return {
        "message_ts": message.ts,
        "channel": {"id": channel.id, "name": channel_name(channel)},
        "message": message_wire(workspace, message, with_metadata=True),
        "response_url": response_url,
    }


def in_message(workspace: Workspace, message: Message) -> Json:
    """Where a click on a message happened. An ephemeral message's content is not sent along."""
    container: Json = {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": message.channel,
        "is_ephemeral": message.ephemeral,
    }
    if message.thread_ts:
        container["thread_ts"] = message.thread_ts
    channel = workspace.channels[message.channel]
    fields: Json = {"container": container, "channel": {"id": channel.id, "name": channel_name(channel)}}
    if not message.ephemeral:
        fields["message"] = message_wire(workspace, message, with_metadata=True)
    return fields


def in_view(workspace: Workspace, view: View, state: Json) -> Json:
    return {"container": {"type": "view", "view_id": view.id}, "view": view_wire(workspace, view, state)}


def event(workspace: Workspace, inner: Json) -> Json:
    """The outer object of the Events API around `inner`."""
    app, whose = workspace.app, workspace.organization
    enterprise = None if whose is None else whose.id
    return {
        "token": VERIFICATION,
        "team_id": workspace.team_id,
        "context_team_id": workspace.team_id,
        "context_enterprise_id": enterprise,
        "api_app_id": app.id,
        "event": inner,
        "type": "event_callback",
        "event_id": workspace.new_id("Ev"),
        "event_time": workspace.clock.now() // 1000,
        "authorizations": [
            {
                "enterprise_id": enterprise,
                "team_id": workspace.team_id if whose is None else None,
                "user_id": app.bot_user_id,
                "is_bot": True,
                "is_enterprise_install": whose is not None,
            }
        ],
        "is_ext_shared_channel": False,
        "event_context": f"4-{secrets.token_urlsafe(30)}",
    }


def message_event(workspace: Workspace, message: Message, kind: str, channel_type: str | None) -> Json:
    """`kind` is `message` or `app_mention`; only the former tells the type of the channel."""
    inner: Json = {
        "type": kind,
        "user": message.user,
        "text": message.text,
        "ts": message.ts,
        "team": workspace.team_id,
        "channel": message.channel,
        "event_ts": message.ts,
    }
    if message.thread_ts:
        inner["thread_ts"] = message.thread_ts
    return inner | ({"channel_type": channel_type} if channel_type else {})


def home_opened_event(workspace: Workspace, user: User, channel: Channel) -> Json:
    inner: Json = {
        "type": "app_home_opened",
        "user": user.id,
        "channel": channel.id,
        "tab": "home",
        "event_ts": workspace.next_ts(),
    }
    home = workspace.homes.get(user.id)
    return inner | ({"view": view_wire(workspace, home)} if home else {})


def group_event(workspace: Workspace, group: UserGroup, kind: str, before: list[str]) -> Json:
    """`kind` is `subteam_updated` or `subteam_members_changed`."""
    if kind == "subteam_updated":
        wire = group_wire(workspace, group, with_users=True)
        return {"type": kind, "subteam": wire, "event_ts": workspace.next_ts()}
    added = [user for user in group.users if user not in before]
    removed = [user for user in before if user not in group.users]
    return {
        "type": kind,
        "subteam_id": group.id,
        "team_id": workspace.team_id,
        "date_previous_update": 0,
        "date_update": workspace.clock.now() // 1000,
        "added_users": added,
        "added_users_count": len(added),
        "removed_users": removed,
        "removed_users_count": len(removed),
        "event_ts": workspace.next_ts(),
    }


def uninstalled_event() -> Json:
    return {"type": "app_uninstalled"}


def revoked_event(workspace: Workspace) -> Json:
    return {"type": "tokens_revoked", "tokens": {"oauth": [], "bot": [workspace.app.bot_user_id]}}
