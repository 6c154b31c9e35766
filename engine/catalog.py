"""The workflows that this process knows: read from folders of YAML files, or registered from Python.

The one rule: a definition with a problem is not there; its problems are, each with file and line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from engine.core.arguments import Catalog as StepCatalog
from engine.core.definition import Workflow
from engine.core.errors import InvalidDefinition, UnknownWorkflow
from engine.core.loader import check, load_yaml, pin
from engine.core.problems import Problem
from engine.core.words import nearest
from engine.core.yamltree import MAX_BYTES

SUFFIXES = (".yaml", ".yml")


class Catalog:
    """Workflows by name, each checked against ``steps`` and pinned to versions of them."""

    def __init__(self, steps: StepCatalog) -> None:
        self._steps = steps
        self._workflows: dict[str, Workflow] = {}
        self._sources: dict[str, str] = {}
        self._problems: list[Problem] = []

    @property
    def workflows(self) -> Mapping[str, Workflow]:
        """By name, in the order of the names."""
        return {name: self._workflows[name] for name in sorted(self._workflows)}

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything that kept a file, or a part of a folder, from being loaded."""
        return tuple(self._problems)

    def get(self, name: str) -> Workflow:
        """The workflow called ``name``. Raises ``UnknownWorkflow``, which suggests the nearest name."""
        if name not in self._workflows:
            raise UnknownWorkflow(name, list(self._workflows), nearest(name, self._workflows))
        return self._workflows[name]

    def add(self, workflow: Workflow, source: str = "Python") -> Workflow:
        """Registers a workflow built in Python, and returns it as it was pinned.

        Raises ``InvalidDefinition`` with all its problems, or if the name is taken by another definition.
        """
        problems = [str(problem) for problem in check(workflow, self._steps)]
        if problems:
            raise InvalidDefinition([f"{workflow.name}: {problem}" for problem in problems])
        if taken := self._taken(workflow.name, source):
            raise InvalidDefinition([taken])
        return self._keep(workflow, source)

    def load(self, paths: Iterable[Path]) -> tuple[Problem, ...]:
        """Reads the files, and the ``*.yaml`` and ``*.yml`` files of the folders, in ``paths``.

        Returns the problems of this call; files without any are loaded all the same.
        """
        found: list[Problem] = []
        for file in _files(paths, found):
            found += self._load_file(file)
        self._problems += found
        return tuple(found)

    def _load_file(self, file: Path) -> list[Problem]:
        text = _text(file)
        if isinstance(text, Problem):
            return [text]
        loaded = load_yaml(text, str(file), self._steps)
        if loaded.workflow is None:
            return list(loaded.problems)
        if taken := self._taken(loaded.workflow.name, str(file)):
            return [_problem(file, taken)]
        self._keep(loaded.workflow, str(file))
        return []

    def _taken(self, name: str, source: str) -> str | None:
        other = self._sources.get(name)
        if other is None:
            return None
        where = "" if other == source else f" and by {source}"
        return f"the name {name} is taken by {other}{where}; names are unique, rename one of them"

    def _keep(self, workflow: Workflow, source: str) -> Workflow:
        pinned = pin(workflow, self._steps)
        self._workflows[pinned.name] = pinned
        self._sources[pinned.name] = source
        return pinned


def _files(paths: Iterable[Path], problems: list[Problem]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(file for file in path.iterdir() if file.suffix in SUFFIXES and file.is_file())
        elif path.is_file():
            yield path
        else:
            problems.append(_problem(path, "there is no such file or folder"))


def _text(file: Path) -> str | Problem:
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if len(error.object) > MAX_BYTES:
            return _problem(file, f"the file is larger than {MAX_BYTES // 1024} KiB; split the workflow")
        return _problem(file, "the file is not UTF-8 text; save it as UTF-8")
    except OSError as error:
        return _problem(file, f"the file cannot be read: {(error.strerror or 'unknown reason').lower()}")


def _problem(file: Path, message: str) -> Problem:
    return Problem(str(file), None, None, "", message)
