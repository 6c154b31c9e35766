"""A batch of rows as one parameter: JSON in, a table in SQL out, on both databases.

The one rule: a batch is exactly one parameter of its statement, so that the statement is written once, compiled once,
and costs one round trip (and one release of the interpreter's lock) whatever the size of the batch.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    FromClause,
    Text,
    bindparam,
    cast,
    column,
    func,
    literal_column,
    select,
)
from sqlalchemy.engine import Dialect, result_tuple
from sqlalchemy.sql.expression import ClauseElement
from sqlalchemy.types import TypeEngine

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode

Row = Mapping[str, str | int | None]


def batch_rows(dialect: Dialect, columns: Mapping[str, TypeEngine[Any]], parameter_name: str = "rows") -> FromClause:
    """The table that the parameter (a JSON array of objects with these keys) stands for."""
    parameter = bindparam(parameter_name, type_=Text)
    if dialect.name == "sqlite":
        value = func.json_each(parameter).table_valued("value", name="item").c.value
        fields: list[ColumnElement[Any]] = [
            func.json_extract(value, literal_column(f"'$.{name}'"), type_=kind).label(name)
            for name, kind in columns.items()
        ]
        return select(*fields).subquery("batch")
    typed = [column(name, kind) for name, kind in columns.items()]
    return func.json_to_recordset(cast(parameter, JSON)).table_valued(*typed).render_derived("batch", with_types=True)


class CombinedStatement:
    """A statement over several batches, each a parameter of its own, compiled when it is made. PostgreSQL alone."""

    def __init__(self, dialect: Dialect, clause: ClauseElement) -> None:
        compiled: Any = clause.compile(dialect=dialect)
        self._sql = str(compiled)
        self._parameters: Sequence[str] = list(dict.fromkeys(compiled.positiontup))

    def execute(self, connection: Connection, batches: Mapping[str, Sequence[Row]]) -> Sequence[Any]:
        """Run it for the batches of these names, which are those of its parameters; what it returns."""
        rows = tuple(_encode(batches[name]) for name in self._parameters)
        return connection.exec_driver_sql(self._sql, rows).all()


class BatchStatement:
    """A statement over `batch_rows`, compiled for one dialect when it is made."""

    def __init__(self, dialect: Dialect, clause: ClauseElement) -> None:
        compiled = clause.compile(dialect=dialect)
        names = list(compiled.params or {})
        if names != ["rows"]:
            raise ValueError(f"a batch statement has the one parameter `rows`, not {names}")
        self._sql = str(compiled)
        self._execute = self._past_sqlalchemy if dialect.name == "sqlite" else self._by_sqlalchemy
        self._named: Callable[[Iterable[Any]], Any] | None = None

    def execute(self, connection: Connection, rows: Sequence[Row]) -> Sequence[Any]:
        """Run it for these rows, of which there must be one at least; what it returns, by the names of its columns."""
        return self._execute(connection, _encode(rows))

    def _by_sqlalchemy(self, connection: Connection, rows: str) -> Sequence[Any]:
        result = connection.exec_driver_sql(self._sql, (rows,))
        return result.all() if result.returns_rows else ()

    def _past_sqlalchemy(self, connection: Connection, rows: str) -> Sequence[Any]:
        """SQLite runs a statement over one row in less time than SQLAlchemy needs to look after it."""
        raw: Any = connection.connection.dbapi_connection
        cursor = raw.execute(self._sql, (rows,))
        found = cursor.fetchall()
        if not found:
            return ()
        if self._named is None:
            self._named = result_tuple([column[0] for column in cursor.description])
        return [self._named(each) for each in found]
