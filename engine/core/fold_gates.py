"""The arms of the fold for gates."""

from __future__ import annotations

from typing import assert_never

from pydantic import JsonValue

from engine.core import events as e
from engine.core.state import Gate, GateDecision, RunState, StepState, StepStatus, Verdict
from engine.core.transitions import put, settle


def evolve_gate(state: RunState, event: e.ApprovalEvent) -> RunState:
    if isinstance(event, e.ApprovalPresented):
        return state
    if isinstance(event, e.ApprovalRequested):
        gate = Gate(event, state.at, state.seq)
        step = state.step(event.step)
        asked = step._replace(status=StepStatus.WAITING, gate=gate, since=step.since or state.at, started_at=state.at)
        return put(state, event.step, asked)
    step = state.steps[event.step]
    gate = step.gate
    if gate is None:
        raise ValueError(f"{state.run} has {event.type} for {event.step}, which was never requested")
    match event:
        case e.ApprovalReminded():
            return put(state, event.step, step._replace(gate=gate._replace(reminded=event.count)))
        case e.ApprovalEscalated():
            return put(state, event.step, step._replace(gate=gate._replace(escalated=event.rung)))
        case e.ApprovalGranted():
            decision = GateDecision(Verdict.GRANTED, state.at, event.by, event.authority, event.reason)
        case e.ApprovalDenied():
            decision = GateDecision(Verdict.DENIED, state.at, event.by, event.authority, event.reason)
        case e.ApprovalExpired():
            decision = GateDecision(Verdict.EXPIRED, state.at, policy=event.policy)
        case _:
            assert_never(event)
    return _decided(state, event.step, step, gate._replace(decision=decision))


def _decided(state: RunState, path: str, step: StepState, gate: Gate) -> RunState:
    """A gate that lets the run go on is completed, with the decision as its output; any other is failed."""
    decision = gate.decision
    if decision is None:
        raise ValueError(f"{path} is not decided")
    granted = decision.verdict is Verdict.GRANTED or decision.policy == "approve"
    output: dict[str, JsonValue] = {
        "decision": decision.verdict.value,
        "by": decision.by.name if decision.by else None,
        "reason": decision.reason,
        "at": decision.at,
    }
    status = StepStatus.COMPLETED if granted else StepStatus.FAILED
    return settle(state, path, step._replace(status=status, gate=gate, output=output, ended_at=state.at))
