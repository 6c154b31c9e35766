"""Connections to Redis: made when needed and made again after a loss, with our own errors and time limits.

The one rule: whatever goes wrong with a connection leaves this module as StreamsUnavailable, in words for a person and
without the password.
"""

import asyncio
import os
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from redis.asyncio import ConnectionPool
from redis.exceptions import AuthenticationError, ReadOnlyError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError

from engine.streams.contract import StreamsUnavailable

# For connecting and answering together: callers are promised an error within 2 s.
TIMEOUT_S: Final = 1.5

# The driver types its keyword arguments only in part.
_Pool: Any = ConnectionPool

Command = tuple[str | int, ...]
Reply = Any
_Call = tuple[tuple[Command, ...], asyncio.Future[list[Reply]]]


class Server:
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


class Connection:
    """One connection, made when needed and made again after a loss; exchanges take turns."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._driver = server.connection()
        self._turn = asyncio.Lock()

    async def exchange(self, commands: Sequence[Command], timeout_s: float) -> list[Reply]:
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

    async def _exchange(self, commands: Sequence[Command]) -> list[Reply]:
        if self._driver.is_connected:
            try:
                return await self._send(commands)
            except (RedisConnectionError, OSError):
                # The server may have restarted since the last exchange, or hung up on an idle connection.
                if self._server.closed:
                    raise
        return await self._send(commands)

    async def _send(self, commands: Sequence[Command]) -> list[Reply]:
        await self._driver.send_packed_command(self._driver.pack_commands(commands))
        replies = [await self._reply() for _ in commands]
        if any(_is_of_a_replica(reply) for reply in replies):
            # After a failover the address leads to another server, but this connection stays with the old one.
            await self.disconnect()
        return replies

    async def _reply(self) -> Reply:
        try:
            return await self._driver.read_response()
        except ResponseError as refusal:
            return refusal


class SharedConnection:
    """A connection on which the calls that come while an exchange is under way go together in the next one."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._connection = Connection(server)
        self._waiting: list[_Call] = []
        self._under_way: list[_Call] = []
        self._sender: asyncio.Task[None] | None = None

    async def call(self, *commands: Command) -> list[Reply]:
        """The replies to the commands, which follow one another on the server. A cancelled call may still be done."""
        answer: asyncio.Future[list[Reply]] = asyncio.get_running_loop().create_future()
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
        replies = iter(await self._connection.exchange(together, TIMEOUT_S))
        for commands, answer in batch:
            own = [next(replies) for _ in commands]
            if not answer.done():
                answer.set_result(own)

    def _fail(self, error: StreamsUnavailable) -> None:
        for _, answer in (*self._under_way, *self._waiting):
            if not answer.done():
                answer.set_exception(StreamsUnavailable(error.place, error.problem))
        self._under_way, self._waiting = [], []


def _is_of_a_replica(reply: Reply) -> bool:
    # A script's error has the server's own in its words.
    return isinstance(reply, ResponseError) and (isinstance(reply, ReadOnlyError) or "READONLY" in str(reply))


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
