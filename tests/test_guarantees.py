"""The page of guarantees is right: whatever it names is there, each promise has one owner, and what fails is a test.

A link reads ``[`file::symbol`](path)``: the file is the last part of the path, the symbol is looked up in its source.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/guarantees.md"
HEADER = "| promise | owner | fails when it is broken |"

_LINK = re.compile(r"\[`([^`]+)`\]\(([^)]+)\)")


def promises() -> list[tuple[str, str, str]]:
    """The rows of all tables of promises: what is promised, its owner, and what fails."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    found: list[tuple[str, str, str]] = []
    for number, line in enumerate(lines):
        if line == HEADER:
            rows = lines[number + 2 :]
            end = next((place for place, row in enumerate(rows) if not row.startswith("|")), len(rows))
            for row in rows[:end]:
                promise, owner, tests = (cell.strip() for cell in row.strip("|").split("|"))
                found.append((promise, owner, tests))
    return found


@cache
def names(path: Path) -> frozenset[str]:
    """What a source file defines: functions, classes and values, and the members of classes as ``class.member``."""

    def defined(body: list[ast.stmt], prefix: str = "") -> Iterator[str]:
        for node in body:
            match node:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    yield prefix + name
                case ast.ClassDef(name=name, body=members):
                    yield prefix + name
                    yield from defined(members, f"{prefix}{name}.")
                case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                    yield prefix + name
                case _:
                    pass

    return frozenset(defined(ast.parse(path.read_text(encoding="utf-8")).body))


def wrong(text: str, target: str) -> str | None:
    """What is wrong with one link to a symbol, None if it leads there."""
    name, _, symbol = text.partition("::")
    path = (PAGE.parent / target).resolve()
    if path.name != name or not path.is_file():
        return f"{text} leads to {target}"
    if symbol.replace("::", ".") not in names(path):
        return f"there is no {symbol} in {target}"
    return None


def test_whatever_is_linked_is_there() -> None:
    links = [link for link in _LINK.findall(PAGE.read_text(encoding="utf-8")) if "::" in link[0]]
    assert links
    assert [problem for text, target in links if (problem := wrong(text, target))] == []


@pytest.mark.parametrize(("promise", "owner", "tests"), promises())
def test_each_promise_has_one_owner_and_what_fails_is_a_test(promise: str, owner: str, tests: str) -> None:
    assert promise.endswith(".")
    [(_, path)] = _LINK.findall(owner)
    assert path.startswith(("../engine/", "../bot/"))
    failing = _LINK.findall(tests)
    assert failing
    for text, target in failing:
        assert target.startswith("../tests/")
        assert text.rpartition("::")[2].startswith(("test_", "Test")), "pytest collects nothing else"


def test_no_promise_is_made_twice() -> None:
    made = [promise for promise, _, _ in promises()]
    assert made
    assert len(set(made)) == len(made)


def test_a_link_that_leads_nowhere_is_found() -> None:
    assert wrong("decide.py::decide", "../engine/core/decide.py") is None
    assert wrong("decide.py::decided", "../engine/core/decide.py") == "there is no decided in ../engine/core/decide.py"
    assert wrong("handle.py::Handle.submit", "../engine/core/decide.py") is not None
    assert wrong("gone.py::decide", "../engine/core/gone.py") is not None
