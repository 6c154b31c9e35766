"""Token buckets that several processes share: how often something may be done by all of them together.

The one rule: nothing here is truth, and what is not known counts as taken. When Redis was emptied, or was away for one
of its users, every bucket counts as empty from that moment; so a loss costs pace, and never allows too much.

A **bucket** gets ``per_second`` tokens and holds ``burst``. A request takes one or more of each of its own, or none.
Who is refused leaves a claim with its rank (0 is the most urgent): until a little after the bucket has a token again,
less urgent ones do not get it, whichever process asks. A bucket can be closed for a while.

The protocol, by the clock of Redis in ms (NS is the namespace):

    NS:bucket:NAME  hash. `tokens`: how many there were `at` that instant; `closed`: none before that instant;
                    `rank`, `claim`: somebody of that rank was refused, and asks again before `claim`. It expires when
                    it would be full
    NS:buckets      the instant before which nothing is known

    take            the script TAKE_TOKENS, with what the caller saw in NS:buckets: a caller who saw something where
                    nothing is now, or who could not ask for a while (AWAY), sets it to the present instant
    close           the script CLOSE_BUCKET
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from redis.exceptions import ResponseError

from engine.streams.connection import Command, Reply, Server, SharedConnection
from engine.streams.contract import StreamsUnavailable
from engine.streams.replies import text
from engine.streams.scripts import CLOSE_BUCKET, TAKE_TOKENS

PATIENCE_S: Final = 0.5
"""People may wait for what is asked here."""

_NEW: Final = ""
_AWAY: Final = "away"


class Bucket(NamedTuple):
    """What is limited, by its name, and how much of it there is."""

    name: str
    per_second: float
    burst: int


class Request(NamedTuple):
    """Tokens of each of ``buckets``, for somebody of this rank: one of each, or as many as ``amounts`` says.

    No amount may be more than its bucket holds.
    """

    rank: int
    buckets: tuple[Bucket, ...]
    amounts: tuple[int, ...] = ()

    @property
    def wanted(self) -> Iterator[tuple[Bucket, int]]:
        return zip(self.buckets, self.amounts or (1,) * len(self.buckets), strict=True)


class Buckets:
    """The buckets of one namespace. One object serves a whole process; when the server is back, the next call works."""

    def __init__(self, url: str, namespace: str) -> None:
        """Without contact to the server."""
        self._server = Server(url)
        self._commands = SharedConnection(self._server)
        self._prefix = f"{namespace}:bucket:"
        self._since = f"{namespace}:buckets"
        self._known: str = _NEW

    async def close(self) -> None:
        self._server.closed = True
        await self._commands.close()

    async def take(self, requests: Sequence[Request]) -> list[float]:
        """For each request, in this order: 0 if it got its tokens, else the seconds until it may ask again.

        Raises StreamsUnavailable soon (``PATIENCE_S``); what was taken then is not known, and counts as taken.
        """
        numbers: dict[Bucket, int] = {}
        for request in requests:
            for bucket in request.buckets:
                numbers.setdefault(bucket, len(numbers) + 1)
        asked = [
            word for request in requests for word in (request.rank, len(request.buckets), *_flat(request, numbers))
        ]
        rates = [word for bucket in numbers for word in (repr(bucket.per_second / 1_000), bucket.burst)]
        keys = [self._since, *(self._prefix + bucket.name for bucket in numbers)]
        [(since, *waits)] = await self._ask(("EVAL", TAKE_TOKENS, len(keys), *keys, self._known, *rates, *asked))
        self._known = text(since)
        return [int(wait) / 1_000 for wait in waits]

    async def close_for(self, name: str, seconds: float) -> None:
        """Let nobody take from the bucket for so long. Raises StreamsUnavailable."""
        await self._ask(("EVAL", CLOSE_BUCKET, 1, self._prefix + name, int(seconds * 1_000)))

    async def _ask(self, command: Command) -> list[Reply]:
        try:
            async with asyncio.timeout(PATIENCE_S):
                replies = await self._commands.call(command)
            if isinstance(replies[0], ResponseError):
                raise self._server.unavailable(f"refuses a command ({replies[0]})")
        except TimeoutError:
            self._known = _AWAY
            raise self._server.unavailable("does not answer; check that it runs and is not overloaded") from None
        except StreamsUnavailable:
            self._known = _AWAY
            raise
        return replies


def _flat(request: Request, numbers: Mapping[Bucket, int]) -> Iterator[int]:
    for bucket, amount in request.wanted:
        yield numbers[bucket]
        yield amount
