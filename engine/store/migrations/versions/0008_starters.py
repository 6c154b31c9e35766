"""Who started a run, by the id under which a surface vouches for them: names change, and people share them.

Revision ID: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision: str | None = "0007"
branch_labels: str | None = None
depends_on: str | None = None

# Of runs that are sealed, the key says whose they are; those whose data was erased have nobody.
SEALED = """UPDATE runs SET starter = coalesce((SELECT subject FROM data_keys WHERE id = runs.data_key), '')
WHERE data_key IS NOT NULL"""
SQLITE = """UPDATE runs SET starter = coalesce((
    SELECT json_extract(payload, '$.by.via') || ':' || json_extract(payload, '$.by.id')
    FROM events WHERE stream = runs.id AND seq = 1
), '') WHERE data_key IS NULL"""
POSTGRESQL = """UPDATE runs SET starter = coalesce((
    SELECT (payload::json -> 'by' ->> 'via') || ':' || (payload::json -> 'by' ->> 'id')
    FROM events WHERE stream = runs.id AND seq = 1
), '') WHERE data_key IS NULL"""


def upgrade() -> None:
    """Add the column with its index; for the runs that are there it is read from their first events."""
    op.add_column("runs", sa.Column("starter", sa.Text, nullable=False, server_default=sa.text("''")))
    op.execute(SEALED)
    op.execute(POSTGRESQL if op.get_bind().dialect.name == "postgresql" else SQLITE)
    op.create_index("ix_runs_workspace_starter_id", "runs", ["workspace", "starter", "id"])


def downgrade() -> None:
    """Drop it."""
    op.drop_index("ix_runs_workspace_starter_id", "runs")
    op.drop_column("runs", "starter")
