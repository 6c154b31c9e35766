"""Looks for a message of the bot's own in Slack, by what nobody else's message has: its metadata, or its file.

The one rule: it is looked for where it was meant to go, from a little before it was meant to; so a message that is not
found is not there, unless Slack has not shown it yet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bot.sending.outbox import Outbox, Priority

_CLOCKS_DIFFER_MS = 300_000
_PAGE = 200


@dataclass(frozen=True, slots=True)
class Target:
    """A channel's id and, for a reply, the ts of the thread's root."""

    channel: str
    thread: str | None = None


async def look_through(
    outbox: Outbox, target: Target, since: int, priority: Priority, is_it: Callable[[dict[str, Any]], bool]
) -> dict[str, Any] | None:
    """The first message there since a little before ``since`` (epoch ms) that ``is_it``. Raises ``Refused``."""
    arguments: dict[str, Any] = {
        "channel": target.channel,
        "oldest": f"{max(since - _CLOCKS_DIFFER_MS, 0) / 1_000:.6f}",
        "limit": _PAGE,
        "include_all_metadata": True,
    }
    method = "conversations.history"
    if target.thread is not None:
        method, arguments["ts"] = "conversations.replies", target.thread
    while True:
        page = await outbox.call(method, arguments, priority)
        for message in page["messages"]:
            if is_it(message):
                return message
        following = page.get("response_metadata", {}).get("next_cursor")
        if not following:
            return None
        arguments["cursor"] = following
