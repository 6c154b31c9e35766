"""The `conversations.*` methods: opening DMs, and reading channels, members, history and threads."""

from bot.simulator.args import Arguments
from bot.simulator.errors import SlackError
from bot.simulator.methods import Method, Slack, cursor_field, page, scope_for
from bot.simulator.model import Channel, Json, Message
from bot.simulator.rates import TIER_2, TIER_3, TIER_4
from bot.simulator.wire import channel_wire, message_wire

_READ = ("channels:read", "groups:read", "im:read")
_HISTORY = ("channels:history", "groups:history", "im:history")


def open_conversation(slack: Slack, args: Arguments) -> Json:
    if args.text("channel"):
        channel, existed = slack.channel(args.text("channel")), True
        if not channel.is_im:
            raise SlackError("channel_not_found")
    else:
        user_id = _one_user(slack, args)
        existed = slack.workspace.direct_channel(user_id, slack.bot) is not None
        if not existed and args.flag("prevent_creation"):
            raise SlackError("channel_not_found")
        channel = slack.workspace.open_direct_channel(user_id, slack.bot)
    wire = channel_wire(slack.workspace, channel) if args.flag("return_im") else {"id": channel.id}
    already = {"no_op": True, "already_open": True} if existed else {}
    return {**already, "channel": wire}


def _one_user(slack: Slack, args: Arguments) -> str:
    users = [each.strip() for each in args.text("users").split(",") if each.strip()]
    if not users:
        raise SlackError("users_list_not_supplied")
    if len(users) > 1:
        slack.need_scope("mpim:write")
        raise SlackError("too_many_users")  # the simulated workspace has no group DMs
    user = slack.user(users[0])
    if user.deleted:
        raise SlackError("user_disabled")
    if user.id == slack.bot:
        raise SlackError("user_not_found")
    return user.id


def info(slack: Slack, args: Arguments) -> Json:
    return {"channel": channel_wire(slack.workspace, _readable(slack, args))}


def list_channels(slack: Slack, args: Arguments) -> Json:
    slack.need_team(args)
    names = {"channel": "public_channel", "private": "private_channel", "dm": "im"}
    types = args.text("types", "public_channel").split(",")
    if not set(types) <= {*names.values(), "mpim"}:
        raise SlackError("invalid_types")
    found = [
        channel
        for channel in slack.workspace.channels.values()
        if names[channel.kind] in types
        and (not channel.is_private or slack.bot in channel.members)
        and not (channel.is_archived and args.flag("exclude_archived"))
    ]
    some, cursor = page(found, args, limit=100)
    return {"channels": [channel_wire(slack.workspace, each) for each in some], **cursor_field(cursor)}


def members(slack: Slack, args: Arguments) -> Json:
    some, cursor = page(_readable(slack, args).members, args, limit=100)
    return {"members": some, **cursor_field(cursor)}


def history(slack: Slack, args: Arguments) -> Json:
    channel = _with_history(slack, args)
    found = [m for m in slack.workspace.messages(channel.id) if not m.ephemeral and (not m.is_reply or m.broadcast)]
    some, cursor = page(_between(found, args)[::-1], args, limit=100)
    return _messages(slack, some, cursor, args)


def replies(slack: Slack, args: Arguments) -> Json:
    channel = _with_history(slack, args)
    message = slack.workspace.message(channel.id, args.text("ts"))
    if message is None or message.ephemeral:
        raise SlackError("thread_not_found")
    # A reply's ts gives that reply alone, as in Slack: the thread is asked for by its root.
    some, cursor = page([message, *_between(slack.workspace.replies(message), args)], args, limit=1000)
    return _messages(slack, some, cursor, args)


def _messages(slack: Slack, some: list[Message], cursor: str, args: Arguments) -> Json:
    with_metadata = args.flag("include_all_metadata")
    wires = [message_wire(slack.workspace, each, with_metadata=with_metadata) for each in some]
    return {"messages": wires, "has_more": bool(cursor), **(cursor_field(cursor) if cursor else {})}


def _between(messages: list[Message], args: Arguments) -> list[Message]:
    try:
        oldest, latest = float(args.text("oldest") or 0), float(args.text("latest") or "inf")
    except ValueError:
        raise SlackError("invalid_ts_oldest") from None
    if args.flag("inclusive"):
        return [m for m in messages if oldest <= float(m.ts) <= latest]
    return [m for m in messages if oldest < float(m.ts) < latest]


def _readable(slack: Slack, args: Arguments) -> Channel:
    channel = slack.channel(args.text("channel"))
    slack.need_scope(scope_for(channel, "read"))
    return channel


def _with_history(slack: Slack, args: Arguments) -> Channel:
    channel = slack.channel(args.text("channel"))
    slack.need_scope(scope_for(channel, "history"))
    if slack.bot not in channel.members:
        raise SlackError("not_in_channel")
    return channel


METHODS = {
    "conversations.open": Method(open_conversation, ("im:write",), (), TIER_3),
    "conversations.info": Method(info, _READ, ("channel",), TIER_3),
    "conversations.list": Method(list_channels, _READ, (), TIER_2),
    "conversations.members": Method(members, _READ, ("channel",), TIER_4),
    "conversations.history": Method(history, _HISTORY, ("channel",), TIER_3),
    "conversations.replies": Method(replies, _HISTORY, ("channel", "ts"), TIER_3),
}
