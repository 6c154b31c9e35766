"""The definition of a rehearsal, and those that it calls: read, checked and pinned as a process of the engine would.

The one rule: steps that nobody knows take and give anything; all else that is wrong with a definition is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from engine.catalog import SUFFIXES, Catalog
from engine.core.agent_parts import TURN_CODE
from engine.core.corrections import CORRECTING_CODE
from engine.core.definition import Workflow
from engine.core.draft import Draft
from engine.core.errors import InvalidDefinition
from engine.core.graph import Plan
from engine.core.loader import data_of
from engine.core.models import LLM
from engine.core.stepspec import StepSpec, VersionSpec
from engine.core.yamltree import read
from engine.steps.registry import Registry
from engine.testing.script import RehearsalError

Source = str | Path | Workflow


def load(definition: Source, others: Iterable[Source], registry: Registry) -> Plan:
    """The plan of ``definition``. What it calls is among ``others``, or in a file beside it.

    Raises ``InvalidDefinition`` with the problems of this definition, and ``RehearsalError`` if there is no such file.
    """
    others = list(others)
    built = [one for one in (*others, definition) if isinstance(one, Workflow)]
    files = list(dict.fromkeys(file for one in (definition, *others) for file in _files(one)))
    if isinstance(definition, str | Path):
        files += [file for file in _files(Path(definition).parent) if file not in files]
    drafts = {file: Draft.of(read(file.read_text(encoding="utf-8")).data) for file in files}
    catalog = Catalog(_known_steps([*drafts.values(), *(Draft.of(data_of(one)) for one in built)], registry))
    problems = catalog.load(files)
    for one in built:
        catalog.add(one)
    if isinstance(definition, Workflow):
        return catalog.plan(definition.name)
    own = [str(problem) for problem in problems if problem.file == str(Path(definition))]
    if own:
        raise InvalidDefinition(own)
    return catalog.plan(drafts[Path(definition)].name or "")


def _files(source: Source) -> list[Path]:
    if isinstance(source, Workflow):
        return []
    path = Path(source)
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.suffix in SUFFIXES and file.is_file())
    if not path.is_file():
        raise RehearsalError(f"there is no file {path}")
    return [path]


def _code_of(draft: Draft) -> Iterator[str]:
    """The code that its steps name, its agents and their tools included."""
    yield from (step.uses or "" for step in draft.runnable())
    for step in draft.steps:
        if LLM in step.data:
            yield LLM
        if "agent" in step.data:
            yield TURN_CODE
        if "correct" in step.data:
            yield CORRECTING_CODE
        yield from (str(tool.get("uses", "")) for _, tool in step.tools)


def _known_steps(drafts: Iterable[Draft], registry: Registry) -> Mapping[str, StepSpec]:
    """Every step that these definitions use; those that the registry does not have take and give anything."""
    known = dict(registry.catalog())
    used: dict[str, set[int]] = {}
    for draft in drafts:
        for uses in _code_of(draft):
            name, _, version = uses.partition("@")
            if name and name not in known:
                used.setdefault(name, set()).add(int(version) if version.isdigit() else 1)
    return known | {name: StepSpec({n: VersionSpec() for n in sorted(versions)}) for name, versions in used.items()}
