"""How fast Slack may be asked: token buckets for methods and channels, and methods that Slack has closed for a while;
and how often one message is updated.

The one rule: time is an argument (seconds, monotonic), so that the whole of it is a calculation.

Slack publishes calls per minute and method, one message per second and channel, and "several hundred" messages per
minute in all; bursts are tolerated, how large is not said (docs.slack.dev/apis/web-api/rate-limits). The bursts here
are small on purpose.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Rate:
    """``per_second`` in the long run, ``burst`` at once."""

    per_second: float
    burst: int


POSTS_PER_CHANNEL = Rate(1.0, 4)
METHODS = {
    "chat.postMessage": Rate(4.0, 10),
    "chat.update": Rate(50 / 60, 10),
    "chat.getPermalink": Rate(5.0, 10),
}
ANY_OTHER = Rate(20 / 60, 5)
TIER_3 = Rate(50 / 60, 10)
_READS = ("conversations.history", "conversations.replies", "conversations.open")

CHANNELS_KEPT = 1_000


@dataclass(slots=True)
class Rhythm:
    """When one message may be updated again: ``usual`` seconds after the last update, or ``turn`` seconds after it if
    the message has come to mean something else, which nobody should have to wait for.
    """

    usual: float
    turn: float
    _shown_at: float = -math.inf
    _meaning: Hashable = None

    def wait(self, meaning: Hashable, now: float) -> float:
        """Seconds until it may be updated to ``meaning``; 0 is now."""
        pause = self.usual if meaning == self._meaning else min(self.turn, self.usual)
        return max(self._shown_at + pause - now, 0.0)

    def shown(self, meaning: Hashable, now: float) -> None:
        """It has been updated to ``meaning``."""
        self._shown_at, self._meaning = now, meaning


@dataclass(slots=True)
class _Bucket:
    rate: Rate
    tokens: float
    at: float

    def wait(self, now: float) -> float:
        """Seconds until there is a token; 0 if there is one."""
        self.tokens = min(float(self.rate.burst), self.tokens + (now - self.at) * self.rate.per_second)
        self.at = now
        return 0.0 if self.tokens >= 1 else (1 - self.tokens) / self.rate.per_second


@dataclass(slots=True)
class Budget:
    """What may be asked of one workspace, by one app."""

    _buckets: dict[str, _Bucket] = field(default_factory=dict[str, _Bucket])
    _closed_until: dict[str, float] = field(default_factory=dict[str, float])

    def __len__(self) -> int:
        """Methods and channels that are kept count of."""
        return len(self._buckets)

    def wait(self, method: str, channel: str | None, now: float) -> float:
        """Seconds until the method may be called (for a channel: until a message may be posted there); 0 is now."""
        closed = self._closed_until.get(method, now) - now
        return max(closed, *(bucket.wait(now) for bucket in self._involved(method, channel, now)))

    def take(self, method: str, channel: str | None, now: float) -> None:
        """Count a call."""
        for bucket in self._involved(method, channel, now):
            bucket.wait(now)
            bucket.tokens -= 1

    def close(self, method: str, seconds: float, now: float) -> None:
        """Slack has asked to leave the method alone for so long."""
        self._closed_until[method] = max(now + seconds, self._closed_until.get(method, now))

    def _involved(self, method: str, channel: str | None, now: float) -> list[_Bucket]:
        found = [self._bucket(method, _rate(method), now)]
        if channel is not None:
            found.append(self._bucket(f"#{channel}", POSTS_PER_CHANNEL, now))
        return found

    def _bucket(self, key: str, rate: Rate, now: float) -> _Bucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= CHANNELS_KEPT:
                self._forget_full(now)
            bucket = self._buckets[key] = _Bucket(rate, float(rate.burst), now)
        return bucket

    def _forget_full(self, now: float) -> None:
        """Drop the buckets that a new one would equal."""
        for key, bucket in list(self._buckets.items()):
            bucket.wait(now)
            if bucket.tokens >= bucket.rate.burst:
                del self._buckets[key]


def _rate(method: str) -> Rate:
    return METHODS.get(method, TIER_3 if method in _READS else ANY_OTHER)
