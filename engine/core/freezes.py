"""Change freezes: times in which no run of some workflows starts, and no gate of theirs changes.

The one rule: a freeze has a person, a reason and a name, and ends at its time or when it is lifted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from engine.core import workspace_events as w
from engine.core.events.base import Actor
from engine.core.instants import say_instant
from engine.core.words import listed


class Freeze(NamedTuple):
    """A change freeze; ``id`` is the seq of the event that began it."""

    id: int
    at: int
    event: w.FreezeStarted

    def covers(self, workflow: str, now: int) -> bool:
        """Whether it holds for runs of ``workflow`` now."""
        return self.holds(now) and (not self.event.workflows or workflow in self.event.workflows)

    def holds(self, now: int) -> bool:
        return self.event.until is None or now < self.event.until


Freezes = Mapping[int, Freeze]


@dataclass(frozen=True, slots=True)
class StartFreeze:
    workflows: tuple[str, ...]
    until: int | None
    by: Actor
    reason: str


@dataclass(frozen=True, slots=True)
class LiftFreeze:
    """Lift the freeze of that id, or all that hold (None)."""

    freeze: int | None
    by: Actor
    reason: str = ""


def holding(known: Freezes, now: int) -> Iterator[Freeze]:
    """The freezes that hold now, the oldest first."""
    return (freeze for _, freeze in sorted(known.items()) if freeze.holds(now))


def decide(
    known: Freezes, command: StartFreeze | LiftFreeze, now: int
) -> tuple[w.FreezeStarted | w.FreezeLifted, ...] | str:
    """The events that the command leads to; or one sentence that says why it leads to none."""
    if isinstance(command, LiftFreeze):
        return _lift(known, command, now)
    if not command.reason.strip():
        return "a freeze needs a reason; people who cannot start a run are told it"
    if command.until is not None and command.until <= now:
        return "the freeze would be over already; give a later end, or none"
    started = w.FreezeStarted(
        workflows=command.workflows, until=command.until, by=command.by, reason=command.reason.strip()
    )
    return (started,)


def _lift(known: Freezes, command: LiftFreeze, now: int) -> tuple[w.FreezeLifted, ...] | str:
    held = [freeze.id for freeze in holding(known, now)]
    if command.freeze is None:
        return tuple(w.FreezeLifted(freeze=one, by=command.by, reason=command.reason) for one in held)
    if command.freeze not in held:
        there = f"there is: {listed([str(one) for one in held])}" if held else "nothing is frozen"
        return f"no freeze {command.freeze} holds; {there}"
    return (w.FreezeLifted(freeze=command.freeze, by=command.by, reason=command.reason),)


def frozen(freeze: Freeze, workflow: str) -> str:
    """Who froze the workflow, why, and until when, without a full stop."""
    until = f" until {say_instant(freeze.event.until)}" if freeze.event.until is not None else " until it is lifted"
    return f"{workflow} is frozen by {freeze.event.by.name}{until}: {freeze.event.reason}"
