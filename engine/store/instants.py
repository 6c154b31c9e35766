"""Instants as the `at` column holds them: ISO 8601 in UTC with three decimals, so that texts sort as times do.

The one rule: both directions are exact, so that a text that was hashed is never rewritten.
"""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def to_text(instant: int) -> str:
    """Epoch milliseconds as `2026-11-22T04:20:00.123Z`. Years 1 to 9999; OverflowError beyond."""
    moment = _EPOCH + timedelta(milliseconds=instant)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{instant % 1000:03d}Z"


def from_text(text: str) -> int:
    """Epoch milliseconds of a text made by `to_text`; ValueError for any other text."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return (moment - _EPOCH) // _MILLISECOND
