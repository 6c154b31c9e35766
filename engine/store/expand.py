"""A batch of rows as one parameter: JSON in, a table in SQL out, on both databases.

The one rule: a statement over a batch takes exactly one parameter, `rows`, so that it is written once, compiled once,
and costs one round trip (and one release of the interpreter's lock) whatever the size of the batch.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    CursorResult,
    FromClause,
    Text,
    bindparam,
    cast,
    column,
    func,
    literal_column,
    select,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.expression import ClauseElement
from sqlalchemy.types import TypeEngine

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode

Row = Mapping[str, str | int | None]


def batch_rows(dialect: Dialect, columns: Mapping[str, TypeEngine[Any]]) -> FromClause:
    """The table that the parameter `rows` (a JSON array of objects with these keys) stands for."""
    parameter = bindparam("rows", type_=Text)
    if dialect.name == "sqlite":
        value = func.json_each(parameter).table_valued("value", name="item").c.value
        fields: list[ColumnElement[Any]] = [
            func.json_extract(value, literal_column(f"'$.{name}'"), type_=kind).label(name)
            for name, kind in columns.items()
        ]
        return select(*fields).subquery("batch")
    typed = [column(name, kind) for name, kind in columns.items()]
    return func.json_to_recordset(cast(parameter, JSON)).table_valued(*typed).render_derived("batch", with_types=True)


class BatchStatement:
    """A statement over `batch_rows`, compiled for one dialect when it is made."""

    def __init__(self, dialect: Dialect, clause: ClauseElement) -> None:
        compiled = clause.compile(dialect=dialect)
        names = list(compiled.params or {})
        if names != ["rows"]:
            raise ValueError(f"a batch statement has the one parameter `rows`, not {names}")
        self._sql = str(compiled)

    def execute(self, connection: Connection, rows: Sequence[Row]) -> CursorResult[*tuple[Any, ...]]:
        """Run it for these rows, of which there must be one at least."""
        return connection.exec_driver_sql(self._sql, (_encode(rows),))
