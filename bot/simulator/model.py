"""The things in a workspace, as plain data; they know nothing of the wire, of time, or of each other.

Ids look like Slack's (T…, U…, S…, C…, D…, V…); `ts` strings are Slack's message timestamps, unique in a workspace.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import quote

Json = dict[str, Any]

SLACKBOT = "USLACKBOT"


class Suggestion(NamedTuple):
    """What the page offers to type, and what is to be seen then."""

    text: str
    note: str


@dataclass(slots=True)
class User:
    id: str
    name: str
    real_name: str
    email: str = ""
    title: str = ""
    tz: str = "Etc/UTC"
    tz_label: str = "Coordinated Universal Time"
    tz_offset: int = 0  # seconds
    is_admin: bool = False
    is_owner: bool = False
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    deleted: bool = False
    is_bot: bool = False
    color: str = "4bbe2e"

    @property
    def is_guest(self) -> bool:
        return self.is_restricted or self.is_ultra_restricted


@dataclass(slots=True)
class UserGroup:
    id: str
    handle: str
    name: str
    users: list[str]
    description: str = ""
    date_delete: int = 0  # epoch seconds; 0 while the group is in use

    @property
    def enabled(self) -> bool:
        return self.date_delete == 0


@dataclass(slots=True)
class Channel:
    """A public or private channel, or a DM between exactly two members (`is_im`)."""

    id: str
    name: str
    members: list[str]
    is_private: bool = False
    is_im: bool = False
    is_archived: bool = False
    topic: str = ""
    created: int = 0  # epoch seconds

    @property
    def kind(self) -> str:
        if self.is_im:
            return "dm"
        return "private" if self.is_private else "channel"

    def visible_to(self, user: User) -> bool:
        """Guests see only where they are members; everybody else sees public channels too."""
        if user.id in self.members:
            return True
        return not (self.is_private or self.is_im or user.is_guest)

    def other_side(self, user_id: str) -> str | None:
        """In a DM, the member who is not `user_id`."""
        if not self.is_im:
            return None
        return next((member for member in self.members if member != user_id), user_id)


@dataclass(slots=True)
class File:
    """What the app has uploaded, or is about to; its bytes are kept apart from it. ``size`` is in bytes."""

    id: str
    name: str
    size: int
    user: str
    created: int  # epoch seconds
    title: str = ""
    alt_text: str = ""
    snippet: str = ""

    @property
    def path(self) -> str:
        """Where it is shown, below the workspace's own address."""
        return f"files/{self.user}/{self.id}/{quote(self.name, safe='')}"


@dataclass(slots=True)
class Message:
    """`visible_to` is None for everybody in the channel, or the one user id who sees an ephemeral message."""

    channel: str
    ts: str
    user: str
    text: str
    blocks: list[Json] = field(default_factory=list[Json])
    attachments: list[Json] = field(default_factory=list[Json])
    metadata: Json | None = None
    thread_ts: str | None = None
    broadcast: bool = False
    subtype: str | None = None
    username: str | None = None
    icons: Json | None = None
    edited: Json | None = None
    visible_to: str | None = None
    reactions: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    files: list[File] = field(default_factory=list[File])

    @property
    def ephemeral(self) -> bool:
        return self.visible_to is not None

    @property
    def is_reply(self) -> bool:
        return self.thread_ts is not None and self.thread_ts != self.ts


@dataclass(slots=True)
class View:
    """A modal or an App Home. `body` is what the app sent (title, blocks, callback_id, …), normalised."""

    id: str
    user: str
    type: str
    body: Json
    hash: str
    root_view_id: str
    previous_view_id: str | None = None

    @property
    def blocks(self) -> list[Json]:
        return self.body["blocks"]

    @property
    def external_id(self) -> str:
        return self.body.get("external_id") or ""


@dataclass(frozen=True, slots=True)
class SlashCommand:
    command: str
    description: str = ""
    usage_hint: str = ""
    should_escape: bool = False


@dataclass(frozen=True, slots=True)
class Shortcut:
    """`kind` says where it is offered: `global` (anywhere) or `message` (on each message)."""

    name: str
    kind: str
    callback_id: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Organization:
    """An organization on Enterprise Grid, of which a workspace is a part."""

    id: str
    name: str


@dataclass(slots=True)
class App:
    """The app as it is installed: its identity, scopes and subscriptions.

    `home_tab`: it has an App Home. `writable`: people may write in their direct messages with it.
    """

    id: str
    name: str
    bot_user_id: str
    bot_id: str
    scopes: tuple[str, ...]
    commands: tuple[SlashCommand, ...]
    events: tuple[str, ...]
    home_tab: bool = True
    writable: bool = True
    shortcuts: tuple[Shortcut, ...] = ()
