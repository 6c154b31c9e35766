"""The first tables.

Revision ID: 0001
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None

IDENTIFIER = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
CLUSTERED: dict[str, Any] = {"sqlite_with_rowid": False}
REWRITTEN: dict[str, Any] = {"postgresql_with": {"fillfactor": 70}, **CLUSTERED}


def upgrade() -> None:
    """Streams and their caches, then what is operational."""
    _streams()
    _operations()
    _consumers()


def downgrade() -> None:
    """Drop everything."""
    for table in (
        "deliveries", "cursors", "consumers", "definitions", "leases", "open_work", "workspaces", "runs", "events",
    ):  # fmt: skip
        op.drop_table(table)


def _streams() -> None:
    op.create_table(
        "events",
        sa.Column("stream", IDENTIFIER, primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        **CLUSTERED,
    )
    op.create_table(
        "runs",
        sa.Column("id", IDENTIFIER, primary_key=True),
        sa.Column("workspace", IDENTIFIER, nullable=False),
        sa.Column("workflow", sa.Text, nullable=False),
        sa.Column("definition", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("started_by", sa.Text, nullable=False),
        sa.Column("dedupe_key", sa.Text),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("last_seq", sa.Integer, nullable=False),
        sa.Column("head_hash", sa.Text, nullable=False),
        sa.Column("head_mac", sa.Text, nullable=False),
        sa.Column("anchored", sa.Boolean, nullable=False, server_default=sa.text("false")),
        sa.UniqueConstraint("workspace", "dedupe_key", name="uq_runs_workspace_dedupe_key"),
        **REWRITTEN,
    )
    op.create_index("ix_runs_workspace_id", "runs", ["workspace", "id"])
    _partial_index("ix_runs_unanchored", "runs", ["workspace", "id"], "NOT anchored")
    op.create_table(
        "workspaces",
        sa.Column("id", IDENTIFIER, primary_key=True),
        sa.Column("last_seq", sa.Integer, nullable=False),
        sa.Column("head_hash", sa.Text, nullable=False),
        sa.Column("head_mac", sa.Text, nullable=False),
        **REWRITTEN,
    )


def _operations() -> None:
    op.create_table(
        "open_work",
        sa.Column("run", IDENTIFIER, primary_key=True),
        sa.Column("due", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        **REWRITTEN,
    )
    op.create_index("ix_open_work_due", "open_work", ["due"])
    op.create_table(
        "leases",
        sa.Column("owner", IDENTIFIER, primary_key=True),
        sa.Column("until", sa.BigInteger, nullable=False),
        **REWRITTEN,
    )
    op.create_table(
        "definitions",
        sa.Column("hash", IDENTIFIER, primary_key=True),
        sa.Column("workspace", IDENTIFIER, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        **CLUSTERED,
    )


def _consumers() -> None:
    op.create_table("consumers", sa.Column("name", IDENTIFIER, primary_key=True), **CLUSTERED)
    op.create_table(
        "cursors",
        sa.Column("consumer", IDENTIFIER, primary_key=True),
        sa.Column("stream", IDENTIFIER, primary_key=True),
        sa.Column("seq", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("owner", IDENTIFIER),
        sa.Column("until", sa.BigInteger, nullable=False, server_default=sa.text("0")),
        sa.Column("done", sa.Boolean, nullable=False, server_default=sa.text("false")),
        **REWRITTEN,
    )
    _partial_index("ix_cursors_open", "cursors", ["consumer", "stream"], "NOT done")
    op.create_table(
        "deliveries",
        sa.Column("consumer", IDENTIFIER, primary_key=True),
        sa.Column("stream", IDENTIFIER, primary_key=True),
        sa.Column("key", IDENTIFIER, primary_key=True),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("intent", sa.Text, nullable=False),
        sa.Column("receipt", sa.Text),
        sa.Column("receipt_key", sa.Text),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("confirmed_at", sa.BigInteger),
        **CLUSTERED,
    )
    op.create_index("ix_deliveries_consumer_receipt_key", "deliveries", ["consumer", "receipt_key"])
    _partial_index("ix_deliveries_unconfirmed", "deliveries", ["consumer", "stream"], "confirmed_at IS NULL")


def _partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
