"""The `files.*` methods with which an app shares a file: an address for its bytes, and the end of the upload.

Facts: docs.slack.dev/reference/methods/files.getUploadURLExternal and files.completeUploadExternal; the errors and
limits as in slack-ruby/slack-api-ref, `methods/files`. That sharing takes membership, also where chat:write.public lets
the app post, and that an unknown channel is `channel_not_found`, is what apps meet (slackapi/python-slack-sdk#1325,
getnao/nao#1372).
"""

import secrets

from bot.simulator.api_chat import TEXT_LIMIT, root_of_thread
from bot.simulator.args import Arguments
from bot.simulator.errors import SlackError, invalid
from bot.simulator.methods import Method, Slack
from bot.simulator.model import Channel, File, Json, Message
from bot.simulator.rates import TIER_4
from bot.simulator.schema import Report, array, record, string
from bot.simulator.wire import file_wire

ALT_LIMIT = 1_000
SNIPPET_LIMIT = 1_000_000
FILE_LIMIT = 1_000_000_000
_SNIPPETS = frozenset({"css", "csv", "diff", "go", "html", "javascript", "json", "log", "markdown", "python", "shell"})
_SNIPPET_TYPES = _SNIPPETS | {"sql", "text", "typescript", "xml", "yaml"}
"""Some of the many that Slack knows."""

_files = array(record({"id": string(64, 1), "title": string(1_000), "highlight_type": string(64)}, ("id",)), 20)


def get_upload_url(slack: Slack, args: Arguments) -> Json:
    name, size = args.text("filename"), args.number("length", 0)
    if size <= 0:
        raise SlackError("missing_argument")
    if size > FILE_LIMIT:
        raise SlackError("file_upload_size_restricted")
    if len(args.text("alt_txt")) > ALT_LIMIT:
        raise SlackError("alt_txt_too_large")
    snippet = args.text("snippet_type")
    if snippet and snippet not in _SNIPPET_TYPES:
        raise SlackError("unknown_snippet_type")
    if snippet and size > SNIPPET_LIMIT:
        raise SlackError("snippet_too_large")
    workspace = slack.workspace
    file = File(
        id=f"F0{secrets.token_hex(4).upper()}",
        name=name,
        size=size,
        user=slack.bot,
        created=workspace.clock.now() // 1_000,
        alt_text=args.text("alt_txt"),
        snippet=snippet,
    )
    return {"upload_url": f"{slack.site}upload/v1/{workspace.uploads.begin(file)}", "file_id": file.id}


def complete_upload(slack: Slack, args: Arguments) -> Json:
    """All of the files, or none: they go into one message, or without a channel nowhere."""
    workspace, wanted = slack.workspace, args.parsed("files")
    report = Report()
    _files(wanted, "/files", report)
    if report.problems:
        raise invalid("invalid_arguments", report.problems)
    files = [_ready(slack, one["id"], one.get("title")) for one in wanted]
    comment = args.text("initial_comment")
    if len(comment) > TEXT_LIMIT:
        raise SlackError("msg_too_long")
    channel = _shared_in(slack, args.text("channel_id")) if args.text("channel_id") else None
    thread = root_of_thread(slack, channel, args) if channel is not None else None
    for file in files:
        workspace.uploads.complete(file)
    if channel is not None:
        ts = workspace.next_ts()
        workspace.post(Message(channel.id, ts, slack.bot, comment, files=files, thread_ts=thread))
    return {"files": [file_wire(workspace, file) for file in files]}


def _ready(slack: Slack, file_id: str, title: str | None) -> File:
    file = slack.workspace.uploads.ready(file_id)
    if file is None:
        raise SlackError("file_not_found")
    file.title = title or file.name
    return file


def _shared_in(slack: Slack, channel_id: str) -> Channel:
    channel = slack.channel(channel_id)
    if channel.is_archived:
        raise SlackError("is_archived")
    if slack.bot not in channel.members:
        raise SlackError("not_in_channel")
    return channel


METHODS = {
    "files.getUploadURLExternal": Method(get_upload_url, ("files:write",), ("filename",), TIER_4),
    "files.completeUploadExternal": Method(complete_upload, ("files:write",), ("files",), TIER_4),
}
