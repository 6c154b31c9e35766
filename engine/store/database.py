"""What the store needs from a database: run one plain function inside one transaction.

The one rule: a transaction is one function on a synchronous SQLAlchemy `Connection`. It may be run again after a
failure, so it must depend on nothing but its arguments and the database.

What can fail inside, and what it means (these never leave engine.store; callers see the StoreErrors):

    Busy          the transaction was rolled back for another's sake (lock, deadlock, serialization): run it again
    Unreachable   there was no connection, so nothing happened
    Lost          the connection broke under the transaction: it may or may not have been committed
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import ClassVar, Concatenate, Final, ParamSpec, TypeVar

from sqlalchemy import URL, Connection
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError

from engine.store.errors import StoreError, StoreUnavailable

P = ParamSpec("P")
T = TypeVar("T")
Transaction = Callable[Concatenate[Connection, P], T]

# Waits in seconds before each further try; together a little more than a server's restart takes.
RETRY_DELAYS: Final = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 1.6)


class Busy(Exception):
    """Rolled back for another's sake."""


class Unreachable(Exception):
    """There was no connection; nothing happened."""


class Lost(Exception):
    """The connection broke under the transaction."""


class Database(ABC):
    """One database with its connections.

    `name` is its URL without the password, for messages; `commits` counts the writing transactions of this process.
    """

    # What a person can do when it cannot be reached; ends a sentence.
    remedy: ClassVar[str]

    def __init__(self, url: URL, dialect: Dialect) -> None:
        self.name = url.render_as_string(hide_password=True)
        self.dialect = dialect
        self.commits = 0

    @abstractmethod
    async def write_once(self, transaction: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run it in one writing transaction and commit: once committed it is on disk. Busy, Unreachable or Lost.

        A cancelled caller leaves the transaction running to its end. What the function raises itself rolls back.
        """

    @abstractmethod
    async def read_once(self, query: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run it on a connection for reading, where each statement sees what was committed before it."""

    @abstractmethod
    async def snapshot_once(self, query: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Like `read_once`, but all statements see the same state."""

    @abstractmethod
    async def close(self) -> None:
        """Wait for what is under way and give all connections back. Nothing may be called afterwards."""

    async def write(self, transaction: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`write_once`, tried again as often as it makes sense; so the function must be harmless when run twice."""
        return await self._patiently(lambda: self.write_once(transaction, *args, **kwargs))

    async def read(self, query: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`read_once`, tried again as often as it makes sense."""
        return await self._patiently(lambda: self.read_once(query, *args, **kwargs))

    async def snapshot(self, query: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`snapshot_once`, tried again as often as it makes sense."""
        return await self._patiently(lambda: self.snapshot_once(query, *args, **kwargs))

    def unavailable(self, fault: Exception) -> StoreUnavailable:
        """The error for callers after the last try has ended in this fault."""
        if isinstance(fault, Busy):
            return StoreUnavailable(f"the database {self.name} is too busy ({fault}): try again in a moment")
        return StoreUnavailable(f"the database {self.name} cannot be reached ({fault}): {self.remedy}")

    def rejected(self, error: Exception) -> StoreError:
        """The error for a statement that will never succeed here."""
        words = " ".join(str(error.orig if isinstance(error, DBAPIError) else error).split())
        return StoreError(
            f"the database {self.name} rejected a statement ({words}): are its tables those of this release?"
        )

    @abstractmethod
    def connections_in_use(self) -> int:
        """How many connections are inside a transaction or a query."""

    async def _patiently(self, once: Callable[[], Awaitable[T]]) -> T:
        for delay in RETRY_DELAYS:
            with suppress(Busy, Unreachable, Lost):
                return await once()
            await asyncio.sleep(delay)
        try:
            return await once()
        except (Busy, Unreachable, Lost) as fault:
            raise self.unavailable(fault) from fault
