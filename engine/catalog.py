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
from engine.core.errors import InvalidDefinition, UnknownWorkflow, UnloadedWorkflow
from engine.core.graph import Plan, walk
from engine.core.loader import check, data_of, load_yaml
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
        self._callable: dict[str, Workflow] = {}
        """Those, and what lies beside them."""
        self._by_hash: dict[str, Workflow] = {}
        self._drafts: dict[str, Draft] = {}
        self._sources: dict[str, str] = {}
        self._broken: dict[str, tuple[Problem, ...]] = {}
        self._problems: list[Problem] = []

    @property
    def workflows(self) -> Mapping[str, Workflow]:
        """By name, in the order of the names."""
        return {name: self._workflows[name] for name in sorted(self._workflows)}

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything that kept a file, or a part of a folder, from being loaded."""
        return tuple(self._problems)

    @property
    def broken(self) -> Mapping[str, tuple[Problem, ...]]:
        """The names whose files could not be loaded, with why; where a file does not tell its name, its own counts."""
        return self._broken

    def get(self, name: str) -> Workflow:
        """The workflow called ``name``. Raises ``UnknownWorkflow``, which suggests the nearest name."""
        if name not in self._workflows:
            if (problems := self._broken.get(name)) is not None:
                raise UnloadedWorkflow(name, problems)
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

    def plan(self, name: str) -> Plan:
        """The plan of the workflow of that name, with those of all that it calls. Raises ``UnknownWorkflow``."""
        workflow = self.get(name)
        return _plan(workflow, self.children(workflow))

    def add(self, workflow: Workflow, source: str = "Python") -> Workflow:
        """Registers a workflow built in Python, and returns it as it was pinned. What it calls comes before it.

        Raises ``InvalidDefinition`` with all its problems, or if the name is taken by another definition.
        """
        problems = [str(problem) for problem in check(workflow, self._steps, self._callees())]
        if problems:
            raise InvalidDefinition([f"{workflow.name}: {problem}" for problem in problems])
        if (other := self._sources.get(workflow.name)) is not None:
            raise InvalidDefinition([_taken(workflow.name, other, source)])
        self._drafts[workflow.name] = Draft.of(data_of(workflow))
        return self._keep(workflow, source)

    def load(self, paths: Iterable[Path], beside: Iterable[Path] = ()) -> tuple[Problem, ...]:
        """Reads the files, and the ``*.yaml`` and ``*.yml`` files of the folders, in ``paths``, in whatever order.

        Returns the problems of this call; files without any are loaded all the same. What is ``beside`` can be called
        by these, and that is all: it is not among the ``workflows``, and its problems are told only by what calls it.
        """
        found: list[Problem] = []
        texts = _texts(_files(paths, found), found)
        known = {file.resolve() for file in texts}
        others = _texts((file for file in _files(beside, []) if file.resolve() not in known), [])
        loading = _Loading({**texts, **others}, self._sources)
        self._drafts |= loading.drafts
        problems = {file: self._load(file, loading, listed=file in texts) for file in loading.order}
        found += [problem for file in texts for problem in problems[file]]
        self._problems += found
        return tuple(found)

    def _load(self, file: Path, loading: _Loading, *, listed: bool) -> list[Problem]:
        loaded = load_yaml(loading.texts[file], str(file), self._steps, self._callees())
        name = loading.names[file]
        if loaded.workflow is None:
            if (meant := name or file.stem) not in self._callable and loading.is_first(file):
                self._broken[meant] = loaded.problems
            return list(loaded.problems)
        other = self._sources.get(loaded.workflow.name)
        if other is not None or not loading.is_first(file):
            return [_problem(file, _taken(loaded.workflow.name, other or loading.first(file), str(file)))]
        self._keep(loaded.workflow, str(file), listed=listed)
        return []

    def _callees(self) -> Callees:
        hashes = {name: workflow.hash for name, workflow in self._callable.items()}
        return Callees(self._drafts, frozenset(self._broken), hashes)

    def _keep(self, workflow: Workflow, source: str, *, listed: bool = True) -> Workflow:
        pinned = pin(workflow, self._steps, self._callable)
        self._callable[pinned.name] = self._by_hash[pinned.hash] = pinned
        if listed:
            self._workflows[pinned.name] = pinned
        self._sources[pinned.name] = source
        self._broken.pop(pinned.name, None)
        return pinned


class _Loading:
    """The files of one call, read once to know who calls whom."""

    def __init__(self, texts: Mapping[Path, str], taken: Mapping[str, str]) -> None:
        self.texts = texts
        drafts = {file: Draft.of(read(text).data) for file, text in texts.items()}
        self.names: dict[Path, str | None] = {file: draft.name for file, draft in drafts.items()}
        self._files: dict[str, Path] = {}
        for file, name in self.names.items():
            if name is not None and name not in taken:
                self._files.setdefault(name, file)
        self.drafts = {name: drafts[file] for name, file in self._files.items()}
        """By name; of two files with one name the first counts."""
        self.order = self._callees_first(drafts)

    def is_first(self, file: Path) -> bool:
        """Whether no other file before it has the same name."""
        return self._files.get(self.names[file] or "", file) == file

    def first(self, file: Path) -> str:
        """The file that has the name first."""
        return str(self._files[self.names[file] or ""])

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


def _taken(name: str, other: str, source: str) -> str:
    where = "" if other == source else f" and by {source}"
    return f"the name {name} is taken by {other}{where}; names are unique, rename one of them"


def _files(paths: Iterable[Path], problems: list[Problem]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(file for file in path.iterdir() if file.suffix in SUFFIXES and file.is_file())
        elif path.is_file():
            yield path
        else:
            problems.append(_problem(path, "there is no such file or folder"))


def _texts(files: Iterable[Path], problems: list[Problem]) -> dict[Path, str]:
    """The text of each file that can be read."""
    found: dict[Path, str] = {}
    for file in files:
        text = _text(file)
        if isinstance(text, Problem):
            problems.append(text)
        else:
            found[file] = text
    return found


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


def _plan(workflow: Workflow, known: Mapping[str, Workflow]) -> Plan:
    called = (step.workflow.definition for _, step in walk(workflow) if step.workflow is not None)
    return Plan.of(workflow, {name: _plan(known[name], known) for name in called if name is not None})
