"""A workflow's plan: its graph and compiled expressions, computed once per definition and shared by all its runs.

The one rule: nothing here depends on a run. Building a plan takes time in proportion to the number of steps and edges.
A plan holds groups of steps: the workflow's own, ``on_failure``, and one for each loop over ``steps``. What is inside a
loop is there once, as a template (``engine.core.paths``), however many items the loop has in a run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType

from engine.core import paths
from engine.core.agents import TURN
from engine.core.approval import Approval, Quorum
from engine.core.corrections import CORRECTING_CODE, Correct
from engine.core.definition import Step, Workflow
from engine.core.expressions import (
    Compiled,
    CompiledMapping,
    Condition,
    Template,
    compile_mapping,
    compile_value,
    condition,
)
from engine.core.kinds import Undo

_NO_ARGUMENTS = compile_mapping({})


class Kind(StrEnum):
    """What a node of the plan does. The last three hold other steps inside."""

    USES = "uses"
    GATE = "gate"
    SET = "set"
    SLEEP = "sleep"
    SIGNAL = "signal"
    CALL = "call"
    PART = "part"
    EACH = "each"
    REPEAT = "repeat"
    GROUP = "group"


CONTAINERS = frozenset({Kind.EACH, Kind.REPEAT, Kind.GROUP})


@dataclass(frozen=True, slots=True)
class Compensation:
    """The compiled ``undo`` of a step."""

    undo: Undo
    arguments: CompiledMapping


@dataclass(frozen=True, slots=True)
class PlannedStage:
    name: str
    approvers: Compiled
    quorum: Quorum


@dataclass(frozen=True, slots=True)
class PlannedGate:
    """The compiled ``approval`` of a step."""

    approval: Approval
    title: Template
    show: CompiledMapping
    stages: tuple[PlannedStage, ...]
    ladder: tuple[Compiled, ...]
    """Whom each rung asks."""
    fields: CompiledMapping

    @classmethod
    def of(cls, approval: Approval) -> PlannedGate:
        """Raises ``ExpressionError`` for the first expression that does not compile."""
        return cls(
            approval=approval,
            title=Template.parse(approval.title),
            show=compile_mapping(approval.show),
            stages=tuple(
                PlannedStage(name, compile_value(list(approvers)), quorum)
                for name, approvers, quorum in approval.asking
            ),
            ladder=tuple(compile_value(rung.to) for rung in approval.escalate),
            fields=compile_mapping({name: field.value for name, field in approval.edit.items()}),
        )

    @property
    def references(self) -> frozenset[tuple[str, str]]:
        """What the gate itself refers to; the steps that it covers have their own."""
        asked = (*(stage.approvers for stage in self.stages), *self.ladder)
        found = (self.title, self.show, self.fields, *asked)
        return frozenset(pair for each in found for pair in each.references)


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step with its place in the graph. ``needs`` are resolved; ``explicit`` tells whether they were written.

    ``template`` is its place in the definition, ``needs`` and ``dependents`` are ids within its group.
    """

    step: Step
    template: str
    kind: Kind
    index: int
    needs: tuple[str, ...] = ()
    explicit: bool = False
    dependents: tuple[str, ...] = ()
    condition: Condition | None = None
    arguments: CompiledMapping = _NO_ARGUMENTS
    """The compiled ``with``, ``set`` or child's ``input``; empty for others."""
    gate: PlannedGate | None = None
    items: Compiled | None = None
    until: Condition | None = None
    sleep: Compiled | None = None
    """Renders to a duration's text, milliseconds, or an instant's text, as the definition has it."""
    correlation: Template | None = None
    compensation: Compensation | None = None
    check: Condition | None = None

    @property
    def id(self) -> str:
        return self.step.id

    @property
    def references(self) -> frozenset[tuple[str, str]]:
        """What all its expressions refer to."""
        compiled = (self.condition, self.arguments, self.gate, self.items, self.until, self.sleep, self.check)
        found = [each.references for each in (*compiled, self.correlation) if each is not None]
        return frozenset(pair for references in found for pair in references)


@dataclass(frozen=True, slots=True)
class Group:
    """Steps by id, in the order of the definition; ``roots`` are those that wait for no other of the group.

    ``gates`` are the ids of its gates.
    """

    steps: Mapping[str, PlannedStep]
    roots: tuple[str, ...]
    gates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """``nodes`` by template, those inside of loops too; ``groups`` by the template of what holds them.

    ``children`` are the plans of the workflows that its steps call, by their definitions' hashes.
    """

    workflow: Workflow
    groups: Mapping[str, Group]
    nodes: Mapping[str, PlannedStep]
    output: Compiled
    children: Mapping[str, Plan] = field(default_factory=dict[str, "Plan"])
    compensated: bool = False
    """Whether any step has an ``undo``."""

    @classmethod
    def of(cls, workflow: Workflow, children: Mapping[str, Plan] | None = None) -> Plan:
        """The plan of a definition that has been checked.

        Raises ``ExpressionError`` if an expression does not compile, and ``KeyError`` for an unknown id in ``needs``.
        """
        nodes: dict[str, PlannedStep] = {}
        groups: dict[str, Group] = {}
        _add_group("", workflow.steps, groups, nodes)
        if workflow.on_failure:
            _add_group(paths.ON_FAILURE, workflow.on_failure, groups, nodes)
        output = compile_value(workflow.output)
        compensated = any(node.compensation is not None for node in nodes.values())
        known = dict(children or {})
        return cls(workflow, MappingProxyType(groups), MappingProxyType(nodes), output, known, compensated)

    @property
    def steps(self) -> Mapping[str, PlannedStep]:
        """The workflow's own steps, by id."""
        return self.groups[""].steps

    @property
    def roots(self) -> tuple[str, ...]:
        return self.groups[""].roots

    def node(self, path: str) -> PlannedStep:
        """The step that ``path`` is an instance of. ``KeyError`` if the definition has no such place."""
        found = self.nodes.get(path)
        return self.nodes[paths.template_of(path)] if found is None else found

    def group(self, path: str) -> Group:
        """The group of steps inside the item or pass at ``path``; the empty path is the workflow itself."""
        found = self.groups.get(path)
        return self.groups[paths.template_of(path)] if found is None else found

    def agent_of(self, path: str) -> str | None:
        """The agent whose turn the step at ``path`` is; None for any other step."""
        holder = paths.loop_of(paths.group_of(path)) if path.endswith(f"/{TURN}") else None
        node = None if holder is None else self.nodes.get(paths.template_of(holder))
        return None if node is None or node.step.agent is None else holder

    def part(self, path: str) -> Plan:
        """The plan of a run that does nothing but some items of the for_each step at ``path``."""
        loop = self.node(path)
        alone = loop.step.model_copy(update={"needs": (), "if_": None, "continue_on_error": False})
        results = f'${{{{ steps["{loop.id}"].output }}}}'
        workflow = Workflow(name=self.workflow.name, input=self.workflow.input, steps=(alone,), output=results)
        return Plan.of(workflow, self.children)

    def used_inside(self, path: str) -> frozenset[tuple[str, str]]:
        """What the expressions within the loop at ``path`` refer to."""
        inside = f"{paths.template_of(path)}["
        return frozenset(
            pair for template, node in self.nodes.items() if template.startswith(inside) for pair in node.references
        )


def family_of(plan: Plan) -> dict[str, Plan]:
    """The plans of all that it calls, each once and after those that it calls itself: by their definitions' hashes."""
    found: dict[str, Plan] = {}
    _gather(plan, found)
    return found


def _gather(plan: Plan, found: dict[str, Plan]) -> None:
    for definition, child in plan.children.items():
        if definition not in found:
            _gather(child, found)
            found[definition] = child


def resolved_needs(steps: Iterable[Step]) -> dict[str, tuple[str, ...]]:
    """What each step waits for: its ``needs`` without repetitions, else the step before it."""
    needs: dict[str, tuple[str, ...]] = {}
    before: tuple[str, ...] = ()
    for step in steps:
        needs[step.id] = before if step.needs is None else tuple(dict.fromkeys(step.needs))
        before = (step.id,)
    return needs


def walk(workflow: Workflow) -> Iterator[tuple[str, Step]]:
    """Every step that the definition has, inside of loops too, with its template."""
    for prefix, steps in (("", workflow.steps), (paths.ON_FAILURE, workflow.on_failure)):
        yield from _walk(prefix, steps)


def _walk(group: str, steps: Iterable[Step]) -> Iterator[tuple[str, Step]]:
    for step in steps:
        template = paths.in_group(group, step.id)
        yield template, step
        yield from _walk(_inside(template, step), step.steps or ())


def _inside(template: str, step: Step) -> str:
    """The template of one item or pass of a loop."""
    return f"{template}[]" if step.for_each is not None else f"{template}#"


def _add_group(template: str, steps: tuple[Step, ...], groups: dict[str, Group], nodes: dict[str, PlannedStep]) -> None:
    needs = resolved_needs(steps)
    dependents: dict[str, list[str]] = {step.id: [] for step in steps}
    for id_, needed in needs.items():
        for other in needed:
            dependents[other].append(id_)
    members: dict[str, PlannedStep] = {}
    for index, step in enumerate(steps):
        bare = _planned(step, paths.in_group(template, step.id), index)
        planned = replace(
            bare, needs=needs[step.id], explicit=step.needs is not None, dependents=tuple(dependents[step.id])
        )
        members[step.id] = nodes[planned.template] = planned
        _add_inside(planned, groups, nodes)
    roots = tuple(id_ for id_, needed in needs.items() if not needed)
    gates = tuple(id_ for id_, member in members.items() if member.kind is Kind.GATE)
    groups[template] = Group(MappingProxyType(members), roots, gates)


def _add_inside(planned: PlannedStep, groups: dict[str, Group], nodes: dict[str, PlannedStep]) -> None:
    """What else belongs to the step: its items or passes, its parts, its compensation."""
    step, template = planned.step, planned.template
    if planned.compensation is not None:
        nodes[paths.undo(template)] = _undoing(planned)
    if step.correct is not None and planned.kind is Kind.USES:
        nodes[paths.correction(template)] = _correcting(planned, step.correct)
    if planned.kind not in (Kind.EACH, Kind.REPEAT):
        return
    inside = _inside(template, step)
    if step.steps is not None:
        nodes[inside] = PlannedStep(step, inside, Kind.GROUP, planned.index)
        _add_group(inside, step.steps, groups, nodes)
    else:
        single = step.model_copy(update={"for_each": None, "needs": None, "if_": None})
        nodes[inside] = _planned(single, inside, planned.index)
        _add_inside(nodes[inside], groups, nodes)
    if step.for_each is not None:
        nodes[f"{template}[:]"] = PlannedStep(step, f"{template}[:]", Kind.PART, planned.index)


def _correcting(planned: PlannedStep, correct: Correct) -> PlannedStep:
    """The question to a model, as a step of its own. What it is about is added when it is asked."""
    words = {
        "id": planned.id,
        "uses": CORRECTING_CODE,
        "with": correct.model_dump(mode="json", exclude_none=True, exclude={"attempts"}),
        "retry": {"attempts": 3},
        "continue_on_error": True,
    }
    return _planned(Step.model_validate(words), paths.correction(planned.template), planned.index)


def _undoing(planned: PlannedStep) -> PlannedStep:
    """The compensation as a step of its own, that calls what ``undo`` names."""
    compensation = planned.compensation
    if compensation is None:
        raise ValueError(f"{planned.template} has no undo")
    undo = compensation.undo
    words = {"id": planned.id, "uses": undo.uses, "with": undo.with_, "retry": undo.retry}
    step = Step.model_validate(words).model_copy(update={"timeout": undo.timeout})
    return PlannedStep(step, paths.undo(planned.template), Kind.USES, planned.index, arguments=compensation.arguments)


def _kind(step: Step) -> Kind:
    by_field = {
        Kind.EACH: step.for_each,
        Kind.REPEAT: step.repeat,
        Kind.GATE: step.approval,
        Kind.SET: step.set_,
        Kind.SLEEP: step.sleep,
        Kind.SIGNAL: step.wait_for,
        Kind.CALL: step.workflow,
    }
    return next((kind for kind, given in by_field.items() if given is not None), Kind.USES)


def _planned(step: Step, template: str, index: int) -> PlannedStep:
    """The step with its expressions compiled, not yet placed among its neighbours."""
    gate, kind, undo = step.approval, _kind(step), step.undo
    return PlannedStep(
        step=step,
        template=template,
        kind=kind,
        index=index,
        condition=None if step.if_ is None else condition(step.if_),
        arguments=_arguments(step, kind),
        gate=None if gate is None else PlannedGate.of(gate),
        items=None if step.for_each is None else compile_value(step.for_each.items),
        until=None if step.repeat is None else condition(step.repeat.until),
        sleep=None if step.sleep is None else compile_value(_pause_of(step)),
        correlation=_correlation(step),
        compensation=None if undo is None else Compensation(undo, compile_mapping(undo.with_)),
        check=None if step.check is None else condition(step.check),
    )


def _arguments(step: Step, kind: Kind) -> CompiledMapping:
    if kind is Kind.CALL and step.workflow is not None:
        return compile_mapping(step.workflow.input)
    if kind is Kind.SET and step.set_ is not None:
        return compile_mapping(step.set_)
    return compile_mapping(step.with_) if kind is Kind.USES and step.with_ else _NO_ARGUMENTS


def _pause_of(step: Step) -> int | str | None:
    return None if step.sleep is None else step.sleep.until if step.sleep.for_ is None else step.sleep.for_


def _correlation(step: Step) -> Template | None:
    text = step.wait_for.correlation if step.wait_for is not None else None
    return None if text is None else Template.parse(text)
