"""What a run is, as a fold of its events: ``evolve`` takes a state and one event, and gives the next state.

The rules of a step, all of them:

    pending ──needs ended──▶ ready ──STEP_STARTED──▶ running ──STEP_COMPLETED──▶ completed
                              │ ▲                     │  │ └────STEP_FAILED────▶ failed ──STEP_RETRIED──▶ retrying
                              │ └──STEP_HANDED_BACK───┘  │                                                   │
                              │                          └◀──────────────────STEP_STARTED────────────────────┘
                              ├──APPROVAL_REQUESTED──▶ waiting ──APPROVAL_GRANTED──▶ completed
                              │                           └──APPROVAL_DENIED, APPROVAL_EXPIRED──▶ failed (or completed)
                              └──STEP_SKIPPED──▶ skipped

Time is an argument and nothing is remembered beside the state.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from immutables import Map
from pydantic import JsonValue

from engine.core import events as e
from engine.core.failures import FailureClass
from engine.core.graph import Plan
from engine.core.state import (
    READY,
    Effect,
    End,
    Gate,
    GateDecision,
    Recorded,
    RunState,
    RunStatus,
    StepState,
    StepStatus,
    Verdict,
)

_ENDED_STEP = frozenset({StepStatus.COMPLETED, StepStatus.FAILED, StepStatus.SKIPPED})


def begin(run: str, plan: Plan, event: e.RunStarted, at: int) -> RunState:
    """The state after RUN_STARTED, its first event: the steps that need nothing are ready."""
    roots = tuple(plan.roots)
    return RunState(
        run=run,
        plan=plan,
        started=event,
        seq=1,
        at=at,
        started_at=at,
        steps=Map(dict.fromkeys(roots, READY)),
        open=roots,
        unfinished=len(plan.steps),
    )


def fold(run: str, plan: Plan, history: Iterable[Recorded]) -> RunState:
    """The state after ``history``, whose first event is RUN_STARTED."""
    events = iter(history)
    first = next(events)
    if not isinstance(first.event, e.RunStarted):
        raise ValueError(f"{run} does not begin with RUN_STARTED but with {first.event.type}")
    state = begin(run, plan, first.event, first.at)
    for recorded in events:
        state = evolve(state, recorded)
    return state


def evolve(state: RunState, recorded: Recorded) -> RunState:
    """The state after one more event. Every event of the union has its arm; an omission fails type checking."""
    event, at = recorded.event, recorded.at
    state = state._replace(seq=recorded.seq, at=at)
    match event:
        case e.RunStarted():
            raise ValueError(f"{state.run} has a second RUN_STARTED, at seq {recorded.seq}")
        case e.RunCancelRequested():
            return state._replace(cancel=event)
        case e.RunCompleted():
            return state._replace(end=End(RunStatus.COMPLETED, at))
        case e.RunFailed():
            return state._replace(end=End(RunStatus.FAILED, at, event.reason, event.step, event.kind))
        case e.RunCancelled():
            return state._replace(end=End(RunStatus.CANCELLED, at, event.reason))
        case e.LateResultRefused() | e.ApprovalPresented():
            return state
        case (
            e.ApprovalRequested()
            | e.ApprovalReminded()
            | e.ApprovalEscalated()
            | e.ApprovalGranted()
            | e.ApprovalDenied()
            | e.ApprovalExpired()
        ):
            return _evolve_gate(state, event)
        case _:
            return _evolve_step(state, event)


_StepEvent = (
    e.StepStarted
    | e.StepCompleted
    | e.StepFailed
    | e.StepRetried
    | e.StepHandedBack
    | e.StepSkipped
    | e.StepAwaitedWorker
    | e.StepLogged
    | e.EffectStarted
    | e.EffectRecorded
)


def _evolve_step(state: RunState, event: _StepEvent) -> RunState:
    step = state.step(event.step)
    match event:
        case e.StepStarted():
            return _put(state, event.step, _started(step, event, state))
        case e.StepCompleted():
            ended = step._replace(
                status=StepStatus.COMPLETED, output=event.output, ended_at=state.at, effects=Map(), failure=None
            )
            return _ended(state, event.step, ended)
        case e.StepFailed():
            losses = step.losses + (event.failure.cls is FailureClass.WORKER_LOST)
            failed = step._replace(status=StepStatus.FAILED, failure=event.failure, ended_at=state.at, losses=losses)
            return _failing(_ended(state, event.step, failed), event.step)
        case e.StepRetried():
            waiting = step._replace(status=StepStatus.RETRYING, retry_at=event.at, attempt=event.attempt, ended_at=0)
            return _reopened(state, event.step, waiting)
        case e.StepHandedBack():
            return _put(state, event.step, step._replace(status=StepStatus.READY, worker=""))
        case e.StepSkipped():
            return _ended(state, event.step, step._replace(status=StepStatus.SKIPPED, ended_at=state.at))
        case e.StepAwaitedWorker():
            return _put(state, event.step, step._replace(awaited=True))
        case e.StepLogged():
            return _put(state, event.step, step._replace(log=(*step.log, event.text)))
        case e.EffectStarted():
            known = step.effects.set(event.effect, Effect(event.key))
            return _put(state, event.step, step._replace(effects=known))
        case e.EffectRecorded():
            begun = step.effects[event.effect]
            known = step.effects.set(event.effect, Effect(begun.key, recorded=True, result=event.result))
            return _put(state, event.step, step._replace(effects=known))
        case _:
            assert_never(event)


_GateEvent = (
    e.ApprovalRequested
    | e.ApprovalReminded
    | e.ApprovalEscalated
    | e.ApprovalGranted
    | e.ApprovalDenied
    | e.ApprovalExpired
)


def _evolve_gate(state: RunState, event: _GateEvent) -> RunState:
    if isinstance(event, e.ApprovalRequested):
        gate = Gate(event, state.at, state.seq)
        waiting = state.step(event.step)._replace(status=StepStatus.WAITING, gate=gate, started_at=state.at)
        return _put(state, event.step, waiting)
    step = state.steps[event.step]
    gate = step.gate
    if gate is None:
        raise ValueError(f"{state.run} has {event.type} for {event.step}, which was never requested")
    match event:
        case e.ApprovalReminded():
            return _put(state, event.step, step._replace(gate=gate._replace(reminded=event.count)))
        case e.ApprovalEscalated():
            return _put(state, event.step, step._replace(gate=gate._replace(escalated=event.rung)))
        case e.ApprovalGranted():
            decision = GateDecision(Verdict.GRANTED, state.at, event.by, event.authority, event.reason)
        case e.ApprovalDenied():
            decision = GateDecision(Verdict.DENIED, state.at, event.by, event.authority, event.reason)
        case e.ApprovalExpired():
            decision = GateDecision(Verdict.EXPIRED, state.at, policy=event.policy)
        case _:
            assert_never(event)
    return _decided(state, event.step, step, gate._replace(decision=decision))


def _decided(state: RunState, step_id: str, step: StepState, gate: Gate) -> RunState:
    """A gate that lets the run go on is completed, with the decision as its output; any other is failed."""
    decision = gate.decision
    if decision is None:
        raise ValueError(f"{step_id} is not decided")
    granted = decision.verdict is Verdict.GRANTED or decision.policy == "approve"
    output: dict[str, JsonValue] = {
        "decision": decision.verdict.value,
        "by": decision.by.name if decision.by else None,
        "reason": decision.reason,
        "at": decision.at,
    }
    status = StepStatus.COMPLETED if granted else StepStatus.FAILED
    after = _ended(state, step_id, step._replace(status=status, gate=gate, output=output, ended_at=state.at))
    return after if granted else _failing(after, step_id)


def _started(step: StepState, event: e.StepStarted, state: RunState) -> StepState:
    return step._replace(
        status=StepStatus.RUNNING,
        attempt=event.attempt,
        token=state.seq,
        worker=event.worker,
        lease_until=event.lease_until,
        lease_cap=event.lease_cap,
        started_at=state.at,
        retry_at=0,
    )


def _put(state: RunState, step: str, value: StepState) -> RunState:
    return state._replace(steps=state.steps.set(step, value))


def _ended(state: RunState, step: str, value: StepState) -> RunState:
    """``step`` has ended: it is no longer open, and the steps that waited for it alone are ready."""
    steps = state.steps.set(step, value)
    opened = [s for s in state.open if s != step]
    if value.status is not StepStatus.FAILED:
        for dependent in state.plan.steps[step].dependents:
            needs = state.plan.steps[dependent].needs
            if dependent not in steps and all(_has_ended(steps, need) for need in needs):
                steps = steps.set(dependent, READY)
                opened.append(dependent)
    return state._replace(steps=steps, open=tuple(opened), unfinished=state.unfinished - 1)


def _failing(state: RunState, step: str) -> RunState:
    """The run fails because of ``step``, unless another one was first: that stays the reason."""
    return state if state.failed_step is not None else state._replace(failed_step=step)


def _has_ended(steps: Map[str, StepState], step: str) -> bool:
    state = steps.get(step)
    return state is not None and state.status in _ENDED_STEP


def _reopened(state: RunState, step: str, value: StepState) -> RunState:
    """A failed step will be tried again: the run is no longer failing because of it."""
    return state._replace(
        steps=state.steps.set(step, value),
        open=(*state.open, step),
        unfinished=state.unfinished + 1,
        failed_step=None if state.failed_step == step else state.failed_step,
    )
