"""The history of a run for those who show or keep it: as it is, as it grows, and as text.

The one rule: an event is told once it is durable, in order, whichever process wrote it, with its value, wherever that
lies.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager

from pydantic import JsonValue

from engine.core import events as e
from engine.core.errors import EngineError, UnknownRun
from engine.core.state import Recorded, RunState
from engine.recall import Recall
from engine.records import BLOB, blob_of
from engine.store import Log, StoredEvent

log = logging.getLogger(__name__)

ASK_EVERY = 0.25


class Following:
    """The readers of one process. ``observe`` is to be told of its appends; those of others are asked for."""

    def __init__(self, store: Log, recall: Recall) -> None:
        self._store = store
        self._recall = recall
        self._waiting: dict[str, dict[asyncio.Future[None], int]] = {}
        self._asking: asyncio.Task[None] | None = None

    async def history(self, run: str, after: int = 0) -> list[Recorded]:
        """The run's events with a seq above ``after``, in order. Raises ``UnknownRun`` if the run has none at all."""
        return await self._recall.events(await self._load(run, after))

    async def follow(self, run: str, after: int = 0, *, beyond_end: bool = False) -> AsyncIterator[Recorded]:
        """The run's events with a seq above ``after``, and then each as it is recorded.

        It ends with the run; ``beyond_end``: never by itself, as a run that failed may go on. Raises ``UnknownRun``,
        ``UnknownEvent``, and the store's errors; then it may be called again after the last seq that was given.
        """
        over = False
        while True:
            # Asked for before the log is read, so that nothing can come in between.
            async with self._news(run, after) as news:
                found = await self.history(run, after)
                for one in found:
                    after = one.seq
                    over = _is_over(one.event, over)
                    yield one
                if over and not beyond_end:
                    return
                if not found:
                    await news

    async def export(self, run: str) -> AsyncIterator[str]:
        """The run's whole history as JSON lines: of each event what was hashed, letter by letter, with its hash.

        Where a payload refers to a value beside the log, ``value`` has it. Events that this release does not know are
        there too. Raises ``UnknownRun``.
        """
        for event in await self._load(run, 0):
            yield _line(event, await self._values_beside(event))

    def observe(self, state: RunState, events: Sequence[Recorded]) -> None:
        self._wake(state.run, state.seq)

    async def close(self) -> None:
        """Nobody follows any more."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
        for waiting in self._waiting.values():
            for news in waiting:
                news.cancel()

    async def _load(self, run: str, after: int) -> list[StoredEvent]:
        events, head = await self._store.load(run, after=after)
        if head.seq == 0:
            raise UnknownRun(run)
        return events

    async def _values_beside(self, event: StoredEvent) -> str:
        if f'"{BLOB}"' not in event.payload:
            return ""
        payload: dict[str, JsonValue] = json.loads(event.payload)
        for value in payload.values():
            if blob_of(value) is not None:
                [whole] = await self._recall.whole([value])
                return json.dumps(whole, ensure_ascii=False, separators=(",", ":"))
        return ""

    @asynccontextmanager
    async def _news(self, run: str, seq: int) -> AsyncGenerator[asyncio.Future[None]]:
        """Done as soon as the run has an event past ``seq``."""
        waiting = self._waiting.setdefault(run, {})
        news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting[news] = seq
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask())
        try:
            yield news
        finally:
            waiting.pop(news, None)
            if not waiting and self._waiting.get(run) is waiting:
                del self._waiting[run]

    def _wake(self, run: str, seq: int) -> None:
        for news, known in self._waiting.get(run, {}).items():
            if seq > known and not news.done():
                news.set_result(None)

    async def _ask(self) -> None:
        """Look for what others recorded, as long as anybody waits: one query for all."""
        try:
            while self._waiting:
                try:
                    for run, seq in (await self._store.heads(list(self._waiting))).items():
                        self._wake(run, seq)
                except EngineError as error:
                    log.warning("The news of followed runs are asked for again: %s", error)
                await asyncio.sleep(ASK_EVERY)
        finally:
            self._asking = None


def _is_over(event: e.Event, before: bool) -> bool:
    """Whether the run has ended after ``event``. After an end there may be bookkeeping."""
    if isinstance(event, e.RunCompleted | e.RunFailed | e.RunCancelled):
        return True
    return before and not isinstance(event, e.RunReopened)


def _line(event: StoredEvent, value: str) -> str:
    known = json.dumps(
        {"run": event.stream, "seq": event.seq, "type": event.type, "version": event.version, "at": event.at,
         "hash": event.hash}, ensure_ascii=False, separators=(",", ":"),
    )  # fmt: skip
    beside = f',"value":{value}' if value else ""
    return f'{known[:-1]},"payload":{event.payload}{beside}}}'
