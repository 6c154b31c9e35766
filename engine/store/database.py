"""What the store needs from a database: run one plain function inside one transaction.

The one rule: a transaction is one function on a synchronous SQLAlchemy `Connection`. It may be run again after a
failure, so it must depend on nothing but its arguments and the database.

What can fail inside, and what it means (these never leave engine.store; callers see the StoreErrors):

    Busy          the transaction was rolled back for another's sake (lock, deadlock, serialization): run it again
    Unreachable   there was no connection, so nothing happened
    Lost          the connection broke under the transaction: it may or may not have been committed
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import ClassVar, Concatenate, Final, ParamSpec, TypeVar

from sqlalchemy import URL, Connection
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError

from engine.store.errors import StoreError, StoreUnavailable

P = ParamSpec("P")
T = TypeVar("T")
Transaction = Callable[Concatenate[Connection, P], T]

log = logging.getLogger(__name__)

# Waits in seconds before each further try; the last goes on as long as patience lasts.
_DELAYS: Final = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.0)
# More than a server's restart takes, with the recovery after a crash.
PATIENCE_S: Final = 20.0
# What is over sooner is told nobody.
_TOLD_AFTER_S: Final = 1.0


class Busy(Exception):
    """Rolled back for another's sake."""


class Unreachable(Exception):
    """There was no connection; nothing happened. `remedy`: what a person can do, where more is known than usual."""

    def __init__(self, why: str, remedy: str | None = None) -> None:
        super().__init__(why)
        self.remedy = remedy


class Full(Unreachable):
    """There is no room on its disk; nothing happened."""


class Lost(Exception):
    """The connection broke under the transaction."""


class Database(ABC):
    """One database with its connections.

    `name` is its URL without the password, for messages; `commits` counts the writing transactions of this process.
    `trouble` says, in a sentence for a person, why it is waited for; None while it works. A call waits `patience_s`.
    """

    # What a person can do when it cannot be reached; ends a sentence.
    remedy: ClassVar[str]
    # Whether one statement can write several tables.
    combines: ClassVar[bool] = False

    def __init__(self, url: URL, dialect: Dialect) -> None:
        self.name = url.render_as_string(hide_password=True)
        self.dialect = dialect
        self.commits = 0
        self.patience_s = PATIENCE_S
        self.trouble: str | None = None
        self._told = False

    @abstractmethod
    async def write_once(self, transaction: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run it in one writing transaction and commit: once committed it is on disk. Busy, Unreachable or Lost.

        A cancelled caller leaves the transaction running to its end. What the function raises itself rolls back.
        """

    async def write_statement_once(self, statement: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`write_once` for a function of exactly one statement, which is a transaction by itself where it can be."""
        return await self.write_once(statement, *args, **kwargs)

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
        return await self.patiently(lambda: self.write_once(transaction, *args, **kwargs))

    async def write_promptly(self, transaction: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`write_once`, and StoreUnavailable at once if that does not work."""
        try:
            return await self.write_once(transaction, *args, **kwargs)
        except (Busy, Unreachable, Lost) as fault:
            raise self.unavailable(fault) from fault

    async def read(self, query: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`read_once`, tried again as often as it makes sense."""
        return await self.patiently(lambda: self.read_once(query, *args, **kwargs))

    async def snapshot(self, query: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`snapshot_once`, tried again as often as it makes sense."""
        return await self.patiently(lambda: self.snapshot_once(query, *args, **kwargs))

    def unavailable(self, fault: Exception) -> StoreUnavailable:
        """The error for callers after the last try has ended in this fault."""
        if isinstance(fault, Busy):
            return StoreUnavailable(f"the database {self.name} is too busy ({fault}): try again in a moment")
        if isinstance(fault, Full):
            return StoreUnavailable(f"the database {self.name} cannot grow ({fault}): make room on its disk")
        remedy = (fault.remedy if isinstance(fault, Unreachable) else None) or self.remedy
        return StoreUnavailable(f"the database {self.name} cannot be reached ({fault}): {remedy}")

    def rejected(self, error: Exception) -> StoreError:
        """The error for a statement that will never succeed here."""
        words = " ".join(str(error.orig if isinstance(error, DBAPIError) else error).split())
        return StoreError(
            f"the database {self.name} rejected a statement ({words}): are its tables those of this release?"
        )

    @abstractmethod
    def connections_in_use(self) -> int:
        """How many connections are inside a transaction or a query."""

    async def patiently(self, once: Callable[[], Awaitable[T]]) -> T:
        """Try until it works or the patience is over: then StoreUnavailable. A fault that lasts is logged once."""
        clock = asyncio.get_running_loop().time
        began = clock()
        delays = iter(_DELAYS)
        while True:
            try:
                done = await once()
            except (Busy, Unreachable, Lost) as fault:
                waited, delay = clock() - began, next(delays, _DELAYS[-1])
                self._note(fault, waited)
                if waited + delay > self.patience_s:
                    raise self.unavailable(fault) from fault
                await asyncio.sleep(delay)
            else:
                self._note_success()
                return done

    def _note(self, fault: Exception, waited: float) -> None:
        if isinstance(fault, Busy):
            return
        self.trouble = str(self.unavailable(fault))
        if waited >= _TOLD_AFTER_S and not self._told:
            self._told = True
            log.warning("%s. What is to be recorded waits, and goes on by itself.", _sentence(self.trouble))

    def _note_success(self) -> None:
        if self._told:
            log.info("The database %s is back.", self.name)
        self.trouble, self._told = None, False


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
