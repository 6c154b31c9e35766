"""The arms of the fold for gates."""

from __future__ import annotations

from typing import assert_never

from pydantic import JsonValue

from engine.core import events as e
from engine.core.gates import Ballot, Delegated, Edit, Gate, GateDecision, Snoozed, Verdict, same
from engine.core.state import Changes, RunState, StepState, StepStatus
from engine.core.transitions import put, settle


def evolve_gate(state: RunState, event: e.ApprovalEvent) -> RunState:
    if isinstance(event, e.ApprovalRequested):
        gate = Gate(event, state.at, state.seq, stage_at=state.at)
        step = state.step(event.step)
        asked = step._replace(status=StepStatus.WAITING, gate=gate, since=step.since or state.at, started_at=state.at)
        return put(state, event.step, asked)
    if isinstance(event, e.ApprovalPresented) and event.clock is None:
        return state
    step = state.steps[event.step]
    gate = step.gate
    if gate is None:
        raise ValueError(f"{state.run} has {event.type} for {event.step}, which was never requested")
    if isinstance(event, e.ApprovalGranted | e.ApprovalDenied | e.ApprovalExpired):
        return _ended(state, event, step, gate)
    if isinstance(event, e.ApprovalChangesRequested):
        times = state.changes.times if state.changes is not None else 0
        state = state._replace(changes=Changes(event.step, event.comment, event.by, state.at, times + 1))
    return put(state, event.step, step._replace(gate=_going_on(state, event, gate)))


_GoingOn = (
    e.ApprovalPresented
    | e.ApprovalReminded
    | e.ApprovalEscalated
    | e.ApprovalVoted
    | e.ApprovalStageOpened
    | e.ApprovalEdited
    | e.ApprovalChangesRequested
    | e.ApprovalDelegated
    | e.ApprovalSnoozed
)


def _going_on(state: RunState, event: _GoingOn, gate: Gate) -> Gate:
    """The gate after what does not decide it."""
    match event:
        case e.ApprovalPresented():
            return gate if event.clock is None else gate._replace(request=_with_clock(gate.request, event.clock))
        case e.ApprovalReminded():
            return gate._replace(reminded=event.count)
        case e.ApprovalEscalated():
            return gate._replace(escalated=event.rung)
        case e.ApprovalVoted():
            return gate._replace(votes=(*gate.votes, _ballot(state, event)))
        case e.ApprovalStageOpened():
            return gate._replace(stage=event.stage, stage_at=state.at)
        case e.ApprovalEdited():
            return gate._replace(stage=0, stage_at=state.at, votes=(), edited=Edit(state.seq, state.at, event))
        case e.ApprovalChangesRequested():
            return gate._replace(votes=(), changes=event)
        case e.ApprovalDelegated():
            others = (one for one in gate.delegated if not same(one.by, event.by))
            delegated = Delegated(state.at, event.by, event.to, event.authority)
            return gate._replace(delegated=(*others, delegated))
        case e.ApprovalSnoozed():
            others = (one for one in gate.snoozed if not same(one.by, event.by))
            return gate._replace(snoozed=(*others, Snoozed(event.by, event.until)))
        case _:
            assert_never(event)


def _with_clock(request: e.ApprovalRequested, clock: e.AskedClock) -> e.ApprovalRequested:
    hours = request.hours
    theirs = None if hours is None else hours.model_copy(update={"zones": clock.zones})
    return request.model_copy(update={"hours": theirs, "expires_at": clock.expires_at, "escalate": clock.escalate})


def _ballot(state: RunState, event: e.ApprovalVoted | e.ApprovalGranted) -> Ballot:
    return Ballot(state.seq, state.at, event.by, event.stage, event.authority, event.reason, event.on_behalf_of)


def _ended(
    state: RunState, event: e.ApprovalGranted | e.ApprovalDenied | e.ApprovalExpired, step: StepState, gate: Gate
) -> RunState:
    """A gate whose time is over may wait on; any other end decides it."""
    if isinstance(event, e.ApprovalExpired):
        if event.policy == "wait":
            return put(state, event.step, step._replace(gate=gate._replace(overdue=True)))
        decision = GateDecision(Verdict.EXPIRED, state.at, policy=event.policy)
        return _decided(state, event.step, step, gate._replace(decision=decision))
    granted = isinstance(event, e.ApprovalGranted)
    decision = GateDecision(
        Verdict.GRANTED if granted else Verdict.DENIED,
        state.at,
        event.by,
        event.authority,
        event.reason,
        on_behalf_of=event.on_behalf_of,
    )
    votes = (*gate.votes, _ballot(state, event)) if isinstance(event, e.ApprovalGranted) else gate.votes
    return _decided(state, event.step, step, gate._replace(decision=decision, votes=votes))


def _decided(state: RunState, path: str, step: StepState, gate: Gate) -> RunState:
    """A gate that lets the run go on is completed, with the decision as its output; any other is failed."""
    decision = gate.decision
    if decision is None:
        raise ValueError(f"{path} is not decided")
    output: dict[str, JsonValue] = {
        "decision": decision.verdict.value,
        "by": decision.by.name if decision.by else None,
        "reason": decision.reason,
        "at": decision.at,
    }
    if gate.request.evidence:  # as an earlier release asked, it had none of these
        output |= {"approved_by": [ballot.seat.name for ballot in gate.votes], "fields": dict(gate.fields)}
    status = StepStatus.COMPLETED if decision.lets_through else StepStatus.FAILED
    return settle(state, path, step._replace(status=status, gate=gate, output=output, ended_at=state.at))
