"""Ids that sort by the time of their making, and codes that nobody guesses: the engine makes them nowhere else."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable

from ulid import ULID


class Ids:
    """Makes ids. ``fresh`` gives a new ULID at each call: by the machine's clock and randomness, if not told other."""

    def __init__(self, fresh: Callable[[], ULID] = ULID) -> None:
        self._fresh = fresh

    def run(self) -> str:
        """``run_`` and a lower-case ULID."""
        return f"run_{str(self._fresh()).lower()}"

    def worker(self) -> str:
        """``wrk_`` and a lower-case ULID: one for each incarnation of a process."""
        return f"wrk_{str(self._fresh()).lower()}"

    def data_key(self) -> str:
        """``key_`` and a lower-case ULID: one for each person whose data is sealed."""
        return f"key_{str(self._fresh()).lower()}"

    def key(self) -> str:
        """``pk_`` and a lower-case ULID: one for each value of a provider's key, or of a secret."""
        return f"pk_{str(self._fresh()).lower()}"


_SYSTEM = Ids()


def run_id() -> str:
    """``run_`` and a lower-case ULID."""
    return _SYSTEM.run()


def worker_id() -> str:
    """``wrk_`` and a lower-case ULID: one for each incarnation of a process."""
    return _SYSTEM.worker()


def data_key_id() -> str:
    """``key_`` and a lower-case ULID."""
    return _SYSTEM.data_key()


def key_id() -> str:
    """``pk_`` and a lower-case ULID."""
    return _SYSTEM.key()


def link_code() -> str:
    """Eighty random bits as people type them: four groups of four letters and digits."""
    text = base64.b32encode(secrets.token_bytes(10)).decode()
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))
