"""What follows: takes a run as far as it goes without waiting for anybody.

The one rule: whatever a command has changed, the consequences are drawn here, and nowhere else.
"""

from __future__ import annotations

from engine.core import events as e
from engine.core import paths
from engine.core.commands import Claim, SlotFree
from engine.core.deciding.attempts import CLAIM_GRACE
from engine.core.deciding.correcting import conclude
from engine.core.deciding.covers import unapproved
from engine.core.deciding.draft import BY_ENGINE, Draft
from engine.core.deciding.failing import fail, words_of
from engine.core.deciding.holding import held_by_switch
from engine.core.deciding.loops import go_on
from engine.core.deciding.opening import call_again, open_step
from engine.core.deciding.places import halted
from engine.core.deciding.signals import match
from engine.core.deciding.spending import let_go
from engine.core.expressions import ExpressionError
from engine.core.graph import Kind
from engine.core.state import AT_WORK, Phase, RunState, StepState, StepStatus


def advance(draft: Draft, claim: Claim | None) -> None:
    """Skip, open, start what the claim allows; undo what was done if the run stops; end it when it is over."""
    slots = _Slots(claim)
    _admit(draft, claim)
    moved = True
    while moved and draft.state.end is None:
        moved = False
        if not draft.state.stopping and not draft.state.holds_back:
            for path in draft.state.open:
                if draft.state.stopping:
                    break
                moved = _move(draft, path, slots) or moved
        moved = _conclude(draft) or moved


class _Slots:
    """The claim, and how many of its slots are left."""

    def __init__(self, claim: Claim | None) -> None:
        self.claim = claim
        self.left = claim.slots if claim is not None else 0


def _admit(draft: Draft, claim: Claim | None) -> None:
    """Let a run go on that was in line for its concurrency key, if the key has room: the append holds only then."""
    wanted = draft.state.started.concurrency
    if not draft.state.queued or wanted is None or claim is None or draft.state.stopping:
        return
    condition = SlotFree(wanted.key, wanted.limit)
    if condition not in draft.around.refused:
        draft.conditions.append(condition)
        draft.record(e.RunAdmitted(key=wanted.key))
    elif wanted.on_limit == "skip":
        reason = (
            f"skipped: {wanted.limit} " + ("run has" if wanted.limit == 1 else "runs have") + f" {wanted.key} already"
        )
        draft.record(e.RunCancelRequested(by=BY_ENGINE, reason=reason))


def _move(draft: Draft, path: str, slots: _Slots) -> bool:
    """Take one open step further; whether anything happened that others may follow from."""
    state = draft.state
    if path not in state.open or halted(state, path):
        return False
    step = state.steps[path]
    match step.status:
        case StepStatus.READY:
            if open_step(draft, path):
                return True
        case StepStatus.RETRYING:
            if step.retry_at > draft.now:
                return False
            if state.plan.node(path).kind is Kind.CALL:
                call_again(draft, path)
                return True
        case _:
            return _go_on(draft, path, step, slots)
    if slots.claim is None or slots.left == 0:
        return False
    if (refusal := unapproved(draft, path)) is not None:
        fail(draft, path, refusal)
        return True
    slots.left -= _claim(draft, path, step, slots.claim)
    return False


def _go_on(draft: Draft, path: str, step: StepState, slots: _Slots) -> bool:
    """Take a step further that needs no worker of its own; whether anything happened."""
    match step.status:
        case StepStatus.OPEN:
            return go_on(draft, path, step)
        case StepStatus.CORRECTING:
            return conclude(draft, path, step)
        case StepStatus.LISTENING:
            return bool(draft.state.kept) and match(draft, path, step)
        case StepStatus.HELD:
            return let_go(draft, path, step, may_start=slots.claim is not None and slots.left > 0)
        case _:
            return False


def _claim(draft: Draft, path: str, step: StepState, claim: Claim) -> int:
    """Start the step for the claiming worker; returns the slots taken."""
    planned = draft.state.plan.node(path)
    uses = planned.step.uses or ""
    if uses not in claim.steps:
        if not step.awaited:
            draft.record(e.StepAwaitedWorker(step=path, uses=uses))
        return 0
    if held_by_switch(draft, path):
        return 0
    started = e.StepStarted(
        step=path,
        attempt=max(step.attempt, 1),
        worker=claim.worker,
        lease_until=claim.until,
        lease_cap=claim.now + planned.step.timeout + CLAIM_GRACE,
        epoch=draft.around.switches.epoch,
    )
    draft.record(started)
    return 1


def _conclude(draft: Draft) -> bool:
    """The next phase of the run, or its one terminal event, once nothing is at work any more; whether a phase began."""
    state = draft.state
    if state.phase is Phase.FORWARD:
        if not state.stopping:
            if state.groups[""].unfinished == 0 and not state.holds_back:
                _complete(draft)
            return False
        if _at_work(state):
            return False
        if state.undoable:
            draft.record(e.RunUndoing(steps=state.undoable[::-1]))
            return True
        return _handle_failure(draft)
    if state.phase is Phase.UNDOING:
        return not state.undoing and _handle_failure(draft)
    handling = state.groups[paths.ON_FAILURE]
    if handling.unfinished == 0 or (handling.failed is not None and not _at_work(state)):
        _end(draft)
    return False


def _at_work(state: RunState) -> bool:
    return any(state.steps[path].status in AT_WORK for path in state.open)


def _complete(draft: Draft) -> None:
    compiled = draft.state.plan.output
    try:
        output = compiled.render(draft.scope("", compiled.references))
    except ExpressionError as error:
        draft.record(e.RunFailed(step="", kind="failure", reason=f"its output cannot be made: {error}"))
    else:
        draft.record(e.RunCompleted(output=output))


def _handle_failure(draft: Draft) -> bool:
    if draft.state.cancel is None and paths.ON_FAILURE in draft.state.plan.groups:
        draft.record(e.RunFailureHandling())
        return True
    _end(draft)
    return False


def _end(draft: Draft) -> None:
    state = draft.state
    if state.cancel is not None:
        draft.record(e.RunCancelled(by=state.cancel.by, reason=state.cancel.reason))
        return
    path = state.failed_step
    if path is None:
        draft.record(e.RunFailed(step="", kind="timeout", reason="the run took longer than it may"))
        return
    decision = state.steps[path].gate.decision if state.steps[path].gate else None  # pyright: ignore[reportOptionalMemberAccess]
    kind = "failure" if decision is None else "expired" if decision.by is None else "denied"
    draft.record(e.RunFailed(step=path, kind=kind, reason=words_of(state, path)))
