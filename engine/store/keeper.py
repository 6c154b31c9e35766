"""Renewing a lease from a plain thread, with a connection and a loop of its own.

The one rule: it shares nothing with the process's event loop, so that a step that blocks the loop does not stop it.
"""

import asyncio

from engine.store import leases
from engine.store.connect import connect
from engine.store.database import Database


class LeaseKeeper:
    """Used by one thread. Connects at the first renewal, and again after the database was away."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._loop = asyncio.new_event_loop()
        self._database: Database | None = None

    def renew(self, owner: str, ttl_ms: int) -> int:
        """Make or prolong the owner's lease; the instant (database's clock) at which it ends. StoreUnavailable."""
        return self._loop.run_until_complete(self._renew(owner, ttl_ms))

    def close(self) -> None:
        """Give the connection back. Nothing may be called afterwards."""
        if self._database is not None:
            self._loop.run_until_complete(self._database.close())
        self._loop.close()

    async def _renew(self, owner: str, ttl_ms: int) -> int:
        if self._database is None:
            self._database = await connect(self._url)
        return await self._database.write(leases.renew, owner, ttl_ms)
