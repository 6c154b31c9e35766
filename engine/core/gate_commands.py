"""What people can do at a gate, and why it may not be done. Part of ``engine.core.commands``, which has them all.

The one rule: that a person may act was established by the caller, at that moment, and comes along as a ``Seat``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from engine.core.events import Actor
from engine.core.gates import Ballot


@dataclass(frozen=True, slots=True)
class Seat:
    """From where a person acts at a gate, as the caller has established at this moment.

    ``names`` are those of the asked names under which they count, or under which ``on_behalf_of`` counts; without any
    (None) the caller vouches for whatever is asked. ``everyone``: the ids of all who count now for the open stage,
    where it needs all of them. ``on_behalf_of`` has let them decide: at this gate, or for a period by the fact
    ``delegation`` of the workspace.
    """

    names: tuple[str, ...] | None = None
    everyone: frozenset[str] | None = None
    on_behalf_of: Actor | None = None
    delegation: int | None = None


ANY_SEAT = Seat()


@dataclass(frozen=True, slots=True)
class Vote:
    """A person's decision on a gate. That they may decide was established by the caller, who says how in ``authority``.

    ``version``, if given, is that of what the person saw (``Gate.version``): with an older one nothing is recorded.
    """

    step: str
    granted: bool
    by: Actor
    authority: str = ""
    reason: str = ""
    version: int | None = None
    seat: Seat = ANY_SEAT


@dataclass(frozen=True, slots=True)
class EditGate:
    """Change these values of the gate ``step`` before it is decided on: earlier votes then count no more."""

    step: str
    fields: Mapping[str, JsonValue]
    by: Actor
    authority: str = ""
    reason: str = ""
    version: int | None = None
    seat: Seat = ANY_SEAT


@dataclass(frozen=True, slots=True)
class RequestChanges:
    """Send the run back to the step that the gate names for it, to be done anew in the light of ``comment``."""

    step: str
    by: Actor
    comment: str
    authority: str = ""
    version: int | None = None
    seat: Seat = ANY_SEAT


@dataclass(frozen=True, slots=True)
class Delegate:
    """Let ``to`` decide at this gate for ``by``, who has the right to."""

    step: str
    by: Actor
    to: Actor
    authority: str = ""
    reason: str = ""
    version: int | None = None
    seat: Seat = ANY_SEAT


@dataclass(frozen=True, slots=True)
class Snooze:
    """Do not remind ``by`` before ``until``; everything else takes its course."""

    step: str
    by: Actor
    until: int
    version: int | None = None
    seat: Seat = ANY_SEAT


AtGate = Vote | EditGate | RequestChanges | Delegate | Snooze
"""What people do at a gate."""


@dataclass(frozen=True, slots=True)
class Outdated:
    """What the person saw is no longer what is decided on: ``version`` is. Nothing was recorded."""

    step: str
    version: int


@dataclass(frozen=True, slots=True)
class AlreadyVoted:
    """The person's approval is on record already, and counts; nothing was changed."""

    ballot: Ballot


@dataclass(frozen=True, slots=True)
class NotAsked:
    """The gate does not ask any of the names under which the person counts; it asks ``asked``."""

    asked: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReasonNeeded:
    """The gate wants a reason for this."""


@dataclass(frozen=True, slots=True)
class InvalidFields:
    """One sentence for each value that cannot be so; nothing was changed."""

    problems: Mapping[str, str]


GateRefusal = Outdated | AlreadyVoted | NotAsked | ReasonNeeded | InvalidFields
"""Why nothing was recorded at a gate that is open."""
