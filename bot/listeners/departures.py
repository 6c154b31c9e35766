"""The app is gone from a workspace: it was uninstalled, or its token was revoked.

The one rule: nothing is acknowledged before it is done, and doing it twice changes nothing; so Slack, which tells again
what was not acknowledged, makes sure that it happens.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from bot.listeners.desk import Ack

Depart = Callable[[str], Awaitable[None]]


class Departures:
    """``depart`` ends the service for the installation with an id, unless Slack says that its token still holds."""

    def __init__(self, depart: Depart) -> None:
        self._depart = depart

    async def uninstalled(self, ack: Ack, body: dict[str, Any]) -> None:
        """The app was uninstalled."""
        await self._leave(body)
        await ack()

    async def revoked(self, ack: Ack, body: dict[str, Any]) -> None:
        """Tokens were revoked; without that of the bot there is no bot."""
        tokens: dict[str, Any] = body["event"].get("tokens") or {}
        if tokens.get("bot"):
            await self._leave(body)
        await ack()

    async def _leave(self, body: dict[str, Any]) -> None:
        """The payload names the workspace, and perhaps its organization; the app was installed in one of them."""
        ids = dict.fromkeys(str(body.get(name) or "") for name in ("team_id", "enterprise_id", "context_enterprise_id"))
        for installed in filter(None, ids):
            await self._depart(installed)
