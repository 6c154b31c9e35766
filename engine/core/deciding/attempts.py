"""What workers report: results, failures, attempts handed back or put off, effects, progress; and lost workers.

The one rule: only the attempt whose token counts changes anything.
"""

from __future__ import annotations

from typing import assert_never

from engine.core import commands as c
from engine.core import events as e
from engine.core.commands import LostLease, Reply
from engine.core.deciding.correcting import unfit
from engine.core.deciding.draft import Draft
from engine.core.deciding.failing import LOSSES_ALLOWED, fail, unsure
from engine.core.deciding.holding import effect_keys, held_by_switch
from engine.core.deciding.spending import begin_effect, cannot_afford, settle, unsent
from engine.core.failures import Failure, FailureClass
from engine.core.keys import switch_of
from engine.core.state import StepState, StepStatus

CLAIM_GRACE = 30_000
"""How long after its timeout (ms) an attempt may still report; then its claim ends, whatever its worker's lease."""


def report(draft: Draft, command: c.Succeed | c.Fail) -> Reply:
    step = _current(draft, command.step, command.token)
    if step is None:
        return report_too_late(draft, command)
    if isinstance(command, c.Succeed) and (failure := unfit(draft, command.step, command.output)) is not None:
        fail(draft, command.step, failure, output=command.output)
    elif isinstance(command, c.Succeed):
        draft.record(e.StepCompleted(step=command.step, attempt=step.attempt, output=command.output))
    else:
        fail(draft, command.step, command.failure)
    return c.Accepted()


def report_too_late(draft: Draft, command: c.Succeed | c.Fail) -> Reply:
    step = draft.state.step(command.step)
    if step.token == command.token and step.failure is None and step.status is StepStatus.COMPLETED:
        return c.Accepted()  # the same report again: its first copy was recorded
    outcome = "completed" if isinstance(command, c.Succeed) else "failed"
    if outcome == "completed":
        attempt = command.attempt or max(step.attempt, 1)
        draft.record(e.LateResultRefused(step=command.step, attempt=attempt, worker=command.worker, outcome=outcome))
    return c.Stale()


def hand_back(draft: Draft, command: c.HandBack) -> Reply:
    step = _current(draft, command.step, command.token)
    if step is None:
        return c.Stale()
    if unsure(draft, command.step):
        pass  # what became of it is for a person to say, whoever ended it
    elif not command.held or not held_by_switch(draft, command.step):
        draft.record(e.StepHandedBack(step=command.step, attempt=step.attempt, worker=command.worker))
    return c.Accepted()


def postpone(draft: Draft, command: c.Postpone) -> Reply:
    step = _current(draft, command.step, command.token)
    if step is None:
        return c.Stale()
    until = draft.now + max(command.wait, 0)
    draft.record(e.StepPostponed(step=command.step, attempt=step.attempt, until=until, words=command.words))
    return c.Accepted()


def declare_lost(draft: Draft, look: c.Look) -> None:
    """Give up on attempts whose claim has run out; the append holds only if the database agrees."""
    if look.claim is None:
        return
    now, own = look.claim.now, look.claim.worker
    for path, step in tuple(draft.state.opened(StepStatus.RUNNING)):
        out_of_lease = step.lease_until < now and step.worker != own
        condition = LostLease(step.worker, step.lease_cap)
        if (not out_of_lease and step.lease_cap >= now) or condition in draft.around.refused:
            continue
        draft.conditions.append(condition)
        fail(draft, path, Failure(cls=FailureClass.WORKER_LOST, message="its worker stopped answering"))


def note(draft: Draft, command: c.StepNote) -> Reply:
    """What a running step records about itself."""
    step = _current(draft, command.step, command.token)
    if step is None:
        return c.Stale()
    match command:
        case c.LogLine():
            draft.record(e.StepLogged(step=command.step, attempt=step.attempt, text=command.text))
            return c.Accepted()
        case c.NoteProgress():
            draft.record(e.StepProgressed(step=command.step, attempt=step.attempt, cursor=command.cursor))
            return c.Accepted()
        case c.ReportStatus():
            draft.record(e.StepReported(step=command.step, attempt=step.attempt, text=command.text))
            return c.Accepted()
        case c.UseKey(use=use):
            if held_by_switch(draft, command.step, (switch_of(use.provider, use.name),)):
                return c.NowHeld()
            draft.record(
                e.KeyUsed(
                    step=command.step,
                    attempt=step.attempt,
                    provider=use.provider,
                    name=use.name,
                    key=use.id,
                    last_four=use.last_four,
                    fingerprint=use.fingerprint,
                )
            )
            return c.Accepted()
        case c.BeginEffect() | c.RecordEffect() | c.CancelEffect():
            return _effect(draft, command, step)
        case _:
            assert_never(command)


def _effect(draft: Draft, command: c.BeginEffect | c.RecordEffect | c.CancelEffect, step: StepState) -> Reply:
    known = step.effects.get(command.effect)
    if known is not None and known.recorded:
        return c.EffectKnown(draft.resolved([known.result])[0])
    if isinstance(command, c.BeginEffect):
        under = (*command.under, *effect_keys(command.spend))
        if held_by_switch(draft, command.step, under):
            return c.NowHeld()
        # Each try is on record, since it may begin only if no switch was thrown meanwhile. What it may cost is set
        # aside for each, once that of the one before is settled.
        if known is None or not known.reserved:
            if cannot_afford(draft, command):
                return c.NowHeld()
            begin_effect(draft, command, under)
        return c.Accepted()
    if known is None:
        return c.Stale()
    if isinstance(command, c.CancelEffect):
        unsent(draft, command.step, command.effect, known)
        return c.Accepted()
    draft.record(e.EffectRecorded(step=command.step, effect=command.effect, result=command.result))
    if known.reserved or command.cost is not None:
        settle(draft, command.step, command.effect, known, command.cost)
    return c.Accepted()


def _current(draft: Draft, path: str, token: int) -> StepState | None:
    """The step, if its attempt ``token`` is the one that counts."""
    state = draft.state.step(path)
    return state if state.status is StepStatus.RUNNING and state.token == token else None


__all__ = [
    "CLAIM_GRACE",
    "LOSSES_ALLOWED",
    "declare_lost",
    "hand_back",
    "note",
    "postpone",
    "report",
    "report_too_late",
]
