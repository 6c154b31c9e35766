"""What people do in Slack, one listener each. ``register`` is the list of all that the bot listens to."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

from slack_bolt.async_app import AsyncApp

from bot.blocks import forms
from bot.blocks.approval import APPROVE, DENY
from bot.listeners.actions import Actions
from bot.listeners.commands import Commands
from bot.listeners.desk import Ack, Desk
from bot.listeners.mentions import Mentions
from bot.listeners.views import Views

COMMAND = "/vb"

Listener = Callable[[Ack, dict[str, Any]], Awaitable[None]]


class Attending:
    """Counts the listeners at work, so that a stopping process can let them finish."""

    def __init__(self) -> None:
        self._count = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def counted(self, listener: Listener) -> Listener:
        """``listener``, counted while it runs. Bolt finds its arguments by their names."""

        async def attend(ack: Ack, body: dict[str, Any]) -> None:
            self._count += 1
            self._idle.clear()
            try:
                await listener(ack, body)
            finally:
                self._count -= 1
                if self._count == 0:
                    self._idle.set()

        return attend

    async def finished(self, within_s: float) -> bool:
        """Wait until none is at work; False if one still is after that time."""
        try:
            await asyncio.wait_for(self._idle.wait(), within_s)
        except TimeoutError:
            return False
        return True


def register(app: AsyncApp, desk: Desk) -> Attending:
    """Make ``app`` listen to everything that the bot answers."""
    bolt: Any = app  # its registering methods are not typed
    attending = Attending()
    commands, actions, views, mentions = Commands(desk), Actions(desk), Views(desk), Mentions(desk)
    bolt.command(COMMAND)(attending.counted(commands.command))
    bolt.action(APPROVE)(attending.counted(actions.approve))
    bolt.action(DENY)(attending.counted(actions.deny))
    bolt.view(forms.PICKER)(attending.counted(views.pick))
    bolt.view(forms.START)(attending.counted(views.start))
    bolt.view(forms.DENY)(attending.counted(views.deny))
    bolt.event("app_mention")(attending.counted(mentions.mentioned))
    bolt.event(re.compile(".+"))(attending.counted(mentions.anything))
    return attending
