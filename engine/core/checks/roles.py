"""Roles that a definition names: they are those that people can be given.

The one rule: a name that no role has would stand for nobody, for ever.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.core.draft import Draft, strings
from engine.core.problems import Finding, Path
from engine.core.roles import BY_ROLE, Role
from engine.core.words import did_you_mean

_ASKS = ("approvers", "stages", "escalate")


def check_roles(draft: Draft) -> Iterator[Finding]:
    """Every role among those who may start it and those who are asked."""
    yield from _named(("who_can_run",), draft.data.get("who_can_run"))
    for step in draft.steps:
        for path, gate in step.gates:
            for word in _ASKS:
                yield from _named((*path, word), gate.get(word))


def _named(path: Path, written: object) -> Iterator[Finding]:
    for place, name in strings(path, written):
        role = name.removeprefix(BY_ROLE)
        if name.startswith(BY_ROLE) and role not in set(Role):
            yield Finding(place, f"there is no role {role}", did_you_mean(role, list(Role)))
