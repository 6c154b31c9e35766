"""Instants as people and keys write them: ISO 8601 in UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def say_instant(at: int) -> str:
    """``2030-01-31T09:00Z``: epoch ms to the minute, with seconds only where there are any."""
    moment = datetime.fromtimestamp(at / 1_000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ" if moment.second else "%Y-%m-%dT%H:%MZ")


def key_instant(at: int) -> str:
    """``2030-01-31T09:00:00Z``: always of one length, so that such texts sort by time."""
    return datetime.fromtimestamp(at / 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
