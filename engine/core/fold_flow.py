"""The arms of the fold for loops, timers, signals and child runs."""

from __future__ import annotations

from typing import assert_never

from engine.core import events as e
from engine.core import paths
from engine.core.graph import Kind
from engine.core.state import Kept, Loop, RunState, StepState, StepStatus
from engine.core.transitions import LARGEST_UNIT, forget, launch, open_unit, put, settle
from engine.core.values import held


def evolve_flow(state: RunState, event: e.FlowEvent) -> RunState:
    match event:
        case e.ForEachStarted():
            return _items_began(state, event)
        case e.IterationStarted():
            return _pass_began(state, event)
        case e.TimerSet():
            return put(state, event.step, _set(state, event))
        case e.TimerFired():
            return _fired(state, event.step, state.steps[event.step])
        case e.SignalAwaited():
            listening = _begun(state, event.step, StepStatus.LISTENING)
            return put(state, event.step, listening._replace(awaits=event, wake_at=event.expires_at or 0))
        case e.SignalReceived():
            kept = state.kept.set(state.seq, Kept(event.signal, event.correlation, held(event.payload, state.seq)))
            return state._replace(kept=kept, signals=state.signals.set(event.id, state.seq))
        case e.SignalMatched():
            payload = state.kept[event.seq].payload
            step = state.steps[event.step]._replace(
                status=StepStatus.COMPLETED, output=payload, ended_at=state.at, awaits=None, wake_at=0
            )
            return settle(state._replace(kept=state.kept.delete(event.seq)), event.step, step)
        case e.ChildStarted():
            calling = _begun(state, event.step, StepStatus.CALLING)
            called = calling._replace(child=event.run, attempt=event.attempt, token=state.seq, retry_at=0)
            return put(state, event.step, called)
        case _:
            assert_never(event)


def _begun(state: RunState, path: str, status: StepStatus) -> StepState:
    step = state.step(path)
    return step._replace(status=status, attempt=max(step.attempt, 1), since=step.since or state.at, started_at=state.at)


def _items_began(state: RunState, event: e.ForEachStarted) -> RunState:
    count = event.count
    is_part = state.started.part is not None and event.step in state.plan.steps
    unit = 1 if count <= LARGEST_UNIT or is_part else LARGEST_UNIT
    loop = Loop(items=held(event.items, state.seq), first=event.first, total=count, unit=unit)
    return launch(put(state, event.step, _begun(state, event.step, StepStatus.OPEN)._replace(loop=loop)), event.step)


def _pass_began(state: RunState, event: e.IterationStarted) -> RunState:
    step = state.step(event.step)
    if event.iteration > 1 and not state.plan.compensated:
        state = forget(state, paths.iteration(event.step, event.iteration - 1))
    loop = (step.loop or Loop())._replace(launched=event.iteration, active=1, rested=False)
    state = put(state, event.step, _begun(state, event.step, StepStatus.OPEN)._replace(loop=loop))
    return open_unit(state, paths.iteration(event.step, event.iteration), step.generation)


def _set(state: RunState, event: e.TimerSet) -> StepState:
    """A sleep, or the pause of a repeat between two passes."""
    if state.step(event.step).status is StepStatus.OPEN:
        return state.steps[event.step]._replace(wake_at=event.at)
    return _begun(state, event.step, StepStatus.SLEEPING)._replace(wake_at=event.at)


def _fired(state: RunState, path: str, step: StepState) -> RunState:
    if step.loop is not None:
        return put(state, path, step._replace(wake_at=0, loop=step.loop._replace(rested=True)))
    if state.plan.node(path).kind is Kind.SIGNAL:
        # What a wait that has timed out means is said by the next event.
        return put(state, path, step._replace(wake_at=0, awaits=None))
    done = step._replace(status=StepStatus.COMPLETED, ended_at=state.at, wake_at=0)
    return settle(state, path, done)
