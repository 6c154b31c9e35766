"""The workspace as a person's page sees it: plain JSON for the page's API, never what goes to the app.

Nothing here decides who may see a thing; callers ask for what the person may see.
"""

from collections.abc import Mapping, Sequence

from bot.simulator.model import Channel, File, Json, Message, User, UserGroup, View
from bot.simulator.uploads import kind_of

PREVIEW_LINES, PREVIEW_WIDTH = 8, 400


def user_seen(user: User) -> Json:
    return {
        "id": user.id,
        "name": user.name,
        "real_name": user.real_name,
        "display_name": user.name,
        "title": user.title,
        "tz": user.tz,
        "tz_offset": user.tz_offset,
        "is_admin": user.is_admin,
        "is_guest": user.is_guest,
        "deleted": user.deleted,
        "is_bot": user.is_bot,
        "color": user.color,
    }


def group_seen(group: UserGroup) -> Json:
    return {"id": group.id, "handle": group.handle, "name": group.name, "users": list(group.users)}


def channel_seen(channel: Channel, users: Mapping[str, User], me: str | None = None) -> Json:
    """`me` names a DM by its other side; without it a DM is seen from the person's side, not the app's."""
    viewer = me
    if viewer is None and channel.is_im:
        viewer = next((member for member in channel.members if not users[member].is_bot), channel.members[0])
    other = channel.other_side(viewer) if viewer else None
    return {
        "id": channel.id,
        "name": users[other].real_name if other else channel.name,
        "kind": channel.kind,
        "topic": channel.topic,
        "members": list(channel.members),
        "is_member": me is None or me in channel.members,
        "user": other,
        "is_archived": channel.is_archived,
    }


def message_seen(
    message: Message, users: Mapping[str, User], replies: Sequence[Message], contents: Mapping[str, bytes]
) -> Json:
    """`replies`: what its thread shows; `contents`: the bytes of files."""
    return {
        "channel": message.channel,
        "ts": message.ts,
        "at": int(float(message.ts) * 1000),
        "thread_ts": message.thread_ts,
        "user": message.user,
        "is_bot": users[message.user].is_bot,
        "username": message.username,
        "text": message.text,
        "blocks": message.blocks,
        "edited": message.edited,
        "ephemeral": message.ephemeral,
        "reply_count": len(replies),
        "reply_users": list(dict.fromkeys(reply.user for reply in replies)),
        "latest_reply": replies[-1].ts if replies else None,
        "broadcast": message.broadcast,
        "reactions": [{"name": name, "count": len(who), "users": list(who)} for name, who in message.reactions.items()],
        "subtype": message.subtype,
        "files": [file_seen(file, contents.get(file.id, b"")) for file in message.files],
    }


def file_seen(file: File, body: bytes) -> Json:
    """A picture is shown by its address; of a text, its beginning."""
    kind = kind_of(body)
    lines = body.decode().splitlines() if kind == "text/plain" else []
    return {
        "id": file.id,
        "name": file.name,
        "title": file.title,
        "alt_text": file.alt_text,
        "path": f"/{file.path}",
        "size": file.size,
        "kind": kind.partition("/")[0],
        "preview": "\n".join(line[:PREVIEW_WIDTH] for line in lines[:PREVIEW_LINES]),
        "lines_more": max(0, len(lines) - PREVIEW_LINES),
    }


def view_seen(view: View) -> Json:
    body = view.body
    return {
        "id": view.id,
        "type": view.type,
        "callback_id": body.get("callback_id") or "",
        "title": body.get("title"),
        "submit": body.get("submit"),
        "close": body.get("close"),
        "blocks": view.blocks,
        "hash": view.hash,
        "private_metadata": body.get("private_metadata") or "",
        "notify_on_close": bool(body.get("notify_on_close")),
        "clear_on_close": bool(body.get("clear_on_close")),
        "root_view_id": view.root_view_id,
        "previous_view_id": view.previous_view_id,
    }
