"""Plays whole runs by the pure core alone: steps are stubs, people and senders are told what to do, time is a number.

The one rule: nothing is decided here. Whatever `decide` asks for is done, and the clock moves on only when nothing else
is left to do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import JsonValue

from engine.catalog import Catalog
from engine.core import commands as c
from engine.core import events as e
from engine.core.children import child_start
from engine.core.decide import Decision, decide, start
from engine.core.definition import Workflow
from engine.core.failures import Failure, FailureClass
from engine.core.graph import Plan
from engine.core.outlook import due
from engine.core.scope import resolve, scope
from engine.core.starting import terms
from engine.core.state import Recorded, RunState, StepStatus

ANA = e.Actor(via="slack", id="U1", name="Ana")
LEASE = 15_000
START = 1_700_000_000_000


class Fails(Exception):
    """Raised by a stub: the attempt fails, by this class."""

    def __init__(self, cls: FailureClass, message: str = "it failed") -> None:
        super().__init__(message)
        self.cls = cls


class Dies(Exception):
    """Raised by a stub: its worker dies, and nobody learns what the attempt did."""


@dataclass(frozen=True)
class Called:
    """One attempt of a step."""

    path: str
    uses: str
    arguments: Mapping[str, Any]
    at: int


Stub = Callable[[str, Mapping[str, Any]], JsonValue]
"""What a step gives for its path and arguments."""


@dataclass
class Play:
    """A run of ``workflow`` and its child runs. ``stubs`` are by the name of the step, without its version."""

    catalog: Catalog
    workflow: Workflow
    stubs: Mapping[str, Stub]
    votes: Mapping[str, bool] = field(default_factory=dict[str, bool])
    signals: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    answers: Mapping[str, Literal["happened", "did_not_happen", "fail"]] = field(
        default_factory=dict[str, Literal["happened", "did_not_happen", "fail"]]
    )
    now: int = START
    calls: list[Called] = field(default_factory=list[Called])
    runs: dict[str, RunState] = field(default_factory=dict[str, RunState])
    logs: dict[str, list[Recorded]] = field(default_factory=dict[str, list[Recorded]])
    _worker: int = 1
    """Who works now; whoever has died is followed by the next."""
    _tried: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])

    def run(self, **given: JsonValue) -> RunState:
        """The run's state once it has ended."""
        labels, priority, line = terms(self.workflow, given)
        event = e.RunStarted(
            workspace="ws_t",
            workflow=self.workflow.name,
            definition=self.workflow.hash,
            input=given,
            by=ANA,
            labels=labels,
            priority=priority,
            concurrency=line,
        )
        self._begin("run_top", self._plan(self.workflow), event)
        for _ in range(5_000):
            if self.runs["run_top"].end is not None:
                return self.runs["run_top"]
            turns = [self._turn(run) for run in list(self.runs)]
            if not any(turns):
                self._wait()
        raise AssertionError(f"the run does not end: {self.types()}")

    def types(self, run: str = "run_top") -> list[str]:
        return [one.event.type for one in self.logs[run]]

    def paths(self) -> list[str]:
        """The steps that were called, in order."""
        return [call.path for call in self.calls]

    def output(self, step: str = "") -> Any:
        """What the run gave, or one of its steps."""
        state = self.runs["run_top"]
        return resolve(
            state.step(step).output if step or state.end is None else state.end.output, self._values("run_top")
        )

    @property
    def _name(self) -> str:
        return f"worker {self._worker}"

    def _plan(self, workflow: Workflow) -> Plan:
        children = self.catalog.children(workflow)
        return Plan.of(workflow, {hash_: self._plan(child) for hash_, child in children.items()})

    def _begin(self, run: str, plan: Plan, event: e.RunStarted) -> None:
        if run not in self.runs:
            self._take(run, start(run, plan, event, self.now))

    def _turn(self, run: str) -> bool:
        """Do what can be done for the run now; whether anything was."""
        before = len(self.logs[run])
        known = frozenset(f"{name}@1" for name in self.stubs)
        if self.runs[run].end is None:
            self._do(run, c.Look(c.Claim(self._name, known, 100, self.now, self.now + LEASE)))
        for path, step in list(self.runs[run].opened(StepStatus.RUNNING)):
            self._attempt(run, path, step.token)
        for path, _ in list(self.runs[run].opened(StepStatus.WAITING)):
            if path in self.votes:
                self._do(run, c.Vote(path, self.votes[path], ANA))
        for path, step in list(self.runs[run].opened(StepStatus.LISTENING)):
            if step.awaits is not None and step.awaits.signal in self.signals:
                payload = self.signals[step.awaits.signal]
                self._do(run, c.Signal(path, step.awaits.signal, payload, ANA, step.awaits.correlation))
        for path, _ in list(self.runs[run].opened(StepStatus.UNCERTAIN)):
            self._do(run, c.Settle(path, self.answers[path], ANA))
        return len(self.logs[run]) > before

    def _attempt(self, run: str, path: str, token: int) -> None:
        if (run, token) in self._tried:
            return
        self._tried.add((run, token))
        state = self.runs[run]
        planned = state.plan.node(path)
        arguments = planned.arguments.render(scope(state, path, self._values(run)))
        uses = (planned.step.uses or "").partition("@")[0]
        self.calls.append(Called(path, uses, arguments, self.now))
        try:
            output = self.stubs[uses](path, arguments)
        except Dies:
            self._worker += 1
        except Fails as failed:
            self._do(run, c.Fail(path, token, self._name, Failure(cls=failed.cls, message=str(failed), known=True)))
        else:
            self._do(run, c.Succeed(path, token, self._name, output))

    def _do(self, run: str, command: c.Command) -> None:
        self._take(run, decide(self.runs[run], command, self.now, self._values(run)))

    def _take(self, run: str, decision: Decision) -> None:
        self.runs[run] = decision.state
        self.logs.setdefault(run, []).extend(decision.events)
        self._serve(run, decision.events)

    def _serve(self, run: str, events: Sequence[Recorded]) -> None:
        """Start the children that were asked for, and tell a parent that its child has ended."""
        state = self.runs[run]
        for one in events:
            if isinstance(one.event, e.ChildStarted):
                child = one.event
                plan = state.plan.part(child.part.step) if child.part else state.plan.children[child.definition]
                self._begin(child.run, plan, child_start(state, child))
        parent = state.started.parent
        if events and state.end is not None and parent is not None:
            output = resolve(state.end.output, self._values(run))
            self._do(parent.run, c.ChildEnded(parent.step, run, state.end.status, output, state.end.reason))

    def _values(self, run: str) -> dict[int, JsonValue]:
        return {one.seq: e.value_of(one.event) for one in self.logs.get(run, [])}

    def _wait(self) -> None:
        times = [found.at for state in self.runs.values() if (found := due(state, self.now)) is not None]
        self.now = max(self.now + 1, min(times))
