"""What a run is, as a fold of its events: ``evolve`` takes a state and one event, and gives the next state.

The rules of a step, all of them; the arms for steps, loops and gates are in the modules beside this one:

    pending ──needs ended──▶ ready ──STEP_STARTED──▶ running ──STEP_COMPLETED──▶ completed
                              │ ▲                     │ │ └─────STEP_FAILED────▶ failed ──STEP_RETRIED──▶ retrying
                              │ ├──STEP_HANDED_BACK───┘ │                          │                         │
                              │                         ◀──────────────────STEP_STARTED──────────────────────┘
                              │                             └──STEP_UNCERTAIN─▶ uncertain ─STEP_SETTLED▶ ended, or ready
                              │                             ├──STEP_CORRECTING─▶ correcting ──STEP_CORRECTED──▶ ready
                              │                             └──STEP_GIVEN_UP──▶ given up ─STEP_SETTLED▶ ended, or ready
                              ├──APPROVAL_REQUESTED──▶ waiting ──APPROVAL_GRANTED──▶ completed
                              │                           └──APPROVAL_DENIED, APPROVAL_EXPIRED──▶ failed (or completed)
                              ├──TIMER_SET──▶ sleeping ──TIMER_FIRED──▶ completed
                              ├──SIGNAL_AWAITED──▶ listening ──SIGNAL_MATCHED──▶ completed (or TIMER_FIRED: by policy)
                              ├──CHILD_STARTED──▶ calling ──STEP_COMPLETED, STEP_FAILED──▶ as above
                              ├──FOR_EACH_STARTED, ITERATION_STARTED──▶ open ──STEP_COMPLETED, STEP_FAILED──▶ as above
                              ├──STEP_HELD──▶ held ──STEP_RELEASED──▶ ready (also from running and retrying)
                              └──STEP_SKIPPED──▶ skipped

and of a run: forward; then, if it fails or is cancelled, what it did is undone; then ``on_failure``. Each phase has
steps of its own. Time is an argument and nothing is remembered beside the state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import assert_never

from immutables import Map

from engine.core import events as e
from engine.core import paths
from engine.core.fold_corrections import evolve_correction
from engine.core.fold_flow import evolve_flow
from engine.core.fold_gates import evolve_gate
from engine.core.fold_spending import evolve_spending
from engine.core.fold_steps import evolve_step
from engine.core.graph import Plan
from engine.core.moving import moved
from engine.core.state import READY, End, GroupState, Phase, Recorded, RunState, RunStatus
from engine.core.transitions import begin as begin_step
from engine.core.transitions import forget, open_group, reopen
from engine.core.values import held

Plans = Mapping[str, Plan]
"""The plans of the definitions that a run was moved to, by their hashes."""

NO_PLANS: Plans = {}


def begin(run: str, plan: Plan, event: e.RunStarted, at: int) -> RunState:
    """The state after RUN_STARTED, its first event: the steps that need nothing are ready."""
    roots = tuple(plan.roots)
    timeout = plan.workflow.timeout
    return RunState(
        run=run,
        plan=plan,
        definition=event.definition,
        started=event,
        seq=1,
        at=at,
        started_at=at,
        steps=Map(dict.fromkeys(roots, READY)),
        open=roots,
        groups=Map({"": GroupState(len(plan.steps))}),
        labels=Map(event.labels),
        queued=event.concurrency is not None,
        deadline=None if timeout is None else at + timeout,
    )


def fold(run: str, plan: Plan, history: Iterable[Recorded], plans: Plans = NO_PLANS) -> RunState:
    """The state after ``history``, whose first event is RUN_STARTED."""
    events = iter(history)
    first = next(events)
    if not isinstance(first.event, e.RunStarted):
        raise ValueError(f"{run} does not begin with RUN_STARTED but with {first.event.type}")
    state = begin(run, plan, first.event, first.at)
    for recorded in events:
        state = evolve(state, recorded, plans)
    return state


def evolve(state: RunState, recorded: Recorded, plans: Plans = NO_PLANS) -> RunState:
    """The state after one more event. Every event of the union has its arm; an omission fails type checking."""
    event = recorded.event
    state = state._replace(seq=recorded.seq, at=recorded.at)
    if isinstance(event, e.StepEvent):
        return evolve_step(state, event)
    if isinstance(event, e.ApprovalEvent):
        return evolve_gate(state, event)
    if isinstance(event, e.FlowEvent):
        return evolve_flow(state, event)
    if isinstance(event, e.CorrectionEvent):
        return evolve_correction(state, event)
    if isinstance(event, e.SpendingEvent):
        return evolve_spending(state, event)
    if isinstance(event, e.RunCompleted | e.RunFailed | e.RunCancelled):
        return _over(state, _end_of(event, state.seq, state.at))
    if isinstance(event, e.RunMoved):
        return moved(state, event, plans[event.definition])
    return _evolve_run(state, event)


_RunEvent = (
    e.RunStarted
    | e.RunAdmitted
    | e.RunPaused
    | e.RunResumed
    | e.RunCancelRequested
    | e.RunTimedOut
    | e.RunUndoing
    | e.RunFailureHandling
    | e.RunReopened
    | e.RunLabelled
)


def _evolve_run(state: RunState, event: _RunEvent) -> RunState:
    match event:
        case e.RunStarted():
            raise ValueError(f"{state.run} has a second RUN_STARTED, at seq {state.seq}")
        case e.RunAdmitted():
            return state._replace(queued=False)
        case e.RunPaused() | e.RunResumed():
            return _held(state, event)
        case e.RunCancelRequested():
            return state._replace(cancel=event)
        case e.RunTimedOut():
            return state._replace(timed_out=True)
        case e.RunUndoing():
            undoing = _freed(state)._replace(phase=Phase.UNDOING, undoing=event.steps, open=())
            return begin_step(undoing, paths.undo(event.steps[0]), READY)
        case e.RunFailureHandling():
            handling = _freed(state)._replace(phase=Phase.HANDLING, open=())
            return open_group(handling, paths.ON_FAILURE, state.plan.group(paths.ON_FAILURE), 1 + state.reopened)
        case e.RunReopened():
            return _reopened(state)
        case e.RunLabelled():
            return state._replace(labels=_labelled(state.labels, event.labels))
        case _:
            assert_never(event)


def _held(state: RunState, event: e.RunPaused | e.RunResumed) -> RunState:
    """A run is held by a pause of its own and by its parent's, each until its own resumption."""
    pause = event if isinstance(event, e.RunPaused) else None
    if event.order is None:
        return state._replace(own_pause=pause, held_at=state.seq)
    return state._replace(parent_pause=pause, parent_order=event.order, held_at=state.seq)


def _labelled(labels: Map[str, str], changes: Mapping[str, str | None]) -> Map[str, str]:
    for name, value in changes.items():
        if value is not None:
            labels = labels.set(name, value)
        elif name in labels:
            labels = labels.delete(name)
    return labels


def _end_of(event: e.RunCompleted | e.RunFailed | e.RunCancelled, seq: int, at: int) -> End:
    match event:
        case e.RunCompleted():
            return End(RunStatus.COMPLETED, at, output=held(event.output, seq))
        case e.RunFailed():
            return End(RunStatus.FAILED, at, event.reason, event.step, event.kind)
        case e.RunCancelled():
            return End(RunStatus.CANCELLED, at, event.reason)


def _freed(state: RunState) -> RunState:
    """A run that stops is held back by nothing: what it did is undone and told of, though it was paused or in line."""
    return state._replace(own_pause=None, parent_pause=None, queued=False)


def _over(state: RunState, end: End) -> RunState:
    over = _freed(state)._replace(end=end)
    # A run that failed may be reopened, and then its signals are waited for again.
    return over if end.status is RunStatus.FAILED else over._replace(kept=Map())


def _reopened(state: RunState) -> RunState:
    """The run goes on as it was before it stopped; which of its steps are tried again is said by the next events."""
    timeout = state.plan.workflow.timeout
    state = state._replace(
        end=None,
        phase=Phase.FORWARD,
        timed_out=False,
        deadline=None if timeout is None else state.at + timeout,
        reopened=state.reopened + 1,
    )
    for id_ in state.plan.groups[paths.ON_FAILURE].steps if paths.ON_FAILURE in state.groups else ():
        state = forget(state, paths.in_group(paths.ON_FAILURE, id_))
    if paths.ON_FAILURE in state.groups:
        state = state._replace(groups=state.groups.delete(paths.ON_FAILURE))
    return reopen(state)
