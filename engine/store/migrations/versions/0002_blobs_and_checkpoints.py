"""Blobs, checkpoints, the keys of sealed runs, and what is left of runs that were pruned.

Revision ID: 0002
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None

IDENTIFIER = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
CLUSTERED: dict[str, Any] = {"sqlite_with_rowid": False}


def upgrade() -> None:
    """Make the tables, and room in `runs` for the key that seals a run."""
    _blobs()
    _checkpoints()
    _keys()
    _pruned()


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_deliveries_stream", "deliveries")
    op.drop_index("ix_cursors_stream", "cursors")
    op.drop_index("ix_runs_ended", "runs")
    op.drop_index("ix_runs_data_key", "runs")
    op.drop_column("runs", "data_key")
    for table in ("pruned", "data_keys", "checkpoints", "blob_refs", "blobs"):
        op.drop_table(table)


def _blobs() -> None:
    op.create_table(
        "blobs",
        sa.Column("hash", IDENTIFIER, primary_key=True),
        sa.Column("data_key", IDENTIFIER, primary_key=True, server_default=sa.text("''")),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_table(
        "blob_refs",
        sa.Column("stream", IDENTIFIER, primary_key=True),
        sa.Column("hash", IDENTIFIER, primary_key=True),
        sa.Column("data_key", IDENTIFIER, nullable=False, server_default=sa.text("''")),
        **CLUSTERED,
    )
    op.create_index("ix_blob_refs_hash", "blob_refs", ["hash"])


def _checkpoints() -> None:
    op.create_table(
        "checkpoints",
        sa.Column("stream", IDENTIFIER, primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("mac", sa.Text, nullable=False),
    )


def _keys() -> None:
    op.create_table(
        "data_keys",
        sa.Column("id", IDENTIFIER, primary_key=True),
        sa.Column("subject", IDENTIFIER),
        sa.Column("master", sa.Text),
        sa.Column("wrapped", sa.Text),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("erased_at", sa.BigInteger),
        sa.UniqueConstraint("subject", name="uq_data_keys_subject"),
        **CLUSTERED,
    )
    op.add_column("runs", sa.Column("data_key", IDENTIFIER))
    _partial_index("ix_runs_data_key", "runs", ["data_key"], "data_key IS NOT NULL")


def _pruned() -> None:
    op.create_table(
        "pruned",
        sa.Column("run", IDENTIFIER, primary_key=True),
        sa.Column("workspace", IDENTIFIER, nullable=False),
        sa.Column("workflow", sa.Text, nullable=False),
        sa.Column("ended_at", sa.BigInteger, nullable=False),
        sa.Column("pruned_at", sa.BigInteger, nullable=False),
        sa.Column("last_seq", sa.Integer, nullable=False),
        sa.Column("head_hash", sa.Text, nullable=False),
        sa.Column("mac", sa.Text, nullable=False),
        **CLUSTERED,
    )
    _partial_index("ix_runs_ended", "runs", ["workspace", "ended_at"], "ended_at IS NOT NULL")
    op.create_index("ix_cursors_stream", "cursors", ["stream"])
    op.create_index("ix_deliveries_stream", "deliveries", ["stream"])


def _partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
