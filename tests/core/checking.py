"""What the tests of definitions' checks share: the steps that are there, and problems without their file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.core.checks.calls import Callees
from engine.core.draft import Draft
from engine.core.loader import load_yaml
from engine.core.stepspec import StepSpec, VersionSpec
from engine.core.yamltree import read
from engine.steps.builtin import builtin_steps
from engine.steps.http_policy import HttpPolicy
from engine.steps.registry import Registry
from engine.steps.shell import ShellPolicy

DATA = Path(__file__).parent / "data"
TWO_VERSIONS = StepSpec({1: VersionSpec(), 2: VersionSpec()})
POST = StepSpec.of(
    {"properties": {"channel": {"type": "string"}, "text": {"type": "string"}}, "required": ["text"]},
)
STEPS = {**Registry(builtin_steps(HttpPolicy(), ShellPolicy())).catalog(), "slack.post": POST}


def found(text: str, *others: str) -> list[str]:
    """The problems of a definition, each as ``line: path: message; hint``; ``others`` are what it can call."""
    drafts = {str(draft.name): draft for draft in (Draft.of(read(one).data) for one in (text, *others))}
    return [str(problem).removeprefix("f:") for problem in load_yaml(text, "f", STEPS, Callees(drafts)).problems]


def steps(*lines: str, **more: Any) -> str:
    """A definition with one step on each line, from line 3 on; ``more`` are lines of the workflow, behind them."""
    head = "name: w\nsteps:\n"
    body = "".join(f"  - {line}\n" for line in lines)
    return head + body + "".join(f"{word}: {value}\n" for word, value in more.items())
