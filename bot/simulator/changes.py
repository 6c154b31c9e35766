"""What changed in the workspace, told to whoever may see it; the page and the tests listen here.

A listener that falls behind is cut off rather than slowing the workspace down: it reconnects and reads the state anew.
"""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

_QUEUE_LIMIT = 2_000


@dataclass(frozen=True, slots=True)
class Change:
    """One change; `audience` is the set of user ids who see it, or None for everybody."""

    rev: int
    type: str
    body: Json
    audience: frozenset[str] | None


@dataclass(eq=False)
class Subscription:
    """Changes for one person, in order. `lost` is set when the queue overflowed, and nothing follows then."""

    user: str
    queue: "asyncio.Queue[Change]" = field(default_factory=lambda: asyncio.Queue(_QUEUE_LIMIT))
    lost: bool = False


class Changes:
    """Numbers changes (`rev` grows by one each) and hands them to the subscriptions of those who may see them."""

    def __init__(self) -> None:
        self.rev = 0
        self._subscriptions: set[Subscription] = set()
        self._moved = asyncio.Event()

    def publish(self, kind: str, body: Json, audience: frozenset[str] | None = None) -> None:
        """`body` is a snapshot that the caller does not change afterwards."""
        self.rev += 1
        change = Change(self.rev, kind, body, audience)
        for subscription in self._subscriptions:
            if audience is not None and subscription.user not in audience:
                continue
            if subscription.queue.full():
                subscription.lost = True
            elif not subscription.lost:
                subscription.queue.put_nowait(change)
        self.touch()

    def touch(self) -> None:
        """Wake everybody in `moved`, also for things that no page shows (a call, an acknowledgement)."""
        self._moved.set()
        self._moved = asyncio.Event()

    async def moved(self) -> None:
        """Return after the next `touch` or `publish`."""
        await self._moved.wait()

    @contextmanager
    def subscribe(self, user: str) -> Generator[Subscription]:
        subscription = Subscription(user)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
