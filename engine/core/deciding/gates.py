"""Gates: their opening, and the decisions that people take."""

from __future__ import annotations

from engine.core import commands as c
from engine.core import events as e
from engine.core.commands import Reply
from engine.core.deciding.draft import Draft
from engine.core.graph import PlannedStep
from engine.core.state import RunState, StepStatus


def vote(draft: Draft, command: c.Vote) -> Reply:
    path = _asked_at(draft.state, command)
    gate = draft.state.step(path).gate
    if gate is None or (command.asked_seq is not None and command.asked_seq != gate.asked_seq):
        return c.NotOpen(command.step)
    if gate.decision is not None:
        return c.AlreadyDecided(gate.decision)
    if path not in draft.state.open or draft.state.stopping:
        return c.Ended(draft.state.status)
    starter = draft.state.started.by
    if not gate.request.allow_self and (starter.via, starter.id) == (command.by.via, command.by.id):
        return c.NotAllowed("whoever started the run may not decide here")
    decided = e.ApprovalGranted if command.granted else e.ApprovalDenied
    draft.record(decided(step=path, by=command.by, authority=command.authority, reason=command.reason))
    return c.Accepted()


def _asked_at(state: RunState, command: c.Vote) -> str:
    """Where the asking that the person saw is now: the step may have been renamed since."""
    for path, step in state.opened(StepStatus.WAITING):
        if step.gate is not None and step.gate.asked_seq == command.asked_seq:
            return path
    return command.step


def present(draft: Draft, command: c.Present) -> Reply:
    if draft.state.step(command.step).gate is None:
        return c.NotOpen(command.step)
    draft.record(e.ApprovalPresented(step=command.step, where=command.where, digest=command.digest))
    return c.Accepted()


def request(draft: Draft, path: str, planned: PlannedStep) -> None:
    """Open the gate: what people are to see is fixed now. Raises ``ExpressionError``."""
    approval = planned.step.approval
    if approval is None or planned.title is None or planned.show is None:
        raise ValueError(f"{path} is not a gate")
    scope = draft.scope(path, planned.references)
    ladder = tuple(e.AskedLater(at=draft.now + rung.after, to=rung.to) for rung in approval.escalate)
    draft.record(
        e.ApprovalRequested(
            step=path,
            title=planned.title.render_text(scope),
            show=planned.show.render(scope),
            approvers=approval.approvers,
            allow_self=approval.allow_self,
            expires_at=draft.now + approval.expires_in,
            on_expiry=approval.on_expiry.value,
            remind_every=approval.remind_every,
            escalate=ladder,
        )
    )
