"""Roles: what the people of a workspace may do there, or with one workflow of it.

The one rule: what a role includes is said in one table, ``INCLUDES``, and whoever asks for a right asks by role. To
whom a grant is, the engine does not know: ``to`` is a name that only the adapter of people can read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from engine.core.events.base import Actor
from engine.core.words import did_you_mean

EVERYONE = "everyone"
"""``to`` of a grant that every full member has."""


BY_ROLE = "role:"
"""Before a role's name, where a definition names it in the place of people."""


class Role(StrEnum):
    """``viewer`` sees runs, ``runner`` starts them, ``operator`` acts on those of others, ``admin`` also grants roles.

    ``approver`` is apart: it is who is asked where a definition says ``role:approver``.
    """

    VIEWER = "viewer"
    RUNNER = "runner"
    APPROVER = "approver"
    OPERATOR = "operator"
    ADMIN = "admin"


INCLUDES: Mapping[Role, frozenset[Role]] = {
    Role.VIEWER: frozenset({Role.VIEWER}),
    Role.RUNNER: frozenset({Role.VIEWER, Role.RUNNER}),
    Role.APPROVER: frozenset({Role.VIEWER, Role.APPROVER}),
    Role.OPERATOR: frozenset({Role.VIEWER, Role.RUNNER, Role.OPERATOR}),
    Role.ADMIN: frozenset({Role.VIEWER, Role.RUNNER, Role.OPERATOR, Role.ADMIN}),
}
"""Nobody decides at gates only because they may operate or administrate: that takes the role ``approver``."""


class Grant(NamedTuple):
    """``role`` for the whole workspace, or for runs of one ``workflow``.

    ``to`` is whom, in a form that does not change with names; ``name`` is how people wrote it. ``by`` is None for what
    holds from the beginning.
    """

    role: Role
    to: str
    name: str
    workflow: str | None = None
    at: int = 0
    by: Actor | None = None
    reason: str = ""

    @property
    def key(self) -> GrantKey:
        return self.role, self.to, self.workflow or ""


GrantKey = tuple[Role, str, str]
"""Role, to whom, and the workflow (empty: the whole workspace): there is one grant of each."""

FOUNDING = (Grant(Role.VIEWER, EVERYONE, EVERYONE), Grant(Role.RUNNER, EVERYONE, EVERYONE))
"""What holds until it is revoked: every full member sees runs, and starts them."""


def role_named(word: str) -> Role:
    """The role that a person wrote. Raises ``ValueError``, which says what there is."""
    try:
        return Role(word.strip().lower())
    except ValueError:
        raise ValueError(f"there is no role {word}; {did_you_mean(word, list(Role))}") from None


def giving(grants: Iterable[Grant], role: Role, workflow: str | None = None) -> tuple[Grant, ...]:
    """The grants by which somebody has ``role``, or one that includes it: for ``workflow``, or for the workspace."""
    return tuple(
        grant
        for grant in grants
        if role in INCLUDES[grant.role] and (grant.workflow is None or grant.workflow == workflow)
    )


def people_with_role(grants: Iterable[Grant], role: Role, workflow: str | None = None) -> tuple[str, ...]:
    """To whom ``role`` is granted for ``workflow``: names that the adapter of people reads, each once."""
    return tuple(dict.fromkeys(grant.to for grant in giving(grants, role, workflow)))
