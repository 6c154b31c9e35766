"""Runs steps: takes activations for its free slots, claims what is ready, executes it, submits the result.

The one rule: a worker runs what the log says it has claimed. An activation is acknowledged once the claim is committed;
from then on the lease, renewed from a thread, is what keeps others away.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from engine.attempts import Attempt, AttemptKey, Limits, Stop
from engine.core import commands as c
from engine.core.commands import Claim
from engine.core.deciding.holding import stopping
from engine.core.errors import EngineError, UnknownEvent, UnknownRun
from engine.core.outlook import is_for_others
from engine.core.state import Phase, Recorded, RunState, StepStatus
from engine.errands import Errands
from engine.handle import Answer, Handle
from engine.keepalive import KeepAlive
from engine.others import Others
from engine.shunned import Shunned
from engine.steps.registry import Registry
from engine.store import Log, StoreUnavailable
from engine.streams import Activation, ActivationStream, GroupLost, StreamsUnavailable
from engine.tariffs import Tariffs

log = logging.getLogger(__name__)

READ_BLOCK = 1_000
CONTROL_EVERY = 0.25
RECLAIM_EVERY = 5.0
RECLAIM_IDLE = 10_000
RECONNECT_AFTER = 0.5
MOST_DELIVERIES = 6
"""What so many looks in a row could not use is not passed on any more: the run is offered again when it is due."""
PASS_ON_AFTER = READ_BLOCK / 1_000 + 0.1
"""Seconds until what was passed on before is passed on: by then all readers have begun anew, and know of all lanes."""
HAND_BACK_WITHIN = 5.0
LAST_WORD_WITHIN = 2.0
"""Seconds that a stopping worker waits for a database that is away: what it leaves is found by its lease."""


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """``slots``: steps at a time. ``lease``: ms until a silent worker's steps go to others. ``grace``: s to stop in.

    ``step_limits``: what each step may take to stop in, and give.
    """

    slots: int = 100
    lease: int = 15_000
    grace: float = 20.0
    step_limits: Limits = field(default_factory=Limits)


class Worker:
    """One process's worker.

    ``run`` works until ``stop``; then nothing new is claimed, and what runs is finished or handed back within the grace
    period.
    """

    def __init__(
        self,
        worker: str,
        handle: Handle,
        store: Log,
        streams: ActivationStream,
        registry: Registry,
        errands: Errands,
        keep_alive: KeepAlive,
        settings: WorkerSettings,
    ) -> None:
        self.id = worker
        self._handle = handle
        self._store = store
        self._streams = streams
        self._registry = registry
        self._errands = errands
        self._keep_alive = keep_alive
        self._settings = settings
        self._in_hand: dict[AttemptKey, Attempt] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._reserved = 0
        self._shunned = Shunned()
        self._tariffs = Tariffs(store)
        self._to_pass_on: set[str] = set()
        self._others = Others(settings.slots)
        self._redis_reachable = True
        self._slot_freed = asyncio.Event()
        self._stopping = asyncio.Event()
        self.retired = False
        """Whether it stopped by itself, and another should take its place."""
        handle.observe(self._on_append)

    @property
    def busy(self) -> int:
        """How many steps it has in hand."""
        return len(self._in_hand)

    @property
    def in_hand(self) -> list[tuple[str, str]]:
        """Run and path of each step that it has in hand. May be asked from another thread."""
        return [(key.run, key.step) for key in list(self._in_hand)]

    async def run(self) -> None:
        """Work until ``stop`` is called. Redis may be away, at the start too: then it waits for it to come back."""
        self._keep_alive.start()
        duties = (self._read, self._watch_control, self._watch_others, self._reclaim)
        loops = [asyncio.create_task(_go_on(duty)) for duty in duties]
        try:
            await self._stopping.wait()
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)
            await self._let_go()
        finally:
            for loop in loops:
                loop.cancel()
            await self._keep_alive.stop()
        with contextlib.suppress(StoreUnavailable, TimeoutError):  # then the lease runs out by itself
            async with asyncio.timeout(LAST_WORD_WITHIN):
                await self._store.release(self.id)

    def _retire(self) -> None:
        """Give up the lease, since an attempt under it can be neither reported nor handed back: others take it over.

        What else is in hand is finished first, or handed back.
        """
        self.retired = True
        self.stop()

    def stop(self) -> None:
        """Claim nothing new; ``run`` returns once what is in hand is finished or handed back."""
        self._stopping.set()

    # Claims

    def _claim(self, slots: int) -> Claim:
        now = self._keep_alive.clock.now()
        free = 0 if self._stopping.is_set() else slots
        return Claim(self.id, self._registry.keys, free, now, now + self._settings.lease)

    def _claim_for_next(self, run: RunState) -> Claim:
        """For what follows in the run, without a detour; unless all slots are taken and another workspace waits."""
        hand_over = self._free <= 0 and self._others.turn(run.started.workspace)
        return self._claim(0 if hand_over else 1)

    @property
    def _free(self) -> int:
        return self._settings.slots - len(self._in_hand) - self._reserved

    def _take(self, state: RunState) -> None:
        """Execute what the log says this worker has claimed, and has not in hand yet."""
        for step, claimed in state.claimed_by(self.id):
            key = AttemptKey(state.run, step, claimed.token)
            if key not in self._in_hand:
                attempt = Attempt(
                    state,
                    step,
                    self._handle,
                    self._registry,
                    self._store,
                    partial(self._claim_for_next, state),
                    self._settings.step_limits,
                    self._tariffs,
                )
                self._in_hand[key] = attempt
                task = asyncio.create_task(self._execute(attempt))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _execute(self, attempt: Attempt) -> None:
        answer = None
        try:
            answer = await attempt.run()
        except UnknownEvent as error:
            log.warning("%s of %s is for workers of a newer release: %s", attempt.key.step, attempt.key.run, error)
            self._retire()
        except EngineError as error:
            log.error("%s of %s could not be reported: %s", attempt.key.step, attempt.key.run, error)
        finally:
            del self._in_hand[attempt.key]
            self._slot_freed.set()
        if answer is not None:
            self._take(answer.state)

    # Activations

    async def _read(self) -> None:
        while True:
            free = self._free
            if free <= 0:
                self._slot_freed.clear()
                await self._slot_freed.wait()
                continue
            try:
                activations = await self._streams.read(self.id, free, READ_BLOCK)
            except GroupLost:
                await self._make_all_due()
            except StreamsUnavailable as error:
                self._say_unreachable(error)
                await asyncio.sleep(RECONNECT_AFTER)
            else:
                self._redis_reachable = True
                self._look_at(activations, free)

    def _look_at(self, activations: Sequence[Activation], free: int) -> None:
        if not activations:
            return
        # One share stays free, so that the next activations need not wait until these looks are over.
        share = max(1, free // (len(activations) + 1))
        for activation in activations:
            self._reserved += share
            task = asyncio.create_task(self._look(activation, share))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _decide(self, run: str, slots: int) -> Answer:
        """Do what is due in the run. Before a wait for a signal is given up, what was sent to it is handed over."""
        answer = await self._handle.submit(run, c.Look(self._claim(slots), letters_read=False))
        if not self._handle.gives_up_waiting(answer.state):
            return answer
        self._take(answer.state)
        await self._errands.hand_over(answer.state)
        return await self._handle.submit(run, c.Look(self._claim(0)))  # what follows is offered to all

    async def _look(self, activation: Activation, slots: int) -> None:
        """Claim what is ready in the run and execute it; acknowledge, or pass on what only others can use."""
        for_others = True
        try:
            if self._shunned.may_look_at(activation.run):
                now = self._keep_alive.clock.now()
                answer = await self._decide(activation.run, slots)
                self._take(answer.state)
                self._obey(answer.state)
                nothing = isinstance(answer.reply, c.Nothing)
                self._errands.check(answer.state, idle_at=now if nothing else None)
                self._shunned.forget(activation.run)
                for_others = nothing and is_for_others(answer.state, now, self._registry.keys)
        except UnknownRun:
            for_others = False
            log.warning("An activation names %s, which the database does not have; it is dropped.", activation.run)
        except StoreUnavailable as error:
            log.warning("%s will be looked at again: %s", activation.run, error)
            return
        except EngineError as error:
            self._shunned.shun(activation.run)
            log.warning("%s is left to others: %s", activation.run, error)
        except Exception:
            self._shunned.shun(activation.run)
            log.exception("%s cannot be looked at, and is left to others.", activation.run)
        finally:
            self._reserved -= slots
            self._slot_freed.set()
        with contextlib.suppress(StreamsUnavailable):
            if for_others and activation.deliveries < MOST_DELIVERIES:
                await self._pass_on(activation)
            else:
                await self._streams.acknowledge([activation])

    async def _pass_on(self, activation: Activation) -> None:
        """Offer it to others. Redis gives it to who waits longest, which is not the one that has just begun to read."""
        if activation.deliveries > 1:
            # Not left in the stream meanwhile, and one of each run: what nobody can use must not fill it.
            await self._streams.acknowledge([activation])
            if activation.run in self._to_pass_on:
                return
            self._to_pass_on.add(activation.run)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PASS_ON_AFTER):
                    await self._stopping.wait()
            self._to_pass_on.discard(activation.run)
        await self._streams.pass_on(activation)

    async def _reclaim(self) -> None:
        """Take over activations that were delivered to somebody who never acknowledged them."""
        while True:
            await asyncio.sleep(RECLAIM_EVERY)
            free = self._free
            if free <= 0:
                continue
            with contextlib.suppress(StreamsUnavailable):
                try:
                    self._look_at(await self._streams.reclaim(self.id, RECLAIM_IDLE, free), free)
                except GroupLost:
                    await self._make_all_due()

    async def _watch_others(self) -> None:
        """While all slots are taken, look who waits: their turn comes between two steps of the runs in hand."""
        while True:
            await asyncio.sleep(CONTROL_EVERY)
            if self._free > 0:
                self._others.forget()
                continue
            with contextlib.suppress(StreamsUnavailable):
                self._others.see(await self._streams.backlog())

    async def _make_all_due(self) -> None:
        """The stream was lost with all activations in it: have every run that may need one swept again."""
        log.warning("Redis lost the stream of activations; it is filled again from the database.")
        with contextlib.suppress(StoreUnavailable):
            await self._store.make_all_due(self._keep_alive.clock.now())

    def _say_unreachable(self, error: StreamsUnavailable) -> None:
        if self._redis_reachable:
            log.warning("%s The worker goes on when it is back.", error)
        self._redis_reachable = False

    # Control

    def _on_append(self, state: RunState, events: Sequence[Recorded]) -> None:
        if state.cancel is not None:
            self._obey(state)

    def _obey(self, state: RunState) -> None:
        """Stop those of the run's attempts that are to go on no longer."""
        for attempt in list(self._in_hand.values()):
            if attempt.key.run == state.run:
                self._hold_to(state, attempt)

    def _hold_to(self, state: RunState, attempt: Attempt) -> None:
        """Stop the attempt if its run is being cancelled, if it no longer counts, or if it is under a switch.

        What undoes a cancelled run afterwards is not cancelled with it.
        """
        key = attempt.key
        if state.seq < key.token:
            return
        step = state.step(key.step)
        if step.status is not StepStatus.RUNNING or step.token != key.token:
            attempt.stop(Stop.LOST)
        elif state.cancel is not None and state.phase is Phase.FORWARD:
            attempt.stop(Stop.CANCELLED)
        elif stopping(self._handle.brakes.known, state, key.step):
            attempt.stop(Stop.KILLED)

    async def _watch_control(self) -> None:
        """Notice what other processes recorded about the runs in hand, and which switches were thrown."""
        obeyed: int | None = None
        while True:
            await asyncio.sleep(CONTROL_EVERY)
            runs = list(dict.fromkeys(key.run for key in self._in_hand))
            if not runs:
                continue
            with contextlib.suppress(StoreUnavailable):
                epoch = (await self._handle.brakes.refresh()).epoch
                if epoch != obeyed:  # whoever read of it first; a switch has a second, however much news there is
                    self._obey_all()
                    obeyed = epoch
                for run in await self._handle.changed(runs):
                    await self._read_news(run)
            # Not only those that changed: somebody else in this process may have read the news before.
            self._obey_all()

    def _obey_all(self) -> None:
        """Each attempt in hand, by its run as it was seen last."""
        for attempt in list(self._in_hand.values()):
            if (seen := self._handle.last_seen(attempt.key.run)) is not None:
                self._hold_to(seen, attempt)

    async def _read_news(self, run: str) -> None:
        """One run that cannot be read must not keep the others from being stopped."""
        try:
            await self._handle.state(run)
        except StoreUnavailable:
            raise
        except EngineError as error:
            log.debug("%s cannot be read: %s", run, error)

    # Stopping

    async def _let_go(self) -> None:
        """Finish what is in hand within the grace period, then hand the rest back."""
        deadline = asyncio.get_running_loop().time() + self._settings.grace
        while self._tasks and (left := deadline - asyncio.get_running_loop().time()) > 0:
            await asyncio.wait(self._tasks, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        for attempt in list(self._in_hand.values()):
            attempt.stop(Stop.SHUTDOWN)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=HAND_BACK_WITHIN)


async def _go_on(loop: Callable[[], Awaitable[None]]) -> None:
    """Run one of the worker's loops for ever: a fault that nobody foresaw is logged, and must not end the work."""
    while True:
        try:
            await loop()
        except Exception:
            log.exception("The worker meets a fault that nobody foresaw, and goes on in a second.")
            await asyncio.sleep(1)
