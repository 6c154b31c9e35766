"""Which steps of a group have surely ended before another one starts.

The one rule: a step in or behind a cycle counts as behind everything, since the cycle is reported by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.core.draft import DraftGroup, DraftStep


class Reach:
    """For each step of a group those that it needs, and what these need in turn.

    Sets of steps are bits of integers, which keeps ten thousand steps in a row within megabytes.
    """

    def __init__(self, group: DraftGroup) -> None:
        needs = group.resolved_needs()
        self.order, looped = in_order(needs)
        self._places = group.places
        self._looped = frozenset(looped)
        self._before = [0] * len(needs)
        for at in self.order:
            for needed in needs[at]:
                self._before[at] |= self._before[needed] | (1 << needed)

    def comes_before(self, step: DraftStep, other: str) -> bool:
        """Whether the step called ``other`` has surely ended when ``step`` of the same group starts."""
        return step.index in self._looped or bool(self._before[step.index] >> self._places[other] & 1)


def in_order(needs: Sequence[tuple[int, ...]]) -> tuple[list[int], list[int]]:
    """The steps in an order in which each follows what it needs, and those in or behind a cycle."""
    waiting = [len(needed) for needed in needs]
    dependents: list[list[int]] = [[] for _ in needs]
    for at, needed in enumerate(needs):
        for other in needed:
            dependents[other].append(at)
    order = [at for at, count in enumerate(waiting) if not count]
    for at in order:
        for other in dependents[at]:
            waiting[other] -= 1
            if not waiting[other]:
                order.append(other)
    return order, [at for at, count in enumerate(waiting) if count]


def cycles(needs: Sequence[tuple[int, ...]], looped: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """One cycle per knot of steps that wait for each other, each starting at its first step."""
    seen: set[int] = set()
    within = set(looped)
    for start in looped:
        trail: list[int] = []
        at = start
        while at not in seen:
            seen.add(at)
            trail.append(at)
            at = next(other for other in needs[at] if other in within)
        if at in trail:
            cycle = trail[trail.index(at) :]
            lowest = cycle.index(min(cycle))
            yield (*cycle[lowest:], *cycle[:lowest])
