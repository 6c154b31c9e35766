"""Drives `decide` without any I/O: a run, a worker's claim and a clock that the test moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from immutables import Map

from engine.core import commands as c
from engine.core import events as e
from engine.core.decide import Decision, decide, start
from engine.core.definition import Workflow
from engine.core.failures import Failure, FailureClass
from engine.core.fold import fold
from engine.core.graph import Plan
from engine.core.state import Recorded, RunState
from engine.core.switches import NONE_THROWN, Switch, Switches

ANA = e.Actor(via="slack", id="U1", name="Ana")
BEN = e.Actor(via="slack", id="U2", name="Ben")
CAT = e.Actor(via="slack", id="U3", name="Cat")
DAN = e.Actor(via="slack", id="U4", name="Dan")
EVE = e.Actor(via="slack", id="U5", name="Eve")
LEASE = 15_000


def workflow(*steps: dict[str, Any], **more: Any) -> Workflow:
    return Workflow.model_validate({"name": "wf", "steps": steps, **more})


class Run:
    """A run in progress. Every decision is applied at once, as if each append succeeded."""

    def __init__(
        self,
        definition: Workflow,
        *,
        children: Mapping[str, Plan] | None = None,
        started: Mapping[str, Any] | None = None,
        reused: Sequence[e.StepReused] = (),
        now: int = 1_000_000,
        **inputs: Any,
    ) -> None:
        """``started``: more that RUN_STARTED says."""
        more: dict[str, Any] = {"by": ANA, **(started or {})}
        self.now = now
        self.plan = Plan.of(definition, children)
        event = e.RunStarted(
            workspace="ws_t",
            workflow=definition.name,
            definition=definition.hash,
            input=inputs,
            **more,
        )
        first = start("run_t", self.plan, event, self.now, reused)
        self.state: RunState = first.state
        self.log: list[Recorded] = list(first.events)
        self.last: Decision = first
        self.switches = NONE_THROWN

    def claim(self, slots: int = 10, worker: str = "w1", steps: frozenset[str] | None = None) -> c.Claim:
        known = steps if steps is not None else frozenset({"noop", "noop@1", "other", "llm.correct@1"})
        return c.Claim(worker, known, slots, self.now, self.now + LEASE)

    def do(
        self,
        command: c.Command,
        after: int = 0,
        refused: frozenset[c.Condition] = frozenset[c.Condition](),
        money: Mapping[tuple[str, str], tuple[e.Standing, ...]] = MappingProxyType({}),
    ) -> c.Reply:
        self.now += after
        values = {one.seq: e.value_of(one.event) for one in self.log}
        self.last = decide(self.state, command, self.now, values, c.Around(self.switches, refused, money))
        self.state = self.last.state
        self.log.extend(self.last.events)
        return self.last.reply

    def throw(self, *keys: str, reason: str = "bad deploy") -> None:
        """Exactly these switches are thrown from here on."""
        epoch = self.switches.epoch + 1
        thrown = {("ws_t", key): Switch(key, BEN, reason, self.now, epoch) for key in keys}
        self.switches = Switches(epoch, Map(thrown))

    def holds(self, step: str) -> frozenset[c.Condition]:
        """That the claim on ``step`` has run out is known not to be so."""
        claimed = self.state.steps[step]
        return frozenset({c.LostLease(claimed.worker, claimed.lease_cap)})

    def look(self, after: int = 0, **claim: Any) -> c.Reply:
        self.now += after
        return self.do(c.Look(self.claim(**claim)))

    def succeed(self, step: str, output: Any = None, worker: str = "w1") -> c.Reply:
        token = self.state.steps[step].token
        return self.do(c.Succeed(step, token, worker, output, self.claim(worker=worker)))

    def fail(self, step: str, cls: FailureClass = FailureClass.TRANSIENT, **more: Any) -> c.Reply:
        failure = Failure(cls=cls, message="connection refused", **more)
        return self.do(c.Fail(step, self.state.steps[step].token, "w1", failure, self.claim()))

    def vote(self, step: str, granted: bool = True, by: e.Actor = BEN, **more: Any) -> c.Reply:
        return self.do(c.Vote(step, granted, by, **more))

    @property
    def types(self) -> list[str]:
        return [one.event.type for one in self.log]

    @property
    def new(self) -> list[str]:
        """Types of the events of the last decision."""
        return [one.event.type for one in self.last.events]

    def refolded(self) -> RunState:
        return fold("run_t", self.plan, self.log)
