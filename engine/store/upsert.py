"""INSERT … ON CONFLICT, which both databases spell alike but SQLAlchemy offers once per dialect.

The one rule: this is the only place where a statement is chosen by the dialect's name for it.
"""

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect


def insert_into(dialect: Dialect, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An insert with `on_conflict_do_nothing`, `on_conflict_do_update` and `excluded`."""
    return sqlite.insert(table) if dialect.name == "sqlite" else postgresql.insert(table)
