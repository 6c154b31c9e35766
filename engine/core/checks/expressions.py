"""Every expression of a definition: does it compile, and is all there that it refers to?

The one rule: an expression is looked at from where it stands; ``engine.core.checks.scopes`` knows what is seen there.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.core.checks.scopes import Scopes, not_compiled
from engine.core.draft import DraftGroup, DraftStep, Spot
from engine.core.expressions import ExpressionError, Template, condition
from engine.core.problems import Finding


def check_expressions(scopes: Scopes) -> Iterator[Finding]:
    """Expressions that do not compile, or that use a step, an input or a name that they cannot have."""
    for group in scopes.draft.groups:
        for step in group.steps:
            for spot in step.spots():
                yield from _expression(spot, scopes, group, step)
    for spot in scopes.draft.spots():
        yield from _expression(spot, scopes, scopes.draft.groups[0], None)


def _expression(spot: Spot, scopes: Scopes, group: DraftGroup, step: DraftStep | None) -> Iterator[Finding]:
    try:
        compiled = condition(spot.text) if spot.is_condition else Template.parse(spot.text)
    except ExpressionError as error:
        yield not_compiled(spot.path, error, scopes.draft)
    else:
        yield from scopes.check(spot, compiled.references, group, step)
