"""How long to wait before the next attempt. Pure: the jitter is drawn from the attempt's own name."""

from __future__ import annotations

import hashlib

from engine.core.durations import LONGEST
from engine.core.failures import Failure
from engine.core.kinds import Retry


def backoff(policy: Retry, failures: int, failure: Failure, name: str) -> int:
    """Milliseconds to wait after the ``failures``-th failure.

    Exponential with full jitter: any fraction of the exponential pause, drawn from ``name``; never less than the wait
    that the other side asked for.
    """
    ceiling = min(policy.max, round(policy.initial * policy.factor ** (failures - 1)))
    digest = hashlib.sha256(f"{name}/{failures}".encode()).digest()
    fraction = int.from_bytes(digest[:4], "big") / 2**32
    return max(round(ceiling * fraction), min(failure.retry_after or 0, LONGEST))
