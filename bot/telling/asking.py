"""Which messages a gate calls for by now, and whom they ask.

The one rule: the same gate always calls for the same messages under the same keys (see ``bot.telling.story``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from engine.core import events as e
from engine.core.state import Gate, Recorded

APPROVAL = "approval:"
DIRECT = "dm:"
ADMIN = "admin:"

ADMINS = "role:admin"
"""Who is told what nobody else can be told."""

DIRECTLY_AT_MOST = 50
"""People of one gate who are written to directly; whoever comes after them is asked in the thread only."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A message that asks for a decision. ``place``: the channel it goes to (``#name``); None is the run's thread.

    ``stage``, ``version``: the stage of the gate that it asks, and what that decides on. ``direct``: the id of the one
    person to whom it is written instead; ``given_by`` has let them decide. ``last``: the resort that is left.
    """

    key: str
    step: str
    gate: Gate
    pinged: tuple[str, ...]
    rung: int = 0
    place: str | None = None
    stage: int = 0
    version: int = 0
    direct: str = ""
    given_by: str = ""
    last: Literal["", "default", "admins", "nowhere"] = ""


def asked_in(events: Iterable[Recorded]) -> Iterator[str]:
    """Everybody whom these events ask, or will ask."""
    for recorded in events:
        if isinstance(recorded.event, e.ApprovalRequested):
            yield from ever_asked(recorded.event)


def ever_asked(request: e.ApprovalRequested) -> Iterator[str]:
    yield from request.approvers
    yield from (who for stage in request.stages for who in stage.approvers)
    yield from (rung.to for rung in request.escalate)


def asks_of(step: str, gate: Gate) -> Iterator[Ask]:
    """Every message that the gate calls for by now, the first request first."""
    ladder, key = gate.request.escalate, f"{APPROVAL}{gate.asked_seq}:"
    if gate.stage == 0:
        yield from _stage_asks(Ask(key, step, gate, gate.current.approvers), len(ladder) + 1)
    else:
        following = Ask(f"{key}s{gate.stage}v{gate.version}:", step, gate, gate.current.approvers)
        yield from _stage_asks(replace(following, stage=gate.stage, version=gate.version), 1)
    for rung, asked in enumerate(ladder[: gate.escalated], 1):
        place = asked.to if asked.to.startswith("#") else None
        yield Ask(f"{key}{rung}", step, gate, (asked.to,), rung, place)


def _stage_asks(stage: Ask, first: int) -> Iterator[Ask]:
    """One message in the thread, and one in each channel among those asked, numbered from ``first`` on."""
    people = tuple(who for who in stage.pinged if not who.startswith("#"))
    yield replace(stage, key=f"{stage.key}0", pinged=people or stage.pinged)
    for position, who in enumerate(stage.pinged):
        if who.startswith("#"):
            yield replace(stage, key=f"{stage.key}{first + position}", pinged=(who,), place=who)


def admins_asked(first: Ask, members: Mapping[str, Sequence[str]]) -> Iterator[Ask]:
    """One direct message to each admin, who may know how to reach those who were to be asked as ``first``."""
    for user in members.get(ADMINS, ())[:DIRECTLY_AT_MOST]:
        key = f"{first.key.rpartition(':')[0]}:{ADMIN}{user}"
        yield replace(first, key=key, pinged=(), place=None, direct=user, last="admins")


def _people(names: Iterable[str], members: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    return ((who, user) for who in names for user in members.get(who, ()))


def directly(asks: Sequence[Ask], starter: e.Actor, members: Mapping[str, Sequence[str]]) -> Iterator[Ask]:
    """The copies in direct messages: one for each person, for whatever they were asked as first."""
    found: dict[str, Ask] = {}
    for ask in asks:
        for who, user in _people(ask.pinged, members):
            if user != starter.id or ask.gate.request.allow_self:
                key = f"{ask.key.rpartition(':')[0]}:{DIRECT}{user}"
                found.setdefault(key, replace(ask, key=key, pinged=(who,), place=None, direct=user))
    for one in asks[0].gate.delegated:
        key = f"{APPROVAL}{asks[0].gate.asked_seq}:{DIRECT}{one.to.id}"
        given = replace(asks[0], key=key, pinged=(), place=None, direct=one.to.id, given_by=one.by.name)
        found.setdefault(key, given)
    yield from list(found.values())[:DIRECTLY_AT_MOST]
