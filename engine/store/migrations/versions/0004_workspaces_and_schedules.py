"""When schedules start their workflows next, and an index to what is said in workspaces' streams.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision: str | None = "0003"
branch_labels: str | None = None
depends_on: str | None = None

IDENTIFIER = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

SAID = "stream >= 'ws_' AND stream < 'ws`' AND type <> 'RUN_HEADS_ANCHORED'"


def upgrade() -> None:
    """Make the table and the index."""
    op.create_table(
        "schedules",
        sa.Column("workspace", IDENTIFIER, primary_key=True),
        sa.Column("workflow", IDENTIFIER, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("spec", sa.Text, nullable=False),
        sa.Column("next_at", sa.BigInteger, nullable=False),
        sa.Column("claimed_until", sa.BigInteger, nullable=False, server_default=sa.text("0")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_events_said", "events", ["stream", "seq"], sqlite_where=sa.text(SAID), postgresql_where=sa.text(SAID)
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_events_said", "events")
    op.drop_table("schedules")
