"""What a run owes to other runs: starting its children, stopping them, telling its parent of its end, taking signals.

The one rule: an errand follows from the run's log and may be repeated: a child that exists is not started again, an end
is told once. So whoever has appended runs the errands at once, and whoever looks at a waiting run runs them again.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Coroutine, Sequence
from typing import Any

from engine.core import commands as c
from engine.core import events as e
from engine.core.children import child_start, is_stopped_along
from engine.core.deciding.draft import BY_ENGINE
from engine.core.errors import EngineError, UnknownRun
from engine.core.outlook import Due, DueKind, due
from engine.core.state import Recorded, RunState, StepStatus
from engine.handle import Handle
from engine.plans import Plans
from engine.records import recorded, slot_key
from engine.store import Log

log = logging.getLogger(__name__)


class Errands:
    """The errands of one process. ``observe`` is told of its appends, ``check`` of runs that were looked at."""

    def __init__(self, store: Log, handle: Handle, plans: Plans) -> None:
        self._store = store
        self._handle = handle
        self._plans = plans
        self._tasks: set[asyncio.Task[None]] = set()

    def observe(self, state: RunState, events: Sequence[Recorded]) -> None:
        """Begin what these events ask for."""
        for one in events:
            match one.event:
                case e.ChildStarted():
                    self._run(self._start(state, one.event))
                case e.SignalAwaited(signal=signal, correlation=str(correlation)):
                    self._run(self._collect(state, signal, correlation))
                case e.StepRedriven(step=path, by=by, reason=reason) if state.step(path).child:
                    self._run(self._redrive(state.step(path).child, by, reason))
                case e.RunPaused() | e.RunResumed():
                    self._to_children(state, _hold(state))
                case _:
                    pass
        if state.stopping:
            self._to_children(state, _cancel(state))
        if state.end is not None and state.started.parent is not None:
            self._run(self._tell(state, state.started.parent))

    def check(self, state: RunState, idle_at: int | None = None) -> None:
        """Do again whatever may have been lost. ``idle_at``: at that instant there was nothing else to do."""
        if any(True for _ in state.opened(StepStatus.CALLING)):
            self._run(self._find_children(state))
        self._run(self._collect_all(state, None if idle_at is None else due(state, max(state.at, idle_at))))
        wanted = state.started.concurrency
        if state.queued and state.end is None and wanted is not None and wanted.on_limit == "cancel_running":
            self._run(self._make_room(state, wanted.key))

    async def close(self) -> None:
        """Wait for the errands under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _run(self, errand: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(_leniently(errand))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _to_children(self, state: RunState, command: c.Cancel | c.Pause | c.Resume) -> None:
        for _, step in state.opened(StepStatus.CALLING):
            self._run(self._submit(step.child, command))

    async def _submit(self, run: str, command: c.Command) -> None:
        try:
            await self._handle.submit(run, command)
        except UnknownRun:
            log.debug("%s has not been started yet.", run)

    async def _start(self, parent: RunState, event: e.ChildStarted) -> None:
        plan = await self._plans.of(event.definition, event.part)
        await self._handle.start(event.run, plan, child_start(parent, event))

    async def _tell(self, child: RunState, parent: e.Parent) -> None:
        end = child.end
        if end is None:
            return
        output = await self._handle.recall.value(child.run, end.output)
        words = f"{end.step}: {end.reason}" if end.step else end.reason
        told = c.ChildEnded(
            parent.step, child.run, end.status, output, words, is_stopped_along(child), child.whole_cost
        )
        await self._submit(parent.run, told)

    async def _find_children(self, parent: RunState) -> None:
        """Start those that are not there, and take in the ends of those that have ended."""
        calling = {step.child: path for path, step in parent.opened(StepStatus.CALLING)}
        heads = await self._store.heads(list(calling))
        for child, path in calling.items():
            if child not in heads:
                await self._start_again(parent, path)
        for child in await self._store.ended(list(calling)):
            ended = await self._handle.state(child)
            if ended.end is not None and ended.end.at < parent.steps[calling[child]].since:
                await self._redrive(child, BY_ENGINE, f"as its step in {parent.run} was")
            elif ended.started.parent is not None:
                await self._tell(ended, ended.started.parent)
        if parent.stopping:
            self._to_children(parent, _cancel(parent))
        elif parent.held_at:
            # Also those that were started only after the word of it went round, or that it did not reach.
            self._to_children(parent, _hold(parent))

    async def _redrive(self, child: str, by: e.Actor, reason: str) -> None:
        """The step that the child does is tried again: the child goes on where it failed, or says that it cannot."""
        answer = await self._handle.submit(child, c.Redrive(by, reason))
        if answer.state.end is not None and answer.state.started.parent is not None:
            await self._tell(answer.state, answer.state.started.parent)

    async def _start_again(self, parent: RunState, path: str) -> None:
        seq = parent.steps[path].token
        for event in await self._store.events_at(parent.run, [seq]):
            asked = recorded(event).event
            if isinstance(asked, e.ChildStarted):
                await self._start(parent, asked)

    async def hand_over(self, state: RunState) -> None:
        """Hand over all that was sent to the correlations that the run waits for, perhaps before it did."""
        for _, step in state.opened(StepStatus.LISTENING):
            if step.awaits is not None and step.awaits.correlation is not None:
                await self._collect(state, step.awaits.signal, step.awaits.correlation)

    async def _collect_all(self, state: RunState, next_look: Due | None) -> None:
        """Then let the run be until its time comes: who only waits would be swept every moment from now on."""
        await self.hand_over(state)
        if next_look is not None and next_look.kind in (DueKind.TIMER, DueKind.HELD):
            await self._store.rest(state.run, state.seq, next_look.at)

    async def _collect(self, state: RunState, signal: str, correlation: str) -> None:
        """Hand over what was sent to whoever waits for this correlation, perhaps before anybody did."""
        for sent in await self._store.take_signals(state.run, signal, correlation, state.started.workspace):
            if sent.id in state.signals:
                continue
            letter = json.loads(sent.payload)
            by = e.Actor.model_validate(letter["by"])
            command = c.Signal(sent.id, signal, letter["payload"], by, correlation)
            answer = await self._handle.submit(state.run, command)
            if isinstance(answer.reply, c.NotAllowed):
                log.warning("%s does not take the signal %s: %s", state.run, sent.id, answer.reply.reason)

    async def _make_room(self, state: RunState, key: str) -> None:
        """The definition says that a new run ends those that hold its key."""
        for holder in await self._store.holders(slot_key(state, key)):
            if holder != state.run:
                await self._submit(holder, c.Cancel(BY_ENGINE, f"{state.run} takes its place for {key}"))


def _hold(state: RunState) -> c.Pause | c.Resume:
    """What the children of a run must hear, that was paused or resumed."""
    if state.paused is None:
        return c.Resume(BY_ENGINE, f"{state.run}, which it is a part of, goes on", state.held_at)
    return c.Pause(state.paused.by, state.paused.reason, state.held_at)


def _cancel(state: RunState) -> c.Cancel:
    """What the children of a run that stops must hear."""
    if state.cancel is not None:
        return c.Cancel(state.cancel.by, state.cancel.reason, state.seq)
    return c.Cancel(BY_ENGINE, f"{state.run}, which it was a part of, is stopping", state.seq)


async def _leniently(errand: Coroutine[Any, Any, None]) -> None:
    """Whatever goes wrong, the next look at the run tries it again."""
    try:
        await errand
    except EngineError as error:
        log.warning("An errand between runs is tried again later: %s", error)
    except Exception:
        log.exception("An errand between runs met a fault that nobody foresaw; it is tried again later.")
