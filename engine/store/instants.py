"""Instants as the `at` column holds them: ISO 8601 in UTC with three decimals, so that texts sort as times do.

The one rule: both directions are exact, so that a text that was hashed is never rewritten.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def to_text(instant: int) -> str:
    """Epoch milliseconds as `2026-11-22T04:20:00.123Z`. Years 1 to 9999; OverflowError beyond."""
    return f"{_to_the_second(instant // 1000)}.{instant % 1000:03d}Z"


def from_text(text: str) -> int:
    """Epoch milliseconds of a text made by `to_text`; ValueError for any other text."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return (moment - _EPOCH) // _MILLISECOND


@lru_cache(maxsize=256)
def _to_the_second(seconds: int) -> str:
    """Cached, for the events of a busy second share it."""
    return (_EPOCH + timedelta(seconds=seconds)).replace(tzinfo=None).isoformat()
