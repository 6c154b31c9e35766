"""What appends do to budgets, as plain frozen values.

The one rule: amounts are integers of one unit, which is the caller's, and so are the names of budgets, periods and
purposes. A budget has a limit, or none; it is counted anew in each period, and one that knows no periods has the
period "". The accounts of an append all belong to its workspace.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias


class Account(NamedTuple):
    """A budget in one period."""

    budget: str
    period: str


class Purpose(NamedTuple):
    """What an amount is for, as the ledger tells it."""

    run: str = ""
    step: str = ""
    effect: str = ""
    model: str = ""


NO_PURPOSE = Purpose()


@dataclass(frozen=True, slots=True)
class Limit:
    """From here on the budget has this limit (None: none) in every period, and tells when these percents are spent."""

    budget: str
    limit: int | None
    alert_at: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Reserve:
    """Holds if no account's `spent + reserved + amount` is beyond its limit; then it is reserved in all of them.

    With `takes` False nothing is reserved: it only says whether it could be.
    """

    amount: int
    accounts: tuple[Account, ...]
    purpose: Purpose = NO_PURPOSE
    takes: bool = True


@dataclass(frozen=True, slots=True)
class Settle:
    """`cost` is spent, and `reserved` is so no longer, whatever the limits say.

    It holds if `passes` is exactly what it makes pass: the percents of its limit at which an account tells that so much
    is spent. So they can be told in the append that passes them, and in no other.
    """

    cost: int
    reserved: int
    accounts: tuple[Account, ...]
    purpose: Purpose = NO_PURPOSE
    kind: Literal["settle", "release"] = "settle"
    passes: frozenset[tuple[Account, int]] = frozenset()


Posting: TypeAlias = Limit | Reserve | Settle


@dataclass(frozen=True, slots=True)
class Balance:
    """How an account stands; or how it would after the settlement that was refused, which makes it pass `passes`."""

    account: Account
    spent: int
    reserved: int
    limit: int | None
    passes: tuple[int, ...] = ()
