"""What a run is at one moment: plain frozen values, made by ``engine.core.fold`` and read by everybody else.

The one rule: nothing here is ever changed in place, and maps are persistent, so that an event costs the same in a run
of ten thousand steps as in one of ten.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Literal, NamedTuple

from immutables import Map

from engine.core import events as e
from engine.core.corrections import Correction
from engine.core.failures import Failure
from engine.core.gates import Gate as Gate
from engine.core.gates import GateDecision as GateDecision
from engine.core.gates import Verdict as Verdict
from engine.core.graph import Plan
from engine.core.values import Held


class StepStatus(StrEnum):
    PENDING = "pending"
    READY = "ready"
    RUNNING = "running"
    RETRYING = "retrying"
    WAITING = "waiting"
    """For a decision."""
    SLEEPING = "sleeping"
    LISTENING = "listening"
    """For a signal."""
    CALLING = "calling"
    """A child run does it."""
    OPEN = "open"
    """A loop, or one item or pass of it: what is inside is at work."""
    UNCERTAIN = "uncertain"
    """Until a person says what became of it."""
    HELD = "held"
    """By a switch that is thrown or a budget that is used up, until a person lifts it."""
    CORRECTING = "correcting"
    """A model is asked what to change."""
    GIVEN_UP = "given_up"
    """Until a person says what is to be done where no correction helped."""
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"


ENDED_STEP = frozenset({StepStatus.COMPLETED, StepStatus.FAILED, StepStatus.SKIPPED})
AT_WORK = frozenset({StepStatus.RUNNING, StepStatus.CALLING})
"""Somebody outside of the log is busy with it: the run cannot end before they have reported."""


class RunStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    UNDOING = "undoing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED_RUN = frozenset({RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED})


class Phase(StrEnum):
    """Which of its steps a run is at: the workflow's own, those that undo them, or those under ``on_failure``."""

    FORWARD = "forward"
    UNDOING = "undoing"
    HANDLING = "handling"


class Recorded(NamedTuple):
    """An event at its place in the stream."""

    seq: int
    at: int
    event: e.Event


class Changes(NamedTuple):
    """What somebody at a gate wants done differently; ``times`` is how often that was so in this run."""

    gate: str
    comment: str
    by: e.Actor
    at: int
    times: int


class Effect(NamedTuple):
    """A side effect that was begun; ``recorded`` tells whether its outcome is known.

    ``reserved`` is what is still set aside for it, of these ``accounts``. ``under`` are the switches that stop it,
    beside those of its step.
    """

    key: str
    recorded: bool = False
    result: Held = None
    reserved: int = 0
    model: str = ""
    provider: str = ""
    accounts: tuple[str, ...] = ()
    under: tuple[str, ...] = ()


class Hold(NamedTuple):
    """What holds a step, as STEP_HELD says; ``at`` is since when."""

    cause: Literal["switch", "budget"]
    keys: tuple[str, ...]
    words: str
    epoch: int
    at: int
    until: int | None = None
    amount: int = 0
    asks: bool = True


class Loop(NamedTuple):
    """How far a for_each or a repeat has come. Its units are items, parts (child runs with many items) or passes.

    ``last`` is what the pass before gave; ``rested``: the pause after that pass is over. ``failed`` is the unit that
    failed first, which is why the others are stopped. ``base`` passes were made before the loop was redriven.
    ``history`` is what each pass of an agent gave, and ``spent`` what its model has cost in all turns, answered or not.
    """

    items: Held = None
    first: int = 0
    total: int = 0
    unit: int = 1
    launched: int = 0
    active: int = 0
    failures: int = 0
    last: Held = None
    rested: bool = False
    failed: str = ""
    base: int = 0
    history: tuple[Held, ...] = ()
    spent: int = 0

    @property
    def units(self) -> int:
        """How many units there are in all, for a for_each."""
        return -(-self.total // self.unit)


class Kept(NamedTuple):
    """A signal that no step has taken yet."""

    signal: str
    correlation: str | None
    payload: Held


class StepState(NamedTuple):
    """One step. ``token`` is the seq of the STEP_STARTED that counts: results of any other attempt are refused.

    ``since`` is when its first attempt began. ``generation`` is part of its effects' keys, and grows when it is known
    that they did not happen or are to happen anew. ``dead`` says why it will not be tried again by itself;
    ``postponed``, what an attempt waits for that was put off until ``retry_at``. ``keyed_as`` is the path in its
    effects' keys, if it has been renamed since it began. ``missing`` is the seq with which people were asked what to do
    about code that no worker has. ``report`` is what its attempt has said last that it is doing, and when.
    """

    status: StepStatus = StepStatus.PENDING
    attempt: int = 0
    losses: int = 0
    token: int = 0
    worker: str = ""
    lease_until: int = 0
    lease_cap: int = 0
    since: int = 0
    started_at: int = 0
    ended_at: int = 0
    retry_at: int = 0
    postponed: str = ""
    awaited: bool = False
    awaited_at: int = 0
    missing: int = 0
    report: str = ""
    reported_at: int = 0
    output: Held = None
    failure: Failure | None = None
    dead: str = ""
    generation: int = 1
    keyed_as: str = ""
    gate: Gate | None = None
    effects: Map[str, Effect] = Map()
    cursor: Held = None
    log: tuple[str, ...] = ()
    wake_at: int = 0
    awaits: e.SignalAwaited | None = None
    child: str = ""
    loop: Loop | None = None
    hold: Hold | None = None
    correction: Correction | None = None


class GroupState(NamedTuple):
    """The steps of one group: how many have not ended, and the first that failed it."""

    unfinished: int
    failed: str | None = None


class End(NamedTuple):
    """The terminal event, as far as others ask about it."""

    status: RunStatus
    at: int
    reason: str = ""
    step: str = ""
    kind: str = ""
    output: Held = None


PENDING = StepState()
READY = StepState(status=StepStatus.READY)


class RunState(NamedTuple):
    """A run up to event ``seq``. ``open``: the steps that are neither pending nor ended, in the order they opened.

    ``undoable`` are the completed steps that can be compensated, in the order of their completion; ``undoing`` are
    those whose compensation is still to come, the next one first. ``held_at`` is the seq of the last pause or
    resumption, and ``parent_order`` that of the parent's which was the last to reach this run. ``reserved`` is what is
    set aside for effects under way, and ``spent`` what the others have cost, in millionths of a dollar; without what
    child runs spend, which ``children_spent`` has of those that have ended.
    """

    run: str
    plan: Plan
    definition: str
    started: e.RunStarted
    seq: int
    at: int
    started_at: int
    steps: Map[str, StepState]
    open: tuple[str, ...]
    groups: Map[str, GroupState]
    labels: Map[str, str]
    phase: Phase = Phase.FORWARD
    queued: bool = False
    own_pause: e.RunPaused | None = None
    parent_pause: e.RunPaused | None = None
    parent_order: int = 0
    held_at: int = 0
    cancel: e.RunCancelRequested | None = None
    deadline: int | None = None
    timed_out: bool = False
    undoable: tuple[str, ...] = ()
    undoing: tuple[str, ...] = ()
    undone: bool = False
    reopened: int = 0
    kept: Map[int, Kept] = Map()
    signals: Map[str, int] = Map()
    changes: Changes | None = None
    reserved: int = 0
    spent: int = 0
    children_spent: Map[str, int] = Map()
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
    def paused(self) -> e.RunPaused | None:
        """The pause that holds the run: its own, or its parent's."""
        return self.own_pause or self.parent_pause

    @property
    def whole_cost(self) -> int:
        """What the run has spent, with the runs that it called, as far as they ended while it waited for them.

        The ledger has the rest: what a called run spent that its caller had given up.
        """
        return self.spent + sum(self.children_spent.values())

    @property
    def failed_step(self) -> str | None:
        """The step of the workflow itself because of which the run fails."""
        return self.groups[""].failed

    @property
    def stopping(self) -> bool:
        """Whether the workflow's own steps start nothing more, and the run ends once what runs has ended."""
        return self.phase is Phase.FORWARD and (
            self.cancel is not None or self.timed_out or self.groups[""].failed is not None
        )

    @property
    def holds_back(self) -> bool:
        """Whether nothing may start now, although the run is to go on."""
        return self.queued or self.paused is not None

    @property
    def status(self) -> RunStatus:
        if self.end is not None:
            return self.end.status
        if self.phase is Phase.UNDOING:
            return RunStatus.UNDOING
        if self.cancel is not None:
            return RunStatus.CANCELLING
        if self.paused is not None:
            return RunStatus.PAUSED
        if self.queued:
            return RunStatus.QUEUED
        return RunStatus.WAITING if self._only_waits() else RunStatus.RUNNING

    def _only_waits(self) -> bool:
        statuses = {self.steps[step].status for step in self.open} - {StepStatus.OPEN}
        return bool(statuses) and statuses <= _WAITS


_WAITS = frozenset(
    {
        *(StepStatus.WAITING, StepStatus.SLEEPING, StepStatus.LISTENING),
        *(StepStatus.UNCERTAIN, StepStatus.GIVEN_UP, StepStatus.HELD),
    }
)
