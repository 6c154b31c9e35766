"""Gates: who decides, what they decide on, and where the run goes back to.

The one rule: what people approve must be known when they are asked, and who decides must not be chosen by whoever
starts the run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from engine.core.approval import OF_APPROVERS
from engine.core.checks.inputs import check_limits, edit_field_of
from engine.core.checks.scopes import Scopes
from engine.core.checks.times import zone_problem
from engine.core.draft import DraftGroup, DraftStep, GroupKind, mapping, sequence, text, texts
from engine.core.expressions import ExpressionError, Template
from engine.core.inputs import read_value
from engine.core.problems import Finding, Path
from engine.core.program import Program
from engine.core.scanner import spell
from engine.core.words import did_you_mean, listed

_BY_ID = re.compile(r"@[UW][A-Z0-9]{6,}")
"""One person for sure: any other name may be a group's."""
_KNOWN_OF_GATE = ("decision", "fields")
"""What a covered step can have of the gate: the rest is known only once somebody has decided."""


def check_gates(scopes: Scopes) -> Iterator[Finding]:
    """What is wrong with a gate by what else the definition says."""
    for group in scopes.draft.groups:
        for step in group.steps:
            for path, gate in step.gates:
                yield from _people(gate, path)
            gate = mapping(step.data.get("approval"))
            if gate is not None:
                path: Path = (*step.path, "approval")
                yield from _quorums(gate, path)
                yield from _fields(gate, path)
                yield from _covers(gate, path, scopes, group, step)
                yield from _back(gate, path, scopes, group, step)
                zone = text((mapping(gate.get("hours")) or {}).get("zone"))
                if zone is not None and zone != OF_APPROVERS:
                    yield from zone_problem((*path, "hours", "zone"), zone)


def _people(gate: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    for word in ("approvers", "stages", "escalate"):
        for place, written in texts((*path, word), gate.get(word)):
            try:
                references = Template.parse(written).references
            except ExpressionError:
                continue
            if references & {("run", "started_by")} or any(root == "input" for root, _ in references):
                message = "whoever starts the run would choose who decides"
                yield Finding(place, message, "take the names from an earlier step, or write them down")


def _quorums(gate: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    yield from _quorum(gate, path)
    for at, stage in enumerate(sequence(gate.get("stages")) or ()):
        yield from _quorum(mapping(stage) or {}, (*path, "stages", at))


def _quorum(asking: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    quorum, names = asking.get("quorum"), sequence(asking.get("approvers")) or []
    named = {one for one in names if isinstance(one, str)}
    if isinstance(quorum, int) and named and all(_BY_ID.fullmatch(one) for one in named) and quorum > len(named):
        people = "one person is" if len(named) == 1 else f"{len(named)} people are"
        message = f"{quorum} people have to approve, and {people} asked"
        yield Finding((*path, "quorum"), message, f"lower it to {len(named)}, write all, or ask more people")


def _fields(gate: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    for name, raw in (mapping(gate.get("edit")) or {}).items():
        field = edit_field_of(raw)
        if field is None:
            continue
        wrong = list(check_limits((*path, "edit", name), field))
        yield from wrong
        if wrong or any(texts((), field.value)):
            continue
        try:
            read_value(name, field, field.value)
        except ValueError as error:
            yield Finding((*path, "edit", name, "value"), str(error))


def _covers(
    gate: Mapping[str, Any], path: Path, scopes: Scopes, group: DraftGroup, step: DraftStep
) -> Iterator[Finding]:
    for at, name in enumerate(sequence(gate.get("covers")) or ()):
        place = (*path, "covers", at)
        if not isinstance(name, str) or step.id is None:
            continue
        if name not in group.places:
            yield Finding(place, f"there is no step {name} beside the gate", did_you_mean(name, list(group.places)))
            continue
        covered = group.steps[group.places[name]]
        if name == step.id or not scopes.is_before(group, covered, step.id):
            yield Finding(place, f"{name} does not come after the gate", "cover steps that need the gate")
        elif "for_each" in covered.data or not (covered.uses or covered.called):
            yield Finding(place, f"{name} has no arguments of its own", "cover steps with uses or workflow")
        else:
            yield from _known(place, covered, scopes, group, step)


def _known(place: Path, covered: DraftStep, scopes: Scopes, group: DraftGroup, gate: DraftStep) -> Iterator[Finding]:
    """Arguments that cannot be told when the gate opens."""
    given = covered.call_input if covered.called else covered.arguments
    for _, written in texts((), dict(given or {})):
        try:
            parts = Template.parse(written).parts
        except ExpressionError:
            continue
        for used in (path.parts for part in parts if isinstance(part, Program) for path in part.paths):
            if used[0] != "steps" or len(used) < 2:
                continue
            if used[1] == gate.id:
                if used[2:4] not in {("output", word) for word in _KNOWN_OF_GATE}:
                    message = f"{covered.name} needs {spell(used)}, which is not known before the decision"
                    yield Finding(place, message, f"of the gate it can have {listed(_KNOWN_OF_GATE)}")
            elif used[1] in group.places and not scopes.is_before(group, gate, used[1]):
                message = f"{covered.name} needs {used[1]}, which has not run when people decide"
                yield Finding(place, message, f"let the gate need {used[1]}, or do not cover {covered.name}")


def _back(gate: Mapping[str, Any], path: Path, scopes: Scopes, group: DraftGroup, step: DraftStep) -> Iterator[Finding]:
    target = text(gate.get("request_changes"))
    if target is None:
        return
    place = (*path, "request_changes")
    if group.kind is not GroupKind.WORKFLOW:
        where = "after a failure" if group.kind is GroupKind.ON_FAILURE else "inside of a loop"
        yield Finding(place, f"a run cannot be done anew from {where}", "put the gate among the workflow's own steps")
    elif target not in group.places:
        yield Finding(place, f"there is no step {target}", did_you_mean(target, list(group.places)))
    elif target == step.id or not scopes.is_before(group, step, target):
        before = [one.id for one in group.steps if one.id and scopes.is_before(group, step, one.id)]
        advice = f"before it there is: {listed(before)}" if before else "nothing comes before it"
        yield Finding(place, f"{target} does not come before the gate", advice)
