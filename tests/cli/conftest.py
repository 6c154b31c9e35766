"""The command `vb` as people use it: real processes, a folder of their own, nothing of the caller's environment.

The one rule: no command may ever show a traceback, whatever the test is about.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import mkdtemp

import pytest

from tests.forks import FORKS, Typed
from tests.forks import vb as forked

VB = Path(sys.executable).with_name("vb")
SETPRIV = shutil.which("setpriv")

WORKFLOWS = {
    "hello": """
        name: hello
        input:
          word: {type: string}
          times: {type: integer, default: 1, min: 1, max: 9}
        steps:
          - {id: greet, uses: set, with: {text: "Hello ${{ input.word }}"}}
          - {id: shout, uses: set, with: {text: "${{ upper(steps.greet.output.text) }}"}}
    """,
    "gated": """
        name: gated
        steps:
          - {id: before, uses: set, with: {n: 1}}
          - id: publish
            approval: {title: "Publish it?", approvers: ["@release-managers"], expires_in: 1h, allow_self: true}
          - {id: after, uses: set, with: {n: 2}}
    """,
    "slow": """
        name: slow
        steps:
          - {id: nap, uses: shell.run, with: {program: sleep, args: ["${{ input.seconds }}"]}}
        input: {seconds: {type: string}}
    """,
}


@dataclass(frozen=True)
class Done:
    """How a command ended: its exit code, and what it said."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err


@dataclass
class Vb:
    """Runs `vb` on ``folder``, in the folder above it."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict[str, str])

    def __call__(self, *args: str, **setting: str) -> Done:
        with self._begun(args, setting, apart=True) as process:
            return Done(process.ended(), process.said, process.complained)

    def fed(self, given: str, *args: str, **setting: str) -> Done:
        """The command with this text at its standard input."""
        with self._begun(args, setting, apart=True, given=given) as process:
            return Done(process.ended(), process.said, process.complained)

    def installed(self, *args: str) -> Done:
        """The command as the script that people start."""
        return self._done([str(VB), *self._words(args)])

    def without_privileges(self, *args: str) -> Done:
        """The command with no right to write what its user may not write, which root otherwise has."""
        rights = "-dac_override,-dac_read_search"
        drop = [SETPRIV, "--bounding-set", rights, "--inh-caps", rights, "--"] if os.geteuid() == 0 else []
        if None in drop:
            pytest.skip("root has every right, and there is no setpriv to do without")
        return self._done([*(part for part in drop if part), str(VB), *self._words(args)])

    def _done(self, command: list[str]) -> Done:
        done = subprocess.run(
            command,
            env=self._environment({}),
            cwd=self.folder.parent,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert "Traceback" not in done.stdout + done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def running(self, *args: str, **setting: str) -> Generator[Running]:
        """The command while it runs; it is killed at the end if it has not ended."""
        with self._begun(args, setting, apart=False) as process:
            yield process

    @contextmanager
    def _begun(
        self, args: tuple[str, ...], setting: dict[str, str], *, apart: bool, given: str | None = None
    ) -> Generator[Running]:
        beside = Path(mkdtemp(dir=self.folder.parent.parent))
        out, err = beside / "out", beside / ("err" if apart else "out")
        out.touch()
        err.touch()
        fed = None if given is None else beside / "in"
        if fed is not None:
            fed.write_text(given or "", encoding="utf-8")
        typed = Typed(self._words(args), self.folder.parent, self._environment(setting), out, err, fed)
        process = FORKS.Process(target=forked, args=(typed,), daemon=True)
        process.start()
        try:
            yield Running(process, out, err)
        finally:
            process.kill()
            process.join()

    def _words(self, args: tuple[str, ...]) -> tuple[str, ...]:
        return (*args, "--dir", str(self.folder))

    def _environment(self, setting: dict[str, str]) -> dict[str, str]:
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("VB_", "SLACK_"))}
        return ours | {"COLUMNS": "200", "NO_COLOR": "1"} | self.environment | setting


@dataclass
class Running:
    """A command under way, and the files with its outputs, which may be one."""

    process: BaseProcess
    out: Path
    err: Path

    @property
    def said(self) -> str:
        return self.out.read_text(encoding="utf-8", errors="replace")  # half a character may be there

    @property
    def complained(self) -> str:
        return self.err.read_text(encoding="utf-8")

    def until(self, pattern: str) -> re.Match[str]:
        """Wait until what was said matches; fails if the command ends before."""
        while True:
            alive = self.process.is_alive()
            if found := re.search(pattern, said := self.said):
                return found
            assert alive, f"ended before saying {pattern!r}:\n{said}"
            time.sleep(0.01)

    def send(self, number: signal.Signals) -> None:
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def ended(self, number: signal.Signals | None = None) -> int:
        """The exit code, after sending a signal if one is given."""
        if number is not None:
            self.send(number)
        self.process.join(240)
        assert self.process.exitcode is not None, f"it does not end:\n{self.said}"
        assert "Traceback" not in self.said + self.complained
        return self.process.exitcode


@pytest.fixture(scope="session")
def workflows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the definitions above."""
    folder = tmp_path_factory.mktemp("workflows")
    for name, text in WORKFLOWS.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def vb(tmp_path: Path, workflows: Path) -> Vb:
    """`vb` on a folder that does not exist yet."""
    return Vb(tmp_path / "state", {"VB_WORKFLOWS": str(workflows)})


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, workflows: Path) -> Vb:
    """`vb` on a folder in which one run of `hello` has completed. Tests only read it."""
    command = Vb(tmp_path_factory.mktemp("finished") / "state", {"VB_WORKFLOWS": str(workflows)})
    done = command.installed("run", "hello", "word=world", "--wait")
    assert done.code == 0, done.said
    return command


def run_in(said: str) -> str:
    """The run's id in what was said."""
    found = re.search(r"run_[0-9a-z]{26}", said)
    assert found is not None, said
    return found[0]
