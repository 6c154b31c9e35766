"""How tests wait: for a condition, and never for a time to pass."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from inspect import isawaitable

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.005, 0.05


async def until(condition: Callable[[], Awaitable[object] | object], within: float = 180.0) -> None:
    """Ask for ``condition``, which may lie in a database or another process, until it is there.

    The longer it takes, the less often: to ask takes time as well, also from what is waited for.
    """
    pause = FIRST_PAUSE_S
    async with asyncio.timeout(within):
        while not await _asked(condition):
            await asyncio.sleep(pause)
            pause = min(pause * 1.2, LONGEST_PAUSE_S)


async def _asked(condition: Callable[[], Awaitable[object] | object]) -> object:
    answer = condition()
    return await answer if isawaitable(answer) else answer
