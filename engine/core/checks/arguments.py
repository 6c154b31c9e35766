"""A definition's ``uses`` and ``with`` against what the registered steps offer, and the inputs of called workflows.

The one rule: only what is certain before a run is reported; what expressions give is known by type alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from engine.core.checks.calls import Callees, callee_of
from engine.core.checks.outputs import Outputs, of_fields
from engine.core.checks.types import ANY
from engine.core.checks.values import check_value
from engine.core.draft import Draft, DraftGroup, DraftStep, Sight, Spot, texts
from engine.core.expressions import ExpressionError, Template
from engine.core.keys import SECRETS
from engine.core.problems import Finding, Path
from engine.core.stepspec import SEEN, Catalog, VersionSpec
from engine.core.words import did_you_mean, listed


def check_uses(draft: Draft, catalog: Catalog, outputs: Outputs) -> Iterator[Finding]:
    """Unknown steps and versions; unknown, missing and mistyped arguments, of compensations too."""
    for group in draft.groups:
        for step in group.steps:
            single = Sight.ITEM if "for_each" in step.data else Sight.STEP
            yield from _uses(step, step, group, single, catalog, outputs)
            if (undo := step.undo) is not None:
                yield from _uses(undo, step, group, Sight.UNDO, catalog, outputs)


def check_call_types(draft: Draft, callees: Callees, outputs: Outputs) -> Iterator[Finding]:
    """Expressions in the input of called workflows whose types the input does not take."""
    for group in draft.groups:
        for step in group.steps:
            callee = callee_of(step.called[1], draft, callees) if step.called is not None else None
            if callee is None:
                continue
            spot = Spot((*step.path, "workflow", "input"), "", Sight.ITEM if "for_each" in step.data else Sight.STEP)
            wanted = of_fields(callee.inputs, closed=False)
            for word, value in (step.call_input or {}).items():
                if any(texts((), value)):
                    type_of = partial(outputs.of_text, spot=spot, group=group, step=step)
                    yield from check_value((*spot.path, word), value, wanted.member(word) or ANY, type_of)


def _uses(
    code: DraftStep, step: DraftStep, group: DraftGroup, sight: Sight, catalog: Catalog, outputs: Outputs
) -> Iterator[Finding]:
    """``code`` is what names a step's code: ``step`` itself, or its compensation."""
    if code.uses is None:
        return
    found = spec_of(code.uses, (*code.path, "uses"), catalog)
    if isinstance(found, Finding):
        yield found
    elif code.arguments is not None:
        spot = Spot((*code.path, "with"), "", sight)
        type_of = partial(outputs.of_text, spot=spot, group=group, step=step)
        name = code.uses.partition("@")[0]
        yield from _names(code, name, found)
        wanted = outputs.of_schema(found.arguments)
        for argument, value in code.arguments.items():
            yield from _secrets((*spot.path, argument), name, value, found)
            yield from check_value((*spot.path, argument), value, wanted.members.get(argument, ANY), type_of)


def spec_of(uses: str, path: Path, catalog: Catalog) -> VersionSpec | Finding:
    """What is known of the code that ``uses``, written at ``path``, names; or what is wrong with that name."""
    name, _, version = uses.partition("@")
    spec = catalog.get(name)
    if spec is None:
        return Finding(path, f"there is no step named {name}", did_you_mean(name, sorted(catalog)))
    if version and (not version.isdigit() or int(version) not in spec.versions):
        versions = listed([str(known) for known in spec.versions])
        return Finding(path, f"{name} has no version {version}", f"there is: {versions}")
    return spec.version(int(version) if version else None)


def _secrets(path: Path, name: str, value: object, spec: VersionSpec) -> Iterator[Finding]:
    """Secrets in an argument that others can see."""
    why = spec.arguments.get("properties", {}).get(path[-1], {}).get(SEEN)
    if why is None:
        return
    for place, written in texts(path, value):
        try:
            references = Template.parse(written).references
        except ExpressionError:
            continue
        if any(root == SECRETS for root, _ in references):
            yield Finding(place, f"{path[-1]} of {name} takes no secret", why)


def _names(code: DraftStep, name: str, spec: VersionSpec) -> Iterator[Finding]:
    """Arguments that the step does not take, and those that it needs."""
    arguments = code.arguments or {}
    properties: Mapping[str, Any] = spec.arguments.get("properties", {})
    for argument in spec.strange(arguments):
        path = (*code.path, "with", argument)
        yield Finding(path, f"{name} takes no {argument}", did_you_mean(argument, list(properties)))
    for argument in spec.lacking(arguments):
        yield Finding((*code.path, "with"), f"{name} needs {argument}, which is missing", f"add {argument} to with")
