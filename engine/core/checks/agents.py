"""Agents: are their tools there, and do these take what they are given beside what the model chooses?

The one rule: a tool's schema is what the model is told, so that it must be known when the definition is pinned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from engine.core.agent_parts import TURN_CODE
from engine.core.checks.arguments import spec_of
from engine.core.checks.calls import Callees, callee_of
from engine.core.checks.outputs import Outputs, of_fields
from engine.core.checks.types import ANY, Type
from engine.core.checks.values import TypeOf, check_value
from engine.core.draft import Draft, Sight, Spot, mapping, text
from engine.core.problems import Finding, Path
from engine.core.stepspec import Catalog
from engine.core.words import did_you_mean


@dataclass(frozen=True, slots=True)
class _Contract:
    """What is called, and what it takes by name."""

    name: str
    names: tuple[str, ...]
    takes: Type


def check_agents(draft: Draft, catalog: Catalog | None, callees: Callees | None, outputs: Outputs) -> Iterator[Finding]:
    """Unknown code of tools, and arguments that it does not take."""
    for group in draft.groups:
        for step in group.steps:
            if "agent" in step.data and catalog is not None and TURN_CODE not in catalog:
                yield Finding((*step.path, "agent"), "no model can be asked here", f"add the step {TURN_CODE}")
            for path, tool in step.tools:
                found = _code(path, tool, catalog, outputs) or _workflow(tool, draft, callees)
                if isinstance(found, Finding):
                    yield found
                elif found is not None:
                    spot = Spot((*path, "with"), "", Sight.STEP)
                    type_of = partial(outputs.of_text, spot=spot, group=group, step=step)
                    yield from _given(spot.path, tool, found, type_of)


def _code(path: Path, tool: Mapping[str, Any], catalog: Catalog | None, outputs: Outputs) -> _Contract | Finding | None:
    uses = text(tool.get("uses"))
    if uses is None or catalog is None:
        return None
    spec = spec_of(uses, (*path, "uses"), catalog)
    if isinstance(spec, Finding):
        return spec
    return _Contract(uses, tuple(spec.arguments.get("properties", {})), outputs.of_schema(spec.arguments))


def _workflow(tool: Mapping[str, Any], draft: Draft, callees: Callees | None) -> _Contract | None:
    name = text(tool.get("workflow"))
    callee = callee_of(name, draft, callees) if name is not None and callees is not None else None
    if name is None or callee is None:
        return None
    return _Contract(name, tuple(callee.inputs), of_fields(callee.inputs, closed=False))


def _given(path: Path, tool: Mapping[str, Any], called: _Contract, type_of: TypeOf) -> Iterator[Finding]:
    for word, value in (mapping(tool.get("with")) or {}).items():
        if word not in called.names:
            advice = did_you_mean(word, called.names) if called.names else "it takes none"
            yield Finding((*path, word), f"{called.name} takes no {word}", advice)
        else:
            yield from check_value((*path, word), value, called.takes.member(word) or ANY, type_of)
