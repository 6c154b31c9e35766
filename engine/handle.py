"""The only writer of runs: load, decide, append. Whoever wants something of a run submits a command here.

The one rule: everything that reaches a run, from a worker's result to a person's click, takes this path. Each run has
one mailbox per process: what came since its last commit is decided on together and becomes one append.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from engine.clock import Clock
from engine.core import commands as c
from engine.core import events as e
from engine.core.commands import Command, Reply
from engine.core.decide import Decision, decide, start
from engine.core.errors import UnknownRun
from engine.core.fold import evolve, fold
from engine.core.graph import Plan
from engine.core.state import Recorded, RunState
from engine.records import append_of, recorded
from engine.store import (
    Append,
    Appended,
    Conflict,
    Duplicate,
    Head,
    Log,
    Outcome,
    Refused,
    StoredEvent,
    StoreUnavailable,
)

CACHED_RUNS = 512
CONFLICTS_BEFORE_LOCKING = 2


@dataclass(frozen=True, slots=True)
class Answer:
    """What the sender of a command is told, and the run as it was right after."""

    reply: Reply
    state: RunState


@dataclass(frozen=True, slots=True)
class Begun:
    """A start's outcome. ``duplicate``: its deduplication key had started ``run`` before, and nothing was stored."""

    run: str
    duplicate: bool = False


PlanSource = Callable[[str], Awaitable[Plan]]


class Observer(Protocol):
    """Told of every append of this process, in order for each run, after it is durable. Must not block or raise."""

    def __call__(self, state: RunState, events: Sequence[Recorded]) -> None: ...


@dataclass(frozen=True, slots=True)
class _Known:
    """A run as this process last saw it."""

    state: RunState
    head: Head


@dataclass(slots=True)
class _Submitted:
    command: Command
    answer: asyncio.Future[Answer]


@dataclass(slots=True)
class _Mailbox:
    queue: deque[_Submitted] = field(default_factory=deque["_Submitted"])
    draining: asyncio.Task[None] | None = None


class Handle:
    """Decides and appends for any number of runs. ``load_plan`` gives the plan of a definition's hash."""

    def __init__(self, log: Log, clock: Clock, plan_of: PlanSource) -> None:
        self._log = log
        self._clock = clock
        self._plan_of = plan_of
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._mailboxes: dict[str, _Mailbox] = {}
        self._observers: list[Observer] = []

    def observe(self, observer: Observer) -> None:
        self._observers.append(observer)

    async def start(self, run: str, plan: Plan, event: e.RunStarted) -> Begun:
        """Append RUN_STARTED and what follows from it at once. Returns when it is durable."""
        decision = start(run, plan, event, self._clock.now())
        outcome = await self._log.append(append_of(run, Head.EMPTY, [decision]))
        match outcome:
            case Appended(head):
                self._remember(_Known(decision.state, head))
                self._tell(decision.state, decision.events)
                return Begun(run)
            case Duplicate(original):
                return Begun(original, duplicate=True)
            case Conflict() | Refused():
                raise RuntimeError(f"{run} exists already; run ids must be new")

    async def submit(self, run: str, command: Command) -> Answer:
        """Decide on ``command`` and return once what it led to is durable.

        Raises ``UnknownRun``, ``UnknownEvent`` (the run is for a newer release), or the store's error if it cannot be
        reached; the command may then have been recorded or not, and may be sent again.
        """
        box = self._mailboxes.setdefault(run, _Mailbox())
        submitted = _Submitted(command, asyncio.get_running_loop().create_future())
        box.queue.append(submitted)
        if box.draining is None:
            box.draining = asyncio.create_task(self._drain(run, box))
        return await submitted.answer

    async def state(self, run: str) -> RunState:
        """The run as the log has it now. Raises ``UnknownRun``."""
        return (await self._fresh(run)).state

    def last_seen(self, run: str) -> RunState | None:
        """The run as this process saw it last, if it still remembers; others may have written since."""
        known = self._known.get(run)
        return known.state if known else None

    async def changed(self, runs: Collection[str]) -> list[str]:
        """Those of ``runs`` that have events which this process has not seen."""
        heads = await self._log.heads(runs)
        return [run for run, seq in heads.items() if run not in self._known or self._known[run].state.seq < seq]

    async def _drain(self, run: str, box: _Mailbox) -> None:
        batch: list[_Submitted] = []
        try:
            while box.queue:
                batch = list(box.queue)
                box.queue.clear()
                await self._settle_all(run, batch)
        finally:
            del self._mailboxes[run]
            for left in (*batch, *box.queue):  # if this task was cut short: nobody else will answer them
                left.answer.cancel()

    async def _settle_all(self, run: str, batch: list[_Submitted]) -> None:
        """Settle ``batch``; if something in it cannot be settled, one by one, so that only its own sender is told."""
        try:
            await self._settle(run, batch)
        except Exception as error:  # noqa: BLE001 - whatever went wrong is the senders' to know
            if len(batch) == 1 or isinstance(error, StoreUnavailable):
                _fail_all(batch, error)
                return
            for submitted in batch:
                if not submitted.answer.done():
                    await self._settle_all(run, [submitted])

    async def _settle(self, run: str, batch: list[_Submitted]) -> None:
        """Decide on ``batch`` until the log accepts it: a lost race or a refused condition means to decide again."""
        known = self._known.get(run)
        fresh = known is None
        known = known or await self._fresh(run)
        alive: frozenset[str] = frozenset()
        conflicts = 0
        while True:
            decisions = self._decide(known.state, batch, alive)
            if not any(decision.events for decision in decisions):
                if not fresh:
                    known, fresh = await self._fresh(run), True
                    continue
                _answer_all(batch, decisions)
                return
            if conflicts < CONFLICTS_BEFORE_LOCKING:
                outcome = await self._log.append(append_of(run, known.head, decisions))
            else:
                outcome, decisions = await self._append_locked(run, known, batch, alive)
            match outcome:
                case Appended(head):
                    state = decisions[-1].state
                    self._remember(_Known(state, head))
                    _answer_all(batch, decisions)
                    self._tell(state, [event for decision in decisions for event in decision.events])
                    return
                case Conflict():
                    known, fresh = await self._fresh(run), True
                    conflicts += 1
                case Refused(guard):
                    if guard.owner in alive:
                        # Refused although its lease was not doubted: by the claim's clock, which is ahead, its cap
                        # has passed. A later look, with a better clock, will see.
                        batch = [_without_claim(submitted) for submitted in batch]
                    alive |= {guard.owner}
                case Duplicate():
                    raise RuntimeError(f"{run}: only a start can be a duplicate")
                case None:
                    _answer_all(batch, decisions)
                    return

    async def _append_locked(
        self, run: str, known: _Known, batch: Sequence[_Submitted], alive: frozenset[str]
    ) -> tuple[Outcome | None, list[Decision]]:
        """Decide and append while holding the run's head row, so that a sender that lost twice does not starve."""
        decisions: list[Decision] = []

        def decide_locked(tail: Sequence[StoredEvent], head: Head) -> Append | None:
            state = known.state
            for event in tail:
                state = evolve(state, recorded(event))
            decisions[:] = self._decide(state, batch, alive)
            return append_of(run, head, decisions) if any(d.events for d in decisions) else None

        outcome = await self._log.append_locked(run, known.head, decide_locked)
        return outcome, decisions

    def _decide(self, state: RunState, batch: Sequence[_Submitted], alive: frozenset[str]) -> list[Decision]:
        now = self._clock.now()
        decisions: list[Decision] = []
        for submitted in batch:
            command = submitted.command
            if isinstance(command, c.Look) and alive:
                command = replace(command, alive=command.alive | alive)
            decision = decide(state, command, now)
            decisions.append(decision)
            state = decision.state
        return decisions

    async def _fresh(self, run: str) -> _Known:
        """The run as the log has it now: what is known of it and the tail since, or its whole history."""
        known = self._known.get(run)
        events, head = await self._log.load(run, after=known.state.seq if known else 0)
        if known is None:
            loaded = await self._load(run, events, head)
        else:
            state = known.state
            for event in events:
                state = evolve(state, recorded(event))
            loaded = _Known(state, head)
        return self._remember(loaded)

    async def _load(self, run: str, events: Sequence[StoredEvent], head: Head) -> _Known:
        if not events:
            raise UnknownRun(run)
        history = [recorded(event) for event in events]
        first = history[0].event
        if not isinstance(first, e.RunStarted):
            raise UnknownRun(run)
        return _Known(fold(run, await self._plan_of(first.definition), history), head)

    def _remember(self, seen: _Known) -> _Known:
        """Keep the newest that was seen of the run, and return it: a slow load must not hide a later append."""
        run = seen.state.run
        known = self._known.get(run)
        newest = seen if known is None or known.state.seq <= seen.state.seq else known
        self._known[run] = newest
        self._known.move_to_end(run)
        while len(self._known) > CACHED_RUNS:
            self._known.popitem(last=False)
        return newest

    def _tell(self, state: RunState, events: Sequence[Recorded]) -> None:
        for observer in self._observers:
            observer(state, events)


def _without_claim(submitted: _Submitted) -> _Submitted:
    command = submitted.command
    return replace(submitted, command=replace(command, claim=None)) if isinstance(command, c.Look) else submitted


def _answer_all(batch: Sequence[_Submitted], decisions: Sequence[Decision]) -> None:
    state = decisions[-1].state
    for submitted, decision in zip(batch, decisions, strict=True):
        if not submitted.answer.done():
            submitted.answer.set_result(Answer(decision.reply, state))


def _fail_all(batch: Sequence[_Submitted], error: Exception) -> None:
    for submitted in batch:
        if not submitted.answer.done():
            submitted.answer.set_exception(error)
