"""Answers kept for a while: one question at a time per key, however many ask, unless its answer is overdue.

The one rule: only answers are kept, never failures, and how old an answer may be is said by whoever asks.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Any

KEPT = 10_000
"""Answers in memory; past it, the oldest half is forgotten."""


@dataclass(frozen=True, slots=True)
class _Answer:
    value: Any
    at: float


@dataclass(frozen=True, slots=True)
class _Question:
    task: asyncio.Task[Any]
    at: float


class Memo:
    """Remembers what ``read`` functions returned. ``monotonic`` gives seconds.

    A question that has been out for more than ``overdue`` seconds keeps only those waiting who wait already: whoever
    comes later asks anew, so that one call that hangs does not stand for all that follow.
    """

    def __init__(self, monotonic: Callable[[], float], overdue: float = math.inf) -> None:
        self._monotonic = monotonic
        self._overdue = overdue
        self._answers: dict[Hashable, _Answer] = {}
        self._asking: dict[Hashable, _Question] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    async def get(self, key: Hashable, staleness: float, read: Callable[[], Awaitable[Any]]) -> Any:
        """The kept answer if it is at most ``staleness`` seconds old, else a new one.

        Raises what ``read`` raises, to everybody who waits for it. Whoever is cancelled does not stop the reading.
        """
        now, kept = self._monotonic(), self._answers.get(key)
        if kept is not None and now - kept.at <= staleness:
            return kept.value
        asking = self._asking.get(key)
        if asking is None or now - asking.at > self._overdue:
            asking = self._asking[key] = _Question(asyncio.create_task(self._ask(key, read, now)), now)
            self._tasks.add(asking.task)
            asking.task.add_done_callback(lambda task: self._answered(key, task))
        return await asyncio.shield(asking.task)

    async def close(self) -> None:
        """Stop all reading that is under way."""
        asking = list(self._tasks)
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    async def _ask(self, key: Hashable, read: Callable[[], Awaitable[Any]], at: float) -> Any:
        """An answer is as old as its question, so a late one does not take the place of a newer question's."""
        value = await read()
        kept = self._answers.get(key)
        if kept is None or kept.at <= at:
            self._answers[key] = _Answer(value, at)
        if len(self._answers) > KEPT:
            self._forget_oldest()
        return value

    def _forget_oldest(self) -> None:
        by_age = sorted(self._answers, key=lambda key: self._answers[key].at)
        for key in by_age[: KEPT // 2]:
            del self._answers[key]

    def _answered(self, key: Hashable, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if (asking := self._asking.get(key)) is not None and asking.task is task:
            del self._asking[key]
        if not task.cancelled():
            task.exception()  # seen, even if all who waited have left
