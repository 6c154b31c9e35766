"""What people and the world outside do in a rehearsal, and after how long.

The one rule: a delay counts from when they could first act: a decision from when it was asked for, everything else from
the start of the run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

from engine.core import events as e
from engine.core.durations import parse_duration


class RehearsalError(AssertionError):
    """The rehearsal itself is at fault, not the workflow: a stub is missing, or a name is none. One sentence."""


@dataclass(frozen=True, slots=True)
class Voted:
    """A decision on a gate, ``after`` ms from the request. ``under``: the asked name under which they count."""

    granted: bool
    by: e.Actor
    after: int
    reason: str
    under: str = ""
    on_behalf_of: e.Actor | None = None


@dataclass(frozen=True, slots=True)
class Edited:
    """Values of a gate that somebody changes, ``after`` ms from the request."""

    fields: Mapping[str, JsonValue]
    by: e.Actor
    after: int
    reason: str
    under: str = ""


@dataclass(frozen=True, slots=True)
class ChangesRequested:
    """What somebody at a gate wants done differently, ``after`` ms from the request."""

    comment: str
    by: e.Actor
    after: int
    under: str = ""


@dataclass(frozen=True, slots=True)
class DelegatedTo:
    """Somebody lets another decide at a gate, ``after`` ms from the request."""

    to: e.Actor
    by: e.Actor
    after: int
    reason: str
    under: str = ""


@dataclass(frozen=True, slots=True)
class Settled:
    """An answer on what became of an uncertain attempt, ``after`` ms from the question."""

    answer: e.SettledAs
    by: e.Actor
    after: int
    reason: str
    result: JsonValue = None


@dataclass(frozen=True, slots=True)
class Sent:
    """A signal, ``after`` ms from the start."""

    signal: str
    payload: JsonValue
    after: int
    correlation: str | None
    by: e.Actor


@dataclass(frozen=True, slots=True)
class Ordered:
    """What an operator asks of the run, ``after`` ms from its start."""

    what: Literal["cancel", "pause", "resume", "redrive"]
    by: e.Actor
    after: int
    reason: str


AtGate = Voted | Edited | ChangesRequested | DelegatedTo


@dataclass(frozen=True, slots=True)
class Together:
    """What several people do at one asking of a gate."""

    acts: tuple[AtGate, ...]


Decided = AtGate | Together | Settled
Decisions = Decided | Sequence[Decided]
"""One decision, or one for each time that it is asked for."""


def granted_by(name: str, after: str = "0s", reason: str = "", *, under: str = "", on_behalf_of: str = "") -> Voted:
    """``name`` approves.

    ``under`` is the asked name by which they count, such as ``@security``; without it they count as whoever is asked.
    """
    return Voted(True, person(name), parse_duration(after), reason, under, _other(on_behalf_of))


def denied_by(name: str, after: str = "0s", reason: str = "no", *, under: str = "", on_behalf_of: str = "") -> Voted:
    """``name`` says no; the rest as for ``granted_by``."""
    return Voted(False, person(name), parse_duration(after), reason, under, _other(on_behalf_of))


def edited_by(
    name: str, fields: Mapping[str, JsonValue], after: str = "0s", reason: str = "", *, under: str = ""
) -> Edited:
    """``name`` changes these values of the gate; approvals from before count no more."""
    return Edited(fields, person(name), parse_duration(after), reason, under)


def changes_by(name: str, comment: str, after: str = "0s", *, under: str = "") -> ChangesRequested:
    """``name`` asks for changes: the run goes back to where the gate says, and the gate asks again."""
    return ChangesRequested(comment, person(name), parse_duration(after), under)


def delegated_by(name: str, to: str, after: str = "0s", reason: str = "", *, under: str = "") -> DelegatedTo:
    """``name`` lets ``to`` decide at the gate in their place."""
    return DelegatedTo(person(to), person(name), parse_duration(after), reason, under)


def together(*acts: AtGate) -> Together:
    """All of these at one asking of a gate. Where it needs everybody, those who are named here are everybody."""
    return Together(acts)


def settled_by(
    name: str,
    answer: e.SettledAs,
    result: JsonValue = None,
    *,
    after: str = "0s",
    reason: str = "",
) -> Settled:
    """``name`` says what became of an attempt of unknown outcome, or how a step goes on that no correction mended.

    ``result`` is its output if it happened or is accepted, or what is changed if it is tried again.
    """
    return Settled(answer, person(name), parse_duration(after), reason, result)


def signal(
    name: str, payload: JsonValue = None, *, after: str = "0s", correlation: str | None = None, by: str = "a system"
) -> Sent:
    """A signal to the run; with a ``correlation``, to whichever run of the rehearsal waits for it."""
    return Sent(name, payload, parse_duration(after), correlation, person(by))


def cancelled_by(name: str, after: str = "0s", reason: str = "") -> Ordered:
    """``name`` cancels the run."""
    return Ordered("cancel", person(name), parse_duration(after), reason)


def paused_by(name: str, after: str = "0s", reason: str = "") -> Ordered:
    """``name`` pauses the run."""
    return Ordered("pause", person(name), parse_duration(after), reason)


def resumed_by(name: str, after: str = "0s", reason: str = "") -> Ordered:
    """``name`` lets the paused run go on."""
    return Ordered("resume", person(name), parse_duration(after), reason)


def redriven_by(name: str, after: str = "0s", reason: str = "") -> Ordered:
    """``name`` has everything in the run's dead letters tried again."""
    return Ordered("redrive", person(name), parse_duration(after), reason)


def _other(name: str) -> e.Actor | None:
    return person(name) if name else None


def person(name: str) -> e.Actor:
    """Somebody of that name, as an event has them."""
    return e.Actor(via="api", id=name.lower().replace(" ", "_"), name=name)
