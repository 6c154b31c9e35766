"""What a person typed, cut into words, and what they can be answered with.

The one rule: a text is read once, here. Mentions are in it as ids in ``ids``, and as names in ``rest``, word by word.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from bot.blocks.forms import View
from bot.blocks.kit import Message
from bot.listeners.desk import Desk, Where
from bot.listeners.mentioned import as_ids, as_typed
from bot.people.directory import Directory


@dataclass(frozen=True, slots=True)
class Afterwards:
    """What takes longer than Slack waits: ``work`` is done once the command is acknowledged, and tells of itself."""

    work: Callable[[], Awaitable[None]]


Answer = Message | View | Afterwards | None
"""A message for the person, a modal to open, something to do, or nothing to say."""


@dataclass(frozen=True, slots=True)
class Typed:
    """A command as it was delivered: ``word`` is the first word after it, ``rest`` what follows.

    ``key`` is the same for every delivery of it. ``thread``: the message under which it was written, if it was a
    mention of the bot; then there is no ``trigger_id``, and no modal can be opened.
    """

    command: str
    word: str
    rest: str
    where: Where
    key: str
    trigger_id: str = ""
    ids: str = ""

    @classmethod
    def of(cls, payload: dict[str, str]) -> Typed:
        word, rest = split(payload.get("text", ""))
        where = Where(payload["user_id"], payload["channel_id"], response_url=payload.get("response_url", ""))
        trigger = payload["trigger_id"]
        return cls(payload["command"], word.lower(), rest, where, f"slack:{trigger}", trigger)

    async def read(self, directory: Directory) -> Typed:
        """The same with its mentions read."""
        return replace(self, rest=await as_typed(self.rest, directory), ids=as_ids(self.rest))

    @property
    def user(self) -> str:
        return self.where.user


Listener = Callable[[Desk, Typed], Awaitable[Answer]]
"""What answers one word."""


def split(text: str) -> tuple[str, str]:
    """The first word, and what follows it."""
    word, *rest = text.split(maxsplit=1) or [""]
    return word, rest[0].strip() if rest else ""
