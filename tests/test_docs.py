"""What the documents promise is there: definitions load, queries run, links lead somewhere, targets have help."""

from __future__ import annotations

import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from engine.core.loader import load_yaml
from engine.steps.builtin import builtin_steps
from engine.steps.http_policy import HttpPolicy
from engine.steps.registry import Registry
from engine.steps.shell import ShellPolicy

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
RECORDS = sorted(ROOT.glob("docs/decisions/[0-9]*.md"))
README = (ROOT / "README.md").read_text(encoding="utf-8")

CATALOG = Registry(builtin_steps(HttpPolicy(), ShellPolicy())).catalog()

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def fenced(text: str, language: str) -> list[str]:
    """The code blocks of ``text`` that are marked with ``language``."""
    return [body for name, body in _FENCE.findall(text) if name == language]


def table(header: str) -> list[str]:
    """The names in code style in the first column of README's table whose first heading is ``header``."""
    rows = README.split(f"\n| {header} |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])]


@pytest.mark.parametrize("text", fenced(README, "yaml"))
def test_readme_definitions_load(text: str) -> None:
    loaded = load_yaml(text, "README.md", CATALOG)
    assert [str(problem) for problem in loaded.problems] == []
    assert loaded.workflow is not None


def test_readme_shows_a_definition_and_a_query() -> None:
    assert fenced(README, "yaml")
    assert fenced(README, "sql")


def test_readme_lists_every_step() -> None:
    of_the_bot, of_agents = {"slack.post"}, {"agent.turn"}
    assert set(table("step")) == set(CATALOG) - of_agents | of_the_bot


@pytest.mark.parametrize("query", fenced(README, "sql"))
def test_readme_queries_run(query: str) -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE events (stream, seq, type, version, at, payload, hash)")
        payload = '{"step":"publish","by":{"via":"slack","id":"U1","name":"ana"},"authority":"in @release-managers"}'
        database.execute(
            "INSERT INTO events VALUES ('run_1', 3, 'APPROVAL_GRANTED', 1, '2026-11-22T04:20:00.123Z', ?, '')",
            (payload,),
        )
        rows = database.execute(query).fetchall()
    assert rows == [("2026-11-22T04:20:00.123Z", "run_1", "publish", "ana", "in @release-managers")]


def test_quick_start_is_make_demo_then_make_test() -> None:
    assert [block.strip() for block in fenced(README, "sh")[:2]] == ["make demo", "make test"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_to_files_resolve(document: Path) -> None:
    text = _FENCE.sub("", document.read_text(encoding="utf-8"))
    targets = [link.partition("#")[0] for link in _LINK.findall(text) if not link.startswith(("http", "#"))]
    assert [target for target in targets if not (document.parent / target).exists()] == []


def test_every_target_has_one_line_of_help() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    shown = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    helped = dict(re.findall(r"^make (\w+)\s+(\S.*)$", shown, re.MULTILINE))
    assert set(helped) == set(phony[1].split())
    assert {"demo", "test", "check", "bench"} <= set(helped)


@pytest.mark.parametrize("record", RECORDS, ids=lambda path: path.stem)
def test_decision_records_have_the_form(record: Path) -> None:
    text = record.read_text(encoding="utf-8")
    assert text.startswith(f"# {record.name[:4]}: ")
    assert re.search(r"^Status: (accepted|superseded by \d{4})\. Date: \d{4}-\d\d-\d\d\.$", text, re.MULTILINE)
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert headings == ["Question", "Decision", "Why not otherwise", "What follows"]
    assert record.name in (ROOT / "docs/decisions/README.md").read_text(encoding="utf-8"), "the table lists it"


def test_decision_records_are_numbered_in_order() -> None:
    assert [int(record.name[:4]) for record in RECORDS] == list(range(1, len(RECORDS) + 1))
