"""The workflows that this process knows: read from folders of YAML files, or registered from Python.

The one rule: a definition with a problem is not there; its problems are, each with file and line. What calls it is not
there either, and says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from engine.core.checks.calls import Callees, calls_of
from engine.core.definition import Workflow
from engine.core.draft import Draft
from engine.core.errors import InvalidDefinition, UnknownWorkflow
from engine.core.graph import walk
from engine.core.loader import Loaded, check, data_of, load_yaml
from engine.core.pinning import pin
from engine.core.problems import Problem
from engine.core.stepspec import Catalog as StepCatalog
from engine.core.words import nearest
from engine.core.yamltree import MAX_BYTES, read

SUFFIXES = (".yaml", ".yml")


class Catalog:
    """Workflows by name, each checked against ``steps`` and pinned to versions of them, and of what it calls."""

    def __init__(self, steps: StepCatalog) -> None:
        self._steps = steps
        self._workflows: dict[str, Workflow] = {}
        self._by_hash: dict[str, Workflow] = {}
        self._drafts: dict[str, Draft] = {}
        self._sources: dict[str, str] = {}
        self._broken: set[str] = set()
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

    def workflow(self, definition: str) -> Workflow | None:
        """The pinned workflow whose hash is ``definition``, if it is one of these."""
        return self._by_hash.get(definition)

    def children(self, workflow: Workflow) -> Mapping[str, Workflow]:
        """Every pinned workflow that ``workflow`` calls, and that these call in turn, by its hash.

        ``KeyError`` if it calls one that is not here: it was pinned by another catalog.
        """
        found: dict[str, Workflow] = {}
        waiting = [workflow]
        while waiting:
            for _, step in walk(waiting.pop()):
                definition = None if step.workflow is None else step.workflow.definition
                if definition is not None and definition not in found:
                    found[definition] = self._by_hash[definition]
                    waiting.append(found[definition])
        return found

    def add(self, workflow: Workflow, source: str = "Python") -> Workflow:
        """Registers a workflow built in Python, and returns it as it was pinned. What it calls comes before it.

        Raises ``InvalidDefinition`` with all its problems, or if the name is taken by another definition.
        """
        problems = [str(problem) for problem in check(workflow, self._steps, self._callees())]
        if problems:
            raise InvalidDefinition([f"{workflow.name}: {problem}" for problem in problems])
        if taken := self._taken(workflow.name, source):
            raise InvalidDefinition([taken])
        self._drafts[workflow.name] = Draft.of(data_of(workflow))
        return self._keep(workflow, source)

    def load(self, paths: Iterable[Path]) -> tuple[Problem, ...]:
        """Reads the files, and the ``*.yaml`` and ``*.yml`` files of the folders, in ``paths``, in whatever order.

        Returns the problems of this call; files without any are loaded all the same.
        """
        found: list[Problem] = []
        texts: dict[Path, str] = {}
        for file in _files(paths, found):
            text = _text(file)
            if isinstance(text, Problem):
                found.append(text)
            else:
                texts[file] = text
        found += self._load_all(texts)
        self._problems += found
        return tuple(found)

    def _load_all(self, texts: Mapping[Path, str]) -> list[Problem]:
        """Callees are loaded before their callers; problems are told in the order of the files."""
        loading = _Loading(texts, self._sources)
        self._drafts |= loading.drafts
        problems: dict[Path, list[Problem]] = {}
        for file in loading.order:
            loaded = load_yaml(texts[file], str(file), self._steps, self._callees())
            problems[file] = self._settle(file, loaded, loading.names[file])
        return [problem for file in texts for problem in problems[file]]

    def _settle(self, file: Path, loaded: Loaded, name: str | None) -> list[Problem]:
        if loaded.workflow is None:
            if name is not None and name not in self._workflows:
                self._broken.add(name)
            return list(loaded.problems)
        if taken := self._taken(loaded.workflow.name, str(file)):
            return [_problem(file, taken)]
        self._keep(loaded.workflow, str(file))
        return []

    def _callees(self) -> Callees:
        hashes = {name: workflow.hash for name, workflow in self._workflows.items()}
        return Callees(self._drafts, frozenset(self._broken), hashes)

    def _taken(self, name: str, source: str) -> str | None:
        other = self._sources.get(name)
        if other is None:
            return None
        where = "" if other == source else f" and by {source}"
        return f"the name {name} is taken by {other}{where}; names are unique, rename one of them"

    def _keep(self, workflow: Workflow, source: str) -> Workflow:
        pinned = pin(workflow, self._steps, self._workflows)
        self._workflows[pinned.name] = self._by_hash[pinned.hash] = pinned
        self._sources[pinned.name] = source
        self._broken.discard(pinned.name)
        return pinned


class _Loading:
    """The files of one call, read once to know who calls whom."""

    def __init__(self, texts: Mapping[Path, str], taken: Mapping[str, str]) -> None:
        drafts = {file: Draft.of(read(text).data) for file, text in texts.items()}
        self.names: dict[Path, str | None] = {file: draft.name for file, draft in drafts.items()}
        self._files: dict[str, Path] = {}
        for file, name in self.names.items():
            if name is not None and name not in taken:
                self._files.setdefault(name, file)
        self.drafts = {name: drafts[file] for name, file in self._files.items()}
        """By name; of two files with one name the first counts."""
        self.order = self._callees_first(drafts)

    def _callees_first(self, drafts: Mapping[Path, Draft]) -> list[Path]:
        """Each file after those that it calls; a circle, which is a problem anyhow, is cut somewhere."""
        calls = {
            file: [self._files[name] for name in calls_of(draft) if name in self._files]
            for file, draft in drafts.items()
        }
        order: dict[Path, None] = {}
        begun: set[Path] = set()
        waiting = [*drafts][::-1]
        while waiting:
            file = waiting[-1]
            ahead = [callee for callee in calls[file] if callee not in begun] if file not in begun else []
            begun.add(file)
            if ahead:
                waiting += reversed(ahead)
            else:
                order.setdefault(waiting.pop())
        return list(order)


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
