"""The only writer of runs: load, decide, append. Whoever wants something of a run submits a command here.

The one rule: everything that reaches a run, from a worker's result to a person's click, takes this path. Each run has
one mailbox per process: what came since its last commit is decided on together and becomes one append.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import JsonValue

from engine.brakes import Brakes
from engine.charges import spend_money, standings_of
from engine.clock import Clock
from engine.core import checkpoint
from engine.core import commands as c
from engine.core import events as e
from engine.core.commands import Command, Condition, Reply
from engine.core.decide import Decision, decide, start
from engine.core.errors import UnknownRun
from engine.core.fold import evolve, fold
from engine.core.graph import Plan
from engine.core.outlook import gives_up_waiting, is_held
from engine.core.state import Recorded, RunState
from engine.core.values import ValuesNeeded
from engine.plans import PlanNeeded, Plans
from engine.recall import Recall
from engine.records import append_of, condition_of, recorded
from engine.remembered import Remembered, Seen
from engine.store import (
    Append,
    Appended,
    AtEpoch,
    Conflict,
    Duplicate,
    Head,
    Log,
    Outcome,
    Refused,
    StoredEvent,
    StoreError,
    StoreUnavailable,
)

log = logging.getLogger(__name__)

CONFLICTS_BEFORE_LOCKING = 2
CHECKPOINT_AFTER = 200
"""Events since the last checkpoint, at least; runs of many steps wait a little longer, as theirs are longer too."""


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


class Observer(Protocol):
    """Told of every append of this process, in order for each run, after it is durable. Must not block or raise."""

    def __call__(self, state: RunState, events: Sequence[Recorded]) -> None: ...


@dataclass(slots=True)
class _Submitted:
    command: Command
    answer: asyncio.Future[Answer]


@dataclass(slots=True)
class _Case:
    """What is known while a batch is being settled. ``fresh``: the run was just read from the log.

    ``money``: which accounts had no room, or pass a threshold, as they stood when that was refused.
    ``looked``: what holds its steps was read meanwhile, since something of it may be held no longer.
    """

    known: Seen
    fresh: bool
    refused: frozenset[Condition] = frozenset()
    looked: bool = False
    values: dict[int, JsonValue] = field(default_factory=dict[int, JsonValue])
    conflicts: int = 0
    money: dict[tuple[str, str], tuple[e.Standing, ...]] = field(
        default_factory=dict[tuple[str, str], tuple[e.Standing, ...]]
    )


@dataclass(slots=True)
class _Mailbox:
    queue: deque[_Submitted] = field(default_factory=deque["_Submitted"])
    draining: asyncio.Task[None] | None = None


class Handle:
    """Decides and appends for any number of runs. ``woken`` is told of runs whose turn an append has made."""

    def __init__(
        self, log: Log, clock: Clock, plans: Plans, recall: Recall, woken: Callable[[str], None] = lambda run: None
    ) -> None:
        self._log = log
        self._clock = clock
        self._plans = plans
        self.recall = recall
        self.brakes = Brakes(log)
        self._woken = woken
        self._saving: set[asyncio.Task[None]] = set()
        self._known = Remembered()
        self._mailboxes: dict[str, _Mailbox] = {}
        self._observers: list[Observer] = []

    def observe(self, observer: Observer) -> Callable[[], None]:
        """Tell ``observer`` of every append from now on, until what this returns is called."""
        self._observers.append(observer)
        return lambda: self._observers.remove(observer)

    async def start(self, run: str, plan: Plan, event: e.RunStarted, reused: Sequence[e.StepReused] = ()) -> Begun:
        """Append RUN_STARTED and what follows from it at once. Returns when it is durable.

        A run that exists already is left as it is, and is called a duplicate: children are started by whoever finds
        that they are not there.
        """
        decision = start(run, plan, event, self._clock.now(), reused)
        outcome = await self._log.append(append_of(run, Head.EMPTY, [decision]))
        match outcome:
            case Appended(head):
                self._known.keep(Seen(decision.state, head))
                self._tell(decision.state, decision.events)
                return Begun(run)
            case Duplicate(original):
                return Begun(original, duplicate=True)
            case Conflict():
                return Begun(run, duplicate=True)
            case Refused():
                raise RuntimeError(f"{run} was started on a condition; a start has none")

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

    def gives_up_waiting(self, state: RunState) -> bool:
        """Whether the next look ends a wait for which the mailbox has to be read first."""
        return gives_up_waiting(state, self._clock.now())

    def last_seen(self, run: str) -> RunState | None:
        """The run as this process saw it last, if it still remembers; others may have written since."""
        known = self._known.get(run)
        return known.state if known else None

    async def changed(self, runs: Collection[str]) -> list[str]:
        """Those of ``runs`` that have events which this process has not seen."""
        heads = await self._log.heads(runs)
        seen = {run: known.state.seq for run in heads if (known := self._known.get(run)) is not None}
        return [run for run, seq in heads.items() if seen.get(run, 0) < seq]

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
        case = _Case(known or await self._fresh(run), fresh=known is None)
        while True:
            try:
                if await self._try(run, batch, case):
                    return
            except ValuesNeeded as wanted:
                case.values |= await self.recall.values(run, wanted.seqs)
            except PlanNeeded as wanted:
                await self._plans.of(wanted.definition)

    async def _try(self, run: str, batch: list[_Submitted], case: _Case) -> bool:
        """Decide once and append; whether that settled it. Otherwise ``case`` has what was learned."""
        if not case.looked and is_held(case.known.state):
            await self.brakes.refresh()
            case.looked = True
        decisions = self._decide(case.known.state, batch, case)
        if not any(decision.events for decision in decisions):
            if case.fresh:
                _answer_all(batch, decisions)
                return True
            case.known, case.fresh = await self._fresh(run), True
            return False
        if case.conflicts < CONFLICTS_BEFORE_LOCKING:
            outcome = await self._log.append(append_of(run, case.known.head, decisions))
        else:
            spends = any(spend_money(decision) for decision in decisions)
            outcome, decisions = await self._append_locked(run, batch, case, spends=spends)
        match outcome:
            case Appended(head, woken):
                self._done(case.known, head, batch, decisions)
                for other in woken:
                    self._woken(other)
                return True
            case Conflict():
                case.known, case.fresh = await self._fresh(run), True
                case.conflicts += 1
                case.money.clear()
                return False
            case Refused():
                await self._learn(outcome, case)
                return False
            case Duplicate():
                raise RuntimeError(f"{run}: only a start can be a duplicate")
            case None:
                _answer_all(batch, decisions)
                return True

    async def _learn(self, refused: Refused, case: _Case) -> None:
        """What was refused is known from now on, until the world around the run has changed."""
        if isinstance(refused.guard, AtEpoch):
            await self.brakes.refresh()
            case.money.clear()
        elif (short := standings_of(refused, case.known.state)) is not None:
            case.money |= short
        else:
            case.refused |= {condition_of(refused.guard, case.known.state)}

    def _done(self, known: Seen, head: Head, batch: Sequence[_Submitted], decisions: Sequence[Decision]) -> None:
        """The append is durable: remember, answer, tell, and save a checkpoint now and then."""
        state = decisions[-1].state
        events = [event for decision in decisions for event in decision.events]
        saved = known.saved
        if state.end is None and state.seq - saved >= max(CHECKPOINT_AFTER, len(state.steps) // 4):
            saved = state.seq
            task = asyncio.create_task(self._save(state, head))
            self._saving.add(task)
            task.add_done_callback(self._saving.discard)
        self._known.keep(Seen(state, head, saved))
        self.recall.note(state.run, events)
        _answer_all(batch, decisions)
        self._tell(state, events)

    async def _save(self, state: RunState, head: Head) -> None:
        """A checkpoint is a cache: without it the next load takes longer, and nothing else."""
        try:
            text = checkpoint.to_text(state)
            await self._log.put_checkpoint(state.run, state.seq, checkpoint.VERSION, text, head_hash=head.hash)
        except StoreError as error:
            log.info("No checkpoint of %s was kept: %s", state.run, error)

    async def close(self) -> None:
        """Wait until the checkpoints that are being written are."""
        if self._saving:
            await asyncio.wait(self._saving)

    async def _append_locked(
        self, run: str, batch: Sequence[_Submitted], case: _Case, *, spends: bool
    ) -> tuple[Outcome | None, list[Decision]]:
        """Decide and append while holding the run's head row, so that a sender that lost twice does not starve."""
        decisions: list[Decision] = []

        def decide_locked(tail: Sequence[StoredEvent], head: Head) -> Append | None:
            state = case.known.state
            for event in tail:
                state = evolve(state, recorded(event), self._plans.known)
            decisions[:] = self._decide(state, batch, case)
            return append_of(run, head, decisions) if any(d.events for d in decisions) else None

        workspace = case.known.state.started.workspace if spends else ""
        outcome = await self._log.append_locked(run, case.known.head, decide_locked, spends_from=workspace)
        return outcome, decisions

    def _decide(self, state: RunState, batch: Sequence[_Submitted], case: _Case) -> list[Decision]:
        now = self._clock.now()
        known = dict(case.values)
        around = c.Around(self.brakes.known, case.refused, dict(case.money))
        decisions: list[Decision] = []
        for submitted in batch:
            decision = decide(state, submitted.command, now, known, around)
            # The next one may need what this one has decided on, which no log has yet.
            known |= {one.seq: e.value_of(one.event) for one in decision.events}
            decisions.append(decision)
            state = decision.state
        return decisions

    async def _fresh(self, run: str) -> Seen:
        """The run as the log has it now: what is known of it and the tail since, or its whole history."""
        known = self._known.get(run)
        if known is None:
            return self._known.keep(await self._load(run))
        events, head = await self._log.load(run, after=known.state.seq)
        state = await self._evolved(known.state, [recorded(event) for event in events])
        return self._known.keep(Seen(state, head, known.saved))

    async def _load(self, run: str) -> Seen:
        """From its newest checkpoint, if there is one that this release can read."""
        saved, events, head = await self._log.load_run(run, checkpoint.VERSION)
        history = [recorded(event) for event in events]
        if saved is not None:
            parsed = checkpoint.parse(saved.text)
            state = checkpoint.restore(parsed, await self._plans.of(parsed.definition, parsed.part))
            return Seen(await self._evolved(state, history), head, saved.seq)
        if not history or not isinstance(history[0].event, e.RunStarted):
            raise UnknownRun(run)
        first = history[0].event
        plan = await self._plans.of(first.definition, first.part)
        return Seen(await self._evolved(fold(run, plan, history[:1]), history[1:]), head)

    async def _evolved(self, state: RunState, history: Sequence[Recorded]) -> RunState:
        for one in history:
            if isinstance(one.event, e.RunMoved):
                await self._plans.of(one.event.definition)
            state = evolve(state, one, self._plans.known)
        return state

    def _tell(self, state: RunState, events: Sequence[Recorded]) -> None:
        for observer in tuple(self._observers):
            observer(state, events)


def _answer_all(batch: Sequence[_Submitted], decisions: Sequence[Decision]) -> None:
    state = decisions[-1].state
    for submitted, decision in zip(batch, decisions, strict=True):
        if not submitted.answer.done():
            submitted.answer.set_result(Answer(decision.reply, state))


def _fail_all(batch: Sequence[_Submitted], error: Exception) -> None:
    for submitted in batch:
        if not submitted.answer.done():
            submitted.answer.set_exception(error)
