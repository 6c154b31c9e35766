"""Who waits for a run to end, and how they learn of it: at once if it ends here, within a moment if elsewhere.

The one rule: any number of waiters cost one query per moment, not one each.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from engine.core.errors import EngineError
from engine.core.state import Recorded, RunState, RunStatus
from engine.handle import Handle
from engine.store import Log

log = logging.getLogger(__name__)

ASK_EVERY = 0.5


class Endings:
    """The waiters of one process. ``observe`` is to be told of its appends."""

    def __init__(self, store: Log, handle: Handle) -> None:
        self._store = store
        self._handle = handle
        self._awaited: dict[str, asyncio.Future[RunState]] = {}
        self._asking: asyncio.Task[None] | None = None

    async def wait(self, run: str) -> RunState:
        """The run's state once it has ended, wherever it was run. Raises ``UnknownRun``."""
        ended = self._awaited.setdefault(run, asyncio.get_running_loop().create_future())
        state = self._handle.last_seen(run)
        if state is None or state.status is RunStatus.FAILED:
            # One that had failed may have been made to go on by another process.
            state = await self._handle.state(run)
        if state.end is not None:
            self._settle(state)
        elif self._asking is None:
            self._asking = asyncio.create_task(self._ask())
        return await asyncio.shield(ended)

    def observe(self, state: RunState, events: Sequence[Recorded]) -> None:
        if state.end is not None:
            self._settle(state)

    async def close(self) -> None:
        """Nobody waits any more."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
        for ended in self._awaited.values():
            ended.cancel()

    def _settle(self, state: RunState) -> None:
        ended = self._awaited.pop(state.run, None)
        if ended is not None and not ended.done():
            ended.set_result(state)

    async def _ask(self) -> None:
        """Look for runs that ended elsewhere, as long as anybody waits."""
        while self._awaited:
            await asyncio.sleep(ASK_EVERY)
            try:
                for run in await self._store.ended(list(self._awaited)):
                    self._settle(await self._handle.state(run))
            except EngineError as error:
                log.warning("Runs that may have ended are asked for again: %s", error)
        self._asking = None
