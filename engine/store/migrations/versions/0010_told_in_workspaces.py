"""What workspaces have said so far was told by the releases before, whose bots did so at once and kept no cursor.

Revision ID: 0010
"""

from alembic import op

revision = "0010"
down_revision: str | None = "0009"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Let the consumer begin where each workspace's stream ends now; streams of later workspaces it reads whole."""
    # SQLite takes ON CONFLICT after a SELECT only if that has a WHERE.
    op.execute(
        "INSERT INTO cursors (consumer, stream, seq) "
        "SELECT 'notices', id, last_seq FROM workspaces WHERE last_seq > 0 ON CONFLICT DO NOTHING"
    )


def downgrade() -> None:
    """Forget how far it has come; while there is a release before, that tells at once."""
    op.execute("DELETE FROM cursors WHERE consumer = 'notices'")
