"""What a run is at one moment: plain frozen values, made by ``engine.core.fold`` and read by everybody else.

The one rule: nothing here is ever changed in place, and maps are persistent, so that an event costs the same in a run
of ten thousand steps as in one of ten.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, NamedTuple

from immutables import Map
from pydantic import JsonValue

from engine.core import events as e
from engine.core.failures import Failure
from engine.core.graph import Plan


class StepStatus(StrEnum):
    PENDING = "pending"
    READY = "ready"
    RUNNING = "running"
    RETRYING = "retrying"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"


class RunStatus(StrEnum):
    RUNNING = "running"
    WAITING = "waiting"
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED_RUN = frozenset({RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED})


class Recorded(NamedTuple):
    """An event at its place in the stream."""

    seq: int
    at: int
    event: e.Event


class Verdict(StrEnum):
    GRANTED = "granted"
    DENIED = "denied"
    EXPIRED = "expired"


class GateDecision(NamedTuple):
    """How a gate ended. ``by`` is None where nobody decided in time; ``policy`` then says what that meant."""

    verdict: Verdict
    at: int
    by: e.Actor | None = None
    authority: str = ""
    reason: str = ""
    policy: str = ""


class Gate(NamedTuple):
    """An opened gate. ``asked_seq`` is the place of its request in the stream, and names this asking for ever."""

    request: e.ApprovalRequested
    asked_at: int
    asked_seq: int
    escalated: int = 0
    reminded: int = 0
    decision: GateDecision | None = None

    @property
    def asked(self) -> tuple[str, ...]:
        """Everybody who has been asked so far: the approvers, then the rungs already climbed."""
        return (*self.request.approvers, *(rung.to for rung in self.request.escalate[: self.escalated]))

    @property
    def next_rung(self) -> e.AskedLater | None:
        ladder = self.request.escalate
        return ladder[self.escalated] if self.escalated < len(ladder) else None

    @property
    def next_reminder(self) -> int | None:
        every = self.request.remind_every
        return None if every is None else self.asked_at + every * (self.reminded + 1)


class Effect(NamedTuple):
    """A side effect that was begun; ``recorded`` tells whether its outcome is known."""

    key: str
    recorded: bool = False
    result: JsonValue = None


class StepState(NamedTuple):
    """One step. ``token`` is the seq of the STEP_STARTED that counts: results of any other attempt are refused."""

    status: StepStatus = StepStatus.PENDING
    attempt: int = 0
    losses: int = 0
    token: int = 0
    worker: str = ""
    lease_until: int = 0
    lease_cap: int = 0
    started_at: int = 0
    ended_at: int = 0
    retry_at: int = 0
    awaited: bool = False
    output: JsonValue = None
    failure: Failure | None = None
    gate: Gate | None = None
    effects: Map[str, Effect] = Map()
    log: tuple[str, ...] = ()


class End(NamedTuple):
    """The terminal event, as far as others ask about it."""

    status: RunStatus
    at: int
    reason: str = ""
    step: str = ""
    kind: str = ""


PENDING = StepState()
READY = StepState(status=StepStatus.READY)


class RunState(NamedTuple):
    """A run up to event ``seq``. ``open``: the steps that are neither pending nor ended, in the order they opened."""

    run: str
    plan: Plan
    started: e.RunStarted
    seq: int
    at: int
    started_at: int
    steps: Map[str, StepState]
    open: tuple[str, ...]
    unfinished: int
    failed_step: str | None = None
    cancel: e.RunCancelRequested | None = None
    end: End | None = None

    def step(self, step: str) -> StepState:
        return self.steps.get(step, PENDING)

    def opened(self, *statuses: StepStatus) -> Iterator[tuple[str, StepState]]:
        """The open steps in any of ``statuses``."""
        for step in self.open:
            state = self.steps[step]
            if state.status in statuses:
                yield step, state

    def claimed_by(self, worker: str) -> Iterator[tuple[str, StepState]]:
        """The steps that the log says ``worker`` is running now."""
        return ((step, state) for step, state in self.opened(StepStatus.RUNNING) if state.worker == worker)

    @property
    def stopping(self) -> bool:
        """Whether the run starts nothing more, and ends once what runs has ended."""
        return self.cancel is not None or self.failed_step is not None

    @property
    def status(self) -> RunStatus:
        if self.end is not None:
            return self.end.status
        if self.cancel is not None:
            return RunStatus.CANCELLING
        if self.open and all(self.steps[step].status is StepStatus.WAITING for step in self.open):
            return RunStatus.WAITING
        return RunStatus.RUNNING

    def scope(self) -> dict[str, Any]:
        """What expressions see: ``input``, ``run``, and ``steps`` with the ``output`` and ``status`` of each."""
        return {"input": self.started.input, "steps": StepScope(self.steps), "run": self._run_scope()}

    def _run_scope(self) -> dict[str, JsonValue]:
        by = self.started.by
        return {
            "id": self.run,
            "workflow": self.started.workflow,
            "started_by": by.name,
            "started_at": self.started_at,
        }


class StepScope:
    """``steps`` as expressions see it, made entry by entry on demand: a run may have thousands."""

    __slots__ = ("_steps",)

    def __init__(self, steps: Map[str, StepState]) -> None:
        self._steps = steps

    def __getitem__(self, step: str) -> dict[str, JsonValue]:
        state = self._steps[step]
        return {"output": state.output, "status": state.status.value}

    def __contains__(self, step: object) -> bool:
        return step in self._steps

    def __iter__(self) -> Iterator[str]:
        return iter(self._steps)

    def __len__(self) -> int:
        return len(self._steps)
