"""What each command does, and what it says, in real processes."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_group

from bot.cli import app
from tests.cli.conftest import Vb, run_in
from tests.services import PostgresServer

ROOT = Path(__file__).parent.parent.parent
HEAVY = ("sqlalchemy", "pydantic", "redis", "aiohttp", "slack_sdk", "slack_bolt", "cel", "alembic", "asyncio")


def test_help_needs_no_heavy_module() -> None:
    code = f"import sys, bot.cli; print([name for name in {HEAVY} if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"


def test_help_names_every_command_of_the_readme(vb: Vb) -> None:
    table = (ROOT / "README.md").read_text(encoding="utf-8").split("## On the command line", 1)[1].split("\n## ", 1)[0]
    documented = set(re.findall(r"`vb ([\w-]+)", table))
    group = get_group(app)
    assert documented == set(group.commands)


def test_a_run_is_told_while_it_runs(vb: Vb) -> None:
    done = vb("run", "hello", "word=two words", "times=2", "--wait")
    assert done.code == 0
    lines = done.out.splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3} RUN_STARTED hello by=.* word=\"two words\" times=2", lines[0])
    assert [line.split()[1] for line in lines[:-1]] == [
        "RUN_STARTED",
        "STEP_STARTED",
        "STEP_COMPLETED",
        "STEP_STARTED",
        "STEP_COMPLETED",
        "RUN_COMPLETED",
    ]
    assert re.fullmatch(r"run_\w+ completed in .*\.", lines[-1])
    assert done.err == ""


def test_json_of_a_waiting_run_is_all_of_standard_output(vb: Vb) -> None:
    done = vb("run", "hello", "word=x", "--wait", "--json")
    described = json.loads(done.out)
    assert (described["status"], described["input"]) == ("completed", {"word": "x", "times": 1})
    assert described["steps"][1]["output"] == {"text": "HELLO X"}
    assert "RUN_COMPLETED" in done.err


def test_runs_lists_and_show_tells(finished: Vb) -> None:
    listed = json.loads(finished("runs", "--json").out)
    assert [(run["workflow"], run["status"]) for run in listed] == [("hello", "completed")]
    run = listed[0]["run"]
    table = finished("runs").out.splitlines()
    assert table[0].split() == ["RUN", "WORKFLOW", "STATUS", "STARTED", "BY", "NOW"]
    assert table[1].startswith(f"{run}  hello")
    told = finished("show", run[4:20]).out
    assert told.splitlines()[0] == f"{run}  hello  completed"
    assert re.search(r"^\d\d:\d\d:\d\d\.\d{3} STEP_STARTED greet attempt=1/1 worker=wrk_\w+$", told, re.MULTILINE)


def test_show_has_the_events_for_programs_too(finished: Vb) -> None:
    run = run_in(finished("runs").out)
    shown = json.loads(finished("show", run, "--json").out)
    assert [event["seq"] for event in shown["events"]] == [1, 2, 3, 4, 5, 6]
    assert shown["events"][0]["payload"]["input"] == {"word": "world", "times": 1}
    lines = finished("show", run, "--events").out.splitlines()
    assert [line.split(" ", 1)[0] for line in lines] == [event["at"] for event in shown["events"]]


def test_verify_passes_on_what_was_not_touched(finished: Vb) -> None:
    whole = finished("verify")
    assert whole.code == 0
    # The run's stream, and the workspace's with its anchors.
    what = r"2 streams with \d+ events, [12] anchors? and the caches of 1 run, in [\d.]+ s, \d+ events a second"
    assert re.fullmatch(rf"Whole and unchanged: {what}\.\n", whole.out)
    assert finished("verify", run_in(finished("runs").out)).code == 0


def test_a_gate_says_how_to_decide_and_another_terminal_decides(vb: Vb) -> None:
    with vb.running("run", "gated", "--wait") as waiting:
        hint = waiting.until(r"In another terminal: (vb approve (run_\w+) publish --dir \S+)")
        assert "vb deny" in waiting.until(r"or: .*")[0]
        approved = vb(*hint[1].split()[1:4], "--reason", "looks good")
        assert approved.code == 0
        assert "  Question: Publish it?\n" in approved.err
        assert waiting.ended() == 0
    assert re.search(r"APPROVAL_GRANTED publish by=\"\w+ \(cli\)\" .*reason=\"looks good\"", waiting.said)
    again = vb("approve", hint[2], "publish")
    assert again.code == 1
    assert re.search(r"publish was already approved by \w+ .*; nothing was changed\.", again.err)


def test_a_denied_run_ends_with_1(vb: Vb) -> None:
    with vb.running("run", "gated", "--wait") as waiting:
        run = waiting.until(r"vb approve (run_\w+)")[1]
        assert vb("deny", run, "publish", "--reason", "not today").code == 0
        assert waiting.ended() == 1
    assert "not today" in waiting.said.splitlines()[-1]


def test_a_run_that_nobody_works_on_says_so_and_a_worker_takes_it(vb: Vb) -> None:
    started = vb("run", "hello", "word=later")
    assert started.code == 0
    assert "No worker is running here" in started.err
    assert "vb worker" in started.err
    run = run_in(started.out)
    with vb.running("worker") as worker:
        worker.until(r"Ctrl-C stops it")
        assert vb("run", "hello", "word=now").err == ""
        assert worker.ended(signal.SIGTERM) == 0
    assert "Stopping" in worker.said
    assert {one["status"] for one in json.loads(vb("runs", "--json").out)} == {"completed"}
    assert vb("verify", run).code == 0


def test_interrupted_waiting_leaves_the_run_to_others(vb: Vb) -> None:
    with vb.running("run", "gated", "--wait") as waiting:
        run = waiting.until(r"vb approve (run_\w+)")[1]
        assert waiting.ended(signal.SIGINT) == 1
    assert f"The run {run} goes on wherever a worker runs" in waiting.said
    stopped = vb("cancel", run, "--reason", "wrong one")
    assert (stopped.code, stopped.out) == (0, f"Cancelled {run}.\n")
    assert vb("cancel", run).code == 1
    assert "RUN_CANCELLED" in vb("show", run).out


@pytest.mark.postgresql
def test_every_command_takes_a_given_database(vb: Vb, postgres_server: PostgresServer) -> None:
    with postgres_server.database() as url:
        vb.environment["VB_DATABASE_URL"] = url
        assert vb("run", "hello", "word=x", "--wait").code == 0
        assert "completed" in vb("runs").out
        assert vb("verify").code == 0
        assert not (vb.folder / "vb.db").exists()
        stranger = Vb(vb.folder.with_name("elsewhere"), vb.environment)("run", "hello", "word=x")
        assert (stranger.code, stranger.err[:34]) == (1, "The key of this history is missing")


def test_migrate_makes_the_tables_once(vb: Vb) -> None:
    assert vb("migrate").out == "The tables were brought up to date.\n"
    assert vb("migrate").out == "The tables are up to date; there was nothing to do.\n"


def test_check_of_the_examples(vb: Vb) -> None:
    done = vb("check", str(ROOT / "workflows"))
    assert (done.code, done.out) == (0, "")
    assert done.err == f"No problems: {', '.join(sorted(one.stem for one in (ROOT / 'workflows').iterdir()))}.\n"
    assert not vb.folder.exists()
