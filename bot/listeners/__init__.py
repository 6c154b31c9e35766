"""What people do in Slack, one listener each. ``register`` is the list of all that the bot listens to."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from slack_bolt.async_app import AsyncApp

from bot.attending import Attending
from bot.blocks import gate_forms, guide, start_forms
from bot.blocks.approval import APPROVE, DENY
from bot.listeners.actions import Actions
from bot.listeners.choosing import Choosing
from bot.listeners.commands import Commands
from bot.listeners.desk import Ack, Desk
from bot.listeners.mentions import Mentions
from bot.listeners.shortcuts import RUN_ON_MESSAGE, RUN_WORKFLOW, Shortcuts
from bot.listeners.views import Views

COMMAND = "/vb"

Listener = Callable[[Ack, dict[str, Any]], Awaitable[None]]


def register(app: AsyncApp, desk: Desk, attending: Attending) -> None:
    """Make ``app`` listen to everything that the bot answers, and count what it attends to."""
    bolt: Any = app  # its registering methods are not typed
    commands, actions, views, mentions = Commands(desk), Actions(desk), Views(desk), Mentions(desk)

    choosing, shortcuts = Choosing(desk), Shortcuts(desk)

    def counted(listener: Listener) -> Listener:
        async def attend(ack: Ack, body: dict[str, Any]) -> None:  # bolt finds arguments by their names
            with attending.one():
                await listener(ack, body)

        return attend

    bolt.command(COMMAND)(counted(commands.command))
    bolt.action(APPROVE)(counted(actions.approve))
    bolt.action(DENY)(counted(actions.deny))
    bolt.view(start_forms.PICKER)(counted(views.pick))
    bolt.view(start_forms.START)(counted(views.start))
    bolt.view(start_forms.RUN_PICKER)(counted(choosing.chosen))
    bolt.options(start_forms.CHOOSE_WORKFLOW)(counted(choosing.workflows))
    bolt.options(start_forms.CHOOSE_RUN)(counted(choosing.runs))
    bolt.view(gate_forms.DENY_FORM)(counted(views.deny))
    bolt.shortcut(RUN_WORKFLOW)(counted(shortcuts.anywhere))
    bolt.shortcut(RUN_ON_MESSAGE)(counted(shortcuts.on_message))
    bolt.action(guide.FILL_IN)(counted(mentions.fill_in))
    bolt.event("app_mention")(counted(mentions.mentioned))
    bolt.event(re.compile(".+"))(counted(mentions.anything))
