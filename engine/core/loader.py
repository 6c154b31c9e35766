"""From a definition's text, or a workflow built in Python, to a checked workflow, or to all that is wrong with it.

The one rule: a definition has either no problem or no effect; and its author gets all problems at once, with lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.core.checks import Callees, check_all
from engine.core.definition import Workflow
from engine.core.draft import Draft
from engine.core.problems import Problem, locate
from engine.core.stepspec import Catalog
from engine.core.validation import validate
from engine.core.yamltree import read


@dataclass(frozen=True, slots=True)
class Loaded:
    """``workflow`` is there exactly if there are no problems."""

    workflow: Workflow | None
    problems: tuple[Problem, ...]


def load_yaml(
    text: str, source: str = "workflow.yaml", catalog: Catalog | None = None, callees: Callees | None = None
) -> Loaded:
    """The workflow that ``text`` defines, or its problems in the order of their lines. Never raises.

    ``source`` is the file's name in the problems. Without a ``catalog`` the steps that are used are not checked, and
    without ``callees`` neither are the workflows that are called.
    """
    document = read(text)
    findings = list(document.findings)
    workflow = None
    if document.data is not None or not findings:
        workflow, shape = validate(document.data)
        misshapen = {finding.path for finding in shape}
        meaning = check_all(Draft.of(document.data), catalog, callees)
        findings += [*shape, *(finding for finding in meaning if finding.path not in misshapen)]
    problems = {locate(finding, document.data, source, document.marks): None for finding in findings}
    ordered = sorted(problems, key=lambda problem: (problem.line or 0, problem.column or 0))
    return Loaded(None if ordered else workflow, tuple(ordered))


def check(workflow: Workflow, catalog: Catalog | None = None, callees: Callees | None = None) -> tuple[Problem, ...]:
    """The problems of a workflow that was built in Python. Those have no file and no lines."""
    data = data_of(workflow)
    return tuple(locate(finding, data, None, {}) for finding in check_all(Draft.of(data), catalog, callees))


def data_of(workflow: Workflow) -> dict[str, Any]:
    """What a file would hold that defines ``workflow``: defaults are left out."""
    return workflow.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
