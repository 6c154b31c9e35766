"""The App Home: opened, and leafed through.

The one rule: the tab is shown by ``Homes``, which also keeps it as things are; here it is only asked for.
"""

from __future__ import annotations

from typing import Any

from bot.listeners.desk import Ack
from bot.telling.homes import Homes


class HomeTab:
    """The listeners of the tab."""

    def __init__(self, homes: Homes) -> None:
        self._homes = homes

    async def opened(self, ack: Ack, body: dict[str, Any]) -> None:
        await ack()
        event = body["event"]
        if event.get("tab", "home") == "home":
            await self._homes.open(event["user"])

    async def older(self, ack: Ack, body: dict[str, Any]) -> None:
        """The next page of all runs; the button names the run that it begins after."""
        await ack()
        await self._homes.open(body["user"]["id"], str(body["actions"][0]["value"]))

    async def newest(self, ack: Ack, body: dict[str, Any]) -> None:
        await ack()
        await self._homes.open(body["user"]["id"])
