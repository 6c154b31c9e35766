"""The database's clock as an SQL expression, in epoch milliseconds.

The one rule: leases and their guards read this clock and no other, so that processes need not agree on the time.
SQLite has no clock of its own: it reads the machine's, which all its users share.
"""

from typing import Any

from sqlalchemy import BigInteger
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction


class now_ms(GenericFunction[int]):
    """Now by the database's clock. On PostgreSQL the wall clock, which goes on inside a transaction."""

    type = BigInteger()
    inherit_cache = True


@compiles(now_ms, "sqlite")
def _sqlite(_element: now_ms, _compiler: SQLCompiler, **_options: Any) -> str:
    # Both calls see the same instant: SQLite fixes 'now' for the length of a statement's step.
    return "(CAST(strftime('%s', 'now') AS INTEGER) * 1000 + CAST(substr(strftime('%f', 'now'), 4) AS INTEGER))"


@compiles(now_ms, "postgresql")
def _postgresql(_element: now_ms, _compiler: SQLCompiler, **_options: Any) -> str:
    return "CAST(floor(extract(epoch FROM clock_timestamp()) * 1000) AS BIGINT)"
