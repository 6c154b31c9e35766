"""What is wrong with a definition beyond its shape: the graph, expressions, steps' arguments, calls, times.

The one rule: each check looks at a draft and reports all that it finds; none depends on another having passed.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.core.checks.agents import check_agents
from engine.core.checks.arguments import check_call_types, check_uses
from engine.core.checks.calls import Callees, check_calls
from engine.core.checks.corrections import check_corrections
from engine.core.checks.expressions import check_expressions
from engine.core.checks.gates import check_gates
from engine.core.checks.graph import check_graph
from engine.core.checks.inputs import check_inputs
from engine.core.checks.kinds import check_kinds
from engine.core.checks.models import check_models
from engine.core.checks.outputs import Outputs
from engine.core.checks.roles import check_roles
from engine.core.checks.scopes import Scopes
from engine.core.checks.times import check_times
from engine.core.draft import Draft
from engine.core.problems import Finding
from engine.core.stepspec import Catalog

__all__ = ["Callees", "check_all"]


def check_all(draft: Draft, catalog: Catalog | None, callees: Callees | None) -> Iterator[Finding]:
    """Everything that can be known before a run; steps and calls only against what is given."""
    yield from check_inputs(draft)
    yield from check_kinds(draft)
    yield from check_graph(draft)
    yield from check_times(draft)
    yield from check_roles(draft)
    scopes = Scopes(draft)
    yield from check_gates(scopes)
    outputs = Outputs(scopes, catalog, callees)
    yield from check_expressions(scopes, outputs)
    yield from check_models(draft, catalog, outputs)
    yield from check_corrections(draft, catalog)
    yield from check_agents(draft, catalog, callees, outputs)
    if catalog is not None:
        yield from check_uses(draft, catalog, outputs)
    if callees is not None:
        yield from check_calls(draft, callees)
        yield from check_call_types(draft, callees, outputs)
