"""PostgreSQL by asyncpg, through SQLAlchemy.

The one rule: every call runs in a task of its own to its end, so that a cancelled caller never leaves a connection
in the middle of a transaction.

Time limits on the server keep a process that was stopped inside one from holding its locks.
"""

import asyncio
import os
import socket
from collections.abc import Callable, Coroutine
from typing import Any, Final

import asyncpg
from sqlalchemy import URL, Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from engine.store.database import Busy, Database, Full, Lost, P, T, Transaction, Unreachable

_CONNECTIONS: Final = 5
_CONNECT_TIMEOUT_S: Final = 5
# Limits on the server stay below a third of a worker's lease, so that whoever is stuck is evicted before it ends; but a
# lease below a second, as tests have it, must leave a busy disk time to sync.
_MOST_MS: Final = 4000
_LEAST_MS: Final = 250
# A peer that vanished without a word is given up after about this long, on either side.
_SILENCE_S: Final = 20
_KEEPALIVES: Final = {
    "tcp_keepalives_idle": str(_SILENCE_S // 2),
    "tcp_keepalives_interval": "3",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": str(_SILENCE_S * 1000),
}

# serialization_failure, deadlock_detected, lock_not_available, query_canceled
_ROLLED_BACK: Final = frozenset({"40001", "40P01", "55P03", "57014"})
# invalid_password, invalid_authorization_specification
_DENIED: Final = frozenset({"28P01", "28000"})
_NO_SUCH_DATABASE: Final = "3D000"
_DISK_FULL: Final = "53100"
# admin_shutdown, crash_shutdown, cannot_connect_now, idle_in_transaction_session_timeout
_BROKEN: Final = frozenset({"57P01", "57P02", "57P03", "25P03"})


class PostgresDatabase(Database):
    """A database of a PostgreSQL server."""

    remedy = "check its address and that its server is running"
    combines = True

    def __init__(self, url: URL, lease_ms: int) -> None:
        self._engine = _engine(url, max(_LEAST_MS, min(_MOST_MS, lease_ms * 3 // 10)))
        # Single statements need no BEGIN and COMMIT around them: each would be a round trip.
        self._single = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._snapshots = self._engine.execution_options(isolation_level="REPEATABLE READ")
        self._calls: set[asyncio.Task[Any]] = set()
        super().__init__(url, self._engine.dialect)

    async def write_once(self, transaction: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        written = await self._to_the_end(self._run(self._engine, transaction, *args, **kwargs))
        self.commits += 1
        return written

    async def write_statement_once(self, statement: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        written = await self._to_the_end(self._run(self._single, statement, *args, **kwargs))
        self.commits += 1
        return written

    async def read_once(self, query: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._to_the_end(self._run(self._single, query, *args, **kwargs))

    async def snapshot_once(self, query: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._to_the_end(self._run(self._snapshots, query, *args, **kwargs))

    async def close(self) -> None:
        while self._calls:
            await asyncio.wait(self._calls)
        await self._engine.dispose()

    async def _run(self, engine: AsyncEngine, transaction: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        connected = False
        try:
            async with engine.connect() as connection:
                connected = True
                return await connection.run_sync(_transact, transaction, *args, **kwargs)
        except DBAPIError as error:
            raise _fault(error, connected) or self.rejected(error) from error
        except PoolTimeout as error:
            raise Busy("all connections to it are in use") from error
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise (Lost(_words(error)) if connected else _unreachable(error)) from error

    def connections_in_use(self) -> int:
        pool = self._engine.pool
        return pool.checkedout() if isinstance(pool, AsyncAdaptedQueuePool) else 0

    async def _to_the_end(self, call: Coroutine[Any, Any, T]) -> T:
        task = asyncio.create_task(call)
        self._calls.add(task)
        task.add_done_callback(self._seen)
        return await asyncio.shield(task)

    def _seen(self, task: asyncio.Task[Any]) -> None:
        self._calls.discard(task)
        if not task.cancelled():
            # Retrieved here, so that the error of a call whose caller was cancelled is not reported as lost.
            task.exception()


def _engine(url: URL, limit_ms: int) -> AsyncEngine:
    names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
    limits = dict.fromkeys(names, str(limit_ms))
    # Only for a network that has gone silent; the server's own limits come first.
    command_timeout_s = 3 * limit_ms / 1000
    return create_async_engine(
        url.set(drivername="postgresql+asyncpg"),
        pool_size=_CONNECTIONS,
        pool_timeout=command_timeout_s,
        max_overflow=0,
        connect_args={
            "timeout": _CONNECT_TIMEOUT_S,
            "command_timeout": command_timeout_s,
            "server_settings": {"application_name": "vectorbea", **limits, **_KEEPALIVES},
        },
    )


def _transact(connection: Connection, transaction: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    with connection.begin():
        return transaction(connection, *args, **kwargs)


def _fault(error: DBAPIError, connected: bool) -> Exception | None:
    """What a driver's error means; None if no second try can mend it."""
    state = getattr(error.orig, "sqlstate", None) or ""
    if state in _ROLLED_BACK:
        return Busy("another transaction was in the way")
    if state == _DISK_FULL:
        return Full("no space left on its disk")
    if not connected:
        return _unreachable(error.orig)
    if error.connection_invalidated or state in _BROKEN or state.startswith("08"):
        return Lost(_words(error.orig))
    return None


def _unreachable(error: BaseException | None) -> Unreachable:
    state = getattr(error, "sqlstate", None) or getattr(getattr(error, "__cause__", None), "sqlstate", None)
    if state in _DENIED:
        return Unreachable(_words(error), "correct the user and password in its URL")
    if state == _NO_SUCH_DATABASE:
        return Unreachable(_words(error), "create it, or correct the name at the end of its URL")
    return Unreachable(_words(error))


def _words(error: BaseException | None) -> str:
    """The driver's words in one line. They name hosts, users and databases, never a password."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    cause = error.__cause__ if error is not None and error.__cause__ is not None else error
    if isinstance(cause, OSError) and cause.errno is not None:
        # A resolver's errors are numbered by themselves, and say what they mean; others say which call failed.
        known = cause.strerror if isinstance(cause, socket.gaierror) else os.strerror(cause.errno)
        return (known or "no connection").lower()
    return " ".join(str(cause).split()) or type(cause).__name__
