"""Watched folders: what lies in one is deployed when the process starts, and whenever a file changes.

The one rule: a file is deployed once for what it says. Whoever deploys something else by hand since is not overruled
before the file changes again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from engine.catalog import SUFFIXES, Catalog
from engine.core.checks.calls import calls_of
from engine.core.definition import Workflow
from engine.core.draft import Draft
from engine.core.errors import EngineError, InvalidDefinition
from engine.core.events.base import Actor
from engine.core.loader import data_of
from engine.core.problems import Problem
from engine.core.workspace_events import WorkflowDeployed
from engine.deploying import ALL, Deployer
from engine.store import StoreError
from engine.workspace import WorkspaceRefused

log = logging.getLogger(__name__)

EVERY = 2.0
"""Seconds between looks at the files."""
SOURCE = "folder"
BY_FOLDER = Actor(via="engine", id="folder", name="the workflows' folder")

_Seen = Mapping[Path, tuple[int, int]]
"""The files in one place, with what changes when one of them does."""


class Watch:
    """Looks at the files of all folders of one process: once for each place, for however many workspaces it counts."""

    def __init__(self, every: float = EVERY) -> None:
        self._every = every
        self._folders: list[Folder] = []
        self._unread: frozenset[Path] = frozenset()
        self._called = asyncio.Event()

    @contextmanager
    def watching(self, folder: Folder) -> Generator[None]:
        """Deploy what is in the folder, then what changes there, until the block ends."""
        self._folders.append(folder)
        self._called.set()
        try:
            yield
        finally:
            self._folders.remove(folder)

    async def run(self) -> None:
        """Look until cancelled. Problems are logged; the rest is deployed."""
        while True:
            try:
                await self.look()
            except Exception:
                log.exception("The workflows' folder met a fault that nobody foresaw, and goes on.")
            # Not wait_for, which loses a cancellation that comes together with a call (Python 3.11).
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._every):
                    await self._called.wait()
            self._called.clear()

    async def look(self) -> None:
        """Look once."""
        folders = [*self._folders]
        found, unread = await asyncio.to_thread(_look, {path for folder in folders for path in folder.paths})
        for path in sorted(unread.keys() - self._unread):
            log.warning("%s cannot be read (%s); what was deployed from there stays.", path, unread[path])
        self._unread = frozenset(unread)
        for folder in folders:
            if folder not in self._folders or not unread.keys().isdisjoint(folder.paths):
                continue
            try:
                await folder.catch_up({path: found[path] for path in folder.paths})
            except StoreError as error:
                log.warning("The workflows' folder waits for the database: %s", error)
            except Exception:
                log.exception("The workflows' folder met a fault that nobody foresaw, and goes on.")


class Folder:
    """Files and folders of definitions, kept deployed. ``may`` are the permissions of whoever can write there."""

    def __init__(self, deployer: Deployer, paths: Sequence[Path], may: frozenset[str] = ALL) -> None:
        self.paths = tuple(paths)
        self._deployer = deployer
        self._may = may
        self._names: frozenset[str] = frozenset()
        self._said: frozenset[str] = frozenset()
        self._seen: Mapping[Path, _Seen] | None = None

    async def catch_up(self, seen: Mapping[Path, _Seen]) -> None:
        """Deploy, unless that was done for the files as they are; what was refused is tried again."""
        if seen != self._seen or self._said:
            await self.deploy()
            self._seen = seen

    async def deploy(self) -> list[WorkflowDeployed]:
        """Deploy what is there and was not deployed from here before; what is gone since the last time is retired."""
        catalog = Catalog(self._deployer.steps)
        problems = await asyncio.to_thread(catalog.load, self.paths)
        self._deployer.definitions.note_broken(catalog.broken)
        deployed: list[WorkflowDeployed] = []
        refused: list[str] = []
        for workflow in _callees_first(catalog):
            try:
                deployed += await self._deployer.deploy(
                    [workflow], by=BY_FOLDER, may=self._may, source=SOURCE, if_new=True
                )
            except (WorkspaceRefused, InvalidDefinition) as error:
                refused.append(f"{workflow.name} was not deployed: {error}")
        await self._retire(catalog, problems)
        self._say(problems, refused)
        for one in deployed:
            log.info("%s is deployed: %s", one.workflow, "; ".join(one.changes))
        return deployed

    async def _retire(self, catalog: Catalog, problems: Sequence[Problem]) -> None:
        """Names that this process has seen in the folder and that are in none of its files any more."""
        present = frozenset(catalog.workflows)
        if not problems:  # a file that cannot be read may still be one of them
            for name in sorted(self._names - present):
                try:
                    await self._deployer.retire(name, by=BY_FOLDER, reason="its file is gone", may=self._may)
                except EngineError as error:
                    log.warning("%s was not retired: %s", name, error)
            self._names = present
        else:
            self._names |= present

    def _say(self, problems: Sequence[Problem], refused: Sequence[str]) -> None:
        """Each problem once; refusals are tried again, as a freeze ends."""
        for line in (*map(str, problems), *refused):
            if line not in self._said:
                log.warning("%s", line)
        self._said = frozenset(refused)


def _look(paths: Iterable[Path]) -> tuple[dict[Path, _Seen], dict[Path, str]]:
    """What is at each place, and why it cannot be told of some."""
    found: dict[Path, _Seen] = {}
    unread: dict[Path, str] = {}
    for path in paths:
        try:
            found[path] = dict(_files(path))
        except OSError as error:
            unread[path] = error.strerror or str(error)
    return found, unread


def _files(path: Path) -> Iterator[tuple[Path, tuple[int, int]]]:
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        if file.suffix in SUFFIXES and file.is_file():
            about = file.stat()
            yield file, (about.st_mtime_ns, about.st_size)


def _callees_first(catalog: Catalog) -> list[Workflow]:
    order: dict[str, Workflow] = {}

    def visit(name: str) -> None:
        if name in order:
            return
        workflow = catalog.workflows[name]
        for called in calls_of(Draft.of(data_of(workflow))):
            visit(called)
        order[name] = workflow

    for name in catalog.workflows:
        visit(name)
    return list(order.values())
