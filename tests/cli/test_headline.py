"""What `vb show` says at the top: what happens next, as long as anything does."""

from __future__ import annotations

from typing import Any

from bot.console.runs import headline
from engine.core import commands as c
from tests.core.driver import ANA, Run, workflow

GATE = {"title": "Publish?", "approvers": ["@all"], "expires_in": "1h", "escalate": [{"after": "15m", "to": "@lead"}]}


def told(run: Run) -> list[str]:
    return [line.plain for line in headline(run.state, run.now)]


def started(*steps: dict[str, Any]) -> Run:
    run = Run(workflow(*steps))
    run.look()
    return run


def test_what_an_open_gate_does_by_itself_is_told_until_the_run_ends() -> None:
    run = started({"id": "publish", "approval": GATE})
    gate = ["publish asks @all; expires in 1 h (then: deny)", "publish escalates to @lead in 15 min"]
    assert [line for line in told(run) if line.startswith("publish")] == gate
    run.do(c.Cancel(ANA))
    assert [line for line in told(run) if line.startswith("publish")] == []


def test_a_pause_says_how_long_it_is() -> None:
    assert "nap goes on in 2 h" in told(started({"id": "nap", "sleep": "2h"}))
