"""By what right a person acts at a gate: the one place where that is established, whichever way they come.

The one rule: it is read at the moment of the act: who is in the group, channel or role now, who has let whom decide,
and who a person is come from Slack and from the record then, never from a button, a form or a memory of the request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.people.directory import Directory, Person, Target
from bot.people.policy import Allowed, Refused, may_decide, unknown
from engine.core import commands as c
from engine.core.delegations import Delegation
from engine.core.events import Actor
from engine.core.gates import Gate
from engine.core.state import RunState
from engine.engine import Engine


@dataclass(frozen=True, slots=True)
class Right:
    """``by`` may act at the gate; ``authority`` says by what right, and ``seat`` as whom, for the engine."""

    by: Actor
    authority: str
    seat: c.Seat


def actor(person: Person) -> Actor:
    """The person as the history names them."""
    return Actor(via="slack", id=person.id, name=person.name)


def right_of_account(account: Actor, machine: str) -> Right:
    """The right of an account of a machine of which nobody has said whose it is: whoever has the machine."""
    return Right(account, f"the command line of {machine}", c.Seat())


async def right_at_terminal(
    engine: Engine, directory: Directory, state: RunState, gate: Gate, person: Actor
) -> Right | Refused:
    """The right of a person of Slack who acts at a terminal: what they may there is what they may in Slack.

    Raises ``Unreadable``.
    """
    right = await right_of(engine, directory, state, gate, person.id)
    if isinstance(right, Refused):
        return right
    return replace(right, by=right.by.model_copy(update={"terminal": person.terminal}))


async def right_of(engine: Engine, directory: Directory, state: RunState, gate: Gate, user: str) -> Right | Refused:
    """The right of the Slack user ``user`` at ``gate`` now, or why they have none. Raises ``Unreadable``."""
    return await right_by(await given_to(engine, user), directory, state, gate, user)


async def given_to(engine: Engine, user: str) -> Sequence[Delegation]:
    """What lets the Slack user decide for others for a period, now."""
    return await engine.gates.delegated_to(Actor(via="slack", id=user, name=user))


async def right_by(
    given: Sequence[Delegation], directory: Directory, state: RunState, gate: Gate, user: str
) -> Right | Refused:
    """As ``right_of``, with what was ``given_to`` them: for whoever asks about many gates at once."""
    delegations = _delegations(given, gate, user)
    person, targets, givers = await asyncio.gather(
        directory.person(user),
        directory.targets(gate.asked, state.started.workflow),
        asyncio.gather(*(directory.person(giver) for giver in delegations)),
    )
    verdict = may_decide(person, targets, [giver for giver in givers if giver is not None])
    if isinstance(verdict, Refused):
        return verdict
    everyone = await _everyone(directory, gate, targets)
    return everyone if isinstance(everyone, Refused) else _right(verdict, everyone, delegations)


def _right(verdict: Allowed, everyone: frozenset[str] | None, delegations: dict[str, int | None]) -> Right:
    behalf = verdict.behalf
    seat = c.Seat(
        names=verdict.counts,
        everyone=everyone,
        on_behalf_of=None if behalf is None else actor(behalf),
        delegation=None if behalf is None else delegations[behalf.id],
    )
    return Right(actor(verdict.person), verdict.authority, seat)


def _delegations(given: Sequence[Delegation], gate: Gate, user: str) -> dict[str, int | None]:
    """The ids of those who let ``user`` decide: for a period, by the fact of that number, or at this gate (None).

    Those whose approval is on record already come last: it counts once.
    """
    if gate.request.delegation == "forbidden":
        return {}
    me = Actor(via="slack", id=user, name=user)
    period = {one.event.by: one.id for one in given}
    here: dict[Actor, int | None] = dict.fromkeys((one.by for one in gate.delegators(me)), None)
    found = sorted((period | here).items(), key=lambda each: gate.ballot_of(each[0]) is not None)
    return {giver.id: delegation for giver, delegation in found}


async def _everyone(directory: Directory, gate: Gate, targets: Sequence[Target]) -> frozenset[str] | Refused | None:
    """The ids of all who have to approve, where the open stage asks for everybody's approval."""
    if gate.current.quorum != "all":
        return None
    asked = [target for target in targets if target.asked.who in gate.current.approvers]
    unread = [target.asked.who for target in asked if target.asked.kind == "unread"]
    if unread:
        return unknown(unread, "who has to approve")
    ids = frozenset[str]().union(*(target.members for target in asked))
    people = await asyncio.gather(*(directory.person(id_) for id_ in ids))
    return frozenset(person.id for person in people if person is not None and person.standing == "member")
