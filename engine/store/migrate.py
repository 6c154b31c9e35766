"""Bringing the tables up to date, by Alembic, when a log is opened and by `vb migrate`.

The one rule: one transaction does all of it or nothing, and openers that come together wait for one another: by
SQLite's write lock, by an advisory lock on PostgreSQL.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, inspect, text

from engine.store.database import Database
from engine.store.errors import SchemaMismatch

if TYPE_CHECKING:
    from alembic.config import Config

# The newest script. Known here so that opening an up-to-date database need not import Alembic.
NEWEST: Final = "0010"

_SCRIPTS: Final = Path(__file__).parent / "migrations"
_ADVISORY_LOCK: Final = 0x76_62_6D_69_67  # "vbmig"


async def ensure_schema(database: Database, *, migrate: bool) -> None:
    """Make the tables those of this release, or raise SchemaMismatch."""
    found = await database.read(version)
    if found == NEWEST:
        return
    if not migrate and found is None:
        raise SchemaMismatch(f"the database {database.name} has no tables yet: run `vb migrate`")
    if not migrate and _is_known(found):
        raise SchemaMismatch(f"the database {database.name} has the tables of an older release: run `vb migrate`")
    if not _is_known(found):
        raise SchemaMismatch(
            f"the database {database.name} has tables of version {found}, which this release does not know: "
            "use the newer release that made them"
        )
    await database.write(upgrade)


def version(connection: Connection) -> str | None:
    """The version of the tables that are there, None if there are none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.scalar(text("SELECT version_num FROM alembic_version"))


def upgrade(connection: Connection) -> None:
    """Run the scripts that are missing, in the transaction of this connection."""
    from alembic import command

    if connection.dialect.name == "postgresql":
        for limit in ("statement_timeout", "idle_in_transaction_session_timeout"):
            connection.exec_driver_sql(f"SET LOCAL {limit} = 0")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
    if version(connection) == NEWEST:
        return
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    return config


def _is_known(found: str | None) -> bool:
    return found is None or any(script.name.startswith(f"{found}_") for script in (_SCRIPTS / "versions").iterdir())
