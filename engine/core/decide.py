"""What happens next: ``decide`` gives the events that a command leads to, and what its sender is told.

The one rule: it is a function of (state, command, now) and of nothing else. Timers that are due are fired before the
command is looked at, so that a late click finds the gate expired; the end of a run is guarded once, at the top.
Afterwards ``_advance`` takes the run as far as it goes: skips, opens gates, starts what the claim allows, ends it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from engine.core import commands as c
from engine.core import events as e
from engine.core.commands import Claim, Command, Reply
from engine.core.expressions import ExpressionError
from engine.core.failures import RETRIED, Failure, FailureClass
from engine.core.fold import begin, evolve
from engine.core.graph import Plan, PlannedStep
from engine.core.retry import backoff
from engine.core.state import Recorded, RunState, RunStatus, StepState, StepStatus

LOSSES_ALLOWED = 3
"""A step whose worker was lost this often is not tried again: it may be what kills the workers."""

CLAIM_GRACE = 30_000
"""How long after its timeout (ms) an attempt may still report; then its claim ends, whatever its worker's lease."""


@dataclass(frozen=True, slots=True)
class LostLease:
    """Condition of a decision: ``owner``'s lease has ended, or ``cap`` has passed, on the database's clock."""

    owner: str
    cap: int


@dataclass(frozen=True, slots=True)
class Decision:
    """``events`` to append at ``state.seq``'s end (none if nothing changed), if all ``conditions`` hold then."""

    events: tuple[Recorded, ...]
    state: RunState
    reply: Reply
    conditions: tuple[LostLease, ...] = ()


class _Draft:
    """The decision being made: the state so far, and the events that led to it. Local to one call of ``decide``."""

    __slots__ = ("conditions", "events", "now", "state")

    def __init__(self, state: RunState, now: int) -> None:
        self.state = state
        self.now = max(now, state.at)
        self.events: list[Recorded] = []
        self.conditions: list[LostLease] = []

    def record(self, event: e.Event) -> None:
        recorded = Recorded(self.state.seq + 1, self.now, event)
        self.state = evolve(self.state, recorded)
        self.events.append(recorded)

    def decision(self, reply: Reply) -> Decision:
        return Decision(tuple(self.events), self.state, reply, tuple(self.conditions))


def start(run: str, plan: Plan, event: e.RunStarted, now: int) -> Decision:
    """The first decision of a run: RUN_STARTED, and all that needs no worker."""
    draft = _Draft(begin(run, plan, event, now), now)
    draft.events.append(Recorded(1, now, event))
    _advance(draft, None)
    return draft.decision(c.Accepted())


def decide(state: RunState, command: Command, now: int) -> Decision:
    """What ``command`` leads to at ``now``. The given state is not changed; with no events the result's is the same."""
    draft = _Draft(state, now)
    if state.end is not None:
        return _after_end(draft, command, state.end.status)
    _fire_timers(draft)
    reply = _apply(draft, command)
    _advance(draft, _claim_of(command))
    return draft.decision(reply)


def _after_end(draft: _Draft, command: Command, status: RunStatus) -> Decision:
    """After the end only bookkeeping is recorded."""
    if isinstance(command, c.Succeed | c.Fail):
        return draft.decision(_report_too_late(draft, command))
    if isinstance(command, c.Vote):
        gate = draft.state.step(command.step).gate
        if gate is not None and gate.decision is not None:
            return draft.decision(c.AlreadyDecided(gate.decision))
    return draft.decision(c.Ended(status))


def _apply(draft: _Draft, command: Command) -> Reply:
    match command:
        case c.Look():
            _declare_lost(draft, command)
            return c.Accepted() if draft.events else c.Nothing()
        case c.Succeed() | c.Fail():
            return _report(draft, command)
        case c.HandBack():
            return _hand_back(draft, command)
        case c.BeginEffect() | c.RecordEffect() | c.LogLine():
            return _note(draft, command)
        case c.Vote():
            return _vote(draft, command)
        case c.Present():
            return _present(draft, command)
        case c.Cancel():
            if draft.state.end is None and draft.state.cancel is None:
                draft.record(e.RunCancelRequested(by=command.by, reason=command.reason))
            return c.Accepted()
        case _:
            assert_never(command)


def _claim_of(command: Command) -> Claim | None:
    return command.claim if isinstance(command, c.Look | c.Succeed | c.Fail) else None


# Attempts


def _current(draft: _Draft, step: str, token: int) -> StepState | None:
    """The step, if its attempt ``token`` is the one that counts."""
    state = draft.state.step(step)
    return state if state.status is StepStatus.RUNNING and state.token == token else None


def _report(draft: _Draft, command: c.Succeed | c.Fail) -> Reply:
    step = _current(draft, command.step, command.token)
    if step is None:
        return _report_too_late(draft, command)
    if isinstance(command, c.Succeed):
        draft.record(e.StepCompleted(step=command.step, attempt=step.attempt, output=command.output))
    else:
        _fail(draft, command.step, step, command.failure)
    return c.Accepted()


def _report_too_late(draft: _Draft, command: c.Succeed | c.Fail) -> Reply:
    step = draft.state.step(command.step)
    if step.token == command.token and step.failure is None and step.status is StepStatus.COMPLETED:
        return c.Accepted()  # the same report again: its first copy was recorded
    outcome = "completed" if isinstance(command, c.Succeed) else "failed"
    if outcome == "completed":
        refused = e.LateResultRefused(step=command.step, attempt=step.attempt, worker=command.worker, outcome=outcome)
        draft.record(refused)
    return c.Stale()


def _fail(draft: _Draft, step_id: str, step: StepState, failure: Failure) -> None:
    """Record the failure and, if another attempt is due, when it will start. A run that stops tries nothing again."""
    stopping = draft.state.stopping
    draft.record(e.StepFailed(step=step_id, attempt=step.attempt, failure=failure))
    if stopping or failure.cls not in RETRIED:
        return
    policy = draft.state.plan.steps[step_id].step.retry
    if failure.cls is FailureClass.WORKER_LOST:
        if step.losses + 1 < LOSSES_ALLOWED:
            again = e.StepRetried(step=step_id, attempt=step.attempt, of=policy.attempts, at=draft.now)
            draft.record(again)
        return
    if step.attempt < policy.attempts:
        pause = backoff(policy, step.attempt, failure, f"{draft.state.run}/{step_id}")
        at = draft.now + pause
        draft.record(e.StepRetried(step=step_id, attempt=step.attempt + 1, of=policy.attempts, at=at))


def _hand_back(draft: _Draft, command: c.HandBack) -> Reply:
    step = _current(draft, command.step, command.token)
    if step is None:
        return c.Stale()
    draft.record(e.StepHandedBack(step=command.step, attempt=step.attempt, worker=command.worker))
    return c.Accepted()


def _declare_lost(draft: _Draft, look: c.Look) -> None:
    """Give up on attempts whose claim has run out; the append holds only if the database agrees."""
    if look.claim is None:
        return
    now, own = look.claim.now, look.claim.worker
    for step_id, step in tuple(draft.state.opened(StepStatus.RUNNING)):
        out_of_lease = step.lease_until < now and step.worker != own and step.worker not in look.alive
        if not out_of_lease and step.lease_cap >= now:
            continue
        draft.conditions.append(LostLease(step.worker, step.lease_cap))
        lost = Failure(cls=FailureClass.WORKER_LOST, message="its worker stopped answering")
        _fail(draft, step_id, step, lost)


def _note(draft: _Draft, command: c.BeginEffect | c.RecordEffect | c.LogLine) -> Reply:
    """What a running step records about itself."""
    step = _current(draft, command.step, command.token)
    if step is None:
        return c.Stale()
    if isinstance(command, c.LogLine):
        draft.record(e.StepLogged(step=command.step, attempt=step.attempt, text=command.text))
        return c.Accepted()
    known = step.effects.get(command.effect)
    if known is not None and known.recorded:
        return c.EffectKnown(known.result)
    if isinstance(command, c.RecordEffect):
        if known is None:
            return c.Stale()
        draft.record(e.EffectRecorded(step=command.step, effect=command.effect, result=command.result))
    elif known is None:
        draft.record(e.EffectStarted(step=command.step, effect=command.effect, key=command.key))
    return c.Accepted()


# Gates


def _vote(draft: _Draft, vote: c.Vote) -> Reply:
    step = draft.state.step(vote.step)
    gate = step.gate
    if gate is None or (vote.asked_seq is not None and vote.asked_seq != gate.asked_seq):
        return c.NotOpen(vote.step)
    if gate.decision is not None:
        return c.AlreadyDecided(gate.decision)
    if draft.state.stopping:
        return c.Ended(draft.state.status)
    starter = draft.state.started.by
    if not gate.request.allow_self and (starter.via, starter.id) == (vote.by.via, vote.by.id):
        return c.NotAllowed("whoever started the run may not decide here")
    decided = e.ApprovalGranted if vote.granted else e.ApprovalDenied
    draft.record(decided(step=vote.step, by=vote.by, authority=vote.authority, reason=vote.reason))
    return c.Accepted()


def _present(draft: _Draft, command: c.Present) -> Reply:
    if draft.state.step(command.step).gate is None:
        return c.NotOpen(command.step)
    draft.record(e.ApprovalPresented(step=command.step, where=command.where, digest=command.digest))
    return c.Accepted()


def _fire_timers(draft: _Draft) -> None:
    """Expire, escalate and remind where it is time. A gate found expired is not escalated any more."""
    for step_id, step in tuple(draft.state.opened(StepStatus.WAITING)):
        if draft.state.stopping:
            return
        if step.gate is None:
            continue
        if step.gate.request.expires_at <= draft.now:
            draft.record(e.ApprovalExpired(step=step_id, policy=step.gate.request.on_expiry))
            continue
        for rung, asked in enumerate(step.gate.request.escalate[step.gate.escalated :], step.gate.escalated + 1):
            if asked.at <= draft.now:
                draft.record(e.ApprovalEscalated(step=step_id, rung=rung, to=asked.to))
        every = step.gate.request.remind_every
        if every is not None and (passed := (draft.now - step.gate.asked_at) // every) > step.gate.reminded:
            draft.record(e.ApprovalReminded(step=step_id, count=passed))


# What follows


def _advance(draft: _Draft, claim: Claim | None) -> None:
    """Take the run as far as it goes without waiting."""
    slots = claim.slots if claim else 0
    moved = True
    while moved and not draft.state.stopping:
        moved = False
        for step_id in draft.state.open:
            if draft.state.stopping:
                break
            step = draft.state.steps[step_id]
            if step.status is StepStatus.READY:
                moved = _pass_or_open(draft, draft.state.plan.steps[step_id]) or moved
                if draft.state.steps[step_id].status is not StepStatus.READY:
                    continue
            if claim and slots > 0 and _claimable(step, draft.now):
                slots -= _claim_step(draft, step_id, step, claim)
    _end_if_over(draft)


def _claimable(step: StepState, now: int) -> bool:
    return step.status is StepStatus.READY or (step.status is StepStatus.RETRYING and step.retry_at <= now)


def _pass_or_open(draft: _Draft, planned: PlannedStep) -> bool:
    """Skip the ready step, open its gate, or leave it to a worker (False). A mistake in an expression fails it."""
    step_id = planned.step.id
    steps = draft.state.steps
    if planned.explicit and planned.needs and all(steps[n].status is StepStatus.SKIPPED for n in planned.needs):
        draft.record(e.StepSkipped(step=step_id, reason="everything that it needs was skipped"))
        return True
    try:
        scope = draft.state.scope()
        if planned.condition is not None and steps[step_id].token == 0 and not planned.condition.holds(scope):
            draft.record(e.StepSkipped(step=step_id, reason=f"its condition was not met: {planned.step.if_}"))
            return True
        if planned.step.approval is not None:
            draft.record(_request(draft, planned))
            return True
    except ExpressionError as error:
        failure = Failure(cls=FailureClass.INVALID_INPUT, message=str(error))
        draft.record(e.StepFailed(step=step_id, attempt=1, failure=failure))
        return True
    return False


def _request(draft: _Draft, planned: PlannedStep) -> e.ApprovalRequested:
    approval = planned.step.approval
    if approval is None or planned.title is None or planned.show is None:
        raise ValueError(f"{planned.step.id} is not a gate")
    scope = draft.state.scope()
    ladder = tuple(e.AskedLater(at=draft.now + rung.after, to=rung.to) for rung in approval.escalate)
    return e.ApprovalRequested(
        step=planned.step.id,
        title=planned.title.render_text(scope),
        show=planned.show.render(scope),
        approvers=approval.approvers,
        allow_self=approval.allow_self,
        expires_at=draft.now + approval.expires_in,
        on_expiry=approval.on_expiry.value,
        remind_every=approval.remind_every,
        escalate=ladder,
    )


def _claim_step(draft: _Draft, step_id: str, step: StepState, claim: Claim) -> int:
    """Start the step for the claiming worker; returns the slots taken."""
    planned = draft.state.plan.steps[step_id]
    uses = planned.step.uses or ""
    if uses not in claim.steps:
        if not step.awaited:
            draft.record(e.StepAwaitedWorker(step=step_id, uses=uses))
        return 0
    cap = claim.now + planned.step.timeout + CLAIM_GRACE
    started = e.StepStarted(
        step=step_id,
        attempt=max(step.attempt, 1),
        worker=claim.worker,
        lease_until=claim.until,
        lease_cap=cap,
    )
    draft.record(started)
    return 1


def _end_if_over(draft: _Draft) -> None:
    """Record the one terminal event, once nothing runs any more."""
    state = draft.state
    if not state.stopping:
        if state.unfinished == 0:
            draft.record(e.RunCompleted())
        return
    if any(True for _ in state.opened(StepStatus.RUNNING)):
        return
    if state.cancel is not None:
        draft.record(e.RunCancelled(by=state.cancel.by, reason=state.cancel.reason))
    elif state.failed_step is not None:
        draft.record(_run_failed(state, state.failed_step))


def _run_failed(state: RunState, step_id: str) -> e.RunFailed:
    step = state.steps[step_id]
    decision = step.gate.decision if step.gate else None
    if decision is None:
        reason = step.failure.message if step.failure else "it failed"
        return e.RunFailed(step=step_id, kind="failure", reason=reason)
    if decision.by is None:
        return e.RunFailed(step=step_id, kind="expired", reason="nobody decided in time")
    return e.RunFailed(step=step_id, kind="denied", reason=f"denied by {decision.by.name}" + _because(decision.reason))


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""
