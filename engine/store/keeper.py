"""Keeping a lease alive from a plain thread, while the process's event loop may be blocked by somebody's step.

The one rule: it shares nothing with the loop: its connection and its own small loop live and die in the calling thread.
"""

import asyncio
from types import TracebackType
from typing import Self

from engine.store import leases
from engine.store.connect import LEASE_MS, connect
from engine.store.types import JsonObject


class LeaseKeeper:
    """Renews leases synchronously. Open, use and close it (or leave it as a context) in one thread without a loop."""

    def __init__(self, url: str, lease_ms: int = LEASE_MS) -> None:
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        try:
            self._database = self._runner.run(connect(url, lease_ms))
        except BaseException:
            self._runner.close()
            raise
        # Its user tries again by itself, and may wish to stop in between.
        self._database.patience_s = lease_ms / 3000

    def renew(self, owner: str, ttl_ms: int, info: JsonObject | None = None) -> int:
        """Make or prolong the owner's lease; the instant of the database's clock at which it ends. StoreUnavailable.

        `info` is what the owner says of itself, for `Log.workers`; None leaves what it said.
        """
        return self._runner.run(self._database.write(leases.renew, owner, ttl_ms, info))

    def close(self) -> None:
        """Give the connection back."""
        self._runner.run(self._database.close())
        self._runner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
