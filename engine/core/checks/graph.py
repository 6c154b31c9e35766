"""The graph of a definition, group by group: ids, needs, cycles, and steps that can never run.

The one rule: steps are ordered within their group alone; a loop as a whole stands in the order of the group around it.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.core.checks.constants import is_always_false
from engine.core.checks.reach import cycles, in_order
from engine.core.draft import Draft, DraftGroup, DraftStep
from engine.core.problems import Finding
from engine.core.words import did_you_mean, listed


def check_graph(draft: Draft) -> Iterator[Finding]:
    """Ids that are taken, unknown needs, cycles (each once and by name), and what can never run."""
    for group in draft.groups:
        yield from _ids(group)
        yield from _needs(group, draft)
        yield from _circles(group)
        yield from _never_run(group)


def _ids(group: DraftGroup) -> Iterator[Finding]:
    for step in group.steps:
        if step.id is None:
            continue
        path, first = (*step.path, "id"), group.places[step.id]
        if first != step.index:
            yield Finding(path, f"{step.id} is the id of step {first + 1} already", "ids are unique")
        elif any(step.id in outer.places for outer in group.around()):
            where = "the workflow's steps" if group.holder is None else f"a step around {group.holder.name}"
            message = f"{step.id} is the id of {where} already" if group.holder else f"{step.id} is one of {where}"
            yield Finding(path, message, f"another id keeps it clear what steps.{step.id} is")


def _needs(group: DraftGroup, draft: Draft) -> Iterator[Finding]:
    for step in group.steps:
        for at, needed in step.needs or ():
            path = (*step.path, "needs", at)
            if needed == step.id:
                yield Finding(path, "a step cannot need itself")
            elif needed not in group.places:
                yield Finding(path, *_no_such_need(needed, group, draft))


def _no_such_need(needed: str, group: DraftGroup, draft: Draft) -> tuple[str, str]:
    if any(needed in outer.places for outer in group.around()):
        if group.holder is None:
            return f"{needed} is no step of on_failure", "those begin when all others have ended; take it away"
        if needed == group.holder.id:
            return f"{needed} is the loop that this step is in", "take it away"
        message = f"{needed} is outside of {group.holder.name}; needs name steps of the same group"
        return message, f"put {needed} into the needs of {group.holder.name}"
    for other in draft.groups:
        if needed in other.places and other.holder is not None:
            holder = _holder_in(group, other)
            advice = "" if holder is None else f"need {holder.name}, which ends when all inside of it have ended"
            return f"{needed} is inside of {other.holder.name}", advice
    return f"there is no step {needed}", did_you_mean(needed, group.places)


def _holder_in(group: DraftGroup, inner: DraftGroup) -> DraftStep | None:
    """The step of ``group`` that has ``inner`` somewhere inside."""
    for at in (inner, *inner.around()):
        if at.outer is group:
            return at.holder
    return None


def _circles(group: DraftGroup) -> Iterator[Finding]:
    needs = group.resolved_needs()
    _, looped = in_order(needs)
    for cycle in cycles(needs, looped):
        if len(cycle) > 1:
            names = [group.steps[at].name for at in (*cycle, cycle[0])]
            message = f"these steps wait for each other: {' -> '.join(names)}"
            yield Finding((*group.steps[cycle[0]].path, "needs"), message, "take one of these needs away")


def _never_run(group: DraftGroup) -> Iterator[Finding]:
    needs = group.resolved_needs()
    order, _ = in_order(needs)
    never: set[int] = set()
    for at in order:
        step = group.steps[at]
        if step.condition is not None and is_always_false(step.condition):
            never.add(at)
            advice = "take the step away, or let its if depend on something"
            yield Finding((*step.path, "if"), "is always false, so that this step can never run", advice)
        elif step.needs and needs[at] and never.issuperset(needs[at]):
            never.add(at)
            names = listed([group.steps[needed].name for needed in needs[at]])
            message = f"this step can never run, since {names} can never run"
            yield Finding((*step.path, "needs"), message, "need a step that can run")
