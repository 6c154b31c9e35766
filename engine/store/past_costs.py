"""What the steps of earlier runs have cost, by the ledger.

The one rule: it is read for guesses about runs to come; nothing is decided on it.
"""

from typing import NamedTuple

from sqlalchemy import Connection, func, select

from engine.store.schema import ledger, runs


class StepCost(NamedTuple):
    """What `step` of a run by this `definition` has cost: one of the runs that were asked for, or within one."""

    definition: str
    step: str
    amount: int


def past_costs(
    connection: Connection, workspace: str, workflow: str, definition: str, most: int
) -> tuple[int, list[StepCost]]:
    """How many of the newest runs by the definition have completed, `most` at most, and what was spent in them."""
    newest = (
        select(runs.c.id)
        .where(runs.c.workspace == workspace, runs.c.workflow == workflow, runs.c.status == "completed")
        .where(runs.c.definition == definition)
        .order_by(runs.c.id.desc())
        .limit(most)
    )
    found = list(connection.scalars(newest))
    if not found:
        return 0, []
    # A run's own account has what the runs have cost that it has called, too.
    spent = (
        select(runs.c.definition, ledger.c.step, func.sum(ledger.c.amount))
        .join(runs, runs.c.id == ledger.c.run)
        .where(ledger.c.budget.in_([f"{workspace}/run:{run}" for run in found]), ledger.c.period == "")
        .where(ledger.c.kind == "settle")
        .group_by(runs.c.definition, ledger.c.step)
    )
    return len(found), [StepCost(row[0], row[1], int(row[2])) for row in connection.execute(spent)]
