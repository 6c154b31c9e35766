"""The page of guarantees is right: whatever it names is there, each promise has one owner, and what fails is a test.

That it does fail is seen by ``python -m tests.broken``; here, that there is a break of each owner, and that it fits.
"""

from __future__ import annotations

import pytest

from tests.broken.breaks import Break
from tests.broken.page import LINK, PAGE, Link, Row, rows, wrong
from tests.broken.sections import BREAKS


def test_whatever_is_linked_is_there() -> None:
    links = [Link(*found) for found in LINK.findall(PAGE.read_text(encoding="utf-8")) if "::" in found[0]]
    assert links
    assert [problem for link in links if (problem := wrong(link))] == []


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.promise)
def test_each_promise_has_one_owner_and_what_fails_is_a_test(row: Row) -> None:
    assert row.promise.endswith(".")
    [owner] = row.owners
    assert owner.path.startswith(("engine/", "bot/"))
    assert row.failing
    for test in row.failing:
        assert test.path.startswith("tests/")
        assert test.text.rpartition("::")[2].startswith(("test_", "Test")), "pytest collects nothing else"


def test_no_promise_is_made_twice() -> None:
    made = [row.promise for row in rows()]
    assert made
    assert len(set(made)) == len(made)


def test_each_promise_can_be_broken_where_it_is_kept_and_each_of_its_tests_has_to_notice() -> None:
    for row in rows():
        breaks = [one for one in BREAKS if one.breaks(row)]
        assert {test for one in breaks for test in one.noticed_by(row)} == set(row.failing), row.promise


def test_each_break_is_of_one_promise_and_fits_the_code() -> None:
    for one in BREAKS:
        [row] = [row for row in rows() if one.breaks(row)]
        assert one.misfit(row) is None


def test_a_break_that_does_not_fit_is_found() -> None:
    row = next(row for row in rows() if row.owner.startswith("[`chain.py::head_mac`]"))

    def misfit(text: str, instead: str = "", *tests: str) -> str:
        return str(Break(row.promise, "chain.py::head_mac", "how", text, instead, tests).misfit(row))

    assert "has the text 0 times" in misfit("no such text")
    assert "has the text 4 times" in misfit("return _seal(key, [")
    assert "what is to be broken lines" in misfit("lru_cache(maxsize=8)")
    assert "invalid syntax" in misfit('"head", ', '"head" ')
    assert "it crashes" in misfit('return _seal(key, ["head"', 'raise ValueError(key, ["head"')
    assert "no tests of the row: test_other" in misfit('"head", ', "", "test_other")
    assert misfit('"head", ') == "None"


def test_a_link_that_leads_nowhere_is_found() -> None:
    core = "../engine/core"
    assert wrong(Link("decide.py::decide", f"{core}/decide.py")) is None
    assert wrong(Link("decide.py::decided", f"{core}/decide.py")) == f"there is no decided in {core}/decide.py"
    assert wrong(Link("handle.py::Handle.submit", f"{core}/decide.py")) is not None
    assert wrong(Link("gone.py::decide", f"{core}/gone.py")) is not None
