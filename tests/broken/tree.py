"""A copy of this tree, with an environment of its own, to break and to test.

The one rule: nothing that is started there imports this tree. An editable installation would, whatever the current
directory is, so the copy's environment has everything of ours but that; its ``python`` and ``vb`` know the copy alone.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from tests.broken.page import ROOT
from tests.broken.witness import PASSED

_LEFT_OUT = shutil.ignore_patterns(".*", "*.egg-info", "test-results", "__pycache__")
_OURS = ("__editable__", "__pycache__")


@dataclass(frozen=True)
class Ended:
    """How tests ended: ``passed`` is how many did, ``failures`` are the kinds of exceptions and what they say."""

    passed: int
    failures: tuple[tuple[str, str, str], ...]
    told: str
    """The last of what pytest said."""


class Tree:
    """A copy in ``folder``. One at a time uses it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "tree"
        self._python = self.root / ".venv/bin/python"
        self._times = 0

    def make(self) -> None:
        """Copy the tree and make its environment; RuntimeError if this tree would be imported all the same."""
        shutil.copytree(ROOT, self.root, ignore=_LEFT_OUT)
        venv.EnvBuilder(symlinks=True).create(self.root / ".venv")
        there = next((self.root / ".venv").glob("lib/python*/site-packages"))
        for one in Path(sysconfig.get_path("purelib")).iterdir():
            if not one.name.startswith(_OURS):
                (there / one.name).symlink_to(one)
        (there / "tree.pth").write_text(f"{self.root}\n", encoding="utf-8")
        programs = Path(sys.executable).parent
        command = (programs / "vb").read_text(encoding="utf-8").replace(str(programs / "python"), str(self._python))
        vb = self._python.with_name("vb")
        vb.write_text(command, encoding="utf-8")
        vb.chmod(0o755)
        look = "import bot, engine; print(bot.__file__, engine.__file__)"
        found = subprocess.run([self._python, "-c", look], cwd="/", check=True, capture_output=True, text=True).stdout
        if found.split() != [f"{self.root}/bot/__init__.py", f"{self.root}/engine/__init__.py"]:
            raise RuntimeError(f"The copy in {self.root} would test other code: {found}")

    @contextmanager
    def broken(self, path: str, text: str) -> Generator[None]:
        """With this text in one of its files."""
        file = self.root / path
        whole, at = file.read_text(encoding="utf-8"), file.stat().st_mtime
        # Compiled code counts as that of a source of the same second and size.
        self._times += 1
        _write(file, text, at + self._times)
        try:
            yield
        finally:
            _write(file, whole, at)

    def test(self, tests: Sequence[str], *, limit_s: float) -> Ended:
        """Run tests in one process; at the first that fails it ends, or when its time is over."""
        witness, said = self.root / ".witness", self.root / ".said"
        witness.write_text("", encoding="utf-8")
        command = [str(self._python), "-m", "pytest", "-n", "0", "-x", "-q", "--no-header", "--tb=short"]
        command += ["-p", "no:cacheprovider", "-p", "tests.broken.witness", *tests]
        # As in CI: what is missing fails, and properties are tried on the same examples each time.
        environment = {**os.environ, "CI": "true", "VB_WITNESS": str(witness)}
        environment.pop("PYTHONPATH", None)
        # Not a pipe: whatever the tests have started, and outlives them, would keep it open.
        with said.open("w", encoding="utf-8") as file:
            _run(command, self.root, environment, file, limit_s)
        told = [json.loads(line) for line in witness.read_text(encoding="utf-8").splitlines()]
        failures = tuple((kind, text, test) for kind, text, test in told if kind != PASSED)
        return Ended(len(told) - len(failures), failures, said.read_text(encoding="utf-8").strip().rpartition("\n")[2])


def _run(command: list[str], folder: Path, environment: dict[str, str], file: TextIO, limit_s: float) -> None:
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=file,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            process.wait(limit_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def _write(file: Path, text: str, at: float) -> None:
    file.write_text(text, encoding="utf-8")
    os.utime(file, (at, at))


@contextmanager
def copied() -> Generator[Tree]:
    """A copy that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="vectorbea-broken-", ignore_cleanup_errors=True) as folder:
        tree = Tree(Path(folder))
        tree.make()
        yield tree
