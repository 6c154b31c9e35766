"""What a run is called and waits for, lines for concurrency keys, signals, and what workers say of themselves.

Revision ID: 0003
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None

IDENTIFIER = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
CLUSTERED: dict[str, Any] = {"sqlite_with_rowid": False}
REWRITTEN: dict[str, Any] = {"postgresql_with": {"fillfactor": 70}, **CLUSTERED}

LISTED_BY = ("status", "workflow", "started_by")

# `run_labels` follows `runs.labels` by triggers: they cost nothing where labels stay as they are, which is nearly
# always, and whoever writes to `runs` cannot forget them.
SQLITE_TRIGGERS = (
    """CREATE TRIGGER runs_label AFTER INSERT ON runs WHEN new.labels <> '{}' BEGIN
    INSERT INTO run_labels (workspace, name, value, run)
    SELECT new.workspace, key, value, new.id FROM json_each(new.labels);
    END""",
    """CREATE TRIGGER runs_relabel AFTER UPDATE OF labels ON runs WHEN old.labels <> new.labels BEGIN
    DELETE FROM run_labels WHERE workspace = old.workspace AND run = old.id
    AND (name, value) IN (SELECT key, value FROM json_each(old.labels));
    INSERT INTO run_labels (workspace, name, value, run)
    SELECT new.workspace, key, value, new.id FROM json_each(new.labels);
    END""",
    """CREATE TRIGGER runs_unlabel AFTER DELETE ON runs WHEN old.labels <> '{}' BEGIN
    DELETE FROM run_labels WHERE workspace = old.workspace AND run = old.id
    AND (name, value) IN (SELECT key, value FROM json_each(old.labels));
    END""",
)
POSTGRESQL_TRIGGERS = (
    """CREATE FUNCTION runs_relabel() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM run_labels USING json_each_text(OLD.labels::json) AS was
        WHERE workspace = OLD.workspace AND name = was.key AND run_labels.value = was.value AND run = OLD.id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO run_labels (workspace, name, value, run)
        SELECT NEW.workspace, label.key, label.value, NEW.id FROM json_each_text(NEW.labels::json) AS label;
    END IF;
    RETURN NULL;
    END $$""",
    """CREATE TRIGGER runs_label AFTER INSERT ON runs
    FOR EACH ROW WHEN (NEW.labels <> '{}') EXECUTE FUNCTION runs_relabel()""",
    """CREATE TRIGGER runs_relabel AFTER UPDATE OF labels ON runs
    FOR EACH ROW WHEN (OLD.labels <> NEW.labels) EXECUTE FUNCTION runs_relabel()""",
    """CREATE TRIGGER runs_unlabel AFTER DELETE ON runs
    FOR EACH ROW WHEN (OLD.labels <> '{}') EXECUTE FUNCTION runs_relabel()""",
)


def upgrade() -> None:
    """Add the columns and tables; what is there gets the values that mean nothing in particular."""
    _runs()
    _open_work()
    _slots()
    _signals()
    op.add_column("leases", sa.Column("since", sa.BigInteger, nullable=False, server_default=sa.text("0")))
    op.add_column("leases", sa.Column("info", sa.Text, nullable=False, server_default=sa.text("'{}'")))


def downgrade() -> None:
    """Drop them."""
    op.drop_column("leases", "info")
    op.drop_column("leases", "since")
    for trigger in ("runs_label", "runs_relabel", "runs_unlabel"):
        op.execute(f"DROP TRIGGER {trigger}" + (" ON runs" if _postgresql() else ""))
    if _postgresql():
        op.execute("DROP FUNCTION runs_relabel()")
    for table in ("listeners", "signals", "slots", "run_labels"):
        op.drop_table(table)
    op.drop_index("ix_open_work_workspace_priority_due", "open_work")
    op.create_index("ix_open_work_due", "open_work", ["due"])
    op.drop_column("open_work", "priority")
    op.drop_column("open_work", "workspace")
    op.drop_index("ix_runs_attention", "runs")
    op.drop_index("ix_runs_parent", "runs")
    for column in LISTED_BY:
        op.drop_index(f"ix_runs_workspace_{column}_id", "runs")
    for column in ("search", "priority", "parent", "attention", "labels"):
        op.drop_column("runs", column)


def _runs() -> None:
    op.add_column("runs", sa.Column("labels", sa.Text, nullable=False, server_default=sa.text("'{}'")))
    op.add_column("runs", sa.Column("attention", sa.Text, nullable=False, server_default=sa.text("''")))
    op.add_column("runs", sa.Column("parent", IDENTIFIER))
    op.add_column("runs", sa.Column("priority", sa.Integer, nullable=False, server_default=sa.text("1")))
    op.add_column("runs", sa.Column("search", sa.Text, nullable=False, server_default=sa.text("''")))
    for column in LISTED_BY:
        op.create_index(f"ix_runs_workspace_{column}_id", "runs", ["workspace", column, "id"])
    _partial_index("ix_runs_attention", "runs", ["workspace", "id"], "attention <> ''")
    _partial_index("ix_runs_parent", "runs", ["parent", "id"], "parent IS NOT NULL")
    op.create_table(
        "run_labels",
        sa.Column("workspace", IDENTIFIER, primary_key=True),
        sa.Column("name", IDENTIFIER, primary_key=True),
        sa.Column("value", IDENTIFIER, primary_key=True),
        sa.Column("run", IDENTIFIER, primary_key=True),
        **CLUSTERED,
    )
    for statement in POSTGRESQL_TRIGGERS if _postgresql() else SQLITE_TRIGGERS:
        op.execute(statement)


def _open_work() -> None:
    op.add_column("open_work", sa.Column("workspace", IDENTIFIER, nullable=False, server_default=sa.text("''")))
    op.add_column("open_work", sa.Column("priority", sa.Integer, nullable=False, server_default=sa.text("1")))
    op.execute(
        "UPDATE open_work SET workspace = coalesce((SELECT workspace FROM runs WHERE runs.id = open_work.run), '')"
    )
    op.drop_index("ix_open_work_due", "open_work")
    op.create_index("ix_open_work_workspace_priority_due", "open_work", ["workspace", "priority", "due"])


def _slots() -> None:
    op.create_table(
        "slots",
        sa.Column("key", IDENTIFIER, primary_key=True),
        sa.Column("run", IDENTIFIER, primary_key=True),
        sa.Column("held", sa.Boolean, nullable=False),
        sa.Column("rank", sa.Integer, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        **CLUSTERED,
    )
    op.create_index("ix_slots_line", "slots", ["key", "held", "rank", "since", "run"])
    op.create_index("ix_slots_run", "slots", ["run"])


def _signals() -> None:
    op.create_table(
        "signals",
        sa.Column("id", IDENTIFIER, primary_key=True),
        sa.Column("workspace", IDENTIFIER, nullable=False),
        sa.Column("name", IDENTIFIER, nullable=False),
        sa.Column("correlation", IDENTIFIER, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("run", IDENTIFIER),
        **CLUSTERED,
    )
    op.create_index("ix_signals_address", "signals", ["workspace", "name", "correlation", "run"])
    _partial_index("ix_signals_run", "signals", ["run"], "run IS NOT NULL")
    op.create_table(
        "listeners",
        sa.Column("run", IDENTIFIER, primary_key=True),
        sa.Column("name", IDENTIFIER, primary_key=True),
        sa.Column("correlation", IDENTIFIER, primary_key=True),
        sa.Column("workspace", IDENTIFIER, nullable=False),
        **CLUSTERED,
    )
    op.create_index("ix_listeners_address", "listeners", ["workspace", "name", "correlation"])


def _partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"
