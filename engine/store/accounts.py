"""Whether the ledger adds up: each row follows from the one before, the balances are its last rows, and what it says of
a run is what the run's events say.

The one rule: an account, and a run, is read and judged in one snapshot, so that a busy engine gives no false alarm.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, bindparam, select, tuple_

from engine.store.belongings import Page, Place
from engine.store.finding import Finding
from engine.store.schema import IDENTIFIER, balances, ledger

# The budget of a run alone, what it has spent itself, and what it has set aside, by its events.
Spending: TypeAlias = Callable[[str, list[Any]], tuple[str, int, int]]

_ACCOUNTS: Final = 50
_OF_RUN: Final = (
    select(ledger)
    .where(
        ledger.c.budget == bindparam("budget", type_=IDENTIFIER),
        ledger.c.period == bindparam("period", type_=IDENTIFIER),
        ledger.c.run == bindparam("run", type_=IDENTIFIER),
    )
    .order_by(ledger.c.seq)
)


def run_findings(connection: Connection, run: str, expected: tuple[str, int, int]) -> list[Finding]:
    """Where the ledger says that the run has spent something else than its events do."""
    budget, spent, reserved = expected
    rows = connection.execute(_OF_RUN, {"budget": budget, "period": "", "run": run}).all()
    settled = sum(row.amount for row in rows if row.kind == "settle")
    aside = sum(_aside(rows).values())
    words = [("spent", settled, spent), ("set aside", aside, reserved)]
    return [
        Finding(run, None, f"the ledger has {was} {what} for it, but the events say {should}")
        for what, was, should in words
        if was != should
    ]


def wrong_accounts(connection: Connection, after: Place) -> Page:
    """Accounts whose rows do not follow from each other, or whose balance is not the last of them."""
    columns = (ledger.c.budget, ledger.c.period)
    query = select(*columns).distinct().order_by(*columns).limit(_ACCOUNTS)
    known = select(balances.c.budget, balances.c.period).order_by(balances.c.budget, balances.c.period).limit(_ACCOUNTS)
    if after:
        query = query.where(tuple_(*columns) > tuple_(*after))
        known = known.where(tuple_(balances.c.budget, balances.c.period) > tuple_(*after))
    found = {*map(tuple, connection.execute(query)), *map(tuple, connection.execute(known))}
    page = sorted(found)[:_ACCOUNTS]
    findings = [one for account in page for one in _account_findings(connection, *account)]
    return page[-1] if page else after, len(page), findings


def _account_findings(connection: Connection, budget: str, period: str) -> list[Finding]:
    where = (ledger.c.budget == budget, ledger.c.period == period)
    rows = connection.execute(select(ledger).where(*where).order_by(ledger.c.seq)).all()
    kept = connection.execute(select(balances).where(balances.c.budget == budget, balances.c.period == period)).first()
    name = f"budget {budget} {period}".strip()
    findings = _chain_findings(name, rows)
    last = (rows[-1].spent, rows[-1].reserved, rows[-1].seq) if rows else None
    if kept is None or (kept.spent, kept.reserved, kept.seq) != last:
        findings.append(Finding(name, None, "its balance is not what the ledger has come to"))
    return findings


def _chain_findings(name: str, rows: Iterable[Any]) -> list[Finding]:
    """The first row that does not follow from those before it."""
    spent, aside = 0, dict[tuple[str, str, str], int]()
    for seq, row in enumerate(rows, 1):
        place = (row.run, row.step, row.effect)
        if row.kind == "reserve":
            aside[place] = aside.get(place, 0) + row.amount
        elif row.kind != "limit":
            aside.pop(place, None)
            spent += row.amount
        if (row.seq, row.spent, row.reserved) != (seq, spent, sum(aside.values())):
            return [Finding(name, row.seq, "the ledger's row does not follow from those before it")]
    return []


def _aside(rows: Iterable[Any]) -> dict[tuple[str, str], int]:
    """What is set aside in the end, by step and effect."""
    found: dict[tuple[str, str], int] = {}
    for row in rows:
        if row.kind == "reserve":
            found[row.step, row.effect] = found.get((row.step, row.effect), 0) + row.amount
        elif row.kind != "limit":
            found.pop((row.step, row.effect), None)
    return found
