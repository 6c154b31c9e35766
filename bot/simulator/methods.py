"""What a Web API method is, and what all methods share: looking things up as the app sees them, and paging.

A method is a plain function from arguments to an answer; it raises SlackError with Slack's name for the refusal.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from bot.simulator.args import Arguments
from bot.simulator.errors import SlackError
from bot.simulator.grants import Grant, Grants
from bot.simulator.model import Channel, Json, User
from bot.simulator.rates import TIER_3
from bot.simulator.schema import is_object
from bot.simulator.tickets import SocketTickets, Triggers
from bot.simulator.workspace import Workspace

T = TypeVar("T")


@dataclass(slots=True)
class Slack:
    """What methods work on: the workspace of the caller's token, and `grant`, what that token is good for.

    `site` is the server's address, ending in a slash, known once it listens.
    """

    workspace: Workspace
    triggers: Triggers
    tickets: SocketTickets
    grants: Grants
    site: str = ""
    grant: Grant | None = None

    @property
    def bot(self) -> str:
        return self.workspace.app.bot_user_id

    def need_scope(self, scope: str) -> None:
        """Raise missing_scope unless the app was granted it."""
        granted = self.workspace.app.scopes
        if scope not in granted:
            raise SlackError("missing_scope", needed=scope, provided=",".join(granted))

    def need_team(self, args: Arguments) -> None:
        """A token of a whole organization lists nothing without the workspace that is meant. Raises SlackError."""
        if self.workspace.organization is None:
            return
        team = args.text("team_id")
        if not team:
            raise SlackError("missing_argument")
        if team != self.workspace.team_id:
            raise SlackError("team_not_found")

    def has_scope(self, scope: str) -> bool:
        return scope in self.workspace.app.scopes

    def channel(self, channel_id: str) -> Channel:
        """A channel by id, if the app may know of it. Raises channel_not_found."""
        channel = self.workspace.channels.get(channel_id)
        if channel is None or (channel.is_private and self.bot not in channel.members):
            raise SlackError("channel_not_found")
        return channel

    def user(self, user_id: str) -> User:
        user = self.workspace.users.get(user_id)
        if user is None:
            raise SlackError("user_not_found")
        return user


Handler = Callable[[Slack, Arguments], Json]


@dataclass(frozen=True, slots=True)
class Method:
    """`scopes`: any one of them is enough. `channel_rate`: also limited to one call a second and channel."""

    handler: Handler
    scopes: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    per_minute: int = TIER_3
    channel_rate: bool = False
    caller: Literal["bot", "app", "client"] = "bot"
    """What it takes: a workspace's bot token, the app's own token, or the app's client id and secret."""


def scope_for(channel: Channel, what: str) -> str:
    """The scope that reads (`read`, `history`) this kind of conversation."""
    prefix = {"channel": "channels", "private": "groups", "dm": "im"}[channel.kind]
    return f"{prefix}:{what}"


def page(items: Sequence[T], args: Arguments, *, limit: int) -> tuple[list[T], str]:
    """One page of the items by `cursor` and `limit`, and the next cursor, empty at the end. Raises invalid_cursor."""
    start = _position(args.text("cursor")) if args.text("cursor") else 0
    size = max(1, min(args.number("limit", limit) or limit, 1000))
    end = start + size
    return list(items[start:end]), _cursor(end) if end < len(items) else ""


def cursor_field(cursor: str) -> Json:
    return {"response_metadata": {"next_cursor": cursor}}


def _cursor(position: int) -> str:
    return base64.b64encode(f"next:{position}".encode()).decode()


def _position(cursor: str) -> int:
    try:
        kind, _, number = base64.b64decode(cursor, validate=True).decode().partition(":")
        if kind == "next":
            return int(number)
    except (binascii.Error, UnicodeDecodeError, ValueError):
        pass
    raise SlackError("invalid_cursor")


def as_object(value: Any, error: str) -> Json:
    """The value if it is a JSON object, else SlackError(error)."""
    if not is_object(value):
        raise SlackError(error)
    return value
