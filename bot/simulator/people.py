"""One workspace's people, in the hands of a program: what they do, and what they then have before them.

People and channels are named by id or by name ("ben", "#releases"). Whatever a client would not let a person do raises
PersonError.
"""

from typing import Any

from bot.simulator import forms, payloads, person, shortcuts
from bot.simulator.forms import Submitted
from bot.simulator.model import Json, Message, View
from bot.simulator.page_api import advance_clock
from bot.simulator.person import UNSET, Desk, Use
from bot.simulator.values import PageValues
from bot.simulator.workspace import Workspace


class People:
    """Acts for the people of `workspace` through their desk."""

    def __init__(self, desk: Desk) -> None:
        self.workspace: Workspace = desk.workspace
        self._desk = desk

    # ── what there is to see ─────────────────────────────────────────────────────────────────────────────────────

    def channel_messages(self, channel: str, *, seen_by: str | None = None) -> list[Message]:
        """Roots, replies and (with `seen_by`) that person's ephemeral messages of a channel, oldest first."""
        viewer = self.workspace.person(seen_by).id if seen_by else None
        found = self.workspace.messages(self.workspace.place(channel).id)
        return [message for message in found if message.visible_to in (None, viewer)]

    def views(self, user: str) -> list[View]:
        """The person's open modals, bottom first."""
        return list(self.workspace.stack(self.workspace.person(user).id))

    def home(self, user: str) -> View | None:
        return self.workspace.homes.get(self.workspace.person(user).id)

    def direct_messages(self, user: str) -> list[Message]:
        """What this person and the app wrote to each other."""
        channel = self.workspace.direct_channel(self._desk.person(user).id, self.workspace.app.bot_user_id)
        return list(self.workspace.messages(channel.id)) if channel else []

    # ── what they do ─────────────────────────────────────────────────────────────────────────────────────────────

    async def type_command(self, user: str, channel: str, line: str) -> None:
        """Type `/vb …` and wait for the acknowledgement. Raises PersonError."""
        who = self._desk.person(user)
        await person.type_command(self._desk, who, self._desk.place(who, channel), line)

    def post_message(self, user: str, channel: str, text: str, thread_ts: str | None = None) -> Message:
        """Write a message; "@vectorbea" and the like become mentions. Raises PersonError."""
        who = self._desk.person(user)
        return person.post_message(self._desk, who, self._desk.place(who, channel), text, thread_ts)

    async def use_shortcut(self, user: str, callback_id: str) -> None:
        """Choose a global shortcut of the app. Raises PersonError."""
        await shortcuts.use(self._desk, self._desk.person(user), callback_id)

    async def use_message_shortcut(self, user: str, channel: str, ts: str, callback_id: str) -> None:
        """Choose one of the app's shortcuts in a message's menu. Raises PersonError."""
        who = self._desk.person(user)
        await shortcuts.use_on(self._desk, who, self._desk.place(who, channel), ts, callback_id)

    async def click(
        self,
        user: str,
        channel: str,
        ts: str,
        action_id: str,
        *,
        block_id: str | None = None,
        value: Any = UNSET,
        values: PageValues | None = None,
    ) -> None:
        """Use a button, or with `value` (a page value) a select, in a message. Raises PersonError."""
        who = self._desk.person(user)
        use = Use(action_id, block_id, value, values or {})
        await person.click(self._desk, who, self._desk.place(who, channel), ts, use)

    async def click_as_shown(self, user: str, shown: Message, action_id: str) -> None:
        """Use a button of a message as it was, in a window that has not caught up with what it is now."""
        await person.click_on(self._desk, self._desk.person(user), shown, Use(action_id))

    async def click_in_view(
        self,
        user: str,
        view_id: str,
        action_id: str,
        *,
        block_id: str | None = None,
        value: Any = UNSET,
        values: PageValues | None = None,
    ) -> None:
        """The same in a modal or on the App Home. Raises PersonError."""
        who = self._desk.person(user)
        view = forms.open_view_of(self._desk, who, view_id)
        await person.click_in_view(self._desk, who, view, Use(action_id, block_id, value, values or {}))

    async def submit_view(self, user: str, view_id: str, values: PageValues | None = None) -> Submitted:
        """Submit the topmost modal with these page values. Raises PersonError."""
        who = self._desk.person(user)
        return await forms.submit(self._desk, who, forms.open_view_of(self._desk, who, view_id), values or {})

    async def close_view(self, user: str, view_id: str, *, everything: bool = False) -> None:
        """Cancel a modal, or the whole stack. Raises PersonError."""
        who = self._desk.person(user)
        await forms.close(self._desk, who, forms.open_view_of(self._desk, who, view_id), everything=everything)

    async def suggest(self, user: str, view_id: str, action_id: str, query: str) -> Json:
        """Type into an external select of a modal; returns the offered options. Raises PersonError."""
        who = self._desk.person(user)
        view = forms.open_view_of(self._desk, who, view_id)
        return await forms.suggest(self._desk, who, view, Use(action_id, value=query))

    def open_home(self, user: str) -> None:
        """Open the app's Home tab."""
        person.open_home(self._desk, self._desk.person(user))

    # ── what happens to them and to their places ─────────────────────────────────────────────────────────────────

    def advance_clock(self, ms: int) -> int:
        """Move the workspace's time forward; returns the new time in epoch ms."""
        return advance_clock(self._desk, ms)

    def archive_channel(self, channel: str) -> None:
        self.workspace.archive(self.workspace.place(channel))

    def remove_from_channel(self, channel: str, user: str | None = None) -> None:
        """Take a person out of a channel; without `user`, the app."""
        member = self.workspace.person(user).id if user else self.workspace.app.bot_user_id
        self.workspace.leave(self.workspace.place(channel), member)

    def delete_message(self, channel: str, ts: str) -> None:
        """Somebody who may (an admin) deletes a message, also one of the app's."""
        message = self.workspace.message(self.workspace.place(channel).id, ts)
        if message is not None:
            self.workspace.delete(message)

    def deactivate(self, user: str) -> None:
        """The person leaves the company."""
        before = {group.id: list(group.users) for group in self.workspace.groups.values()}
        self.workspace.deactivate(self.workspace.person(user))
        for group in self.workspace.groups.values():
            person.tell_of_members(self._desk, group, before[group.id])

    def set_group(self, handle: str, users: list[str]) -> None:
        """Make these people, by id or name, the members of a user group; the app is told if it is subscribed."""
        group = self.workspace.group(handle)
        before = list(group.users)
        self.workspace.set_members(group, [self.workspace.person(user).id for user in users])
        person.tell_of_members(self._desk, group, before)

    def uninstall_app(self) -> None:
        """An admin removes the app: its tokens end, and it is told so."""
        workspace = self.workspace
        self._desk.grants.uninstall(workspace.team_id)
        for inner in (payloads.uninstalled_event(), payloads.revoked_event(workspace)):
            if inner["type"] in workspace.app.events:
                person.send_event(self._desk, inner | {"event_ts": workspace.next_ts()})
