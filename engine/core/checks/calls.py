"""Calls of other workflows: is the workflow there, and does it take what it is given?

The one rule: a callee is known by its draft, so that callers are checked even while the callee has problems of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from engine.core.checks.inputs import field_of
from engine.core.draft import Draft, DraftStep, mapping, texts
from engine.core.inputs import read_value
from engine.core.problems import Finding, Path
from engine.core.words import did_you_mean


@dataclass(frozen=True, slots=True)
class Callees:
    """The workflows that can be called, by name. ``broken`` are those that cannot be loaded; ``hashes`` the pinned."""

    drafts: Mapping[str, Draft]
    broken: frozenset[str] = frozenset()
    hashes: Mapping[str, str] | None = None


def calls_of(draft: Draft) -> dict[str, Path]:
    """The names of the workflows that the draft calls, each with the first place where it does."""
    found: dict[str, Path] = {}
    for step in draft.steps:
        for path, name in step.calls:
            found.setdefault(name, path)
    return found


def check_calls(draft: Draft, callees: Callees) -> Iterator[Finding]:
    """Unknown workflows, inputs that do not fit, calls in a circle, and callees that cannot be loaded."""
    for step in draft.steps:
        for path, name in step.calls:
            if callee_of(name, draft, callees) is None:
                yield Finding(path, f"there is no workflow {name}", did_you_mean(name, sorted(callees.drafts)))
        called = step.called
        callee = None if called is None else callee_of(called[1], draft, callees)
        if called is not None and callee is not None:
            yield from _input(step, called[1], callee)
            yield from _pinned(step, called[1], callees)
    yield from _circles(draft, callees)


def callee_of(name: str, draft: Draft, callees: Callees) -> Draft | None:
    """The workflow that ``draft`` calls by that name."""
    return draft if name == draft.name else callees.drafts.get(name)


def _pinned(step: DraftStep, name: str, callees: Callees) -> Iterator[Finding]:
    given = (mapping(step.data.get("workflow")) or {}).get("definition")
    known = (callees.hashes or {}).get(name)
    if given is not None and given != known:
        path = (*step.path, "workflow", "definition")
        yield Finding(path, f"is not the version of {name} that is there", "leave it out; it is filled in")


def _input(step: DraftStep, name: str, callee: Draft) -> Iterator[Finding]:
    given = step.call_input
    if given is None:
        return
    where = (*step.path, "workflow", "input")
    for word, value in given.items():
        if word not in callee.inputs:
            known = list(callee.inputs)
            yield Finding((*where, word), f"{name} has no input {word}", did_you_mean(word, known) or "it takes none")
        elif value is not None and not any(texts((), value)) and (field := field_of(callee.inputs[word])) is not None:
            try:
                read_value(word, field, value)
            except ValueError as error:
                yield Finding((*where, word), str(error))
    for word, raw in callee.inputs.items():
        field = field_of(raw)
        if field is not None and field.is_required and given.get(word) is None:
            yield Finding(where, f"{name} needs {word}, which is missing", f"add {word} to input")


def _circles(draft: Draft, callees: Callees) -> Iterator[Finding]:
    for name, path in calls_of(draft).items():
        circle = _way_back(name, draft, callees)
        if circle is not None:
            names = " -> ".join([draft.name or "it", *circle])
            yield Finding(path, f"these workflows call each other in a circle: {names}", "take one of the calls away")
        elif name in callees.broken:
            yield Finding(path, f"{name} has problems of its own", "mend it first")


def _way_back(start: str, draft: Draft, callees: Callees) -> list[str] | None:
    """The shortest chain of calls from ``start`` back to ``draft``."""
    trails = [[start]]
    seen = {start}
    for trail in trails:
        if trail[-1] == draft.name:
            return trail
        callee = callees.drafts.get(trail[-1])
        for name in calls_of(callee) if callee is not None else ():
            if name not in seen:
                seen.add(name)
                trails.append([*trail, name])
    return None
