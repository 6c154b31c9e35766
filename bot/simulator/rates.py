"""Slack's published rate limits, as token buckets: per method by tier, and one message per second and channel.

A call over the limit is always counted; it is refused only when `strict`. After a refusal the method stays closed
until its Retry-After has passed (docs.slack.dev/apis/web-api/rate-limits).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from bot.simulator.tickets import monotonic_ms
from bot.simulator.violations import Violations

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
    closed_at_ms: int = 0

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


OVER_METHOD, OVER_CHANNEL, TOO_SOON = "over_method_rate", "over_channel_rate", "before_retry_after"
"""Kinds of violations: more calls than the tier has, than a channel takes, or although the method was closed."""


class RateLimits:
    """Calls that Slack might have refused are counted, strict or not; `now_ms` may be a faster clock.

    A call that comes within `in_flight_ms` after its method was closed was on its way already: it is not counted.
    """

    def __init__(
        self,
        *,
        strict: bool,
        now_ms: Callable[[], int] = monotonic_ms,
        violations: Violations | None = None,
        in_flight_ms: int = 0,
    ) -> None:
        self.strict = strict
        self._in_flight_ms = in_flight_ms
        self._counted = violations or Violations()
        self._now_ms = now_ms
        self._buckets: dict[str, _Bucket] = {}

    @property
    def violations(self) -> int:
        """How many calls came too fast."""
        return sum(self._counted.counts[kind] for kind in (OVER_METHOD, OVER_CHANNEL, TOO_SOON))

    def now_ms(self) -> int:
        """The time by which calls are counted."""
        return self._now_ms()

    def admit(self, method: str, per_minute: int, channel: str | None = None, *, begun_ms: int | None = None) -> int:
        """Count a call. Returns 0, or for a refused one the whole seconds of its Retry-After.

        `begun_ms`: when it was made, if it has been on its way for long.
        """
        now_ms, bucket = self._now_ms(), self._bucket(method, per_minute, max(_MIN_BURST, per_minute))
        closed = now_ms < bucket.closed_until_ms
        kind, wait_ms = TOO_SOON if closed else OVER_METHOD, bucket.take(now_ms)
        if channel is not None:
            channel_ms = self._bucket(f"{method} {channel}", 60, _CHANNEL_BURST).take(now_ms)
            kind, wait_ms = (kind, wait_ms) if wait_ms >= channel_ms else (OVER_CHANNEL, channel_ms)
        if wait_ms == 0:
            return 0
        made_ms = now_ms if begun_ms is None else begun_ms
        if not closed or made_ms - bucket.closed_at_ms > self._in_flight_ms:
            late = f", {made_ms - bucket.closed_at_ms} ms after it" if closed else ""
            self._counted.note(kind, f"{method} {channel or ''}".strip() + late)
        return self.close(method, per_minute, wait_ms) if self.strict else 0

    def close(self, method: str, per_minute: int, wait_ms: int) -> int:
        """Answer 429 for so long; returns the whole seconds of Retry-After."""
        retry_after_s = math.ceil(wait_ms / 1000)
        bucket = self._bucket(method, per_minute, max(_MIN_BURST, per_minute))
        now_ms = self._now_ms()
        if now_ms >= bucket.closed_until_ms:
            bucket.closed_at_ms = now_ms
        bucket.closed_until_ms = max(bucket.closed_until_ms, now_ms + retry_after_s * 1000)
        return retry_after_s

    def _bucket(self, key: str, per_minute: int, burst: int) -> _Bucket:
        return self._buckets.setdefault(key, _Bucket(per_minute, burst, burst, self._now_ms()))
