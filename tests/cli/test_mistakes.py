"""Bad input and faults: one clear sentence on standard error, the right exit code, never a traceback."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bot.config.settings import Settings
from bot.console.launch import complain
from bot.console.start import start_run
from engine.core.errors import EngineError
from tests.cli.conftest import Vb, run_in

FIVE_MISTAKES = """\
name: broken
input:
  version: {type: strin}
steps:
  - id: one
    uses: git.lgo
  - id: two
    uses: set
    with: {text: "${{ steps.nowhere.output }}"}
  - id: three
    uses: set
    needs: [oen]
    retry: {attempts: 0}
"""


def test_five_mistakes_are_five_lines_and_nothing_is_stored(vb: Vb, tmp_path: Path) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text(FIVE_MISTAKES, encoding="utf-8")
    done = vb("check", str(file))
    assert done.code == 1
    places = [line.split(": ", 1)[0] for line in done.out.splitlines()]
    assert places == [f"{file}:{line}" for line in (3, 6, 9, 12, 13)]
    assert done.err == "5 problems.\n"
    assert not vb.folder.exists()


def test_a_broken_definition_is_named_when_its_workflow_is_wanted(vb: Vb, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text(FIVE_MISTAKES, encoding="utf-8")
    done = vb("run", "broken", VB_WORKFLOWS=str(tmp_path))
    assert done.code == 2
    assert len(done.err.splitlines()) == 6
    last = done.err.splitlines()[-1]
    assert last.startswith("broken cannot be started, as its file has a problem: broken.yaml:3: ")
    assert last.endswith(" (there are 5 problems; vb check lists them).")
    assert not vb.folder.exists()


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("run", "helo", "word=x"), "There is no workflow named helo; did you mean hello?"),
        (("run", "hello", "times=2"), "hello was not started: word is missing."),
        (("serve",), "SLACK_BOT_TOKEN is not set: make a Slack app from manifest.yml"),
    ],
    ids=["workflow", "input", "serve"],
)
def test_wrong_use_is_2_and_leaves_nothing(vb: Vb, args: tuple[str, ...], sentence: str) -> None:
    done = vb(*args)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(sentence)
    assert len(done.err.splitlines()) == 1
    assert not vb.folder.exists() or not any(vb.folder.iterdir())


@pytest.mark.parametrize(
    ("pairs", "sentence"),
    [
        (["word=x", "times=many"], "times must be a whole number"),
        (["word=x", "wrod=y"], "hello has no input wrod; did you mean word?"),
        (["world"], "'world' is no input; write key=value"),
        (["=x"], "'=x' is no input; write key=value"),
        (["word=x", "word=y"], "The input word is given twice; give it once."),
    ],
    ids=["type", "name", "word", "no name", "twice"],
)
async def test_wrong_inputs_are_said_before_anything_is_made(
    vb: Vb, workflows: Path, pairs: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings.read(vb.folder, VB_WORKFLOWS=str(workflows))
    with pytest.raises(EngineError) as refused:
        await start_run(settings, "hello", pairs, wait=True, as_json=False)
    assert complain(refused.value) == 2
    assert sentence in capsys.readouterr().err
    assert not vb.folder.exists()


def test_unknown_runs_and_gates_are_2(finished: Vb) -> None:
    run = run_in(finished("runs").out)
    unknown = finished("show", "run_nowhere")
    assert (unknown.code, unknown.err) == (2, "There is no run run_nowhere; list the runs to find its id.\n")
    long = finished("show", "0" * 3_000)
    assert (long.code, long.err) == (2, f"There is no run {'0' * 30}…; list the runs to find its id.\n")
    no_gate = finished("approve", run, "publish")
    assert (no_gate.code, no_gate.err) == (2, "hello has no gate named publish; it has none.\n")


def test_a_folder_without_a_database_is_said_and_not_filled(vb: Vb) -> None:
    done = vb("verify")
    assert done.code == 1
    assert done.err.startswith(f"There is no database {vb.folder / 'vb.db'} yet; start a run first")
    assert not vb.folder.exists()


@pytest.mark.parametrize("args", [("runs",), ("run", "hello", "word=x"), ("worker",)], ids=lambda args: args[0])
@pytest.mark.parametrize(("name", "problem"), [("z" * 300, "file name too long"), ("file", "not a directory")])
def test_what_can_be_no_folder_is_said(vb: Vb, args: tuple[str, ...], name: str, problem: str) -> None:
    (vb.folder.parent / "file").write_text("", encoding="utf-8")
    vb.folder = vb.folder.parent / name
    done = vb(*args)
    assert (done.code, done.out) == (1, "")
    assert done.err == f"The folder {vb.folder} cannot be used ({problem}); name another one with --dir.\n"


@pytest.mark.parametrize("args", [("worker",), ("run", "hello", "word=x", "--wait"), ("demo", "--once")])
def test_a_folder_that_cannot_be_written_is_said_before_anything_is_started(vb: Vb, args: tuple[str, ...]) -> None:
    vb.folder.mkdir(mode=0o555)
    done = vb.without_privileges(*args)
    assert (done.code, done.out) == (1, "")
    assert done.err == f"The folder {vb.folder} cannot be used (permission denied); name another one with --dir.\n"


def test_a_wrong_setting_is_named_and_its_value_is_not_shown(vb: Vb) -> None:
    done = vb("runs", VB_SLOTS="s3cret")
    assert (done.code, done.err) == (2, "The setting VB_SLOTS cannot be used: it must be a whole number.\n")


def test_an_unreachable_database_is_one_sentence_without_its_password(vb: Vb) -> None:
    done = vb("runs", VB_DATABASE_URL="postgresql://vb:s3cret@127.0.0.1:9/vb")
    assert done.code == 1
    assert len(done.err.splitlines()) == 1
    assert "127.0.0.1:9" in done.err
    assert "cannot be reached" in done.err
    assert "s3cret" not in done.err


def test_a_history_without_its_key_is_not_continued_with_another(finished: Vb, tmp_path: Path) -> None:
    copy = Vb(tmp_path / "copy", finished.environment)
    shutil.copytree(finished.folder, copy.folder)
    (copy.folder / "chain.key").unlink()
    done = copy("run", "hello", "word=x")
    assert done.code == 1
    assert done.err.startswith("The key of this history is missing")
    assert not (copy.folder / "chain.key").exists()


@pytest.mark.parametrize(
    "args", [("run", "hello", "word=x"), ("run", "hello", "word=x", "--wait"), ("worker",), ("cancel", "run_")]
)
def test_a_history_is_not_continued_with_another_key(finished: Vb, tmp_path: Path, args: tuple[str, ...]) -> None:
    copy = Vb(tmp_path / "copy", finished.environment)
    shutil.copytree(finished.folder, copy.folder)
    (copy.folder / "chain.key").write_bytes(b"another" * 5)
    done = copy(*args)
    assert done.code == 1
    assert done.err.startswith(f"The key in {copy.folder / 'chain.key'} is not the one that signed this history")
    assert len(json.loads(copy("runs", "--json").out)) == 1
    assert copy("verify").code == 1


def test_one_broken_seal_does_not_stop_the_others(finished: Vb, tmp_path: Path) -> None:
    copy = Vb(tmp_path / "copy", finished.environment)
    shutil.copytree(finished.folder, copy.folder)
    assert copy("run", "hello", "word=x").code == 0
    with closing(sqlite3.connect(copy.folder / "vb.db")) as database:
        database.execute("UPDATE runs SET head_mac = '' WHERE id = (SELECT max(id) FROM runs)")
        database.commit()
    assert copy("run", "hello", "word=y").code == 0


def test_while_redis_is_away_runs_are_recorded_and_workers_wait(vb: Vb) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        away = f"redis://127.0.0.1:{reserved.getsockname()[1]}"
        assert vb("run", "hello", "word=x", VB_REDIS_URL=away).code == 0
        with vb.running("worker", VB_REDIS_URL=away) as worker:
            told = worker.until(r"Redis at 127\.0\.0\.1:\d+ cannot be reached \(.*\).*\n")[0]
            assert "goes on when it is back" in told
            assert worker.ended(signal.SIGTERM) == 0
    with vb.running("worker") as worker:
        worker.until("Ctrl-C stops it")

        def statuses() -> set[str]:
            return {run["status"] for run in json.loads(vb("runs", "--json").out)}

        for _ in range(20):
            if statuses() == {"completed"}:
                break
        assert statuses() == {"completed"}


def test_the_command_line_decides_only_where_the_settings_let_it(vb: Vb) -> None:
    with vb.running("run", "gated", "--wait", VB_CLI_APPROVALS="no") as waiting:
        waiting.until("publish waits for a decision in Slack")
        run = run_in(vb("runs").out)
        refused = vb("approve", run, "publish", VB_CLI_APPROVALS="no")
        assert refused.code == 1
        assert refused.err.startswith("The command line may not decide here, nothing was changed")
    assert json.loads(vb("runs", "--json").out)[0]["status"] == "waiting"
