"""docs/guarantees.md as it is read by those who hold the project to it.

The one rule: a link reads ``[`file::symbol`](path)``: the file is the last part of the path, the symbol is looked up in
its source.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs/guarantees.md"
HEADER = "| promise | owner | fails when it is broken |"

LINK = re.compile(r"\[`([^`]+)`\]\(([^)]+)\)")


@dataclass(frozen=True)
class Link:
    """A link to a symbol: ``text`` as it is shown, ``path`` of the file from the top of the tree."""

    text: str
    target: str

    @property
    def path(self) -> str:
        return self.target.removeprefix("../")

    @property
    def symbol(self) -> str:
        return self.text.partition("::")[2].replace("::", ".")

    @property
    def node(self) -> str:
        """By this name pytest knows it."""
        return f"{self.path}::{self.text.partition('::')[2]}"


@dataclass(frozen=True)
class Row:
    """What is promised under the heading ``section``, who keeps it, and what fails when it is broken."""

    section: str
    promise: str
    owner: str
    tests: str

    @property
    def owners(self) -> tuple[Link, ...]:
        return tuple(Link(*found) for found in LINK.findall(self.owner))

    @property
    def failing(self) -> tuple[Link, ...]:
        return tuple(Link(*found) for found in LINK.findall(self.tests))


@cache
def rows() -> tuple[Row, ...]:
    """The rows of all tables of promises."""
    found: list[Row] = []
    section, inside = "", False
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ")
        if line == HEADER:
            inside = True
        elif not line.startswith("|"):
            inside = False
        elif inside and not line.startswith("|---"):
            promise, owner, tests = (cell.strip() for cell in line.strip("|").split("|"))
            found.append(Row(section, promise, owner, tests))
    return tuple(found)


@cache
def source(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def symbols(path: Path) -> dict[str, tuple[int, int]]:
    """What a source file defines, with its first and last line: functions, classes, values, and members of classes."""

    def defined(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, ast.stmt]]:
        for node in body:
            match node:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    yield prefix + name, node
                case ast.ClassDef(name=name, body=members):
                    yield prefix + name, node
                    yield from defined(members, f"{prefix}{name}.")
                case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                    yield prefix + name, node
                case _:
                    pass

    return {name: (node.lineno, node.end_lineno or node.lineno) for name, node in defined(ast.parse(source(path)).body)}


def wrong(link: Link) -> str | None:
    """What is wrong with a link to a symbol, None if it leads there."""
    name = link.text.partition("::")[0]
    path = (PAGE.parent / link.target).resolve()
    if path.name != name or not path.is_file():
        return f"{link.text} leads to {link.target}"
    if link.symbol not in symbols(path):
        return f"there is no {link.symbol} in {link.target}"
    return None
