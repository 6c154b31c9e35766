"""The stream of activations on Redis: which runs want to be looked at, shared out among workers.

The one rule: nothing here is truth. Redis may be flushed, restarted or away at any moment; what is lost is found again
from the database, and every command may be repeated without harm.

An **activation** is permission to look at a run. It carries no other meaning, so a duplicate costs a look and no more.

The protocol, in commands of Redis 6.2 (NS is the namespace):

    NS:activations   stream, one entry per activation: `run` = the run's id
                     add          whoever has committed an append after which the run has something to do: XADD
                     read         a worker with free slots: XREADGROUP ... `>`, which puts the entry on its pending list
                     keep_alive   the worker that holds it, before it counts as idle: XCLAIM ... JUSTID
                     acknowledge  the worker, once its claim is committed in the database: XACK and XDEL in one MULTI
                     reclaim      any worker, entries whose holder fell silent: XAUTOCLAIM, then XCLAIM, which counts
                                  the delivery
    workers          its one consumer group. A consumer is a worker process, named by its id; it appears with its first
                     read, and is deleted when it has long been silent and nothing is pending for it
    NS:dead          stream of the newest thousand or so activations that were given up: `run`, `deliveries`, `reason`

The group is created, at 0, by whoever finds it missing, and it is missing exactly when the stream was lost or never
was: that caller gets GroupLost, and has to make all ready work due again.

Errors (their text is one sentence for a person):

    StreamsError
    ├── StreamsUnavailable   Redis cannot be reached, refuses, or is too old; the next call tries again by itself
    └── GroupLost            the stream has been emptied; the group exists again
"""

import asyncio
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self, cast
from urllib.parse import urlsplit

from redis.asyncio import ConnectionPool
from redis.exceptions import AuthenticationError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError

from engine.core.errors import EngineError

MINIMUM_VERSION = (6, 2)

_GROUP = "workers"
_DEAD_LETTERS_KEPT = 1000
# For connecting and answering together: callers are promised an error within 2 s.
_TIMEOUT_S = 1.5

# The driver types its keyword arguments only in part.
_Pool: Any = ConnectionPool

_Command = tuple[str | int, ...]
_Reply = Any
_Call = tuple[tuple[_Command, ...], asyncio.Future[list[_Reply]]]


class StreamsError(EngineError):
    """Root of what this module raises."""


class StreamsUnavailable(StreamsError):
    """Redis did not do what was asked. Whether a command took effect is unknown; asking again is harmless."""

    def __init__(self, place: str, problem: str) -> None:
        self.place, self.problem = place, problem
        super().__init__(f"Redis at {place} {problem}.")


class GroupLost(StreamsError):
    """Redis has lost the activations. The group is there again; the caller makes all ready work due now."""

    def __init__(self) -> None:
        super().__init__("Redis was emptied and its activations were lost: all ready work must be made due again.")


@dataclass(frozen=True, slots=True)
class Activation:
    """Permission to look at `run`. `id` is the stream's; `deliveries` counts how often it was handed to a worker."""

    id: str
    run: str
    deliveries: int = 1


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An activation that was given up for `reason` after `deliveries`, `at` epoch ms by the clock of Redis."""

    id: str
    run: str
    deliveries: int
    reason: str
    at: int


@dataclass(frozen=True, slots=True)
class Depth:
    """How many activations exist, how many of these workers hold, and how many dead letters are kept."""

    activations: int
    pending: int
    dead: int


class Streams:
    """The activations of one namespace. One object serves a whole process; all methods may be called concurrently.

    Calls made at the same time share a round trip. A round trip that is not done within 2 s (`read`: plus its block)
    raises StreamsUnavailable; when the server is back, the next call works, with nothing to restart.
    """

    def __init__(self, url: str, namespace: str) -> None:
        """Without contact to the server; `open` is the way to get one that was seen to work."""
        self._server = _Server(url)
        self._commands = _SharedConnection(self._server)
        self._readers: dict[str, _Connection] = {}
        self._stream = f"{namespace}:activations"
        self._dead = f"{namespace}:dead"

    @classmethod
    async def open(cls, url: str, namespace: str = "vb") -> Self:
        """Connect to `redis://`, `rediss://` or `unix:///path.sock`. Raises StreamsUnavailable, also for a bad URL."""
        streams = cls(url, namespace)
        try:
            await streams._check_version()
        except BaseException:
            await streams.close()
            raise
        return streams

    async def close(self) -> None:
        """Disconnect. What was being asked fails with StreamsUnavailable; what was read stays pending."""
        self._server.closed = True
        await self._commands.close()
        for reader in self._readers.values():
            await reader.disconnect()

    async def add(self, runs: Iterable[str]) -> None:
        """Put one activation for each run at the end of the stream, in order."""
        await self._ask(*(("XADD", self._stream, "*", "run", run) for run in runs))

    async def read(self, consumer: str, count: int, block_ms: int) -> list[Activation]:
        """Give the consumer at most `count` new activations; wait `block_ms` for the first, then return none.

        The wait may be cancelled: what is delivered meanwhile is left to `reclaim`. Concurrent reads of one consumer
        take turns. Raises GroupLost.
        """
        reader = self._readers.get(consumer) or self._readers.setdefault(consumer, _Connection(self._server))
        # To Redis, BLOCK 0 means for ever.
        block = ("BLOCK", block_ms) if block_ms > 0 else ()
        command = ("XREADGROUP", "GROUP", _GROUP, consumer, "COUNT", count, *block, "STREAMS", self._stream, ">")
        [reply] = await self._checked(await reader.exchange([command], _TIMEOUT_S + max(block_ms, 0) / 1000))
        return _activations(reply[0][1]) if reply else []

    async def acknowledge(self, activations: Iterable[Activation]) -> None:
        """Remove the activations for good: their work is in other hands, or done. Unknown ones are passed over."""
        ids = [activation.id for activation in activations]
        if ids:
            await self._ask(*self._removal(ids))

    async def keep_alive(self, consumer: str, activations: Iterable[Activation]) -> None:
        """Say that the consumer still has the activations, so that they do not become idle. Raises GroupLost."""
        ids = [activation.id for activation in activations]
        if ids:
            await self._ask(("XCLAIM", self._stream, _GROUP, consumer, 0, *ids, "JUSTID"))

    async def reclaim(self, consumer: str, min_idle_ms: int, count: int) -> list[Activation]:
        """Give the consumer at most `count` activations whose holders were silent for `min_idle_ms`. Raises GroupLost.

        Their `deliveries` count this one. Entries that somebody deleted while they were pending are forgotten.
        """
        cursor = "0-0"
        while True:
            [reply] = await self._ask(
                ("XAUTOCLAIM", self._stream, _GROUP, consumer, min_idle_ms, cursor, "COUNT", count, "JUSTID")
            )
            # One call looks at a part of the pending list only. Redis 7 adds a third element, of deleted entries.
            cursor, ids = _text(reply[0]), [_text(each) for each in reply[1]]
            if ids and (taken := await self._deliver_again(consumer, ids)):
                return taken
            if cursor == "0-0":
                return []

    async def dead_letter(self, activation: Activation, reason: str) -> None:
        """Give the activation up: keep it among the dead letters, and acknowledge it, in one step."""
        letter = ("run", activation.run, "deliveries", activation.deliveries, "reason", reason)
        add = ("XADD", self._dead, "MAXLEN", "~", _DEAD_LETTERS_KEPT, "*", *letter)
        begin, *removal = self._removal([activation.id])
        await self._ask(begin, add, *removal)

    async def dead_letters(self, limit: int) -> list[DeadLetter]:
        """The latest dead letters, newest first."""
        [reply] = await self._ask(("XREVRANGE", self._dead, "+", "-", "COUNT", limit))
        return [_dead_letter(entry) for entry in reply]

    async def forget_idle_consumers(self, idle_ms: int) -> list[str]:
        """Delete the consumers that were silent for `idle_ms` and hold nothing; their names. Raises GroupLost.

        A consumer that reads again in that very moment could lose what it got to the database's sweep, so `idle_ms`
        should be many times the longest wait of a `read`.
        """
        [reply] = await self._ask(("XINFO", "CONSUMERS", self._stream, _GROUP))
        consumers = [_fields(each) for each in reply]
        gone = [each["name"] for each in consumers if int(each["pending"]) == 0 and int(each["idle"]) >= idle_ms]
        await self._ask(*(("XGROUP", "DELCONSUMER", self._stream, _GROUP, name) for name in gone))
        return gone

    async def depth(self) -> Depth:
        """The figures for a status, taken together."""
        length, pending, dead = await self._commands.call(
            ("XLEN", self._stream), ("XPENDING", self._stream, _GROUP), ("XLEN", self._dead)
        )
        # Nothing is pending where there is no group; a status changes nothing, so it is left to a reader to find out.
        held = [0] if _is_group_lost(pending) else pending
        await self._checked([length, held, dead])
        return Depth(activations=length, pending=held[0], dead=dead)

    async def _ask(self, *commands: _Command) -> list[_Reply]:
        return await self._checked(await self._commands.call(*commands)) if commands else []

    async def _checked(self, replies: list[_Reply]) -> list[_Reply]:
        """The replies, if none is an error, nor in a transaction's list. Mends the group, and raises GroupLost."""
        for refusal in _refusals(replies):
            if not _is_group_lost(refusal):
                raise self._server.unavailable(f"refuses a command ({refusal})")
            [reply] = await self._commands.call(("XGROUP", "CREATE", self._stream, _GROUP, "0", "MKSTREAM"))
            # Another one may have been quicker, and is told as well; to make work due twice costs nothing.
            if isinstance(reply, ResponseError) and not str(reply).startswith("BUSYGROUP"):
                raise self._server.unavailable(f"refuses a command ({reply})")
            raise GroupLost
        return replies

    async def _check_version(self) -> None:
        [reply] = await self._commands.call(("INFO", "server"))
        # An account may be barred from INFO and still do all that we need.
        said = "" if isinstance(reply, ResponseError) else _text(reply)
        found = re.search(r"redis_version:(\d+)\.(\d+)", said)
        if found and (int(found[1]), int(found[2])) < MINIMUM_VERSION:
            wanted = ".".join(map(str, MINIMUM_VERSION))
            raise self._server.unavailable(f"is version {found[1]}.{found[2]}; {wanted} or newer is needed")

    def _removal(self, ids: Sequence[str]) -> list[_Command]:
        return [("MULTI",), ("XACK", self._stream, _GROUP, *ids), ("XDEL", self._stream, *ids), ("EXEC",)]

    async def _deliver_again(self, consumer: str, ids: Sequence[str]) -> list[Activation]:
        """Count a delivery of what is the consumer's already, and return it; remove what has no content."""
        claimed, *pending = await self._ask(
            ("XCLAIM", self._stream, _GROUP, consumer, 0, *ids),
            *(("XPENDING", self._stream, _GROUP, each, each, 1) for each in ids),
        )
        deliveries = {_text(entry[0]): int(entry[3]) for entries in pending for entry in entries}
        # Redis 6.2 has nil in place of a deleted entry, and keeps it pending for ever.
        found = _activations(entry for entry in claimed if entry)
        empty = set(ids) - {activation.id for activation in found}
        if empty:
            await self._ask(*self._removal(sorted(empty)))
        return [Activation(each.id, each.run, deliveries.get(each.id, 1)) for each in found]


class _Server:
    """Where Redis is, how to connect to it, and how to speak of it without its password."""

    def __init__(self, url: str) -> None:
        self.closed = False
        try:
            parts = urlsplit(url)
            port = f":{parts.port}" if parts.port else ""
            self.place = parts.path if parts.scheme == "unix" else f"{parts.hostname or 'localhost'}{port}"
            # Protocol 2, whose replies are the same on all versions; time limits and retries are ours.
            self._pool = _Pool.from_url(url, protocol=2, socket_timeout=None, driver_info=None)
            self.connection()
        except (TypeError, ValueError) as error:
            raise StreamsUnavailable(
                "the given URL", "cannot be used: write it as redis://host:6379 or unix:///path/redis.sock"
            ) from error

    def connection(self) -> Any:
        """A new connection of the driver, not yet connected."""
        return self._pool.make_connection()

    def unavailable(self, problem: str) -> StreamsUnavailable:
        return StreamsUnavailable(self.place, problem)


class _Connection:
    """One connection, made when needed and made again after a loss; exchanges take turns."""

    def __init__(self, server: _Server) -> None:
        self._server = server
        self._driver = server.connection()
        self._turn = asyncio.Lock()

    async def exchange(self, commands: Sequence[_Command], timeout_s: float) -> list[_Reply]:
        """Send the commands together; one reply each, errors of single commands among them as ResponseError.

        Raises StreamsUnavailable. An exchange that is cut short, by whatever, costs the connection, as the next one
        would read its replies: the driver sees to that, which hangs up when it is interrupted.
        """
        async with self._turn:
            if self._server.closed:
                raise self._server.unavailable("is not used any more: the stream was closed")
            try:
                async with asyncio.timeout(timeout_s):
                    return await self._exchange(commands)
            except (RedisError, OSError, TimeoutError) as error:
                raise self._server.unavailable(_problem(error)) from error

    async def disconnect(self) -> None:
        await self._driver.disconnect(nowait=True)

    async def _exchange(self, commands: Sequence[_Command]) -> list[_Reply]:
        if self._driver.is_connected:
            try:
                return await self._send(commands)
            except (RedisConnectionError, OSError):
                # The server may have restarted since the last exchange, or hung up on an idle connection.
                if self._server.closed:
                    raise
        return await self._send(commands)

    async def _send(self, commands: Sequence[_Command]) -> list[_Reply]:
        await self._driver.send_packed_command(self._driver.pack_commands(commands))
        return [await self._reply() for _ in commands]

    async def _reply(self) -> _Reply:
        try:
            return await self._driver.read_response()
        except ResponseError as refusal:
            return refusal


class _SharedConnection:
    """A connection on which the calls that come while an exchange is under way go together in the next one."""

    def __init__(self, server: _Server) -> None:
        self._server = server
        self._connection = _Connection(server)
        self._waiting: list[_Call] = []
        self._under_way: list[_Call] = []
        self._sender: asyncio.Task[None] | None = None

    async def call(self, *commands: _Command) -> list[_Reply]:
        """The replies to the commands, which follow one another on the server. A cancelled call may still be done."""
        answer: asyncio.Future[list[_Reply]] = asyncio.get_running_loop().create_future()
        self._waiting.append((commands, answer))
        if self._sender is None:
            self._sender = asyncio.create_task(self._send_waiting())
        return await answer

    async def close(self) -> None:
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.wait([self._sender])
            self._sender = None
        self._fail(self._server.unavailable("was left: the stream was closed"))
        await self._connection.disconnect()

    async def _send_waiting(self) -> None:
        try:
            while self._waiting:
                self._under_way, self._waiting = self._waiting, []
                await self._send(self._under_way)
        except StreamsUnavailable as error:
            # Those that came meanwhile would meet the same, only later than they were promised an answer.
            self._fail(error)
        finally:
            self._sender = None

    async def _send(self, batch: list[_Call]) -> None:
        together = [command for commands, _ in batch for command in commands]
        replies = iter(await self._connection.exchange(together, _TIMEOUT_S))
        for commands, answer in batch:
            own = [next(replies) for _ in commands]
            if not answer.done():
                answer.set_result(own)

    def _fail(self, error: StreamsUnavailable) -> None:
        for _, answer in (*self._under_way, *self._waiting):
            if not answer.done():
                answer.set_exception(StreamsUnavailable(error.place, error.problem))
        self._under_way, self._waiting = [], []


def _problem(error: Exception) -> str:
    """What went wrong with a connection, in words that fit after "Redis at PLACE", without the driver's own."""
    if isinstance(error, TimeoutError):
        return "does not answer; check that it runs and is not overloaded"
    if isinstance(error, AuthenticationError):
        return "refuses the user or password in its URL"
    cause = error.__cause__ or error.__context__ or error
    number = cause.errno if isinstance(cause, OSError) else None
    # Negative numbers are those of name resolution.
    words = os.strerror(number) if number and number > 0 else "unknown host" if number else "no connection"
    return f"cannot be reached ({words.lower()}); check that it runs and that its URL is right"


def _refusals(replies: list[_Reply]) -> Iterator[ResponseError]:
    for reply in replies:
        parts = cast("list[_Reply]", reply) if isinstance(reply, list) else [reply]
        yield from (part for part in parts if isinstance(part, ResponseError))


def _is_group_lost(reply: _Reply) -> bool:
    # XINFO has words of its own for it, and so has Redis 7 for a read that was waiting.
    return isinstance(reply, ResponseError) and str(reply).startswith(("NOGROUP", "UNBLOCKED", "no such key"))


def _activations(entries: Iterable[_Reply]) -> list[Activation]:
    """Entries as Redis returns them; one that has no run (nobody of us writes such) is left out."""
    found = ((_text(entry[0]), _fields(entry[1])) for entry in entries)
    return [Activation(entry_id, fields["run"]) for entry_id, fields in found if "run" in fields]


def _dead_letter(entry: _Reply) -> DeadLetter:
    entry_id, fields = _text(entry[0]), _fields(entry[1])
    at = int(entry_id.split("-")[0])
    return DeadLetter(entry_id, fields["run"], int(fields["deliveries"]), fields["reason"], at)


def _fields(flat: Sequence[_Reply]) -> dict[str, str]:
    return {_text(name): _text(value) for name, value in zip(flat[::2], flat[1::2], strict=True)}


def _text(raw: bytes | int) -> str:
    return raw.decode() if isinstance(raw, bytes) else str(raw)
