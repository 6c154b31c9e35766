"""What people and the world outside do in a rehearsal, and after how long.

The one rule: a delay counts from when they could first act: a decision from when it was asked for, everything else from
the start of the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

from engine.core import events as e
from engine.core.durations import parse_duration


class RehearsalError(AssertionError):
    """The rehearsal itself is at fault, not the workflow: a stub is missing, or a name is none. One sentence."""


@dataclass(frozen=True, slots=True)
class Voted:
    """A decision on a gate, ``after`` ms from the request."""

    granted: bool
    by: e.Actor
    after: int
    reason: str


@dataclass(frozen=True, slots=True)
class Settled:
    """An answer on what became of an uncertain attempt, ``after`` ms from the question."""

    answer: Literal["happened", "did_not_happen", "fail"]
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


Decided = Voted | Settled
Decisions = Decided | Sequence[Decided]
"""One decision, or one for each time that it is asked for."""


def granted_by(name: str, after: str = "0s", reason: str = "") -> Voted:
    """``name`` approves."""
    return Voted(True, person(name), parse_duration(after), reason)


def denied_by(name: str, after: str = "0s", reason: str = "") -> Voted:
    """``name`` says no."""
    return Voted(False, person(name), parse_duration(after), reason)


def settled_by(
    name: str,
    answer: Literal["happened", "did_not_happen", "fail"],
    result: JsonValue = None,
    *,
    after: str = "0s",
    reason: str = "",
) -> Settled:
    """``name`` says what became of an attempt whose outcome nobody knows; ``result`` is its output if it happened."""
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


def person(name: str) -> e.Actor:
    """Somebody of that name, as an event has them."""
    return e.Actor(via="api", id=name.lower().replace(" ", "_"), name=name)
