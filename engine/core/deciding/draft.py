"""A decision being made: the state so far, the events that led to it, and what they depend on.

The one rule: it is local to one call of ``decide``; nothing outside sees it before it is a ``Decision``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from immutables import Map
from pydantic import JsonValue

from engine.core import events as e
from engine.core.commands import ALONE, Around, Condition, Reply
from engine.core.fold import NO_PLANS, Plans, evolve
from engine.core.scope import needed, resolve, scope
from engine.core.state import Recorded, RunState
from engine.core.values import At, Held, Values, ValuesNeeded

NO_VALUES: Values = Map()
BY_ENGINE = e.Actor(via="engine", id="engine", name="the engine")


@dataclass(frozen=True, slots=True)
class Decision:
    """``events`` to append at ``state.seq``'s end (none if nothing changed), if all ``conditions`` hold then."""

    events: tuple[Recorded, ...]
    state: RunState
    reply: Reply
    conditions: tuple[Condition, ...] = ()


class Draft:
    """``around`` is what is known beside the run. ``values``: those that the state holds by their place."""

    __slots__ = ("_values", "around", "conditions", "events", "now", "state")

    def __init__(self, state: RunState, now: int, values: Values = NO_VALUES, around: Around = ALONE) -> None:
        self.state = state
        self.now = max(now, state.at)
        self.events: list[Recorded] = []
        self.conditions: list[Condition] = []
        self.around = around
        self._values = values

    def record(self, event: e.Event, plans: Plans = NO_PLANS) -> None:
        recorded = Recorded(self.state.seq + 1, self.now, event)
        self.state = evolve(self.state, recorded, plans)
        self.events.append(recorded)

    def scope(self, path: str, references: Iterable[tuple[str, str]]) -> dict[str, Any]:
        """What expressions with these references see at ``path``. Raises ``ValuesNeeded``."""
        return scope(self.state, path, self.having(needed(self.state, path, references)))

    def resolved(self, many: Iterable[Held]) -> list[JsonValue]:
        """The values themselves. Raises ``ValuesNeeded`` for all that are not there, at once."""
        asked = list(many)
        values = self.having(frozenset(one.seq for one in asked if isinstance(one, At)))
        return [resolve(one, values) for one in asked]

    def decision(self, reply: Reply) -> Decision:
        return Decision(tuple(self.events), self.state, reply, tuple(self.conditions))

    def having(self, seqs: frozenset[int]) -> Values:
        """The values at these places, if they are known. Raises ``ValuesNeeded``."""
        if not seqs:
            return NO_VALUES
        own = {one.seq: e.value_of(one.event) for one in self.events if one.seq in seqs}
        missing = seqs - own.keys() - set(self._values)
        if missing:
            raise ValuesNeeded(missing)
        return own | {seq: self._values[seq] for seq in seqs - own.keys()}
