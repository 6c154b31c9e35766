"""Short-lived permissions that Slack hands out: trigger ids, response URLs, Socket Mode tickets.

Trigger ids live on the running machine's time (a real app answers over a real network), response URLs on the
workspace's. Limits: docs.slack.dev/interactivity/handling-user-interaction.
"""

import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from bot.simulator.errors import SlackError

TRIGGER_LIFETIME_MS = 3_000
RESPONSE_URL_LIFETIME_MS = 30 * 60 * 1000
RESPONSE_URL_USES = 5
_KEPT = 20_000

T = TypeVar("T")


def new_uuid() -> str:
    """A random UUID, as Slack's envelope ids are."""
    return str(uuid.UUID(bytes=secrets.token_bytes(16), version=4))


def monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def _forget_oldest(issued: dict[str, T]) -> None:
    """Keep the latest ones, so that a demo may run for days; dictionaries are in order of insertion."""
    while len(issued) > _KEPT:
        del issued[next(iter(issued))]


class Handed:
    """When each trigger id first reached the app, and how often: whose fault it is that one is old, or used."""

    def __init__(self, now_ms: Callable[[], int] = monotonic_ms) -> None:
        self._now_ms = now_ms
        self._first: dict[str, int] = {}
        self._again: dict[str, None] = {}

    def note(self, trigger_id: str | None) -> None:
        """A payload with this trigger id is on its way to the app."""
        if trigger_id is None:
            return
        if trigger_id in self._first:
            self._again[trigger_id] = None
        else:
            self._first[trigger_id] = self._now_ms()
        _forget_oldest(self._first)
        _forget_oldest(self._again)

    def twice(self, trigger_id: str) -> bool:
        return trigger_id in self._again

    def age_ms(self, trigger_id: str) -> int:
        return self._now_ms() - self._first.get(trigger_id, self._now_ms())


@dataclass(slots=True)
class _Trigger:
    user: str
    issued_ms: int
    used: bool = False


class Triggers:
    """Single-use trigger ids, good for `lifetime_ms` of real time."""

    def __init__(
        self,
        lifetime_ms: int = TRIGGER_LIFETIME_MS,
        now_ms: Callable[[], int] = monotonic_ms,
        handed: Handed | None = None,
    ) -> None:
        self.lifetime_ms = lifetime_ms
        self._now_ms = now_ms
        self._handed = handed or Handed(now_ms)
        self._triggers: dict[str, _Trigger] = {}

    def issue(self, user: str) -> str:
        trigger_id = f"{secrets.randbelow(10**12):012d}.{secrets.randbelow(10**12):012d}.{secrets.token_hex(16)}"
        self._triggers[trigger_id] = _Trigger(user, self._now_ms())
        _forget_oldest(self._triggers)
        return trigger_id

    def redeem(self, trigger_id: str) -> str:
        """The user whose action made it. Raises SlackError invalid_, exchanged_ or expired_trigger_id.

        An app that got it twice, or late, could not know better.
        """
        trigger = self._triggers.get(trigger_id)
        if trigger is None:
            raise SlackError("invalid_trigger_id")
        if trigger.used:
            raise SlackError("exchanged_trigger_id", foreseen=self._handed.twice(trigger_id))
        if self._now_ms() - trigger.issued_ms > self.lifetime_ms:
            in_time = self._handed.age_ms(trigger_id) <= self.lifetime_ms
            raise SlackError("expired_trigger_id", foreseen=in_time)
        trigger.used = True
        return trigger.user


@dataclass(slots=True)
class ResponseUrl:
    """Where an answer goes: the person and channel it came from, and the message that was clicked, if one was."""

    user: str
    channel: str
    issued_ms: int
    message_ts: str | None = None
    uses: int = 0


class ResponseUrls:
    """Each may be posted to five times within thirty minutes of workspace time."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._urls: dict[str, ResponseUrl] = {}

    def issue(self, user: str, channel: str, message_ts: str | None = None) -> str:
        token = f"{secrets.randbelow(10**12):012d}/{secrets.token_urlsafe(18)}"
        self._urls[token] = ResponseUrl(user, channel, self._now_ms(), message_ts)
        _forget_oldest(self._urls)
        return token

    def knows(self, token: str) -> bool:
        return token in self._urls

    def use(self, token: str) -> ResponseUrl:
        """Count one use. Raises SlackError: no_such_url, expired_url, used_url."""
        url = self._urls.get(token)
        if url is None:
            raise SlackError("no_such_url")
        if self._now_ms() - url.issued_ms > RESPONSE_URL_LIFETIME_MS:
            raise SlackError("expired_url")
        if url.uses >= RESPONSE_URL_USES:
            raise SlackError("used_url")
        url.uses += 1
        return url


class SocketTickets:
    """One-time tickets inside the URLs of `apps.connections.open`."""

    def __init__(self) -> None:
        self._open: set[str] = set()

    def issue(self) -> str:
        ticket = new_uuid()
        self._open.add(ticket)
        return ticket

    def redeem(self, ticket: str) -> bool:
        """Whether it was good; afterwards it is not."""
        if ticket not in self._open:
            return False
        self._open.remove(ticket)
        return True
