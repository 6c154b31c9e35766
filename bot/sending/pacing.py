"""How fast Slack may be asked: token buckets for methods and channels, and methods that Slack has closed for a while;
and how often one message is updated.

The one rule: time is an argument (seconds, monotonic), so that the whole of it is a calculation.

Slack publishes calls per minute and method by tier, one message per second and channel, and "several hundred" messages
per minute in all; bursts are tolerated, how large is not said (docs.slack.dev/apis/web-api/rate-limits). The rates here
stay below, and the bursts are small on purpose.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, field

from engine.streams import Bucket


@dataclass(frozen=True, slots=True)
class Rate:
    """``per_second`` in the long run, ``burst`` at once."""

    per_second: float
    burst: int


POSTS_PER_CHANNEL = Rate(1.0, 4)
TIER_2 = Rate(19 / 60, 10)
TIER_3 = Rate(48 / 60, 10)
TIER_4 = Rate(95 / 60, 20)
SPECIAL = Rate(5.0, 10)
"""Of methods whose own limit is told roughly: some six hundred calls a minute."""

_BY_RATE = {
    Rate(4.0, 10): ("chat.postMessage",),
    SPECIAL: ("auth.test", "chat.getPermalink"),
    TIER_4: (
        "chat.appendStream",
        "chat.postEphemeral",
        "conversations.members",
        "files.completeUploadExternal",
        "files.getUploadURLExternal",
        "users.info",
        "views.open",
        "views.publish",
        "views.push",
        "views.update",
    ),
    TIER_3: (
        "chat.delete",
        "chat.update",
        "conversations.history",
        "conversations.info",
        "conversations.open",
        "conversations.replies",
        "reactions.add",
        "users.lookupByEmail",
    ),
}
METHODS = {method: rate for rate, methods in _BY_RATE.items() for method in methods}
"""All others are taken to be of tier 2: ``usergroups.list``, ``usergroups.users.list``, ``users.list`` and so on."""

CHANNELS_KEPT = 1_000
_ROUNDING = 1e-9


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


def buckets(method: str, channel: str | None, speed: float = 1.0) -> tuple[Bucket, ...]:
    """What a call of ``method`` takes a token of; a post names its ``channel``.

    ``speed``: how much faster than the real one the clock of this Slack runs (a simulated one may be in a hurry).
    """
    rates = {method: METHODS.get(method, TIER_2)}
    if channel is not None:
        rates[f"#{channel}"] = POSTS_PER_CHANNEL
    return tuple(Bucket(name, rate.per_second * speed, rate.burst) for name, rate in rates.items())


@dataclass(slots=True)
class _Level:
    """How full a bucket is, of which only a share is there."""

    bucket: Bucket
    tokens: float
    at: float

    def at_present(self, share: float, now: float) -> float:
        """The tokens that there are now."""
        burst = max(1.0, self.bucket.burst * share)
        self.tokens = min(burst, self.tokens + (now - self.at) * self.bucket.per_second * share)
        self.at = now
        return self.tokens


@dataclass(slots=True)
class Budget:
    """What one process may ask by itself: its ``share`` of what all may ask together.

    It may have taken more than its share while there was another way to know that there was more. Then it owes that, up
    to a burst; so all who share are together never left with more than there is.
    """

    share: float = 1.0
    _levels: dict[str, _Level] = field(default_factory=dict[str, _Level])
    _closed_until: dict[str, float] = field(default_factory=dict[str, float])

    def __len__(self) -> int:
        """Methods and channels that are kept count of."""
        return len(self._levels)

    def wait(self, wanted: tuple[Bucket, ...], now: float) -> float:
        """Seconds until there is a token in all of them; 0 is now."""
        return max(max(self._closed_until.get(bucket.name, now) - now, self._missing(bucket, now)) for bucket in wanted)

    def take(self, wanted: tuple[Bucket, ...], now: float) -> None:
        """Take a token of each."""
        for bucket in wanted:
            level = self._level(bucket, now)
            level.tokens = max(level.tokens - 1, -float(bucket.burst))

    def close(self, name: str, seconds: float, now: float) -> None:
        """Nothing is to be taken from this bucket for so long."""
        self._closed_until[name] = max(now + seconds, self._closed_until.get(name, now))

    def _missing(self, bucket: Bucket, now: float) -> float:
        tokens = self._level(bucket, now).tokens
        return 0.0 if tokens >= 1 - _ROUNDING else (1 - tokens) / (bucket.per_second * self.share)

    def _level(self, bucket: Bucket, now: float) -> _Level:
        level = self._levels.get(bucket.name)
        if level is None:
            if len(self._levels) >= CHANNELS_KEPT:
                self._forget_full(now)
            level = self._levels[bucket.name] = _Level(bucket, float(bucket.burst), now)
        level.at_present(self.share, now)
        return level

    def _forget_full(self, now: float) -> None:
        """Drop the levels that a new one would equal."""
        for name, level in list(self._levels.items()):
            if level.at_present(self.share, now) >= level.bucket.burst * self.share:
                del self._levels[name]
