"""What the app answers to a command or click: in the acknowledgement, or later at the response URL.

The same rules hold for both. An ephemeral message never becomes visible to all, and a thread is reached only by an
answer to all. Facts: docs.slack.dev/interactivity/handling-user-interaction.
"""

from dataclasses import dataclass

from bot.simulator.api_chat import content
from bot.simulator.args import Arguments
from bot.simulator.model import Json, Message
from bot.simulator.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the command or click came from; `message_ts` is the clicked message, if a message was clicked."""

    user: str
    channel: str
    message_ts: str | None = None


def apply_answer(workspace: Workspace, origin: Origin, body: Json) -> None:
    """Post, replace or delete as `body` says. Raises SlackError for content that Slack refuses."""
    args = Arguments(body)
    source = workspace.message(origin.channel, origin.message_ts or "")
    if source is not None and args.flag("delete_original"):
        workspace.delete(source)
    elif source is not None and args.flag("replace_original"):
        _replace(workspace, source, args)
    else:
        _post(workspace, origin, args)


def _replace(workspace: Workspace, message: Message, args: Arguments) -> None:
    message.text, message.blocks, message.attachments = content(workspace, args)
    workspace.edited(message)


def _post(workspace: Workspace, origin: Origin, args: Arguments) -> None:
    text, blocks, attachments = content(workspace, args)
    to_all = args.text("response_type", "ephemeral") == "in_channel"
    root = workspace.message(origin.channel, args.text("thread_ts"))
    workspace.post(
        Message(
            channel=origin.channel,
            ts=workspace.next_ts(),
            user=workspace.app.bot_user_id,
            text=text,
            blocks=blocks,
            attachments=attachments,
            thread_ts=root.ts if root is not None and to_all else None,
            visible_to=None if to_all else origin.user,
        )
    )
