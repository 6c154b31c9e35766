"""A small break: what somebody tired might do to the one place that keeps a promise.

The one rule: what is broken still runs. It is wrong in what was promised, so that a test fails for that reason.
"""

from __future__ import annotations

import ast
import textwrap
from dataclasses import dataclass
from pathlib import Path

from tests.broken.page import ROOT, Link, Row, source, symbols


@dataclass(frozen=True)
class Break:
    """One break of the owner of the row whose promise begins or goes on with ``promise``."""

    promise: str
    """Enough of it to be found in no other row."""
    owner: str
    """The text of the row's link to its owner."""
    how: str
    """What is wrong from then on, in words."""
    text: str
    """It is in the owner's file once, and inside of the owner."""
    instead: str
    tests: tuple[str, ...] = ()
    """The names of those of the row's tests that notice this break; all of them if there are none here."""
    seen: str = ""
    """By which other exception they may fail; otherwise by an assertion, or by a wait that ends in vain."""

    def shows(self, kind: str) -> bool:
        """Whether a test that fails by this exception fails for the broken promise."""
        return kind in {"AssertionError", "TimeoutError", self.seen}

    def breaks(self, row: Row) -> bool:
        return self.promise in row.promise and any(one.text == self.owner for one in row.owners)

    def noticed_by(self, row: Row) -> tuple[Link, ...]:
        """The row's tests that are to fail."""
        return tuple(one for one in row.failing if not self.tests or one.text.rpartition("::")[2] in self.tests)

    def applied(self, row: Row, root: Path = ROOT) -> str:
        """The owner's file in the tree ``root`` with the break in it. ValueError says why it cannot be made."""
        [owner] = row.owners
        path = root / owner.path
        text = source(path)
        if (count := text.count(self.text)) != 1:
            raise ValueError(f"{owner.path} has the text {count} times: {self.text.strip().splitlines()[0]}")
        first, last = symbols(path)[owner.symbol]
        begins = text[: text.index(self.text.lstrip("\n"))].count("\n") + 1
        ends = begins + self.text.strip("\n").count("\n")
        if not first <= begins <= ends <= last:
            raise ValueError(f"{owner.text} is lines {first} to {last}, what is to be broken lines {begins} to {ends}")
        return text.replace(self.text, self.instead)

    def misfit(self, row: Row) -> str | None:
        """What is wrong with this break of the row, None if it can be made, and what it makes still is Python."""
        [owner] = row.owners
        try:
            broken = self.applied(row).splitlines()
        except ValueError as error:
            return str(error)
        first, last = symbols(ROOT / owner.path)[owner.symbol]
        last += self.instead.count("\n") - self.text.count("\n")
        part = textwrap.dedent("\n".join(broken[first - 1 : last]))
        try:
            ast.parse(part)
        except SyntaxError as error:
            return f"{owner.text}, {self.how}: {error}"
        if self.instead.count("raise ") > self.text.count("raise "):
            return f"{owner.text}, {self.how}: it crashes"
        known = {one.text.rpartition("::")[2] for one in row.failing}
        if unknown := set(self.tests) - known:
            return f"{owner.text}, {self.how}: no tests of the row: {', '.join(sorted(unknown))}"
        return None
