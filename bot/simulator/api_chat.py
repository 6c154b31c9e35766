"""The `chat.*` and `reactions.*` methods: posting, changing and removing messages of the app.

Facts: docs.slack.dev/reference/methods/chat.postMessage, chat.update.
"""

import json
import re

from bot.simulator.args import Arguments
from bot.simulator.blockkit import check_message_blocks
from bot.simulator.errors import SlackError
from bot.simulator.methods import Method, Slack, as_object
from bot.simulator.model import Channel, Json, Message
from bot.simulator.rates import ABOUT_600, MESSAGES, TIER_3, TIER_4
from bot.simulator.wire import message_wire
from bot.simulator.workspace import Workspace

TEXT_LIMIT = 40_000
UPDATE_TEXT_LIMIT = 4_000
_METADATA_BYTES = 16_000
_UNDISPLAYABLE = "This content can't be displayed."
_NOT_TOLD_AFTER_UPDATE = frozenset(
    {"ts", "thread_ts", "parent_user_id", "reply_count", "reply_users_count", "latest_reply", "reply_users"}
    | {"is_locked", "subscribed", "reactions"}
)
_TS = re.compile(r"\d{10}\.\d{6}")


def post_message(slack: Slack, args: Arguments) -> Json:
    channel = _writable(slack, _target(slack, args.text("channel")))
    text, blocks, attachments = content(slack.workspace, args)
    message = Message(
        channel=channel.id,
        ts=slack.workspace.next_ts(),
        user=slack.bot,
        text=text,
        blocks=blocks,
        attachments=attachments,
        metadata=_metadata(args),
        thread_ts=root_of_thread(slack, channel, args),
        broadcast=args.flag("reply_broadcast"),
        username=_customized(slack, args, "username"),
    )
    slack.workspace.post(message)
    wire = message_wire(slack.workspace, message, with_metadata=True)
    return {"channel": channel.id, "ts": message.ts, "message": wire}


def update(slack: Slack, args: Arguments) -> Json:
    channel = slack.channel(args.text("channel"))
    message = _own(slack, channel, args.text("ts"), "cant_update_message")
    if channel.is_archived:
        raise SlackError("is_inactive")
    if len(args.text("text")) > UPDATE_TEXT_LIMIT:
        raise SlackError("msg_too_long")
    blocks = args.parsed("blocks", "invalid_blocks_format")
    if not (args.has("text") or args.has("blocks") or args.has("attachments") or args.has("markdown_text")):
        if not args.has("metadata"):
            raise SlackError("no_text")
    elif blocks is not None and not blocks and not (args.text("text") or message.text):
        raise SlackError("no_text")
    else:
        _replace_content(slack, message, args)
    if args.has("metadata"):
        message.metadata = _metadata(args)
    slack.workspace.edited(message)
    wire = message_wire(slack.workspace, message, with_metadata=True)
    wire = {name: value for name, value in wire.items() if name not in _NOT_TOLD_AFTER_UPDATE}
    return {"channel": channel.id, "ts": message.ts, "text": message.text, "message": wire}


def _replace_content(slack: Slack, message: Message, args: Arguments) -> None:
    """Text without blocks drops the old blocks; blocks without text keep the old text; either is enough."""
    merged = dict(args.values)
    if not args.has("text") and not args.has("markdown_text"):
        merged["text"] = message.text
    text, blocks, attachments = content(slack.workspace, Arguments(merged))
    message.text = text
    message.blocks = blocks
    if args.has("attachments"):
        message.attachments = attachments
    if not blocks:
        message.edited = {"user": slack.bot, "ts": slack.workspace.next_ts()}


def post_ephemeral(slack: Slack, args: Arguments) -> Json:
    channel = _writable(slack, slack.channel(args.text("channel")))
    if slack.bot not in channel.members:  # chat:write.public does not help here
        raise SlackError("not_in_channel")
    user = args.text("user")
    if user not in channel.members or slack.user(user).deleted:
        raise SlackError("user_not_in_channel")
    if len(args.text("text")) > TEXT_LIMIT:
        raise SlackError("msg_too_long")
    text, blocks, attachments = content(slack.workspace, args)
    message = Message(
        channel=channel.id,
        ts=slack.workspace.next_ts(),
        user=slack.bot,
        text=text,
        blocks=blocks,
        attachments=attachments,
        thread_ts=root_of_thread(slack, channel, args),
        visible_to=user,
    )
    slack.workspace.post(message)
    return {"message_ts": message.ts}


def delete(slack: Slack, args: Arguments) -> Json:
    channel = slack.channel(args.text("channel"))
    message = _own(slack, channel, args.text("ts"), "cant_delete_message")
    if slack.workspace.replies(message):
        message.text, message.blocks, message.subtype = "This message was deleted.", [], "tombstone"
        message.metadata, message.attachments, message.files = None, [], []
        slack.workspace.edited(message)
    else:
        slack.workspace.delete(message)
    return {"channel": channel.id, "ts": message.ts}


def get_permalink(slack: Slack, args: Arguments) -> Json:
    channel = slack.channel(args.text("channel"))
    message = slack.workspace.message(channel.id, args.text("message_ts"))
    if message is None or message.ephemeral:
        raise SlackError("message_not_found")
    link = f"{slack.site}archives/{channel.id}/p{message.ts.replace('.', '')}"
    if message.is_reply:
        link += f"?thread_ts={message.thread_ts}&cid={channel.id}"
    return {"channel": channel.id, "permalink": link}


def add_reaction(slack: Slack, args: Arguments) -> Json:
    channel = slack.channel(args.text("channel"))
    message = slack.workspace.message(channel.id, args.text("timestamp"))
    name = args.text("name").strip(":")
    if message is None or message.ephemeral:
        raise SlackError("message_not_found")
    if channel.is_archived:
        raise SlackError("is_archived")
    if not re.fullmatch(r"[a-z0-9_+'-]+(::skin-tone-[2-6])?", name):
        raise SlackError("invalid_name")
    people = message.reactions.setdefault(name, [])
    if slack.bot in people:
        raise SlackError("already_reacted")
    people.append(slack.bot)
    slack.workspace.edited(message)
    return {}


def content(workspace: Workspace, args: Arguments) -> tuple[str, list[Json], list[Json]]:
    """Text, blocks and attachments of a message, checked. Raises SlackError."""
    text, markdown = args.text("text"), args.text("markdown_text")
    blocks = args.parsed("blocks", "invalid_blocks_format")
    attachments: list[Json] = args.parsed("attachments") or []
    if markdown and (text or blocks):
        raise SlackError("markdown_text_conflict")
    if len(markdown) > 12_000:
        raise SlackError("msg_too_long")
    checked = check_message_blocks(blocks, newer=workspace.takes_newer_blocks) if blocks else []
    if len(attachments) > 100:
        raise SlackError("too_many_attachments")
    if not (text.strip() or markdown or checked or attachments):
        raise SlackError("no_text")
    return (text or markdown or _UNDISPLAYABLE)[:TEXT_LIMIT], checked, attachments


def _target(slack: Slack, name: str) -> Channel:
    """Posting also takes a channel's name, and a person's id (their DM with the app)."""
    workspace = slack.workspace
    if name in workspace.users:
        if workspace.users[name].is_bot or workspace.users[name].deleted:
            raise SlackError("channel_not_found")
        return workspace.open_direct_channel(name, slack.bot)
    by_name = {c.name: c.id for c in workspace.channels.values() if not c.is_im}
    return slack.channel(by_name.get(name.removeprefix("#"), name))


def _writable(slack: Slack, channel: Channel) -> Channel:
    if channel.is_archived:
        raise SlackError("is_archived")
    if slack.bot not in channel.members and not slack.has_scope("chat:write.public"):
        raise SlackError("not_in_channel")
    return channel


def _own(slack: Slack, channel: Channel, ts: str, refusal: str) -> Message:
    message = slack.workspace.message(channel.id, ts)
    if message is None or message.ephemeral:
        raise SlackError("message_not_found")
    if message.user != slack.bot:
        raise SlackError(refusal)
    return message


def root_of_thread(slack: Slack, channel: Channel, args: Arguments) -> str | None:
    """The root's ts. Slack asks for the root, never for a reply's ts."""
    ts = args.text("thread_ts")
    if not ts:
        return None
    root = slack.workspace.message(channel.id, ts)
    if not _TS.fullmatch(ts) or root is None or root.is_reply or root.ephemeral:
        raise SlackError("cannot_reply_to_message", foreseen=root is None)
    return ts


def _metadata(args: Arguments) -> Json | None:
    if not args.has("metadata"):
        return None
    metadata = as_object(args.parsed("metadata", "invalid_metadata_format"), "invalid_metadata_format")
    if not metadata:
        return None
    if not isinstance(metadata.get("event_type"), str) or not isinstance(metadata.get("event_payload"), dict):
        raise SlackError("invalid_metadata_schema")
    if len(json.dumps(metadata)) > _METADATA_BYTES:
        raise SlackError("metadata_too_large")
    return metadata


def _customized(slack: Slack, args: Arguments, name: str) -> str | None:
    if not args.text(name):
        return None
    slack.need_scope("chat:write.customize")
    return args.text(name)


METHODS = {
    "chat.postMessage": Method(post_message, ("chat:write",), ("channel",), MESSAGES, channel_rate=True),
    "chat.update": Method(update, ("chat:write",), ("channel", "ts"), TIER_3),
    "chat.postEphemeral": Method(post_ephemeral, ("chat:write",), ("channel", "user"), TIER_4),
    "chat.delete": Method(delete, ("chat:write",), ("channel", "ts"), TIER_3),
    "chat.getPermalink": Method(get_permalink, (), ("channel", "message_ts"), ABOUT_600),
    "reactions.add": Method(add_reaction, ("reactions:write",), ("channel", "timestamp", "name"), TIER_3),
}
