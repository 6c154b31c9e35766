"""Who decides for whom for a while, at every gate of a workspace that does not forbid it.

The one rule: a person hands over their own decisions and nobody else's, to one person at a time, and for a time that
ends. It is not handed on: whoever decides for another does not decide for those who let that one decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from engine.core import workspace_events as w
from engine.core.events.base import Actor
from engine.core.gates import same

LONGEST = 366 * 86_400_000


class Delegation(NamedTuple):
    """``id`` is the seq of the event that began it."""

    id: int
    at: int
    event: w.DelegationStarted

    def holds(self, now: int) -> bool:
        return now < self.event.until


Delegations = Mapping[int, Delegation]


@dataclass(frozen=True, slots=True)
class StartDelegation:
    """Let ``to`` decide for ``by`` until then; what ``by`` had delegated before ends."""

    by: Actor
    to: Actor
    until: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class EndDelegation:
    """End what ``by`` has delegated."""

    by: Actor
    reason: str = ""


def held_by(known: Delegations, person: Actor, now: int) -> Delegation | None:
    """What ``person`` has delegated, if anything now."""
    return next((one for one in known.values() if one.holds(now) and same(one.event.by, person)), None)


def given_to(known: Delegations, person: Actor, now: int) -> Iterator[Delegation]:
    """By what ``person`` may decide for others now, the oldest first."""
    return (one for _, one in sorted(known.items()) if one.holds(now) and same(one.event.to, person))


def confirms(known: Delegations, delegation: int, by: Actor, to: Actor, now: int) -> bool:
    """Whether it is by this delegation that ``to`` may decide for ``by`` now."""
    found = known.get(delegation)
    return found is not None and found.holds(now) and same(found.event.by, by) and same(found.event.to, to)


def decide(
    known: Delegations, command: StartDelegation | EndDelegation, now: int
) -> tuple[w.DelegationStarted | w.DelegationEnded, ...] | str:
    """The events that the command leads to; or one sentence that says why it leads to none."""
    held = held_by(known, command.by, now)
    ended = () if held is None else (w.DelegationEnded(delegation=held.id, by=command.by, reason=command.reason),)
    if isinstance(command, EndDelegation):
        return ended
    if same(command.by, command.to):
        return "nobody decides for themselves in this way; name somebody else"
    if command.until <= now:
        return "the time for which somebody else decides would be over already; give a later end"
    if command.until > now + LONGEST:
        return "somebody else decides for a year at most; give an earlier end"
    begun = w.DelegationStarted(by=command.by, to=command.to, until=command.until, reason=command.reason)
    return () if held is not None and held.event == begun else (*ended, begun)
