"""Keys of providers and secrets of steps, sealed.

Revision ID: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision: str | None = "0006"
branch_labels: str | None = None
depends_on: str | None = None

IDENTIFIER = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "keyring",
        sa.Column("workspace", IDENTIFIER, primary_key=True),
        sa.Column("provider", IDENTIFIER, primary_key=True),
        sa.Column("name", IDENTIFIER, primary_key=True),
        sa.Column("id", IDENTIFIER, nullable=False),
        sa.Column("last_four", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("used_at", sa.BigInteger),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("keyring")
