"""What operators do from the command line, in real processes: runs one and many, definitions, storage."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Vb, run_in

# A process for each of a dozen commands takes its time on a busy machine.

DEFINITIONS = {
    "failing": """
        name: failing
        steps:
          - {id: build, set: {n: 1}}
          - {id: tag, uses: shell.run, with: {program: "false"}}
          - {id: tell, set: {n: 2}}
    """,
    "paying": """
        name: paying
        steps:
          - {id: pay, wait_for: {signal: paid, correlation: order-1}}
          - {id: tell, set: {n: 2}}
    """,
    "gated": """
        name: gated
        steps:
          - id: publish
            approval: {title: "Publish it?", approvers: ["@release-managers"], expires_in: 1h, allow_self: true}
    """,
    "napping": """
        name: napping
        steps:
          - {id: nap, uses: shell.run, with: {program: sleep, args: ["60"]}}
    """,
    "nightly": """
        name: nightly
        schedule: [{cron: "0 2 * * *"}]
        steps:
          - {id: report, set: {n: 1}}
    """,
}


@pytest.fixture
def vb(tmp_path: Path) -> Vb:
    folder = tmp_path / "workflows"
    folder.mkdir()
    for name, text in DEFINITIONS.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return Vb(tmp_path / "state", {"VB_WORKFLOWS": str(folder), "VB_ALLOWED_PROGRAMS": "false,sleep"})


def test_what_failed_is_listed_and_decided_by_hand(vb: Vb) -> None:
    run = run_in(vb("run", "failing", "--wait").out)
    dead = vb("dead")
    assert f"{run} failing, started by " in dead.out
    assert "  tag: Its only try ended with: false exited with 1." in dead.out
    assert "vb redrive" in dead.err
    [letter] = json.loads(vb("dead", "--json", "--workflow", "failing").out)
    assert [step["id"] for step in letter["steps"]] == ["tag"]
    assert f"to try again: vb redrive {run}" in vb("show", run).out

    refused = vb("redrive", run, "build")
    assert (refused.code, refused.err) == (
        1,
        f"{run} was left as it is: build is not in the dead letters; there are: tag.\n",
    )
    assert vb("redrive", run, "--reason", "once more").code == 0
    skipped = vb("skip", run, "tag", "--reason", "by hand")
    assert (skipped.code, skipped.out) == (0, f"Skipped tag of {run}.\n")
    told = vb("show", run).out
    assert re.search(r'STEP_REDRIVEN tag by="\w+ \(cli\)" reason="once more"', told)
    assert "RUN_COMPLETED" in told
    assert vb("retry", run, "--from", "tag").code == 1

    forked = vb("fork", run, "--from", "tag")
    assert "It takes over: build." in forked.out
    assert run_in(forked.out) != run
    assert [json.loads(line)["seq"] for line in vb("export", run).out.splitlines()][:3] == [1, 2, 3]


def test_runs_are_found_by_label_and_state_and_steered_together(vb: Vb) -> None:
    runs = [run_in(vb("run", "paying").out) for _ in range(2)]
    assert vb("label", runs[0], "team=web").out == f"The labels of {runs[0]} are: team=web.\n"
    assert run_in(vb("runs", "--label", "team=web", "--status", "waiting").out) == runs[0]
    assert vb("runs", "--since", "1h", "--older-than", "30m").err == "No run fits.\n"

    counted = vb("bulk", "pause", "--workflow", "paying", "--dry-run")
    assert (counted.code, counted.out) == (0, "2 runs would be paused; nothing was changed.\n")
    asked = vb("bulk", "pause", "--workflow", "paying")
    assert (asked.code, "add --yes" in asked.err) == (2, True)
    assert vb("bulk", "pause", "--workflow", "paying", "--yes", "--reason", "lunch").out == "Paused: 2 runs.\n"
    assert len(json.loads(vb("runs", "--attention", "paused", "--json").out)) == 2
    assert vb("resume", runs[0]).out == f"Resumed {runs[0]}.\n"
    assert vb("resume", runs[0]).out == f"{runs[0]} was so already; nothing was changed.\n"


def test_a_run_is_followed_until_a_signal_ends_it(vb: Vb) -> None:
    run = run_in(vb("run", "paying").out)
    with vb.running("show", run, "--follow") as following:
        following.until("SIGNAL_AWAITED pay signal=paid correlation=order-1")
        wrong = vb("signal", "payed", "--run", run)
        assert wrong.err == (
            f"{run} was left as it is: no step of this run waits for the signal payed; did you mean paid?\n"
        )
        assert vb("signal", "paid", '{"cents": 1}', "--run", run, "--id", "p-1").code == 0
        assert following.ended() == 0
    assert "SIGNAL_MATCHED pay" in following.said
    [step] = [step for step in json.loads(vb("show", run, "--json").out)["steps"] if step["id"] == "pay"]
    assert step["output"] == {"cents": 1}


def test_a_gate_is_not_skipped_where_the_command_line_may_not_decide(vb: Vb) -> None:
    run = run_in(vb("run", "gated").out)
    for words in (("skip", run, "publish"), ("set-output", run, "publish", "null")):
        refused = vb(*words, VB_CLI_APPROVALS="no")
        assert (refused.code, "may not decide here" in refused.err) == (1, True)
    assert json.loads(vb("show", run, "--json").out)["status"] == "waiting"


def test_definitions_are_deployed_frozen_and_retired_by_who_may(vb: Vb) -> None:
    planned = vb("deploy", "--dry-run")
    assert "gates: publish" in planned.out
    assert f"{len(DEFINITIONS)} workflows would change; nothing was deployed." in planned.err
    assert vb("deploy", "--reason", "first").code == 0
    assert "(first)" in vb("deployments", "gated").out
    assert "nothing has changed" in vb("deploy").err.lower()

    file = Path(vb.environment["VB_WORKFLOWS"]) / "gated.yaml"
    file.write_text(DEFINITIONS["gated"].replace("@release-managers", "@everybody"), encoding="utf-8")
    refused = vb("deploy", str(file), VB_GATE_OWNERS="nobody-here")
    assert (refused.code, "may not change who decides in gated" in refused.err) == (1, True)

    assert vb("freeze", "gated").code == 2
    assert "vb unfreeze" in vb("freeze", "gated", "--until", "3d", "--reason", "the fair").out
    frozen = vb("run", "gated")
    assert (frozen.code, "the fair" in frozen.err) == (1, True)
    assert vb("unfreeze").out == "Lifted 1 freeze.\n"
    assert vb("retire", "gated", "--reason", "done with").code == 0
    assert "done with" in vb("run", "gated").err


def test_what_is_under_way_is_stopped_told_and_let_go_on(vb: Vb) -> None:
    assert vb("kill", "workspace").code == 2
    refused = vb("kill", "workspace", "--reason", "bad image")
    assert (refused.code, "This stops all runs of this workspace: 0 open runs" in refused.err) == (2, True)
    stopped = vb("kill", "workspace", "--reason", "bad image", "--yes")
    assert "stopped all runs of this workspace: bad image. To lift it: vb lift workspace" in stopped.out
    run = run_in(vb("run", "failing").out)
    with vb.running("worker") as working:
        working.until(r"(wrk_\w+) works on")
        while "bad image" not in vb("show", run).out:
            assert working.process.is_alive()
    assert json.loads(vb("switches", "--json").out)[0]["key"] == "workspace"
    assert "STEP_HELD" in vb("export", run).out
    assert "lift workspace" in vb("show", run).out
    assert "There is no run nothing" in vb("kill", "run:nothing", "--reason", "x", "--yes").err
    assert "names nothing that can be stopped" in vb("kill", "deploys", "--reason", "x", "--yes").err
    mistyped = vb("kill", "step:shel.run", "--reason", "x", "--yes")
    assert (mistyped.code, "would stop nothing; did you mean shell.run?" in mistyped.err) == (2, True)
    assert "what it held goes on" in vb("lift", "workspace").out
    assert "Nothing is stopped." in vb("switches").err


def test_schedules_are_listed_held_and_made_up_for(vb: Vb) -> None:
    assert vb("deploy").code == 0
    assert re.search(r"^nightly +0 +0 2 \* \* \* +UTC +in ", vb("schedule", "list").out, re.MULTILINE)
    assert "Paused 1 schedule" in vb("schedule", "pause", "nightly").out
    assert "paused by" in vb("schedule", "list").out
    assert "Resumed 1 schedule" in vb("schedule", "resume", "nightly").out
    made_up = vb("schedule", "backfill", "nightly", "--from", "2d")
    assert "Started 2 runs for 2 instants." in made_up.err
    assert "Started 0 runs for 2 instants." in vb("schedule", "backfill", "nightly", "--from", "2d").err


def test_what_is_sealed_is_erased_and_what_is_old_is_pruned(vb: Vb, tmp_path: Path) -> None:
    key = tmp_path / "master.key"
    key.write_text(vb("keys", "new").out, encoding="ascii")
    key.chmod(0o600)
    vb.environment["VB_MASTER_KEY_FILE"] = str(key)
    run = run_in(vb("run", "failing", "--wait").out)
    key.write_text(vb("keys", "new").out + key.read_text(encoding="ascii"), encoding="ascii")
    assert vb("keys", "rewrap").out.startswith("Wrapped 1 key by the current master key")
    person = json.loads(vb("show", run, "--json").out)["started_by"]
    erased = vb("erase", f"cli:{person['id']}", "--yes")
    assert (erased.code, "1 run can no longer be read" in erased.out) == (0, True)
    verified = vb("verify")
    assert (verified.code, "1 erased run" in verified.out) == (0, True)

    assert "1 run with 6 events would be removed" in vb("prune", "--older-than", "0ms", "--dry-run").out
    assert vb("prune", "--older-than", "0ms").code == 2
    assert vb("prune", "--older-than", "0ms", "--yes").out.startswith("Removed 1 run with 6 events")
    assert (vb("verify").code, vb("runs").err) == (0, "There are no runs yet; start one with vb run.\n")


def test_a_restored_history_is_held_against_what_was_seen(vb: Vb, tmp_path: Path) -> None:
    run = run_in(vb("run", "paying").out)
    witness = tmp_path / "witness"
    witness.write_text(vb("witness").out, encoding="utf-8")
    assert vb("verify", "--restored", str(witness)).code == 0
    witness.write_text(json.dumps({"saw": "event", "stream": run, "seq": 9, "hash": "", "where": "Slack"}))
    behind = vb("verify", "--restored", str(witness), "--pause")
    assert behind.code == 1
    assert behind.out == f"{run} ends at event 2; seen outside: event 9 in Slack.\n"
    assert "Paused: 1 run." in behind.err
    assert json.loads(vb("show", run, "--json").out)["status"] == "paused"
    assert vb("verify", "--restored", str(tmp_path / "no-such-file")).code == 2


def test_workers_are_listed_with_what_they_have_in_hand(vb: Vb) -> None:
    vb("run", "paying")
    assert "No worker is alive" in vb("workers").err
    with vb.running("worker", VB_LEASE="1s") as working:
        worker = working.until(r"(wrk_\w+) works on")[1]
        [listed] = json.loads(vb("workers", "--json").out)
        assert (listed["worker"], listed["slots"], listed["steps"]) == (worker, 100, 0)
        run = run_in(vb("run", "napping").out)
        while (out := vb("workers").out).count("\n") < 3:  # it says what it does three times per lease
            assert working.process.is_alive()
        head, row, step = out.splitlines()
        assert (row.split()[0], "1 of 100" in row) == (worker, True)
        assert (head.split()[0], step) == ("WORKER", f"  {run}  nap")
