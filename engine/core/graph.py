"""A workflow's plan: its graph and compiled expressions, computed once per definition and shared by all its runs.

The one rule: nothing here depends on a run. Building a plan takes time in proportion to the number of steps and edges.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from engine.core.definition import Step, Workflow
from engine.core.expressions import CompiledMapping, Condition, Template, compile_mapping, condition

_NO_ARGUMENTS = compile_mapping({})


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step with its place in the graph. ``needs`` are resolved; ``explicit`` tells whether they were written."""

    step: Step
    index: int
    needs: tuple[str, ...]
    explicit: bool
    dependents: tuple[str, ...]
    condition: Condition | None
    arguments: CompiledMapping
    """The compiled ``with``; empty for a gate."""
    title: Template | None
    show: CompiledMapping | None

    @property
    def id(self) -> str:
        return self.step.id


@dataclass(frozen=True, slots=True)
class Plan:
    """``steps`` by id, in the order of the definition; ``roots`` are those that wait for no other."""

    workflow: Workflow
    steps: Mapping[str, PlannedStep]
    roots: tuple[str, ...]

    @classmethod
    def of(cls, workflow: Workflow) -> Plan:
        """The plan of a definition that has been checked.

        Raises ``ExpressionError`` if an expression does not compile, and ``KeyError`` for an unknown id in ``needs``.
        """
        needs = resolved_needs(workflow.steps)
        dependents: dict[str, list[str]] = {step.id: [] for step in workflow.steps}
        for id_, needed in needs.items():
            for other in needed:
                dependents[other].append(id_)
        steps = {
            step.id: _planned(step, index, needs[step.id], tuple(dependents[step.id]))
            for index, step in enumerate(workflow.steps)
        }
        return cls(workflow, MappingProxyType(steps), tuple(id_ for id_, needed in needs.items() if not needed))


def resolved_needs(steps: Iterable[Step]) -> dict[str, tuple[str, ...]]:
    """What each step waits for: its ``needs`` without repetitions, else the step before it."""
    needs: dict[str, tuple[str, ...]] = {}
    before: tuple[str, ...] = ()
    for step in steps:
        needs[step.id] = before if step.needs is None else tuple(dict.fromkeys(step.needs))
        before = (step.id,)
    return needs


def _planned(step: Step, index: int, needs: tuple[str, ...], dependents: tuple[str, ...]) -> PlannedStep:
    gate = step.approval
    return PlannedStep(
        step=step,
        index=index,
        needs=needs,
        explicit=step.needs is not None,
        dependents=dependents,
        condition=None if step.if_ is None else condition(step.if_),
        arguments=compile_mapping(step.with_) if step.with_ else _NO_ARGUMENTS,
        title=None if gate is None else Template.parse(gate.title),
        show=None if gate is None else compile_mapping(gate.show),
    )
