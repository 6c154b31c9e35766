"""Group commit: appends that wait together share one transaction.

The one rule: a transaction begins as soon as the database is idle, and whatever arrives meanwhile forms the next
batch, at most one append per stream, one that asks for a slot per concurrency key, and one that spends per workspace,
in the order of arrival; one that moves the epoch is alone. No append waits for others to come.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from engine.store.at_once import append_at_once, takes
from engine.store.commit import commit_batch
from engine.store.database import Database, Lost
from engine.store.errors import OutcomeUnknown, StoreUnavailable
from engine.store.ledger import purse
from engine.store.prepare import Prepared
from engine.store.statements import Statements
from engine.store.types import Outcome, SlotFree

_LARGEST_BATCH: Final = 512
# Appends in memory at once; further callers wait for their turn.
MOST_WAITING: Final = 4096


@dataclass(frozen=True, slots=True)
class _Waiting:
    """``left``: one statement was tried, and did not write it."""

    item: Prepared
    outcome: asyncio.Future[Outcome]
    left: bool = False


@dataclass(slots=True)
class _Tried:
    """Whether a try broke off in its commit, so that nobody knows what became of it."""

    lost: bool


class Committer:
    """The only writer of appends in this process."""

    def __init__(self, database: Database, statements: Statements, most_waiting: int = MOST_WAITING) -> None:
        self._database = database
        self._statements = statements
        self._waiting: list[_Waiting] = []
        self._room = asyncio.Semaphore(most_waiting)
        self._task: asyncio.Task[None] | None = None

    async def append(self, item: Prepared) -> Outcome:
        """What became of it. A cancelled caller no longer waits, but the append goes its way."""
        await self._room.acquire()
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(item, outcome))
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="vb-commit")
        try:
            # Not shielded: a cancelled caller cancels its own future, and nothing but that.
            return await outcome
        finally:
            self._room.release()

    async def close(self) -> None:
        """Wait until everything that was handed in is settled."""
        while self._task is not None:
            await asyncio.shield(self._task)

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._settle(self._next_batch())
        finally:
            self._task = None

    def _next_batch(self) -> list[_Waiting]:
        batch: dict[str, _Waiting] = {}
        keys: set[str] = set()
        later: list[_Waiting] = []
        for waiting in self._waiting:
            append = waiting.item.append
            asked = {guard.key for guard in append.guards if isinstance(guard, SlotFree)}
            if (spends := purse(append)) is not None:
                asked.add(spends)
            if append.epoch is not None and not batch:
                batch[append.stream] = waiting
                later = [one for one in self._waiting if one is not waiting]
                break
            full = append.epoch is not None or len(batch) == _LARGEST_BATCH
            if full or append.stream in batch or not keys.isdisjoint(asked):
                later.append(waiting)
            else:
                batch[append.stream] = waiting
                keys |= asked
        self._waiting = later
        return [batch[stream] for stream in sorted(batch)]

    async def _settle(self, batch: Sequence[_Waiting], lost: bool = False) -> None:
        """Give every caller its outcome, or its error. An append that the database rejects fails alone.

        What one statement did not write waits again, ahead of all others: a transaction of several is next for it.

        `lost`: an earlier try at these appends may have been committed.
        """
        tried = _Tried(lost)
        try:
            outcomes = await self._commit(batch, tried)
        except Exception as error:  # noqa: BLE001 - handed to the callers, each of whom awaits its future
            if len(batch) == 1 or isinstance(error, StoreUnavailable):
                for waiting in batch:
                    if not waiting.outcome.done():
                        waiting.outcome.set_exception(error)
                return
            for waiting in batch:
                await self._settle([waiting], tried.lost)
            return
        left: list[_Waiting] = []
        for waiting, outcome in zip(batch, outcomes, strict=True):
            if outcome is None:
                left.append(replace(waiting, left=True))
            elif not waiting.outcome.done():
                waiting.outcome.set_result(outcome)
        self._waiting[:0] = left

    async def _commit(self, batch: Sequence[_Waiting], tried: _Tried) -> Sequence[Outcome | None]:
        """One transaction, again after a failure that may pass. After a lost connection the log tells what happened.

        None for what one statement did not write, where that was tried.
        """
        items, database = [waiting.item for waiting in batch], self._database
        plain = database.combines and takes(items) and not any(waiting.left for waiting in batch)

        def write() -> Awaitable[Sequence[Outcome | None]]:
            if plain and not tried.lost:
                return database.write_statement_once(append_at_once, items)
            return database.write_once(commit_batch, self._statements, items, tried.lost)

        async def once() -> Sequence[Outcome | None]:
            try:
                return await write()
            except Lost:
                tried.lost = True
                raise

        try:
            return await database.patiently(once)
        except StoreUnavailable as error:
            if not tried.lost:
                raise
            raise OutcomeUnknown(f"{error}; only then will it show whether the last events were recorded") from error
