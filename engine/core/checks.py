"""What is wrong with a definition beyond its shape: ids, the graph, and what expressions refer to.

The one rule: each check looks at a draft and reports all that it finds; none depends on another having passed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import ValidationError

from engine.core.draft import Draft, DraftStep
from engine.core.expressions import ExpressionError, References, Template, condition
from engine.core.inputs import read_value
from engine.core.kinds import InputField
from engine.core.problems import Finding, Path
from engine.core.words import did_you_mean, listed


def check_graph(draft: Draft) -> Iterator[Finding]:
    """Duplicate ids, unknown needs, and cycles, each cycle once and by name."""
    first: dict[str, int] = {}
    for step in draft.steps:
        if step.id is None:
            continue
        if step.id in first:
            yield Finding(
                (*step.path, "id"), f"{step.id} is the id of step {first[step.id] + 1} already", "ids are unique"
            )
        first.setdefault(step.id, step.index)
    for step in draft.steps:
        for at, needed in step.needs or ():
            path = (*step.path, "needs", at)
            if needed not in first:
                yield Finding(path, f"there is no step {needed}", did_you_mean(needed, first))
            elif needed == step.id:
                yield Finding(path, "a step cannot need itself")
    _, looped = _sorted(draft.resolved_needs())
    for cycle in _cycles(draft.resolved_needs(), looped):
        if len(cycle) > 1:
            names = [draft.steps[at].id or f"step {at + 1}" for at in (*cycle, cycle[0])]
            message = f"these steps wait for each other: {' -> '.join(names)}"
            yield Finding((*draft.steps[cycle[0]].path, "needs"), message, "take one of these needs away")


def check_expressions(draft: Draft) -> Iterator[Finding]:
    """Expressions that do not compile, or that use a step or an input that they cannot have."""
    reach = _Reach(draft)
    for step in draft.steps:
        for path, text in step.texts():
            try:
                references = Template.parse(text).references
            except ExpressionError as error:
                yield _not_compiled(path, error, draft)
            else:
                yield from _unreachable(path, references, step, reach)
        if step.condition is not None:
            path = (*step.path, "if")
            try:
                references = condition(step.condition).references
            except ExpressionError as error:
                yield _not_compiled(path, error, draft)
            else:
                yield from _unreachable(path, references, step, reach)


def check_inputs(draft: Draft) -> Iterator[Finding]:
    """Limits that exclude each other, and defaults that the input itself would refuse."""
    for name, raw in draft.inputs.items():
        try:
            field = InputField.model_validate(raw)
        except ValidationError:
            continue
        if field.min is not None and field.max is not None and field.min > field.max:
            yield Finding(("input", name, "min"), f"is greater than max ({field.min:g} and {field.max:g})")
        elif field.default is not None:
            try:
                read_value(name, field, field.default)
            except ValueError as error:
                yield Finding(("input", name, "default"), f"does not fit its own input: {error}")


def check_kinds(draft: Draft) -> Iterator[Finding]:
    """Words that belong to another kind of step."""
    for step in draft.steps:
        if "approval" in step.data and "uses" not in step.data and step.data.get("with"):
            yield Finding(
                (*step.path, "with"), "a gate takes no with", "what people are to see goes under approval.show"
            )


class _Reach:
    """Which steps have surely ended before a step starts: those that it needs, and what these need in turn.

    Sets of steps are bits of integers, which keeps ten thousand steps in a row within megabytes.
    """

    def __init__(self, draft: Draft) -> None:
        self.inputs = draft.inputs
        self.places = {step.id: step.index for step in reversed(draft.steps) if step.id is not None}
        needs = draft.resolved_needs()
        order, looped = _sorted(needs)
        self._looped = frozenset(looped)
        self._before = [0] * len(needs)
        for at in order:
            for needed in needs[at]:
                self._before[at] |= self._before[needed] | (1 << needed)

    def comes_before(self, step: DraftStep, other: str) -> bool:
        """True also for steps in or behind a cycle, which is reported by itself."""
        return step.index in self._looped or bool(self._before[step.index] >> self.places[other] & 1)


def _unreachable(path: Path, references: References, step: DraftStep, reach: _Reach) -> Iterator[Finding]:
    for root, name in sorted(references):
        if root == "input" and name not in reach.inputs:
            advice = did_you_mean(name, sorted(reach.inputs)) or "declare it under input"
            yield Finding(path, f"there is no input {name}", advice)
        elif root == "steps" and name not in reach.places:
            yield Finding(path, f"there is no step {name}", _meant(name, list(reach.places)))
        elif root == "steps" and name == step.id:
            yield Finding(path, f"step {name} cannot use its own output")
        elif root == "steps" and not reach.comes_before(step, name):
            yield Finding(path, f"step {name} may not have ended when this runs", f"add {name} to needs")


def _not_compiled(path: Path, error: ExpressionError, draft: Draft) -> Finding:
    """``steps.check-site`` reads as a subtraction in CEL; that slip gets its own advice."""
    for step in draft.steps:
        if step.id is not None and "-" in step.id and f"steps.{step.id}" in error.expression:
            return Finding(path, f"{step.id} has a - in it", f'write steps["{step.id}"] in expressions')
    return Finding(path, str(error))


def _meant(name: str, known: Sequence[str]) -> str:
    for id_ in known:
        if id_.startswith(f"{name}-"):
            return f'write steps["{id_}"], since - is a minus sign in expressions'
    return did_you_mean(name, known) if known else f"there is: {listed(known)}"


def _sorted(needs: Sequence[tuple[int, ...]]) -> tuple[list[int], list[int]]:
    """The steps in an order in which each follows what it needs, and those in or behind a cycle."""
    waiting = [len(needed) for needed in needs]
    dependents: list[list[int]] = [[] for _ in needs]
    for at, needed in enumerate(needs):
        for other in needed:
            dependents[other].append(at)
    order = [at for at, count in enumerate(waiting) if not count]
    for at in order:
        for other in dependents[at]:
            waiting[other] -= 1
            if not waiting[other]:
                order.append(other)
    return order, [at for at, count in enumerate(waiting) if count]


def _cycles(needs: Sequence[tuple[int, ...]], looped: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """One cycle per knot of steps that wait for each other, each starting at its first step."""
    seen: set[int] = set()
    within = set(looped)
    for start in looped:
        trail: list[int] = []
        at = start
        while at not in seen:
            seen.add(at)
            trail.append(at)
            at = next(other for other in needs[at] if other in within)
        if at in trail:
            cycle = trail[trail.index(at) :]
            lowest = cycle.index(min(cycle))
            yield (*cycle[lowest:], *cycle[:lowest])
