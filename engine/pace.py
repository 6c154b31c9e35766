"""How fast models are asked, by all processes together: limits of one's own, and pauses that providers ask for.

The one rule: nobody sleeps here. Whoever has to wait is told for how long, and comes again; those of one process are
told to come one after another.
"""

from __future__ import annotations

import asyncio
import logging
import math

from engine.steps.models.config import Asker, Limit, Models, Wait
from engine.streams import StreamsUnavailable
from engine.streams.buckets import Bucket, Buckets, Request

log = logging.getLogger(__name__)

MINUTE_S = 60.0
MOST_WAIT_MS = 3_600_000
_OPEN = 1_000_000
"""Requests in a second that a provider's own bucket lets through: it is there to be closed."""


class SharedPace:
    """The pace of one namespace of Redis. When Redis is away everybody may go on: a provider has limits of its own."""

    def __init__(self, buckets: Buckets, models: Models) -> None:
        self._buckets = buckets
        self._models = models
        self._turns: dict[str, float] = {}
        """By model: when the one who was told last is to come, on the loop's clock."""

    async def close(self) -> None:
        await self._buckets.close()

    async def admit(self, asker: Asker, model: str, tokens: int) -> Wait | None:
        """A request of some ``tokens`` may go out now (None), or has to wait."""
        provider = asker.provider
        limit = self._models.limit_of(provider, model)
        name = f"{asker.workspace}/{provider}:{model}"
        if (held := await self._take([Bucket(_held(asker), _OPEN, _OPEN)], ())) > 0:
            return Wait(f"{provider}'s limit", _ms(self._turn(name, held, limit)))
        if limit is None:
            return None
        buckets, amounts = _buckets_of(name, limit, tokens)
        if (wait := await self._take(buckets, amounts)) > 0:
            return Wait(f"the limit for {provider}:{model}", _ms(self._turn(name, wait, limit)))
        return None

    async def hold(self, asker: Asker, ms: int) -> None:
        """Let nobody ask the provider with that key for so long: it said so."""
        try:
            await self._buckets.close_for(_held(asker), ms / 1_000)
        except StreamsUnavailable as error:
            log.warning("Others are not told of %s's limit: %s", asker.provider, error)

    async def _take(self, buckets: list[Bucket], amounts: tuple[int, ...]) -> float:
        try:
            [wait] = await self._buckets.take([Request(0, tuple(buckets), amounts)])
        except StreamsUnavailable as error:
            log.warning("A model is asked without a look at its limits: %s", error)
            return 0.0
        return wait

    def _turn(self, name: str, wait: float, limit: Limit | None) -> float:
        """Seconds until whoever asks now is to come: behind those who were told before."""
        now = asyncio.get_running_loop().time()
        apart = 1 / _requests(name, limit).per_second if limit is not None else 0.0
        turn = max(now + wait, self._turns.get(name, 0.0) + apart)
        self._turns[name] = turn
        return turn - now


def _held(asker: Asker) -> str:
    return "/".join(asker)


def _buckets_of(name: str, limit: Limit, tokens: int) -> tuple[list[Bucket], tuple[int, ...]]:
    """What a request takes of each. One that is larger than a whole bucket takes all of it."""
    buckets, amounts = [_requests(name, limit)], [1]
    if limit.tokens is not None:
        buckets.append(_bucket(f"{name}/tokens", limit.tokens, 2))
        amounts.append(min(tokens, buckets[1].burst))
    return buckets, tuple(amounts)


def _requests(name: str, limit: Limit) -> Bucket:
    return _bucket(f"{name}/requests", limit.requests, 6)


def _bucket(name: str, per_minute: int, share: int) -> Bucket:
    """One that holds a part of a minute's amount: with what flows in, no minute has more than all of it."""
    burst = max(1, per_minute // share)
    return Bucket(name, (per_minute - burst or per_minute) / MINUTE_S, burst)


def _ms(seconds: float) -> int:
    return min(max(math.ceil(seconds * 1_000), 1), MOST_WAIT_MS)
