"""From a checked definition to the one that runs are pinned to: every name in it stands for one thing for ever.

The one rule: pinning adds what the definition leaves open, and changes nothing that it says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.core.agent_parts import parts_of
from engine.core.agents import Agent
from engine.core.definition import Step, Workflow
from engine.core.kinds import Repeat
from engine.core.models import LLM, schema_of
from engine.core.stepspec import Catalog


@dataclass(frozen=True, slots=True)
class _Pins:
    catalog: Catalog
    callees: Mapping[str, Workflow] = field(default_factory=dict[str, Workflow])

    def uses(self, uses: str) -> str:
        return uses if "@" in uses else f"{uses}@{self.catalog[uses].latest}"

    def steps(self, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        return tuple(self.step(step) for step in steps)

    def step(self, step: Step) -> Step:
        changed: dict[str, object] = {}
        if step.uses is not None:
            changed |= self._code(step, self.uses(step.uses))
        if step.llm is not None and step.uses is None:
            llm = step.llm.model_copy(update={"output": schema_of(step.llm.output, self.catalog)})
            changed |= {"llm": llm, "uses": self.uses(LLM), "with_": llm.arguments}
        if step.undo is not None:
            changed["undo"] = step.undo.model_copy(update={"uses": self.uses(step.undo.uses)})
        if step.workflow is not None and step.workflow.definition is None:
            definition = self.callees[step.workflow.name].hash
            changed["workflow"] = step.workflow.model_copy(update={"definition": definition})
        if step.agent is not None and step.steps is None:
            agent = step.agent.model_copy(update={"output": schema_of(step.agent.output, self.catalog)})
            changed |= {"agent": agent, **self._parts(step, agent)}
        elif step.steps is not None:
            changed["steps"] = self.steps(step.steps)
        return step.model_copy(update=changed) if changed else step

    def _parts(self, step: Step, agent: Agent) -> dict[str, object]:
        repeat, steps = parts_of(step, agent, self.catalog, self.callees)
        inside = self.steps(tuple(Step.model_validate(one) for one in steps))
        return {"repeat": Repeat.model_validate(repeat), "steps": inside}

    def _code(self, step: Step, uses: str) -> dict[str, object]:
        name, _, version = uses.partition("@")
        spec = self.catalog.get(name)
        silent = step.repeatable is None and spec is not None
        if silent and spec is not None and not spec.is_repeatable(int(version)):
            return {"uses": uses, "repeatable": False}
        return {"uses": uses}


def pin(workflow: Workflow, catalog: Catalog, callees: Mapping[str, Workflow] | None = None) -> Workflow:
    """The workflow with a version behind every ``uses`` (the one given, else the latest in the catalog), with the
    schema of every shape that it names, with ``repeatable: false`` where the step's code says so and the definition is
    silent, and with the hash of every workflow that it calls, taken from the pinned ``callees``.

    Raises ``KeyError`` for a step or a workflow that is not there; a checked workflow has none.
    """
    pins = _Pins(catalog, callees or {})
    return _with_steps(workflow, pins.steps)


def recoded(workflow: Workflow, uses: Mapping[str, str]) -> Workflow:
    """The pinned workflow with other code in the place of some: ``uses`` maps names and versions to others."""

    def steps(old: tuple[Step, ...]) -> tuple[Step, ...]:
        return tuple(recode(step) for step in old)

    def recode(step: Step) -> Step:
        changed: dict[str, object] = {"uses": uses.get(step.uses or "", step.uses)}
        if step.undo is not None:
            changed["undo"] = step.undo.model_copy(update={"uses": uses.get(step.undo.uses, step.undo.uses)})
        if step.steps is not None:
            changed["steps"] = steps(step.steps)
        return step.model_copy(update=changed)

    return _with_steps(workflow, steps)


def _with_steps(workflow: Workflow, changed: Callable[[tuple[Step, ...]], tuple[Step, ...]]) -> Workflow:
    # Not a copy: that would carry the cached snapshot and hash of the workflow as it was.
    fields: dict[str, Any] = {name: getattr(workflow, name) for name in Workflow.model_fields}
    fields |= {"steps": changed(workflow.steps), "on_failure": changed(workflow.on_failure)}
    return Workflow.model_construct(**fields)
