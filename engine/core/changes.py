"""What is new in a definition, in words for people, and what of it concerns gates: who starts and decides, and on what.

The one rule: whatever lets a step happen that a person had to agree to before is a change to a gate, also if the gate
itself reads as it did: a condition on it, or a step that no longer waits for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from engine.core import paths
from engine.core.approval import Approval
from engine.core.definition import KINDS, Step, Workflow
from engine.core.expressions import Template
from engine.core.graph import resolved_needs, walk
from engine.core.words import listed, one_line

_DECIDES = (
    *("approvers", "quorum", "stages", "escalate", "allow_self", "delegation", "reason"),
    *("edit", "covers", "request_changes", "on_expiry", "expires_in", "hours"),
)
"""The words of a gate that say who decides, on what and under which rules, and what happens if nobody does."""
_AROUND = ("if", "for_each", "repeat", "continue_on_error")
"""Words of a step, and of those that it is inside of, by which a gate may be left out or made to count for nothing."""
_WIDEST = 60


class Changes(NamedTuple):
    """``words`` has all changes, ``gates`` those of them that take the right to change gates."""

    words: tuple[str, ...]
    gates: tuple[str, ...]


def changes(old: Workflow | None, new: Workflow) -> Changes:
    """What ``new`` changes of ``old``; everything is new where there is no old one, and no gate is changed then."""
    if old is None:
        gates = [template for template, step in walk(new) if step.approval is not None]
        steps = "1 step" if len(new.steps) == 1 else f"{len(new.steps)} steps"
        said = [f"new, with {steps}"] + ([f"gates: {listed(gates)}"] if gates else [])
        return Changes(tuple(said), ())
    gates = tuple(dict.fromkeys(_gates(old, new)))
    words = dict.fromkeys([*gates, *_fields(old, new), *_steps(old, new)])
    return Changes(tuple(words), gates)


def _gates(old: Workflow, new: Workflow) -> Iterator[str]:
    """What changes about who may start it, and about the gates that there were."""
    if old.who_can_run != new.who_can_run:
        yield f"who_can_run {_short(old.who_can_run or 'runners')} -> {_short(new.who_can_run or 'runners')}"
    before, after = dict(walk(old)), dict(walk(new))
    for template, step in before.items():
        if step.approval is None:
            continue
        now = after.get(template)
        if now is None or now.approval is None:
            yield f"the gate {template} is gone"
            continue
        yield from _decided(template, step.approval, now.approval)
        yield from _named(template, step.approval, before, after)
        yield from _around(template, before, after)
        yield from _freed(template, old, new)


def _decided(template: str, old: Approval, new: Approval) -> Iterator[str]:
    was, is_ = old.model_dump(mode="json"), new.model_dump(mode="json")
    for word in _DECIDES:
        if was[word] != is_[word]:
            yield f"the gate {template}: {word} {_short(was[word])} -> {_short(is_[word])}"


def _named(template: str, gate: Approval, before: Mapping[str, Step], after: Mapping[str, Step]) -> Iterator[str]:
    """Steps that say by their output who is asked, and do something else now."""
    for id_ in sorted(_asked_by(gate)):
        step = next((at for at in _visible(template, id_) if at in before), None)
        if step is None:
            continue
        differing = _differing(_data(before[step]), _data(after[step])) if step in after else ["gone"]
        if differing:
            yield f"the gate {template}: {step} says who decides, and changed: {', '.join(differing)}"


def _asked_by(gate: Approval) -> set[str]:
    """The ids of the steps that the names of the people asked come from."""
    asked = [*(name for _, names, _ in gate.asking for name in names), *(rung.to for rung in gate.escalate)]
    found = (Template.parse(name).references for name in asked)
    return {name for references in found for root, name in references if root == "steps"}


def _visible(template: str, id_: str) -> Iterator[str]:
    """Where the step ``id_`` may be that the step at ``template`` sees: beside it, or in a group around it."""
    group = paths.group_of(template)
    while group:
        yield paths.in_group(group, id_)
        group = paths.group_of(group)
    yield id_


def _around(template: str, before: Mapping[str, Step], after: Mapping[str, Step]) -> Iterator[str]:
    for holder in _holders(template):
        was, is_ = _data(before[holder]), _data(after[holder])
        for word in _AROUND:
            if was.get(word) != is_.get(word):
                where = "" if holder == template else f" of {holder}, which it is inside of"
                yield f"the gate {template}: {word}{where} {_short(was.get(word))} -> {_short(is_.get(word))}"


def _holders(template: str) -> Iterator[str]:
    """The step itself, and the loops that it is inside of."""
    yield template
    group = paths.group_of(template)
    while group and group != paths.ON_FAILURE:
        loop = group.removesuffix("[]").removesuffix("#")
        yield loop
        group = paths.group_of(loop)


def _freed(template: str, old: Workflow, new: Workflow) -> Iterator[str]:
    """The steps that waited for the gate, or for the loop around it, and do so no longer."""
    for holder in _holders(template):
        still = _after(new, holder)
        there = {at for at, _ in walk(new)}
        for step in sorted(_after(old, holder)):
            if step in there and step not in still:
                yield f"the gate {template}: {step} no longer waits for {holder}"


def _after(workflow: Workflow, template: str) -> set[str]:
    """The steps of the same group that follow from the step at ``template``, directly or not."""
    group, id_ = paths.group_of(template), template.rpartition("/")[2]
    found = {id_}
    needs = resolved_needs(_members(workflow, group))
    growing = True
    while growing:
        more = {step for step, needed in needs.items() if step not in found and not found.isdisjoint(needed)}
        found |= more
        growing = bool(more)
    return {paths.in_group(group, step) for step in found - {id_}}


def _members(workflow: Workflow, group: str) -> list[Step]:
    return [step for template, step in walk(workflow) if paths.group_of(template) == group]


def _fields(old: Workflow, new: Workflow) -> Iterator[str]:
    """The workflow's own words, its inputs one by one."""
    was, is_ = _dump(old), _dump(new)
    for name in sorted(was["input"].keys() | is_["input"].keys()):
        yield from _compared(f"input {name}", was["input"].get(name), is_["input"].get(name))
    for word in sorted((was.keys() | is_.keys()) - {"input", "steps", "on_failure", "name", "language", "who_can_run"}):
        if was.get(word) != is_.get(word):
            yield f"{word} {_short(was.get(word))} -> {_short(is_.get(word))}"


def _compared(what: str, was: Mapping[str, Any] | None, is_: Mapping[str, Any] | None) -> Iterator[str]:
    if was is None:
        yield f"{what} added"
    elif is_ is None:
        yield f"{what} removed"
    elif was != is_:
        yield f"{what} changed: {', '.join(_differing(was, is_))}"


def _steps(old: Workflow, new: Workflow) -> Iterator[str]:
    before, after = dict(walk(old)), dict(walk(new))
    for template, step in after.items():
        if template not in before:
            yield f"step {template} added ({_does(step)})"
    for template, step in before.items():
        if template not in after:
            yield f"step {template} removed"
        elif differing := _differing(_data(step), _data(after[template])):
            yield f"step {template} changed: {', '.join(differing)}"
    if _order(old) != _order(new) and before.keys() == after.keys():
        yield "the steps have another order"


def _order(workflow: Workflow) -> list[tuple[str, tuple[str, ...]]]:
    return list(resolved_needs(workflow.steps).items())


def _does(step: Step) -> str:
    if step.llm is not None:
        return f"llm {step.llm.model}"
    if step.uses is not None:
        return step.uses
    if step.workflow is not None:
        return f"workflow {step.workflow.name}"
    words = _data(step)
    return next((kind for kind in ("for_each", "repeat", *KINDS) if kind in words), "")


def _differing(was: Mapping[str, Any], is_: Mapping[str, Any]) -> list[str]:
    return sorted(word for word in was.keys() | is_.keys() if was.get(word) != is_.get(word))


def _data(step: Step) -> dict[str, Any]:
    """The step's own words, without the steps inside of it."""
    return step.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"steps"})


def _dump(workflow: Workflow) -> dict[str, Any]:
    return workflow.model_dump(mode="json", by_alias=True, exclude_none=True)


def _short(value: object) -> str:
    text = "none" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = one_line(text)
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"
