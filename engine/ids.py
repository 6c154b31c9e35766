"""Ids that sort by the time of their making: the one place where the engine makes any."""

from __future__ import annotations

from ulid import ULID


def run_id() -> str:
    """``run_`` and a lower-case ULID."""
    return f"run_{str(ULID()).lower()}"


def worker_id() -> str:
    """``wrk_`` and a lower-case ULID: one for each incarnation of a process."""
    return f"wrk_{str(ULID()).lower()}"
