"""Slack's published rate limits, as token buckets: per method by tier, and one message per second and channel.

Rates are measured in real time. A call over the limit is always counted; it is refused only when `strict`. After a
refusal the method stays closed until its Retry-After has passed (docs.slack.dev/apis/web-api/rate-limits).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from bot.simulator.tickets import monotonic_ms

TIER_1, TIER_2, TIER_3, TIER_4 = 1, 20, 50, 100
"""Calls per minute, method and workspace."""

ABOUT_600 = 600
"""Per minute, of the methods with a special limit that is only told roughly."""

MESSAGES = 300
"""Posts per minute of one app in one workspace: "several hundred"."""

_CHANNEL_BURST = 5
_MIN_BURST = 10


@dataclass(slots=True)
class _Bucket:
    per_minute: float
    burst: float
    tokens: float
    at_ms: int
    closed_until_ms: int = 0

    def take(self, now_ms: int) -> int:
        """Take one token; 0, or the ms until there will be one."""
        self.tokens = min(self.burst, self.tokens + (now_ms - self.at_ms) * self.per_minute / 60_000)
        self.at_ms = now_ms
        if now_ms < self.closed_until_ms:
            return self.closed_until_ms - now_ms
        if self.tokens < 1:
            return math.ceil((1 - self.tokens) * 60_000 / self.per_minute)
        self.tokens -= 1
        return 0


class RateLimits:
    """`violations` counts the calls that Slack might have refused, strict or not."""

    def __init__(self, *, strict: bool, now_ms: Callable[[], int] = monotonic_ms) -> None:
        self.strict = strict
        self.violations = 0
        self._now_ms = now_ms
        self._buckets: dict[str, _Bucket] = {}

    def admit(self, method: str, per_minute: int, channel: str | None = None) -> int:
        """Count a call. Returns 0, or for a refused one the whole seconds of its Retry-After."""
        wait_ms = self._take(method, per_minute, max(_MIN_BURST, per_minute))
        if channel is not None:
            wait_ms = max(wait_ms, self._take(f"{method} {channel}", 60, _CHANNEL_BURST))
        if wait_ms == 0:
            return 0
        self.violations += 1
        if not self.strict:
            return 0
        retry_after_s = math.ceil(wait_ms / 1000)
        self._buckets[method].closed_until_ms = self._now_ms() + retry_after_s * 1000
        return retry_after_s

    def _take(self, key: str, per_minute: int, burst: int) -> int:
        now_ms = self._now_ms()
        bucket = self._buckets.setdefault(key, _Bucket(per_minute, burst, burst, now_ms))
        return bucket.take(now_ms)
