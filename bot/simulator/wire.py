"""The workspace's things as Slack's servers send them: in Web API answers, in events and in interactions.

Field names follow the published samples (slackapi/java-slack-sdk, `json-logs/samples`); a field that Slack leaves out
when it is empty is left out here too.
"""

from bot.simulator.model import Channel, File, Json, Message, User, UserGroup, View
from bot.simulator.workspace import Workspace


def user_wire(workspace: Workspace, user: User, *, with_email: bool, with_locale: bool = False) -> Json:
    wire: Json = {
        "id": user.id,
        "team_id": workspace.team_id,
        "name": user.name,
        "deleted": user.deleted,
        "profile": _profile(workspace, user, with_email=with_email),
        "is_bot": user.is_bot,
        "is_app_user": False,
        "updated": 0,
    }
    if workspace.organization is not None:
        wire["enterprise_user"] = {
            "id": user.id,
            "enterprise_id": workspace.organization.id,
            "enterprise_name": workspace.organization.name,
            "is_admin": False,
            "is_owner": False,
            "teams": [workspace.team_id],
        }
    if user.deleted:
        return wire
    wire |= {
        "color": user.color,
        "real_name": user.real_name,
        "tz": user.tz,
        "tz_label": user.tz_label,
        "tz_offset": user.tz_offset,
        "is_admin": user.is_admin,
        "is_owner": user.is_owner,
        "is_primary_owner": False,
        "is_restricted": user.is_guest,
        "is_ultra_restricted": user.is_ultra_restricted,
        "is_email_confirmed": bool(user.email),
        "who_can_share_contact_card": "EVERYONE",
    }
    return wire | ({"locale": "en-US"} if with_locale else {})


def _profile(workspace: Workspace, user: User, *, with_email: bool) -> Json:
    first, _, last = user.real_name.partition(" ")
    profile: Json = {
        "title": user.title,
        "phone": "",
        "skype": "",
        "real_name": user.real_name,
        "real_name_normalized": user.real_name,
        "display_name": user.real_name,
        "display_name_normalized": user.real_name,
        "status_text": "",
        "status_emoji": "",
        "status_expiration": 0,
        "avatar_hash": "",
        "team": workspace.team_id,
        "first_name": first,
        "last_name": last,
    }
    if user.id == workspace.app.bot_user_id:
        profile |= {"api_app_id": workspace.app.id, "bot_id": workspace.app.bot_id, "always_active": True}
    return profile | ({"email": user.email} if with_email and user.email else {})


def group_wire(workspace: Workspace, group: UserGroup, *, with_users: bool) -> Json:
    wire: Json = {
        "id": group.id,
        "team_id": workspace.team_id,
        "is_usergroup": True,
        "is_subteam": True,
        "name": group.name,
        "description": group.description,
        "handle": group.handle,
        "is_external": False,
        "date_create": 0,
        "date_update": 0,
        "date_delete": group.date_delete,
        "user_count": len(group.users),
    }
    return wire | ({"users": list(group.users)} if with_users else {})


def channel_wire(workspace: Workspace, channel: Channel) -> Json:
    wire: Json = {
        "id": channel.id,
        "created": channel.created,
        "is_archived": channel.is_archived,
        "is_im": channel.is_im,
        "is_org_shared": False,
        "context_team_id": workspace.team_id,
        "updated": channel.created * 1000,
    }
    if channel.is_im:
        return wire | {"user": channel.other_side(workspace.app.bot_user_id), "is_open": True, "priority": 0}
    return wire | {
        "name": channel.name,
        "name_normalized": channel.name,
        "is_channel": not channel.is_private,
        "is_group": channel.is_private,
        "is_mpim": False,
        "is_private": channel.is_private,
        "is_general": False,
        "is_shared": False,
        "is_member": workspace.app.bot_user_id in channel.members,
        "topic": {"value": channel.topic, "creator": "", "last_set": 0},
        "purpose": {"value": "", "creator": "", "last_set": 0},
        "num_members": len(channel.members),
    }


def message_wire(workspace: Workspace, message: Message, *, with_metadata: bool = False) -> Json:
    wire: Json = {"type": "message", "user": message.user, "ts": message.ts, "text": message.text}
    wire["team"] = workspace.team_id
    if message.user == workspace.app.bot_user_id:
        wire |= _bot_fields(workspace)
    optional = {"subtype": message.subtype, "thread_ts": message.thread_ts, "username": message.username}
    optional |= {"icons": message.icons, "edited": message.edited, "attachments": message.attachments}
    optional |= {"blocks": message.blocks, "metadata": message.metadata if with_metadata else None}
    wire |= {name: value for name, value in optional.items() if value}
    if message.files:
        wire |= {"files": [file_wire(workspace, file) for file in message.files], "upload": True}
    if message.is_reply:
        root = workspace.message(message.channel, message.thread_ts or "")
        wire |= {"parent_user_id": root.user} if root else {}
    wire |= _thread_fields(workspace, message)
    if message.reactions:
        wire["reactions"] = [{"name": n, "users": list(w), "count": len(w)} for n, w in message.reactions.items()]
    return wire


def file_wire(workspace: Workspace, file: File) -> Json:
    """What kind of file it is, and where it was shared, Slack finds out later: an upload's answer does not have it."""
    private = f"{workspace.site}files-pri/{workspace.team_id}-{file.id}/{file.name}"
    return {
        "id": file.id,
        "created": file.created,
        "timestamp": file.created,
        "name": file.name,
        "title": file.title,
        "mimetype": "",
        "filetype": "",
        "pretty_type": "",
        "user": file.user,
        "user_team": workspace.team_id,
        "mode": "snippet" if file.snippet else "hosted",
        "editable": False,
        "size": file.size,
        "is_external": False,
        "external_type": "",
        "is_public": False,
        "public_url_shared": False,
        "display_as_bot": False,
        "username": "",
        "url_private": private,
        "permalink": f"{workspace.site}{file.path}",
        "shares": {},
        **({"alt_txt": file.alt_text} if file.alt_text else {}),
    }


def _bot_fields(workspace: Workspace) -> Json:
    app = workspace.app
    profile: Json = {
        "id": app.bot_id,
        "deleted": False,
        "name": app.name,
        "updated": 0,
        "app_id": app.id,
        "icons": {},
        "team_id": workspace.team_id,
        "user_id": app.bot_user_id,
    }
    return {"bot_id": app.bot_id, "app_id": app.id, "bot_profile": profile}


def _thread_fields(workspace: Workspace, message: Message) -> Json:
    replies = workspace.replies(message)
    if not replies:
        return {}
    users = list(dict.fromkeys(reply.user for reply in replies))
    return {
        "thread_ts": message.ts,
        "reply_count": len(replies),
        "reply_users_count": len(users),
        "latest_reply": replies[-1].ts,
        "reply_users": users,
        "is_locked": False,
        "subscribed": message.user == workspace.app.bot_user_id,
    }


def view_wire(workspace: Workspace, view: View, state: Json | None = None) -> Json:
    """`state` is `{block_id: {action_id: StateValue}}`, what the person has entered."""
    body = view.body
    return {
        "id": view.id,
        "team_id": workspace.team_id,
        "type": view.type,
        "blocks": view.blocks,
        "private_metadata": body.get("private_metadata") or "",
        "callback_id": body.get("callback_id") or "",
        "state": {"values": state or {}},
        "hash": view.hash,
        "title": body.get("title") or {"type": "plain_text", "text": "View Title", "emoji": True},
        "clear_on_close": bool(body.get("clear_on_close")),
        "notify_on_close": bool(body.get("notify_on_close")),
        "close": body.get("close"),
        "submit": body.get("submit"),
        "previous_view_id": view.previous_view_id,
        "root_view_id": view.root_view_id,
        "app_id": workspace.app.id,
        "external_id": view.external_id,
        "app_installed_team_id": workspace.team_id,
        "bot_id": workspace.app.bot_id,
    }
