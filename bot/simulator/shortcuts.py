"""Shortcuts that a person uses: global ones from anywhere, and those on a message, from its menu.

Facts: docs.slack.dev/interactivity/implementing-shortcuts. Their acknowledgement carries no answer.
"""

from bot.simulator import payloads
from bot.simulator.courier import Parcel
from bot.simulator.errors import PersonError
from bot.simulator.model import Channel, Shortcut, User
from bot.simulator.person import Desk


async def use(desk: Desk, user: User, callback_id: str) -> None:
    """Choose a global shortcut. Raises PersonError."""
    chosen = _known(desk, "global", callback_id)
    payload = payloads.shortcut(desk.workspace, chosen, user, desk.triggers.issue(user.id))
    await desk.ask(Parcel("interactive", payload, answerable=False))


async def use_on(desk: Desk, user: User, channel: Channel, ts: str, callback_id: str) -> None:
    """Choose a shortcut in the menu of a message. Raises PersonError."""
    chosen = _known(desk, "message", callback_id)
    message = desk.seen_message(user, channel, ts)
    if message.ephemeral:
        raise PersonError("bad_request", "A message that only you see has no shortcuts.")
    payload = payloads.shortcut(desk.workspace, chosen, user, desk.triggers.issue(user.id))
    payload |= payloads.on_message(desk.workspace, message, desk.response_url(user, channel))
    await desk.ask(Parcel("interactive", payload, answerable=False))


def _known(desk: Desk, kind: str, callback_id: str) -> Shortcut:
    for shortcut in desk.workspace.app.shortcuts:
        if (shortcut.kind, shortcut.callback_id) == (kind, callback_id):
            return shortcut
    raise PersonError("not_found", f"{desk.workspace.app.name} has no such shortcut.")
