"""Every expression of a definition: does it compile, is all there that it refers to, and do its types fit?

The one rule: an expression is looked at from where it stands; ``engine.core.checks.scopes`` knows what is seen there,
and ``engine.core.checks.outputs`` of which types that is.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.core.checks.outputs import Outputs
from engine.core.checks.scopes import Scopes, not_compiled
from engine.core.checks.types import Type, of_kind
from engine.core.draft import DraftGroup, DraftStep, Spot
from engine.core.expressions import Condition, ExpressionError, Template, condition
from engine.core.problems import Finding, Path
from engine.core.program import Program
from engine.core.words import one_line

_WANTED: dict[str, tuple[Type, str]] = {
    "items": (of_kind("array"), "must be a list; this gives {}"),
    "sleep": (of_kind("string", "span", "integer"), "must be a duration such as 30s; this gives {}"),
    "for": (of_kind("string", "span", "integer"), "must be a duration such as 30s; this gives {}"),
    "until": (of_kind("string", "time"), "must be a date and time such as 2030-01-31T09:00:00+01:00; this gives {}"),
}
"""What a whole text has to give, by the word that it stands behind."""


_ASKED = (of_kind("string", "array"), "must be a name or a list of names; this gives {}")
"""What has to be given where somebody is asked."""


def check_expressions(scopes: Scopes, outputs: Outputs) -> Iterator[Finding]:
    """Expressions that do not compile, that use what they cannot have, or whose types surely do not fit."""
    for group in scopes.draft.groups:
        for step in group.steps:
            for spot in step.spots():
                yield from _expression(spot, scopes, outputs, group, step)
    for spot in scopes.draft.spots():
        yield from _expression(spot, scopes, outputs, scopes.draft.groups[0], None)


def _expression(
    spot: Spot, scopes: Scopes, outputs: Outputs, group: DraftGroup, step: DraftStep | None
) -> Iterator[Finding]:
    try:
        compiled = condition(spot.text) if spot.is_condition else Template.parse(spot.text)
    except ExpressionError as error:
        yield not_compiled(spot.path, error, scopes.draft)
        return
    missing = list(scopes.check(spot, compiled.references, group, step))
    if missing:
        yield from missing
        return
    parts = (compiled.program,) if isinstance(compiled, Condition) else compiled.parts
    for program in parts:
        if isinstance(program, Program):
            yield from _types(spot, program, len(parts) == 1, outputs.infer(program, spot, group, step))


def _types(
    spot: Spot, program: Program, whole: bool, inferred: tuple[Type, list[tuple[str, str]]]
) -> Iterator[Finding]:
    type_, problems = inferred
    within = "" if whole else f" (in ${{{{ {one_line(program.source)} }}}})"
    for message, hint in problems:
        yield Finding(spot.path, message + within, hint)
    if problems or not whole:
        return
    if spot.is_condition:
        if not type_.may_be("boolean"):
            advice = "compare it, such as … == 1 or … != null"
            yield Finding(spot.path, f"a condition is true or false, this is {type_.say()}", advice)
        return
    wanted, message = _ASKED if _names_somebody(spot.path) else _WANTED.get(str(spot.path[-1]), (None, ""))
    if wanted is not None and spot.path[-2:-1] != ("with",) and not type_.may_be(*wanted.kinds):
        yield Finding(spot.path, message.format(type_.say()))


def _names_somebody(path: Path) -> bool:
    return path[-2:-1] == ("approvers",) or (path[-3:-2] == ("escalate",) and path[-1] == "to")
