"""Budgets: what is reserved and spent in each, checked and written in the transaction of the append that does so.

The one rule: whoever reads or changes balances of a workspace holds the lock of its purse until the transaction ends,
so of two who want the last of a budget one is refused. On SQLite every writing transaction is alone; on PostgreSQL the
lock is an advisory one, taken together with those of concurrency keys (`engine.store.slots`). The ledger is only ever
added to: each of its rows says what an account came to by it. `balances` are its last rows, kept for speed.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, and_, func, select, true, update
from sqlalchemy.engine import Dialect

from engine.store.dbclock import now_ms
from engine.store.expand import BatchStatement, Row, batch_rows
from engine.store.postings import NO_PURPOSE, Account, Balance, Limit, Posting, Purpose, Reserve, Settle
from engine.store.schema import balances, budgets, ledger, open_work, runs
from engine.store.types import Append, Refused
from engine.store.upsert import insert_into

# Runs that wait for money which others have reserved, and are looked at because some of it was given back. Each that
# takes some frees the next ones when it gives back; those that are forgotten look by themselves, a little later.
_FREED_AT_ONCE: Final = 4


@dataclass(frozen=True)
class LedgerStatements:
    """Over rows of what their comments say."""

    find: BatchStatement  # budget, period: its row of `balances`, as far as there is one, and of `budgets`
    put_budgets: BatchStatement
    put_balances: BatchStatement
    add: BatchStatement  # to the ledger

    @classmethod
    def build(cls, dialect: Dialect) -> "LedgerStatements":
        """Compile all for this dialect."""
        return cls(
            find=_find(dialect),
            put_budgets=_put(dialect, budgets, ("budget",)),
            put_balances=_put(dialect, balances, ("budget", "period")),
            add=BatchStatement(dialect, _insert(dialect, ledger)),
        )


def purse(append: Append) -> str | None:
    """The lock under which the append changes balances: its workspace's; None if it changes none."""
    if not append.postings:
        return None
    return purse_of(append.stream if append.run is None else append.run.workspace)


def purse_of(workspace: str) -> str:
    """The name of the workspace's lock."""
    return f"purse:{workspace}"


@dataclass(slots=True)
class _Standing:
    """An account as it stands in this transaction, or would if its append were written."""

    account: Account
    limit: int | None
    alert_at: Sequence[int]
    spent: int = 0
    reserved: int = 0
    seq: int = 0
    rows: list[Row] = field(default_factory=list[Row])

    def has_room(self, amount: int) -> bool:
        return self.limit is None or self.spent + self.reserved + amount <= self.limit

    def passes(self, cost: int) -> tuple[int, ...]:
        """The percents that are not spent yet, and are with `cost`."""
        if self.limit is None:
            return ()
        before, after = self.spent * 100, (self.spent + cost) * 100
        return tuple(one for one in self.alert_at if before < one * self.limit <= after)

    def balance(self) -> Balance:
        return Balance(self.account, self.spent, self.reserved, self.limit)

    def after(self, posting: Settle, passes: tuple[int, ...]) -> Balance:
        """As it would stand after the settlement, which makes it pass these percents."""
        spent, reserved = self.spent + posting.cost, self.reserved - posting.reserved
        return Balance(self.account, spent, reserved, self.limit, passes)

    def post(self, kind: str, amount: int, purpose: Purpose, at: int) -> None:
        """Add to the ledger what was done, with what the account has come to."""
        self.seq += 1
        self.rows.append({
            "budget": self.account.budget, "period": self.account.period, "seq": self.seq, "kind": kind,
            "amount": amount, "spent": self.spent, "reserved": self.reserved, "cap": self.limit,
            **purpose._asdict(), "at": at,
        })  # fmt: skip


@dataclass(slots=True)
class Ledger:
    """What a batch of appends does to budgets. Its methods are called in the order in which they stand here.

    The batch holds one append at most with postings in any one workspace: the second could not know how the first ends.
    """

    connection: Connection
    statements: LedgerStatements
    appends: Sequence[Append]
    _standing: dict[Account, _Standing] = field(default_factory=dict[Account, _Standing])
    _limits: dict[str, list[Row]] = field(default_factory=dict[str, list[Row]])

    @classmethod
    def of(cls, connection: Connection, statements: LedgerStatements, appends: Sequence[Append]) -> "Ledger":
        """The locks of all purses are held."""
        return cls(connection, statements, [item for item in appends if item.postings])

    def refused(self) -> dict[str, Refused]:
        """Post everything on trial; which appends do not hold, and how the accounts stand that are why."""
        if not self.appends:
            return {}
        accounts = {account for item in self.appends for one in item.postings for account in _accounts(one)}
        rows: list[Row] = [account._asdict() for account in sorted(accounts)]
        for row in self.statements.find.execute(self.connection, rows):
            account = Account(row.budget, row.period)
            known = (row.spent, row.reserved, row.seq) if row.seq is not None else (0, 0, 0)
            self._standing[account] = _Standing(account, row.cap, json.loads(row.alert_at or "[]"), *known)
        refused = ((item.stream, self._try(item)) for item in self.appends)
        return {stream: why for stream, why in refused if why is not None}

    def write(self, won: Collection[str]) -> None:
        """Write what the winners have posted; wake some who wait for what was given back."""
        winners = [item for item in self.appends if item.stream in won]
        limits = [row for item in winners for row in self._limits.get(item.stream, ())]
        touched = {account for item in winners for one in item.postings for account in _accounts(one)}
        standing = [self._standing[account] for account in sorted(touched) if self._standing[account].rows]
        if limits:
            self.statements.put_budgets.execute(self.connection, limits)
        if standing:
            self.statements.put_balances.execute(self.connection, [_balance_row(one) for one in standing])
            self.statements.add.execute(self.connection, [row for one in standing for row in one.rows])
        for item in winners:
            if item.run is not None and any(self._gives_back(one) for one in item.postings):
                _free(self.connection, item.run.workspace)

    def _try(self, item: Append) -> Refused | None:
        at = item.events[-1].at
        for posting in item.postings:
            match posting:
                case Limit():
                    self._limit(item.stream, posting, at)
                case Reserve():
                    standing = [self._standing[account] for account in posting.accounts]
                    short = tuple(one.balance() for one in standing if not one.has_room(posting.amount))
                    if short:
                        return Refused(posting, short)
                    if posting.takes:
                        self._reserve(standing, posting, at)
                case Settle():
                    standing = [self._standing[account] for account in posting.accounts]
                    passing = [(one, one.passes(posting.cost)) for one in standing]
                    if posting.passes != frozenset((one.account, share) for one, passed in passing for share in passed):
                        return Refused(posting, tuple(one.after(posting, passed) for one, passed in passing if passed))
                    self._settle(standing, posting, at)
        return None

    def _limit(self, stream: str, posting: Limit, at: int) -> None:
        row: Row = {"budget": posting.budget, "cap": posting.limit, "alert_at": json.dumps(posting.alert_at)}
        self._limits.setdefault(stream, []).append(row)
        for one in self._standing.values():
            if one.account.budget == posting.budget:
                one.limit, one.alert_at = posting.limit, posting.alert_at
        self._standing[Account(posting.budget, "")].post("limit", 0, NO_PURPOSE, at)

    def _reserve(self, standing: Sequence[_Standing], posting: Reserve, at: int) -> None:
        for one in standing:
            one.reserved += posting.amount
            one.post("reserve", posting.amount, posting.purpose, at)

    def _settle(self, standing: Sequence[_Standing], posting: Settle, at: int) -> None:
        for one in standing:
            one.reserved -= posting.reserved
            one.spent += posting.cost
            one.post(posting.kind, posting.cost, posting.purpose, at)

    def _gives_back(self, posting: Posting) -> bool:
        if not isinstance(posting, Settle) or posting.cost >= posting.reserved:
            return False
        return any(self._standing[account].limit is not None for account in posting.accounts)


def _accounts(posting: Posting) -> tuple[Account, ...]:
    return (Account(posting.budget, ""),) if isinstance(posting, Limit) else posting.accounts


def _balance_row(one: _Standing) -> Row:
    return {**one.account._asdict(), "spent": one.spent, "reserved": one.reserved, "seq": one.seq}


def _free(connection: Connection, workspace: str) -> None:
    """Have some of the held runs looked at, those first that are to be looked at soonest."""
    waiting = (
        select(open_work.c.run)
        .where(open_work.c.workspace == workspace, open_work.c.kind == "held", open_work.c.due > now_ms())
        .order_by(open_work.c.due)
        .limit(_FREED_AT_ONCE)
        .with_for_update(skip_locked=True)
        .cte("waiting")
    )
    due = update(open_work).values(due=now_ms()).where(open_work.c.run.in_(select(waiting.c.run)))
    connection.execute(due)


def _find(dialect: Dialect) -> BatchStatement:
    rows = batch_rows(dialect, {"budget": budgets.c.budget.type, "period": balances.c.period.type})
    same = and_(balances.c.budget == rows.c.budget, balances.c.period == rows.c.period)
    found = rows.outerjoin(balances, same).outerjoin(budgets, budgets.c.budget == rows.c.budget)
    columns = (balances.c.spent, balances.c.reserved, balances.c.seq, budgets.c.cap, budgets.c.alert_at)
    return BatchStatement(dialect, select(rows.c.budget, rows.c.period, *columns).select_from(found))


def _insert(dialect: Dialect, table: Any) -> Any:
    names = [column.name for column in table.c]
    rows = batch_rows(dialect, {column.name: column.type for column in table.c})
    return insert_into(dialect, table).from_select(names, select(*rows.c).where(true()))


def _put(dialect: Dialect, table: Any, key: Sequence[str]) -> BatchStatement:
    insert = _insert(dialect, table)
    changed: Mapping[str, Any] = {one.name: insert.excluded[one.name] for one in table.c if one.name not in key}
    return BatchStatement(dialect, insert.on_conflict_do_update(index_elements=list(key), set_=changed))


def standing(connection: Connection, statements: LedgerStatements, accounts: Collection[Account]) -> list[Balance]:
    """How these accounts stand, in the order of their names; those of which nothing was ever spent, too."""
    if not accounts:
        return []
    rows: list[Row] = [account._asdict() for account in sorted(accounts)]
    found = statements.find.execute(connection, rows)
    balances_of = (
        Balance(Account(row.budget, row.period), row.spent or 0, row.reserved or 0, row.cap) for row in found
    )
    return sorted(balances_of, key=lambda one: one.account)


def most_spent(connection: Connection, prefix: str, period: str, limit: int) -> list[tuple[str, int]]:
    """The budgets of that beginning in which most was spent in the period, without it, and how much."""
    within = (balances.c.budget >= prefix, balances.c.budget < f"{prefix[:-1]}{chr(ord(prefix[-1]) + 1)}")
    columns = (balances.c.budget, balances.c.spent)
    query = select(*columns).where(*within, balances.c.period == period, balances.c.spent > 0)
    order = (balances.c.spent.desc(), balances.c.budget)
    return [
        (budget.removeprefix(prefix), spent)
        for budget, spent in connection.execute(query.order_by(*order).limit(limit))
    ]


class Spent(NamedTuple):
    """What was settled on a day by the runs of a workflow, for calls of a model; empty for what is not known."""

    day: str
    workflow: str
    model: str
    amount: int


def spent_since(connection: Connection, workspace: str, day: str) -> list[Spent]:
    """What the workspace has spent since that day, in its own days: each cost once, for the workflow of its own run."""
    budget = f"{workspace}/workspace/day"
    by = (ledger.c.period, func.coalesce(runs.c.workflow, ""), ledger.c.model)
    spent = (
        select(*by, func.sum(ledger.c.amount))
        .select_from(ledger.outerjoin(runs, runs.c.id == ledger.c.run))
        .where(ledger.c.budget == budget, ledger.c.period >= day, ledger.c.kind == "settle")
        .group_by(*by)
        .order_by(*by)
    )
    return [
        Spent(period, workflow, model, int(amount)) for period, workflow, model, amount in connection.execute(spent)
    ]


def rows_of(connection: Connection, workspace: str) -> Iterator[Any]:
    """The workspace's ledger, account by account and in order: for people and for tests."""
    prefix = f"{workspace}/"
    order = (ledger.c.budget, ledger.c.period, ledger.c.seq)
    yield from connection.execute(
        select(ledger).where(ledger.c.budget.startswith(prefix, autoescape=True)).order_by(*order)
    )
