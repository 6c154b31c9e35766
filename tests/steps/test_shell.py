"""``shell.run`` with real processes: what may run, with what around it, and that nothing is left running."""

import asyncio
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop
from pydantic import JsonValue

from engine.core.failures import FailureClass, StepError
from engine.steps.context import StepContext
from engine.steps.shell import ShellPolicy, shell_run

from .conftest import Notebook, eventually

POLICY = ShellPolicy.of(["sh", "cat", f"python={sys.executable}"])
STEP = shell_run(POLICY)


async def sh(ctx: StepContext, script: str, *args: str, **more: Any) -> Any:
    return await STEP.invoke(ctx, {"program": "sh", "args": ["-c", script, "sh", *args], **more})


async def refusal(ctx: StepContext, script: str = "", **more: Any) -> StepError:
    with pytest.raises(StepError) as caught:
        await STEP.invoke(ctx, {"program": "sh", "args": ["-c", script], **more})
    return caught.value


def is_alive(pid: int) -> bool:
    """Whether the process runs. A zombie that nobody has waited for yet does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def block_until(condition: Callable[[], bool], seconds: float) -> None:
    """Holds the event loop itself until ``condition``, or so long."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)


async def test_output_exit_code_and_input(ctx: StepContext) -> None:
    done = await sh(ctx, "cat; echo err >&2; exit 3", stdin="ä in", ok_exit_codes=[0, 3])
    assert done == {"exit_code": 3, "stdout": "ä in", "stderr": "err\n"}


async def test_arguments_are_never_parsed(ctx: StepContext) -> None:
    nasty = ["$HOME", "; echo x", "`id`", "a b", "*", "", "--"]
    done = await sh(ctx, r'printf "%s\n" "$@"', *nasty)
    assert done["stdout"].split("\n")[:-1] == nasty


async def test_the_environment_is_clean(ctx: StepContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "hunter2")
    script = "import os; print(sorted(os.environ)); print(os.path.isdir(os.environ['HOME']), os.environ['HOME'])"
    done = await STEP.invoke(ctx, {"program": "python", "args": ["-I", "-c", script]})
    assert isinstance(done, dict)
    names, home = str(done["stdout"]).splitlines()
    assert set(eval(names)) - {"LC_CTYPE", "__CF_USER_TEXT_ENCODING"} == {"HOME", "LANG", "PATH"}  # noqa: S307 - our own print
    there, path = home.split(" ")
    assert there == "True"
    assert not Path(path).exists()  # noqa: ASYNC240 - a test may look at a file


async def test_it_runs_in_the_folder_given(ctx: StepContext, tmp_path: Path) -> None:
    (tmp_path / "here").write_text("x")
    assert (await sh(ctx, "cat here", cwd=str(tmp_path)))["stdout"] == "x"
    error = await refusal(ctx, cwd=str(tmp_path / "none"))
    assert error.cls is FailureClass.INVALID_INPUT
    assert "there is no folder" in str(error)


async def test_a_program_that_ends_badly_is_a_failure_with_its_last_words(ctx: StepContext) -> None:
    error = await refusal(ctx, "echo first >&2; echo disk full >&2; echo >&2; exit 4")
    assert str(error) == "sh exited with 4: disk full"
    assert error.cls is FailureClass.PERMANENT
    assert str(await refusal(ctx, "exit 5")) == "sh exited with 5"
    assert str(await refusal(ctx, "kill -9 $$")) == "sh was ended by SIGKILL"


async def test_output_beyond_the_limit_is_cut_and_said(ctx: StepContext) -> None:
    done = await sh(ctx, "head -c 200000 /dev/zero | tr '\\0' x; echo short >&2")
    text, note = done["stdout"].rsplit("\n", 1)
    assert text == "x" * 65_536
    assert note == f"[{200_000 - 65_536} more bytes cut off]"
    assert done["stderr"] == "short\n"


async def test_a_list_is_cut_between_its_lines(ctx: StepContext) -> None:
    done = await sh(ctx, "yes ./a/long/path | head -n 10000")
    *paths, note = done["stdout"].split("\n")
    assert set(paths) == {"./a/long/path"}
    assert note == f"[{14 * (10_000 - len(paths))} more bytes cut off]"


async def test_a_character_cut_in_two_and_bytes_that_are_no_text(ctx: StepContext) -> None:
    script = (
        "import sys; sys.stdout.buffer.write(b'x' * 65535 + '\u20ac'.encode()); sys.stderr.buffer.write(b'a\\xffb')"
    )
    done: Any = await STEP.invoke(ctx, {"program": "python", "args": ["-I", "-c", script]})
    assert done["stdout"].split("\n") == ["x" * 65_535, "[2 more bytes cut off]"]
    assert done["stderr"] == "a\ufffdb"


async def test_a_program_need_not_read_its_input(ctx: StepContext) -> None:
    assert (await sh(ctx, "exit 0", stdin="x" * 1_000_000))["exit_code"] == 0


class TestNothingIsLeftRunning:
    """However the step ends, no process of its group survives, not even one that ignores SIGTERM."""

    SCRIPT = """
        trap "" TERM
        sh -c 'trap "" TERM; echo $$ > "$1/child"; while :; do sleep 0.1; done' child "$1" &
        echo $$ > "$1/sh"
    """

    def pids(self, folder: Path) -> list[int]:
        return [int(path.read_text() or 0) for path in folder.iterdir()]

    def are_named(self, folder: Path) -> bool:
        return len(pids := self.pids(folder)) == 2 and all(pids)

    def are_gone(self, folder: Path) -> bool:
        return self.are_named(folder) and not any(is_alive(pid) for pid in self.pids(folder))

    async def test_after_a_timeout(self, ctx: StepContext, tmp_path: Path) -> None:
        with pytest.raises(StepError) as caught:
            await sh(ctx, self.SCRIPT + "wait", str(tmp_path), timeout="700ms")
        assert caught.value.cls is FailureClass.TIMEOUT
        assert str(caught.value) == "sh was still running after 700 ms and was stopped"
        await eventually(lambda: not any(is_alive(pid) for pid in self.pids(tmp_path)))

    async def test_after_a_cancellation(self, ctx: StepContext, tmp_path: Path) -> None:
        task = asyncio.create_task(sh(ctx, self.SCRIPT + "wait", str(tmp_path)))
        await eventually(lambda: self.are_named(tmp_path))
        assert all(is_alive(pid) for pid in self.pids(tmp_path))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await eventually(lambda: self.are_gone(tmp_path))

    async def test_after_two_cancellations_at_once(self, ctx: StepContext, tmp_path: Path) -> None:
        task = asyncio.create_task(sh(ctx, self.SCRIPT + "wait", str(tmp_path)))
        await eventually(lambda: self.are_named(tmp_path))
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await eventually(lambda: self.are_gone(tmp_path))

    @pytest.mark.parametrize("turns", range(1, 9))
    async def test_after_a_cancellation_while_it_is_being_started(
        self, ctx: StepContext, tmp_path: Path, turns: int
    ) -> None:
        script = 'sleep 1000 & echo $! > "$1/child"; echo $$ > "$1/sh"; wait'
        task = asyncio.create_task(sh(ctx, script, str(tmp_path)))
        for _ in range(turns):  # of the loop; in one of them the program starts, some later its start is known
            await asyncio.sleep(0)
        block_until(lambda: self.are_named(tmp_path), seconds=1 if turns > 3 else 0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(60):
                await task
        await eventually(lambda: not any(is_alive(pid) for pid in self.pids(tmp_path)))

    async def test_after_a_normal_end_though_a_child_still_holds_the_output(
        self, ctx: StepContext, tmp_path: Path
    ) -> None:
        waiting = 'while [ ! -s "$1/child" ]; do sleep 0.01; done; echo done'
        async with asyncio.timeout(60):
            assert (await sh(ctx, self.SCRIPT + waiting, str(tmp_path)))["stdout"] == "done\n"
        await eventually(lambda: self.are_gone(tmp_path))

    async def test_a_gentle_end_is_given_time(
        self, ctx: StepContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("engine.steps.process.TERM_GRACE", 60.0)
        script = 'trap "echo bye > $1/bye; exit 0" TERM; echo > "$1/up"; while :; do sleep 0.01; done'
        task = asyncio.create_task(sh(ctx, script, str(tmp_path)))
        await eventually((tmp_path / "up").exists)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (tmp_path / "bye").read_text() == "bye\n"


async def test_a_process_that_left_the_group_does_not_hold_the_step(ctx: StepContext, tmp_path: Path) -> None:
    if shutil.which("setsid") is None:
        pytest.skip("there is no setsid here")
    script = """setsid sh -c 'echo > "$1/up"; sleep 100' child "$1" & while [ ! -e "$1/up" ]; do sleep 0.01; done"""
    async with asyncio.timeout(60):
        assert (await sh(ctx, script, str(tmp_path)))["exit_code"] == 0


async def test_it_is_off_unless_programs_are_listed(ctx: StepContext) -> None:
    off = shell_run(ShellPolicy())
    with pytest.raises(StepError, match="off here; the operator has to allow programs") as caught:
        await off.invoke(ctx, {"program": "sh"})
    assert caught.value.cls is FailureClass.PERMISSION


@pytest.mark.parametrize("program", ["rm", "/bin/sh", "../sh", "", "SH"])
async def test_only_the_listed_names_run(ctx: StepContext, program: str) -> None:
    error = await refusal(ctx, program=program)
    assert str(error) == f"the program {program!r} is not allowed here; allowed: cat, python, sh"
    assert error.cls is FailureClass.PERMISSION


async def test_only_the_listed_variables_are_set(ctx: StepContext) -> None:
    policy = ShellPolicy.of(["sh"], ["DEPLOY_TOKEN"])
    script: dict[str, JsonValue] = {"program": "sh", "args": ["-c", 'printf %s "$DEPLOY_TOKEN"']}
    done = await shell_run(policy).invoke(ctx, {**script, "env": {"DEPLOY_TOKEN": "t0ken"}})
    assert isinstance(done, dict)
    assert done["stdout"] == "t0ken"
    for name in ("LD_PRELOAD", "PATH"):
        with pytest.raises(StepError, match=f"the variable '{name}' may not be set here; allowed: DEPLOY_TOKEN"):
            await shell_run(policy).invoke(ctx, {**script, "env": {name: "x"}})
    error = await refusal(ctx, program="sh", env={"DEPLOY_TOKEN": "x"})
    assert "the operator has to allow variables first" in str(error)


@pytest.mark.parametrize("args", [["a\0b"], ["\ud800"]])
async def test_arguments_that_no_program_can_get_are_refused(ctx: StepContext, args: list[str]) -> None:
    assert (await refusal(ctx, args=args)).cls is FailureClass.INVALID_INPUT


async def test_a_program_that_is_gone_or_broken_is_said(ctx: StepContext, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("no program")
    broken.chmod(0o755)
    step = shell_run(ShellPolicy({"gone": str(tmp_path / "gone"), "broken": str(broken)}))
    for name, words in (("gone", "no such file"), ("broken", "exec format error")):
        with pytest.raises(StepError, match=f"{name} could not be started: {words}") as caught:
            await step.invoke(ctx, {"program": name})
        assert caught.value.cls is FailureClass.PERMANENT


def test_the_policy_finds_programs_when_the_operator_lists_them(tmp_path: Path) -> None:
    policy = ShellPolicy.of(["sh", f" own={sys.executable} "])
    assert policy.allowed == {"sh": shutil.which("sh"), "own": sys.executable}
    for entry in ("no-such-program", "x=relative/path", f"x={tmp_path}", "a b", "", "=/bin/sh", "/bin/sh"):
        with pytest.raises(ValueError, match="program"):
            ShellPolicy.of([entry])


def test_it_works_on_uvloop_too(notebook: Notebook) -> None:
    async def main() -> Any:
        async with asyncio.timeout(60):
            return await sh(notebook.context(), "cat; echo err >&2; sleep 60 &", stdin="in" * 100_000)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        done = runner.run(main())
    assert done["stderr"] == "err\n"
    assert done["stdout"].startswith("inin")
