"""The app is gone from a workspace: it was uninstalled, or its token was revoked.

The one rule: nothing is acknowledged before it is done, and doing it twice changes nothing; so Slack, which tells again
what was not acknowledged, makes sure that it happens. Bolt acknowledges events before their listeners run; so this is
no listener, but comes before them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

Depart = Callable[[str], Awaitable[None]]


class Departures:
    """``depart`` ends the service for the installation with an id, unless Slack says that its token still holds."""

    def __init__(self, depart: Depart) -> None:
        self._depart = depart

    async def notice(self, body: dict[str, Any]) -> None:
        """If ``body`` tells of a departure, let the workspace go. What this raises keeps it from being acknowledged."""
        event: dict[str, Any] = (body.get("event") or {}) if body.get("type") == "event_callback" else {}
        match event.get("type"):
            case "app_uninstalled":
                await self._leave(body)
            case "tokens_revoked":
                revoked: dict[str, Any] = event.get("tokens") or {}
                if revoked.get("bot"):  # those of people are not the bot's
                    await self._leave(body)
            case _:
                pass

    async def _leave(self, body: dict[str, Any]) -> None:
        """The payload names the workspace, and perhaps its organization; the app was installed in one of them."""
        ids = dict.fromkeys(str(body.get(name) or "") for name in ("team_id", "enterprise_id", "context_enterprise_id"))
        for installed in filter(None, ids):
            await self._depart(installed)
