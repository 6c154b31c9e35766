"""The epoch, on which every start of a step depends, and the switches that are thrown.

Revision ID: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision: str | None = "0005"
branch_labels: str | None = None
depends_on: str | None = None

IDENTIFIER = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

# Volatile, so that its second query sees what was committed until the first had the lock.
FUNCTION = """
CREATE FUNCTION vb_epoch() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(33322235069424488);
    RETURN (SELECT number FROM epochs);
END
$$
"""


def upgrade() -> None:
    """Make the tables, and on PostgreSQL the function that reads the epoch under its lock."""
    op.create_table(
        "epochs",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "switches",
        sa.Column("workspace", IDENTIFIER, primary_key=True),
        sa.Column("key", IDENTIFIER, primary_key=True),
        sa.Column("seq", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.execute("INSERT INTO epochs (id, number) VALUES (1, 0)")
    if op.get_bind().dialect.name == "postgresql":
        op.execute(FUNCTION)


def downgrade() -> None:
    """Drop them."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION vb_epoch()")
    op.drop_table("switches")
    op.drop_table("epochs")
