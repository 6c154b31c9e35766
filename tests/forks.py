"""Processes of the tests' own, forked from one that has imported before what they need: they start in no time.

The one rule: nothing that looks at its terminal as it is imported is imported before the fork.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.forkserver import ensure_running
from pathlib import Path

from tests.patience import be_patient

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.preloaded"])


def warm_up() -> None:
    """Begin with the imports, and do not wait for them."""
    ensure_running()


@dataclass(frozen=True)
class Typed:
    """A command `vb` as it was typed in a folder, and the files that take what it says."""

    words: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]
    out: Path
    err: Path
    fed: Path | None = None
    """A file that is its standard input."""


def vb(typed: Typed) -> None:
    """The whole life of a process that is the command; to be the target of a process."""
    for number, path in enumerate((os.devnull, typed.out, typed.err)):
        os.dup2(os.open(path, os.O_RDWR | os.O_APPEND), number)
    if typed.fed is not None:
        sys.stdin = typed.fed.open(encoding="utf-8")  # multiprocessing has put another one there
    os.chdir(typed.folder)
    os.environ.clear()
    os.environ.update(typed.environment)
    sys.argv = ["vb", *typed.words]
    from bot.cli import main

    be_patient()
    main()
