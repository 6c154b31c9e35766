"""The state of one workspace and the only ways to change it; every change is published to those who see it.

No wire, no validation of requests: callers have checked their arguments, and a broken reference is a KeyError.
"""

import secrets
from collections.abc import Iterator

from bot.simulator.changes import Changes
from bot.simulator.model import SLACKBOT, App, Channel, Json, Message, Organization, User, UserGroup, View
from bot.simulator.seen import channel_seen, group_seen, message_seen, user_seen, view_seen
from bot.simulator.uploads import Uploads
from engine.clock import MovableClock


class Workspace:
    """Team, people, groups, channels, messages and open views. All lookups by id are plain dictionaries."""

    def __init__(self, *, team_id: str, team_name: str, domain: str, app: App, clock: MovableClock) -> None:
        self.team_id = team_id
        self.team_name = team_name
        self.domain = domain
        self.app = app
        self.clock = clock
        self.organization: Organization | None = None
        """The one that it is a part of, if the app is installed there org-wide: tokens are then the organization's."""
        self.takes_newer_blocks = True
        """False: `markdown`, `table`, `alert`, `card`, `task_card` and `plan` are refused as unknown."""
        self.changes = Changes()
        self.users: dict[str, User] = {}
        self.groups: dict[str, UserGroup] = {}
        self.channels: dict[str, Channel] = {}
        self.stacks: dict[str, list[View]] = {}
        self.homes: dict[str, View] = {}
        self.uploads = Uploads()
        self.site = ""
        """Where it is served, ending in a slash; known once it listens."""
        self._messages: dict[str, dict[str, Message]] = {}
        self._replies: dict[tuple[str, str], dict[str, Message]] = {}
        self._last_us = 0
        self._last_number = 0
        self.add_user(User(SLACKBOT, "slackbot", "Slackbot", is_bot=True))
        self.add_user(User(app.bot_user_id, app.name.lower(), app.name, is_bot=True, color="2b6cb0"))

    # ── people and places ────────────────────────────────────────────────────────────────────────────────────────

    def add_user(self, user: User) -> User:
        self.users[user.id] = user
        return user

    def add_group(self, group: UserGroup) -> UserGroup:
        self.groups[group.id] = group
        return group

    def add_channel(self, channel: Channel) -> Channel:
        channel.created = channel.created or self.clock.now() // 1000
        self.channels[channel.id] = channel
        self._messages[channel.id] = {}
        self.changes.publish("channel.opened", {"channel": channel_seen(channel, self.users)}, self._audience(channel))
        return channel

    def direct_channel(self, first: str, second: str) -> Channel | None:
        """The DM of these two, if they have one."""
        return next((c for c in self.channels.values() if c.is_im and set(c.members) == {first, second}), None)

    def open_direct_channel(self, first: str, second: str) -> Channel:
        """The DM of these two, made when they have none."""
        existing = self.direct_channel(first, second)
        return existing or self.add_channel(Channel(self.new_id("D"), "", [first, second], is_private=True, is_im=True))

    def person(self, name: str) -> User:
        """A user by id or by name; KeyError when there is none."""
        by_name = {user.name: user for user in self.users.values()}
        return self.users.get(name) or by_name[name.lstrip("@")]

    def place(self, name: str) -> Channel:
        """A channel by id or by name (with or without `#`); KeyError when there is none."""
        by_name = {channel.name: channel for channel in self.channels.values() if not channel.is_im}
        return self.channels.get(name) or by_name[name.lstrip("#")]

    def group(self, name: str) -> UserGroup:
        """A user group by id or handle (with or without `@`); KeyError when there is none."""
        by_handle = {group.handle: group for group in self.groups.values()}
        return self.groups.get(name) or by_handle[name.lstrip("@")]

    def join(self, channel: Channel, user_id: str) -> None:
        if user_id not in channel.members:
            channel.members.append(user_id)
            self.changes.publish(
                "channel.opened", {"channel": channel_seen(channel, self.users)}, self._audience(channel)
            )

    def leave(self, channel: Channel, user_id: str) -> None:
        """Take a member, also the app, out of a channel. Those who saw it before are told, so that their pages know."""
        audience = self._audience(channel)
        channel.members.remove(user_id)
        self.changes.publish("channel.opened", {"channel": channel_seen(channel, self.users)}, audience)

    def archive(self, channel: Channel, *, archived: bool = True) -> None:
        channel.is_archived = archived
        self.changes.publish("channel.opened", {"channel": channel_seen(channel, self.users)}, self._audience(channel))

    def deactivate(self, user: User) -> None:
        """The person leaves the company: they are in no group any more, and nobody can act as them."""
        user.deleted = True
        for group in self.groups.values():
            if user.id in group.users:
                self.set_members(group, [member for member in group.users if member != user.id])
        self.changes.publish("person.changed", {"person": user_seen(user)})

    def set_members(self, group: UserGroup, users: list[str]) -> None:
        group.users = list(users)
        self.changes.publish("group.changed", {"group": group_seen(group)})

    # ── messages ─────────────────────────────────────────────────────────────────────────────────────────────────

    def post(self, message: Message) -> Message:
        """Store and show a new message. Its `ts` comes from `next_ts`, so that messages are kept in order of time."""
        self._messages[message.channel][message.ts] = message
        if message.thread_ts is not None and message.is_reply and not message.ephemeral:
            self._replies.setdefault((message.channel, message.thread_ts), {})[message.ts] = message
        self._publish_message("message.posted", message)
        self._publish_root_of(message)
        return message

    def edited(self, message: Message) -> None:
        """Show a message that the caller has changed in place."""
        self._publish_message("message.updated", message)

    def delete(self, message: Message) -> None:
        del self._messages[message.channel][message.ts]
        self._replies.get((message.channel, message.thread_ts or ""), {}).pop(message.ts, None)
        body = {"channel": message.channel, "ts": message.ts}
        self.changes.publish("message.deleted", body, self._audience_of(message))
        self._publish_root_of(message)

    def message(self, channel_id: str, ts: str) -> Message | None:
        return self._messages.get(channel_id, {}).get(ts)

    def messages(self, channel_id: str) -> Iterator[Message]:
        """Of one channel, oldest first, threads and ephemeral ones included."""
        yield from list(self._messages.get(channel_id, {}).values())

    def replies(self, root: Message) -> list[Message]:
        """The visible answers in a thread, without its root."""
        return list(self._replies.get((root.channel, root.ts), {}).values())

    # ── views ────────────────────────────────────────────────────────────────────────────────────────────────────

    def stack(self, user_id: str) -> list[View]:
        """The open modals of a person, bottom first."""
        return self.stacks.setdefault(user_id, [])

    def all_views(self) -> Iterator[View]:
        for stack in self.stacks.values():
            yield from stack
        yield from self.homes.values()

    def view(self, view_id: str) -> View | None:
        return next((view for view in self.all_views() if view.id == view_id), None)

    def view_by_external_id(self, external_id: str) -> View | None:
        return next((view for view in self.all_views() if external_id and view.external_id == external_id), None)

    def show_view(self, kind: str, view: View) -> None:
        """Tell the person of a view that was `opened` or `updated` (the stack is already as it should be)."""
        if view.type == "home":
            self.changes.publish("home.published", {"view": view_seen(view)}, frozenset({view.user}))
        else:
            self._publish_stack(f"view.{kind}", view.user, view.id, view)

    def close_views(self, user_id: str, views: list[View]) -> None:
        """Take these modals off the person's stack."""
        gone = {view.id for view in views}
        self.stacks[user_id] = [view for view in self.stack(user_id) if view.id not in gone]
        for view in views:
            self._publish_stack("view.closed", user_id, view.id, None)

    # ── numbers ──────────────────────────────────────────────────────────────────────────────────────────────────

    def next_ts(self) -> str:
        """A new message timestamp: the workspace's time, later than any before."""
        self._last_us = max(self.clock.now() * 1000, self._last_us + 1)
        return f"{self._last_us // 1_000_000}.{self._last_us % 1_000_000:06d}"

    def new_id(self, letter: str) -> str:
        self._last_number += 1
        return f"{letter}0{self._last_number:09d}"

    def new_hash(self) -> str:
        return f"{self.clock.now() // 1000}.{secrets.token_hex(4)}"

    # ── publishing ───────────────────────────────────────────────────────────────────────────────────────────────

    def _audience(self, channel: Channel) -> frozenset[str]:
        return frozenset(user.id for user in self.users.values() if channel.visible_to(user))

    def _audience_of(self, message: Message) -> frozenset[str]:
        if message.visible_to is not None:
            return frozenset({message.visible_to})
        return self._audience(self.channels[message.channel])

    def _publish_message(self, kind: str, message: Message) -> None:
        body = {
            "channel": message.channel,
            "message": message_seen(message, self.users, self.replies(message), self.uploads.contents),
        }
        self.changes.publish(kind, body, self._audience_of(message))

    def _publish_root_of(self, message: Message) -> None:
        root = self.message(message.channel, message.thread_ts or "")
        if message.is_reply and root is not None:
            self._publish_message("message.updated", root)

    def _publish_stack(self, kind: str, user_id: str, view_id: str, view: View | None) -> None:
        views = [view_seen(each) for each in self.stack(user_id)]
        body: Json = {"view": view and view_seen(view), "view_id": view_id, "views": views}
        self.changes.publish(kind, body, frozenset({user_id}))
