"""The virtual world of one rehearsal: its clock, the runs in it, and what is going to happen when.

The one rule: time stands still while anything can be done, and then jumps to whatever comes next.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from pydantic import JsonValue

from engine.core import commands as c
from engine.core import events as e
from engine.core import given
from engine.core.decide import Decision, decide, start
from engine.core.graph import Plan
from engine.core.outlook import DueKind, due
from engine.core.state import Recorded, RunState, StepStatus
from engine.testing.script import RehearsalError

LEASE = 15_000
MOST_MOVES = 1_000_000
"""Jumps of the clock; a rehearsal with more goes round in a circle."""


@dataclass(slots=True)
class Case:
    """One run in the world, with its whole log and the values that its state holds by their place.

    ``in_hand`` are the attempts that will still report: their steps by their tokens.
    """

    run: str
    plan: Plan
    state: RunState
    log: list[Recorded] = field(default_factory=list[Recorded])
    values: dict[int, JsonValue] = field(default_factory=dict[int, JsonValue])
    in_hand: dict[int, str] = field(default_factory=dict[int, str])

    @property
    def name(self) -> str:
        return self.state.started.workflow

    def arguments(self, path: str) -> dict[str, JsonValue]:
        """What the step's code is called with. Raises ``ExpressionError``."""
        return given.arguments(self.state, path, self.values)

    def claim(self, worker: str, now: int) -> c.Claim:
        """One step for a worker of its own, so that it can die alone."""
        codes = frozenset(node.step.uses for node in self.plan.nodes.values() if node.step.uses is not None)
        return c.Claim(worker, codes, 1, now, now + LEASE)

    def alive(self) -> frozenset[c.Condition]:
        """That these attempts are lost is known not to be so."""
        steps = (self.state.steps[path] for path in self.in_hand.values())
        return frozenset(c.LostLease(step.worker, step.lease_cap) for step in steps)


class World:
    """``watch`` is told of every event right after it happened; it may submit commands, and put things off."""

    def __init__(self, now: int, watch: Callable[[Case, Recorded], None]) -> None:
        self.began = self.now = now
        self.cases: dict[str, Case] = {}
        self._watch = watch
        self._coming: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._workers = (f"worker {number}" for number in itertools.count(1))
        self._happened = 0

    def begin(self, run: str, plan: Plan, event: e.RunStarted) -> Case:
        """Start a run now; one that is there is left as it is."""
        if run not in self.cases:
            first = start(run, plan, event, self.now)
            case = self.cases[run] = Case(run, plan, first.state)
            self._apply(case, first)
        return self.cases[run]

    def submit(
        self, case: Case, command: c.Command, refused: frozenset[c.Condition] = frozenset[c.Condition]()
    ) -> c.Reply:
        """Decide on the command now, and let the world see what it led to."""
        decision = decide(case.state, command, self.now, case.values, c.Around(refused=refused))
        self._apply(case, decision)
        return decision.reply

    def later(self, delay: int, what: Callable[[], None]) -> None:
        """Have it happen ``delay`` ms from now, after all that is to happen at that instant already."""
        heapq.heappush(self._coming, (self.now + delay, next(self._order), what))

    def play(self) -> None:
        """Let time pass until nothing can happen any more by itself."""
        for _ in range(MOST_MOVES):
            self._look_at_all()
            if not self._jump():
                return
        raise RehearsalError(f"after {MOST_MOVES:,} moves the rehearsal still goes on; does a loop have no end?")

    def _apply(self, case: Case, decision: Decision) -> None:
        case.state = decision.state
        for one in decision.events:
            case.log.append(one)
            if (value := e.value_of(one.event)) is not None:
                case.values[one.seq] = value
        self._happened += len(decision.events)
        for one in decision.events:
            self._watch(case, one)

    def _look_at_all(self) -> bool:
        """Claim what is ready, everywhere, until nothing moves; whether anything did."""
        began = before = self._happened
        while True:
            for case in tuple(self.cases.values()):
                if case.state.end is None:
                    self.submit(case, c.Look(case.claim(next(self._workers), self.now)), case.alive())
            if before == self._happened:
                return before != began
            before = self._happened

    def _jump(self) -> bool:
        """Go on to the next instant at which something happens; whether there is one."""
        until = self._coming[0][0] if self._coming else None
        for timer in self._timers():
            if until is not None and timer >= until:
                break
            stood, self.now = self.now, max(self.now, timer)
            if self._look_at_all():
                return True
            self.now = stood  # somebody would only have looked in vain
        if until is None:
            return False
        self.now = max(self.now, until)
        heapq.heappop(self._coming)[2]()
        return True

    def _timers(self) -> list[int]:
        """When the runs would be looked at next, the earliest first, but for what will report by itself."""
        found: set[int] = set()
        for case in self.cases.values():
            state, busy = case.state, set(case.in_hand.values())
            open_ = (path for path in state.open if path not in busy)
            waiting = tuple(path for path in open_ if state.steps[path].status is not StepStatus.CALLING)
            timer = due(state._replace(open=waiting), self.now)
            if timer is not None:
                # A lease is over only after its last instant.
                found.add(timer.at + (timer.kind is DueKind.RUNNING))
        return sorted(found)
