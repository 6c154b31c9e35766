"""What a person does in a Slack client, in messages and commands; forms are in `forms`.

Nothing is possible here that a client would not allow: what a person cannot see they cannot use, and a button that is
no longer in the message cannot be clicked.
"""

from dataclasses import dataclass, field
from typing import Any

from bot.simulator import payloads
from bot.simulator.answers import Origin, apply_answer
from bot.simulator.blockkit import interactive_elements
from bot.simulator.courier import Courier, Parcel
from bot.simulator.errors import DeliveryFailed, PersonError, SlackError
from bot.simulator.grants import Grants
from bot.simulator.mentions import mentions, typed_to_markup
from bot.simulator.model import SLACKBOT, Channel, Json, Message, SlashCommand, User, UserGroup, View
from bot.simulator.tickets import ResponseUrls, Triggers
from bot.simulator.values import PageValues, action_of, form_state, initial_value, keeps_state
from bot.simulator.workspace import Workspace

UNSET: Any = object()
"""No value was given: a button's own, or the element's initial one."""


@dataclass(slots=True)
class Desk:
    """What acting people need: the workspace, the way to the app, and the permits that go along."""

    workspace: Workspace
    courier: Courier
    triggers: Triggers
    response_urls: ResponseUrls
    grants: Grants
    site: str = ""
    suggested: dict[str, Json] = field(default_factory=dict[str, Json])
    """Options that the app has offered to external selects, by value."""

    def person(self, name: str) -> User:
        """An active person by id or name."""
        try:
            user = self.workspace.person(name)
        except KeyError:
            raise PersonError("user_not_found", f"There is no one called {name} in this workspace.") from None
        if user.is_bot or user.deleted:
            raise PersonError("user_not_found", f"{user.real_name} cannot sign in to this workspace.")
        return user

    def place(self, user: User, name: str) -> Channel:
        """A channel by id or name that this person may see."""
        try:
            channel = self.workspace.place(name)
        except KeyError:
            channel = None
        if channel is None or not channel.visible_to(user):
            raise PersonError("channel_not_found", f"{user.real_name} cannot see a channel called {name}.")
        return channel

    def seen_message(self, user: User, channel: Channel, ts: str) -> Message:
        message = self.workspace.message(channel.id, ts)
        if message is None or message.visible_to not in (None, user.id):
            raise PersonError("message_not_found", "That message is not there (any more).")
        return message

    @property
    def installed(self) -> bool:
        """Whether the workspace has the app."""
        return self.grants.installed(self.workspace.team_id)

    def response_url(self, user: User, channel: Channel, message_ts: str | None = None) -> str:
        return f"{self.site}response/{self.response_urls.issue(user.id, channel.id, message_ts)}"

    async def ask(self, parcel: Parcel) -> Json | None:
        """Deliver, and tell a person in words when the app did not answer."""
        if not self.installed:
            app, team = self.workspace.app.name, self.workspace.team_name
            raise PersonError("not_installed", f"{app} is not installed in {team}.")
        try:
            return await self.courier.ask(parcel)
        except DeliveryFailed as failure:
            raise PersonError(failure.reason, _FAILURES[failure.reason]) from None


_FAILURES = {
    "operation_timeout": "The app did not answer within 3 seconds. Please try again.",
    "dispatch_failed": "The app answered with an error. Please try again.",
    "not_connected": "No app is connected to this workspace. Start the app, then try again.",
}


# ── messages and commands ────────────────────────────────────────────────────────────────────────────────────────────


async def type_command(desk: Desk, user: User, channel: Channel, line: str) -> None:
    """Type a slash command and wait for the app's acknowledgement. Raises PersonError."""
    name, _, text = line.strip().partition(" ")
    command = next((c for c in desk.workspace.app.commands if c.command == name), None)
    if command is None:
        raise PersonError("unknown_command", f"{name} is not a valid command. Type a slash to see those there are.")
    permits = (desk.triggers.issue(user.id), desk.response_url(user, channel))
    sent = _escaped(desk.workspace, command, text.strip())
    payload = payloads.slash_command(desk.workspace, command, sent, user, channel, permits)
    try:
        answer = await desk.ask(Parcel("slash_commands", payload))
    except PersonError as failure:
        _slackbot(desk.workspace, user, channel, f'{name} failed with the error "{failure.code}"')
        raise
    _take_answer(desk, Origin(user.id, channel.id), answer)


def _escaped(workspace: Workspace, command: SlashCommand, text: str) -> str:
    return typed_to_markup(workspace, text) if command.should_escape else text


def _slackbot(workspace: Workspace, user: User, channel: Channel, text: str) -> None:
    workspace.post(Message(channel.id, workspace.next_ts(), SLACKBOT, text, visible_to=user.id))


def _take_answer(desk: Desk, origin: Origin, answer: Json | None) -> None:
    if not answer:
        return
    try:
        apply_answer(desk.workspace, origin, answer)
    except SlackError as refused:
        detail = "; ".join(refused.extra.get("errors", []))
        raise PersonError("app_error", f"The app's answer was refused: {refused.name}. {detail}".strip()) from None


def post_message(desk: Desk, user: User, channel: Channel, text: str, thread_ts: str | None = None) -> Message:
    """Write in a channel, thread or DM; the app hears of it where it is subscribed. Raises PersonError."""
    if user.id not in channel.members:
        raise PersonError("not_in_channel", f"{user.real_name} is not a member of #{channel.name}.")
    if channel.is_archived:
        raise PersonError("is_archived", f"#{channel.name} is archived; nobody can write there.")
    app = desk.workspace.app
    if channel.is_im and app.bot_user_id in channel.members and not app.writable:
        raise PersonError("not_in_channel", f"{app.name} does not take messages. Use its commands instead.")
    if not text.strip():
        raise PersonError("bad_request", "The message is empty.")
    if thread_ts is not None:
        root = desk.seen_message(user, channel, thread_ts)
        if root.ephemeral:
            raise PersonError("bad_request", "A message that only you see has no thread.")
        thread_ts = root.thread_ts or root.ts
    markup = typed_to_markup(desk.workspace, text)
    message = Message(channel.id, desk.workspace.next_ts(), user.id, markup, thread_ts=thread_ts)
    desk.workspace.post(message)
    _tell_of(desk, message, channel)
    return message


_MESSAGE_EVENTS = {
    "dm": ("im", "message.im"),
    "private": ("group", "message.groups"),
    "channel": ("channel", "message.channels"),
}
"""For each kind of channel, what `channel_type` says and which subscription hears of it."""


def _tell_of(desk: Desk, message: Message, channel: Channel) -> None:
    app = desk.workspace.app
    if app.bot_user_id not in channel.members:
        return
    channel_type, subscription = _MESSAGE_EVENTS[channel.kind]
    if not channel.is_im and "app_mention" in app.events and mentions(message.text, app.bot_user_id):
        tell_event(desk, payloads.message_event(desk.workspace, message, "app_mention", None))
    if subscription in app.events:
        tell_event(desk, payloads.message_event(desk.workspace, message, "message", channel_type))


def tell_event(desk: Desk, inner: Json) -> None:
    """Deliver an event in the background, where the app is installed."""
    if desk.installed:
        send_event(desk, inner)


def send_event(desk: Desk, inner: Json) -> None:
    desk.courier.tell(Parcel("events_api", payloads.event(desk.workspace, inner), answerable=False))


def tell_of_members(desk: Desk, group: UserGroup, before: list[str]) -> None:
    """Tell the app, where it is subscribed, that a group's members are not those of `before` any more."""
    if set(before) == set(group.users):
        return
    for kind in ("subteam_updated", "subteam_members_changed"):
        if kind in desk.workspace.app.events:
            tell_event(desk, payloads.group_event(desk.workspace, group, kind, before))


def open_home(desk: Desk, user: User) -> None:
    """Open the app's Home tab. Raises PersonError when the app has none."""
    if not desk.workspace.app.home_tab:
        raise PersonError("not_found", f"{desk.workspace.app.name} has no Home tab.")
    channel = desk.workspace.open_direct_channel(user.id, desk.workspace.app.bot_user_id)
    if "app_home_opened" in desk.workspace.app.events:
        tell_event(desk, payloads.home_opened_event(desk.workspace, user, channel))


# ── clicks ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Use:
    """One use of an element: which, with what value, and what else the person has entered around it."""

    action_id: str
    block_id: str | None = None
    value: Any = UNSET
    values: PageValues = field(default_factory=dict[str, dict[str, Any]])


def find_element(blocks: list[Json], use: Use) -> tuple[Json, Json]:
    """The block and element that are used, as they are now. Raises PersonError action_not_found."""
    for block in blocks:
        for element in interactive_elements(block):
            if element["action_id"] == use.action_id and use.block_id in (None, block["block_id"]):
                return block, element
    raise PersonError("action_not_found", "That button is not there (any more).")


async def click(desk: Desk, user: User, channel: Channel, ts: str, use: Use) -> None:
    """Use a button or another element of a message. Raises PersonError."""
    await click_on(desk, user, desk.seen_message(user, channel, ts), use)


async def click_on(desk: Desk, user: User, message: Message, use: Use) -> None:
    """The same on a message as the person sees it. Raises PersonError."""
    channel, ts = desk.place(user, message.channel), message.ts
    payload = _use_payload(desk, user, message.blocks, use)
    payload |= payloads.in_message(desk.workspace, message)
    payload["state"] = {"values": form_state(message.blocks, use.values, desk.suggested)}
    payload["response_url"] = desk.response_url(user, channel, ts)
    answer = await desk.ask(Parcel("interactive", payload))
    _take_answer(desk, Origin(user.id, channel.id, ts), answer)


async def click_in_view(desk: Desk, user: User, view: View, use: Use) -> None:
    """Use an element of an open modal or of the App Home. Raises PersonError."""
    payload = _use_payload(desk, user, view.blocks, use)
    state = form_state(view.blocks, use.values, desk.suggested)
    payload |= payloads.in_view(desk.workspace, view, state)
    await desk.ask(Parcel("interactive", payload))


def _use_payload(desk: Desk, user: User, blocks: list[Json], use: Use) -> Json:
    block, element = find_element(blocks, use)
    value = use.value
    if value is UNSET:
        entered = use.values.get(block["block_id"], {})
        value = entered.get(use.action_id, initial_value(element) if keeps_state(element) else None)
    elif keeps_state(element):
        use.values.setdefault(block["block_id"], {})[use.action_id] = value
    payload = payloads.interaction(desk.workspace, "block_actions", user)
    payload["trigger_id"] = desk.triggers.issue(user.id)
    payload["actions"] = [action_of(block, element, value, desk.suggested, desk.workspace.next_ts())]
    return payload
