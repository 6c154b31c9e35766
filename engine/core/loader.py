"""From a definition's text, or a workflow built in Python, to a checked workflow, or to all that is wrong with it.

The one rule: a definition has either no problem or no effect; and its author gets all problems at once, with lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine.core.arguments import Catalog, check_uses
from engine.core.checks import check_expressions, check_graph, check_inputs, check_kinds
from engine.core.definition import Workflow
from engine.core.draft import Draft
from engine.core.problems import Finding, Problem, locate
from engine.core.validation import validate
from engine.core.yamltree import read


@dataclass(frozen=True, slots=True)
class Loaded:
    """``workflow`` is there exactly if there are no problems."""

    workflow: Workflow | None
    problems: tuple[Problem, ...]


def load_yaml(text: str, source: str = "workflow.yaml", catalog: Catalog | None = None) -> Loaded:
    """The workflow that ``text`` defines, or its problems in the order of their lines. Never raises.

    ``source`` is the file's name in the problems. Without a ``catalog`` the steps that are used are not checked.
    """
    document = read(text)
    findings = list(document.findings)
    workflow = None
    if document.data is not None or not findings:
        workflow, shape = validate(document.data)
        misshapen = {finding.path for finding in shape}
        meaning = [finding for finding in _meaning(document.data, catalog) if finding.path not in misshapen]
        findings += [*shape, *meaning]
    problems = {locate(finding, document.data, source, document.marks): None for finding in findings}
    ordered = sorted(problems, key=lambda problem: (problem.line or 0, problem.column or 0))
    return Loaded(None if ordered else workflow, tuple(ordered))


def check(workflow: Workflow, catalog: Catalog | None = None) -> tuple[Problem, ...]:
    """The problems of a workflow that was built in Python. Those have no file and no lines."""
    data = workflow.model_dump(mode="json", by_alias=True, exclude_none=True)
    return tuple(locate(finding, data, None, {}) for finding in _meaning(data, catalog))


def pin(workflow: Workflow, catalog: Catalog) -> Workflow:
    """The workflow with a version written behind every ``uses``: the one given, else the latest in the catalog.

    Raises ``KeyError`` for a step that the catalog does not have; a checked workflow has none.
    """

    def pinned(uses: str) -> str:
        return uses if "@" in uses else f"{uses}@{catalog[uses].latest}"

    steps = tuple(
        step if step.uses is None else step.model_copy(update={"uses": pinned(step.uses)}) for step in workflow.steps
    )
    # Not a copy: that would carry the cached snapshot and hash of the workflow without versions.
    fields = {name: getattr(workflow, name) for name in Workflow.model_fields}
    return Workflow.model_validate({**fields, "steps": steps})


def _meaning(data: object, catalog: Catalog | None) -> Iterator[Finding]:
    draft = Draft.of(data)
    yield from check_inputs(draft)
    yield from check_kinds(draft)
    yield from check_graph(draft)
    yield from check_expressions(draft)
    if catalog is not None:
        yield from check_uses(draft, catalog)
