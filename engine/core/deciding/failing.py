"""A step that has failed: whether it is tried again, waits for a person, or goes to the dead letters.

The one rule: every failure of a step passes here, whatever kind of step it is and whoever reports it.
"""

from __future__ import annotations

from pydantic import JsonValue

from engine.core import events as e
from engine.core.deciding import correcting
from engine.core.deciding.draft import BY_ENGINE, Draft
from engine.core.deciding.places import halted, tolerated
from engine.core.durations import say_duration
from engine.core.failures import RETRIED, Failure, FailureClass
from engine.core.graph import Kind, PlannedStep
from engine.core.kinds import Retry
from engine.core.retry import backoff
from engine.core.state import RunState, StepState

LOSSES_ALLOWED = 2
"""A step whose worker was lost this often in a row is not tried again: it may be what kills the workers."""

_RETRIED_KINDS = frozenset({Kind.USES, Kind.CALL})
_ONCE = Retry()
_STOPPED_ALONG = "its run was cancelled only because this one was stopping, and this one goes on"
_UNKNOWN_OUTCOME = frozenset({FailureClass.WORKER_LOST, FailureClass.TIMEOUT, FailureClass.TRANSIENT})


def fail(
    draft: Draft,
    path: str,
    failure: Failure,
    *,
    stopped_along: bool = False,
    output: JsonValue = None,
    child_spent: int = 0,
) -> None:
    """Record the failure of ``path`` and what follows from it: another attempt, a question, or the dead letters.

    ``stopped_along``: it failed for no other reason than that the run was stopping. Where that is over, as somebody has
    redriven what had failed, it is tried again. ``output`` is what the attempt gave, where only its check failed, and
    ``child_spent`` what a run has spent that was the attempt.
    """
    state, step = draft.state, draft.state.step(path)
    attempt = max(step.attempt, 1)
    stopping = state.stopping or halted(state, path)
    node = state.plan.node(path)
    follows = correcting.what_follows(draft, path, node, failure, output) or _what_follows(draft, path, node, failure)
    # Then nobody has settled for this failure: a redrive takes it along.
    cut_short = stopping and (stopped_along or follows is not None)
    follows = None if stopping else follows
    again = follows is not None
    draft.record(e.StepFailed(step=path, attempt=attempt, failure=failure, again=again, child_spent=child_spent))
    if follows is not None:
        draft.record(follows)
    elif stopped_along and not stopping:
        draft.record(e.StepRedriven(step=path, by=BY_ENGINE, reason=_STOPPED_ALONG))
    elif state.cancel is None and (cut_short or not tolerated(state, path)):
        summary = _summary(step, node, failure, draft.now, stopping)
        draft.record(e.StepDeadLettered(step=path, attempts=attempt, summary=summary))


def unsure(draft: Draft, path: str) -> bool:
    """Ask a person what became of an attempt that was ended by force, if the step must not happen twice; whether so."""
    node, attempt = draft.state.plan.node(path), max(draft.state.step(path).attempt, 1)
    if node.step.repeatable is not False or draft.state.stopping or halted(draft.state, path):
        return False
    ended = Failure(cls=FailureClass.CANCELLED, message="it was stopped while it ran")
    draft.record(e.StepFailed(step=path, attempt=attempt, failure=ended, again=True))
    draft.record(_uncertain(draft, path))
    return True


def _uncertain(draft: Draft, path: str) -> e.StepUncertain:
    step = draft.state.step(path)
    begun = tuple(sorted(name for name, effect in step.effects.items() if not effect.recorded))
    return e.StepUncertain(step=path, attempt=max(step.attempt, 1), effects=begun)


def _what_follows(
    draft: Draft, path: str, node: PlannedStep, failure: Failure
) -> e.StepRetried | e.StepUncertain | None:
    step, policy = draft.state.step(path), _policy(node)
    if node.step.repeatable is False and not failure.known and failure.cls in _UNKNOWN_OUTCOME:
        return _uncertain(draft, path)
    rule = _rule(policy, failure)
    if rule is None:
        return None
    if failure.cls is FailureClass.WORKER_LOST:
        if step.losses + 1 >= _losses_allowed(policy) or _is_too_late(rule, step, draft.now, draft.now):
            return None
        return e.StepRetried(step=path, attempt=step.attempt, of=policy.attempts, at=draft.now)
    attempt = max(step.attempt, 1)
    at = draft.now + backoff(rule, attempt, failure, f"{draft.state.run}/{path}")
    if attempt >= rule.attempts or _is_too_late(rule, step, at, draft.now):
        return None
    return e.StepRetried(step=path, attempt=attempt + 1, of=rule.attempts, at=at)


def _policy(node: PlannedStep) -> Retry:
    """A loop's policy is that of its items: where these, or the part that had them, have failed it is used up."""
    return node.step.retry if node.kind in _RETRIED_KINDS else _ONCE


def _rule(policy: Retry, failure: Failure) -> Retry | None:
    """The policy for this class of failure; None if it is not tried again."""
    return policy.of(failure.cls) or (policy if failure.cls in RETRIED else None)


def _is_too_late(rule: Retry, step: StepState, at: int, now: int) -> bool:
    """Whether no attempt may start at ``at`` any more."""
    return rule.within is not None and at > (step.since or now) + rule.within


def _losses_allowed(policy: Retry) -> int:
    rule = policy.classes.get(FailureClass.WORKER_LOST)
    return rule.attempts if rule is not None and rule.attempts is not None else LOSSES_ALLOWED


def _summary(step: StepState, node: PlannedStep, failure: Failure, now: int, stopping: bool) -> str:
    """One or two plain sentences: what was tried, how it ended, and why it is not tried again."""
    attempt = max(step.attempt, 1)
    taken = say_duration(now - step.since) if step.since else ""
    tried = f"Tried {attempt} times in {taken}; the last try ended with" if attempt > 1 else "Its only try ended with"
    return f"{tried}: {failure.message.rstrip('.')}. {_why(step, _policy(node), failure, stopping)}"


def _why(step: StepState, policy: Retry, failure: Failure, stopping: bool) -> str:
    if stopping:
        return "It is not tried again, since the run was stopping."
    lost = failure.cls is FailureClass.WORKER_LOST
    if lost and step.losses + 1 >= _losses_allowed(policy):
        return f"Its worker was lost {step.losses + 1} times in a row; it may be what stops the workers."
    rule = _rule(policy, failure)
    if rule is None:
        return f"A failure of this class ({failure.cls.value.replace('_', ' ')}) is not tried again."
    if (lost or max(step.attempt, 1) < rule.attempts) and rule.within is not None:
        return f"The {say_duration(rule.within)} in which it may be tried are over."
    return "Its definition asks for no retry." if rule.attempts == 1 else f"All {rule.attempts} attempts are used up."


def words_of(state: RunState, path: str) -> str:
    """Why the step at ``path`` failed, for what fails because of it."""
    step = state.step(path)
    decision = step.gate.decision if step.gate is not None else None
    if decision is not None:
        if decision.by is None:
            return "nobody decided in time"
        return f"denied by {decision.by.name}" + (f": {decision.reason}" if decision.reason else "")
    return step.failure.message if step.failure is not None else "it failed"
