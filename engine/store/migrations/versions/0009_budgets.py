"""Budgets, what each has come to, and the ledger that says how.

Revision ID: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision: str | None = "0008"
branch_labels: str | None = None
depends_on: str | None = None

IDENTIFIER = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "budgets",
        sa.Column("budget", IDENTIFIER, primary_key=True),
        sa.Column("cap", sa.BigInteger),
        sa.Column("alert_at", sa.Text, nullable=False, server_default=sa.text("'[]'")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "ledger",
        sa.Column("budget", IDENTIFIER, primary_key=True),
        sa.Column("period", IDENTIFIER, primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("spent", sa.BigInteger, nullable=False),
        sa.Column("reserved", sa.BigInteger, nullable=False),
        sa.Column("cap", sa.BigInteger),
        sa.Column("run", IDENTIFIER, nullable=False),
        sa.Column("step", sa.Text, nullable=False),
        sa.Column("effect", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "balances",
        sa.Column("budget", IDENTIFIER, primary_key=True),
        sa.Column("period", IDENTIFIER, primary_key=True),
        sa.Column("spent", sa.BigInteger, nullable=False),
        sa.Column("reserved", sa.BigInteger, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        postgresql_with={"fillfactor": 70},
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("balances")
    op.drop_table("ledger")
    op.drop_table("budgets")
