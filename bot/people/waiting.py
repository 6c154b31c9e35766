"""What waits for one person: the open gates at which they can decide now.

The one rule: whether a gate waits for somebody is asked of the same authority that a click of theirs is, so that
nothing is listed that they may not decide, and nothing is left out that they may.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from bot.blocks.approval import can_be_decided
from bot.blocks.waiting import Waiting
from bot.people.authority import Right, given_to, right_by
from bot.people.directory import Directory
from engine.core.errors import UnknownRun
from engine.core.events import Actor
from engine.core.state import RunState, StepStatus
from engine.engine import Engine

LOOKED_AT = 100
"""Runs that wait for a decision and are looked at, the newest first."""


async def waiting_for(engine: Engine, directory: Directory, user: str) -> list[Waiting]:
    """The gates that wait for the Slack user, those that expire first before the others. Raises ``Unreadable``."""
    runs = await engine.bulk.attention("approval", limit=LOOKED_AT)
    states = await asyncio.gather(*(_state(engine, run.id) for run in runs))
    gates = [gate for state in states if state is not None for gate in _open_gates(state)]
    given = await given_to(engine, user)
    rights = await asyncio.gather(*(right_by(given, directory, each.state, each.gate, user) for each in gates))
    found = [each for each, right in zip(gates, rights, strict=True) if isinstance(right, Right) and _can(each, right)]
    return sorted(found, key=lambda each: (each.gate.request.expires_at, each.state.run))


async def _state(engine: Engine, run: str) -> RunState | None:
    try:
        return await engine.state(run)
    except UnknownRun:  # pruned between the list and the look
        return None


def _open_gates(state: RunState) -> Iterator[Waiting]:
    for step, known in state.opened(StepStatus.WAITING):
        if known.gate is not None and can_be_decided(state, known.gate):
            yield Waiting(state, step, known.gate)


def _can(each: Waiting, right: Right) -> bool:
    """Whether it is still for them to decide: they have not approved yet, nor started what may not be decided so."""
    people: list[Actor] = [right.by, *([right.seat.on_behalf_of] if right.seat.on_behalf_of is not None else [])]
    if any(each.gate.ballot_of(person) is not None for person in people):
        return False
    starter = each.state.started.by
    return each.gate.request.allow_self or all((one.via, one.id) != (starter.via, starter.id) for one in people)
