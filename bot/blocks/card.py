"""A run's root message: what is happening, what happens next and when, who is waited for, how far it is.

The one rule: it is a function of the run's state alone, so that the same state always shows the same card, and a card
that shows the last state is right for ever. Nobody is pinged by it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from bot.blocks.kit import TEXT_LIMIT, Message, clip_markup, context, escape, section, title
from bot.blocks.timeline import EXPIRED, EXPIRY
from bot.blocks.words import (
    attempt,
    because,
    counted,
    date,
    either,
    moment,
    named,
    one_line,
    run_title,
    short_id,
)
from engine.core.durations import say_duration
from engine.core.state import End, Gate, RunState, RunStatus, StepState, StepStatus

SHOWN_STEPS = 6
"""Open steps named one by one; the others are counted."""

SOON = 3_600_000

_ORDER = (StepStatus.WAITING, StepStatus.RETRYING, StepStatus.RUNNING, StepStatus.READY)
_DONE = (StepStatus.COMPLETED, StepStatus.SKIPPED)
_SIGNS = {
    RunStatus.RUNNING: "→ Running",
    RunStatus.WAITING: "… Waiting for a decision",
    RunStatus.CANCELLING: "■ Stopping",
    RunStatus.COMPLETED: "✓ Completed",
    RunStatus.CANCELLED: "■ Cancelled",
}
_FAILED = {"failure": "✗ Failed", "denied": "✗ Denied", "expired": "✗ Expired"}


def card(state: RunState, note: str = "") -> Message:
    """The card of a run. ``note`` (mrkdwn) says why it is shown here rather than where it was started."""
    name = run_title(state)
    head = f"{status_words(state)} · {_progress(state)}"
    body = "\n".join(_now(state))
    after = "\n".join(_next(state))
    foot = f"Started by {named(state.started.by)} {date(state.started_at)} · `{short_id(state.run)}`"
    blocks = [title(name), section(f"*{head}*\n{body}" if body else f"*{head}*")]
    blocks += [section(after)] if after else []
    blocks += [context(part) for part in (note, foot) if part]
    parts = [f"{escape(name)}: {head}", body, after, note, foot.replace("`", "")]
    return Message(clip_markup("\n".join(part for part in parts if part), TEXT_LIMIT), tuple(blocks))


def meaning(state: RunState) -> Hashable:
    """Equal for two states whose cards differ only in how far the run is: where it stands and whom it waits for are the
    same. A card that means something else is worth showing at once.
    """
    asked = (
        (step.gate.asked_seq, step.gate.escalated, step.gate.decision) for step in state.steps.values() if step.gate
    )
    return status_words(state), frozenset(asked)


def status_words(state: RunState) -> str:
    """A word and a sign for where the run is."""
    if state.end is not None and state.end.status is RunStatus.FAILED:
        return _FAILED.get(state.end.kind, "✗ Failed")
    if state.end is None and state.cancel is None and state.failed_step is not None:
        return "✗ Failing"
    return _SIGNS[state.status]


def _progress(state: RunState) -> str:
    done = sum(step.status in _DONE for step in state.steps.values())
    return f"{done} of {counted(len(state.plan.steps), 'step')} done"


def _now(state: RunState) -> list[str]:
    """What is happening, or how it ended."""
    if state.end is not None:
        return [_ending(state, state.end)]
    told: list[str] = []
    if state.cancel is not None:
        told.append(f"{named(state.cancel.by)} asked to stop it{because(state.cancel.reason)}.")
    elif state.failed_step is not None:
        told.append(_failing(state, state.failed_step))
    steps = [*_open_steps(state)]
    told += [_step(state, step_id, step) for step_id, step in steps[:SHOWN_STEPS]]
    if len(steps) > SHOWN_STEPS:
        told.append(f"and {len(steps) - SHOWN_STEPS} more steps.")
    return told


def _open_steps(state: RunState) -> Iterator[tuple[str, StepState]]:
    """The steps to tell of, those that a person waits for first. Where the run stops, only what still runs."""
    for status in (StepStatus.RUNNING,) if state.stopping else _ORDER:
        yield from state.opened(status)


def _step(state: RunState, step_id: str, step: StepState) -> str:
    policy = state.plan.steps[step_id].step.retry
    match step.status:
        case StepStatus.WAITING if step.gate is not None:
            question = one_line(step.gate.request.title, 200)
            return f"{step_id} waits for {either(step.gate.asked)} to decide: {question}"
        case StepStatus.RETRYING:
            why = one_line(step.failure.message) if step.failure else "no reason given"
            which = attempt(step.attempt, policy.attempts)
            return f"{step_id} failed ({why}), retrying at {moment(step.retry_at)}, {which}."
        case StepStatus.RUNNING:
            which = f", {attempt(step.attempt, policy.attempts)}" if step.attempt > 1 else ""
            return f"{step_id} is running since {moment(step.started_at)}{which}."
        case _ if step.awaited:
            uses = one_line(state.plan.steps[step_id].step.uses or "")
            return f"{step_id} waits for a worker that has {uses}; start one, and it goes on."
        case _:
            return f"{step_id} starts as soon as a worker is free."


def _failing(state: RunState, step_id: str) -> str:
    step = state.step(step_id)
    why = f": {one_line(step.failure.message)}" if step.failure else ""
    return f"{step_id} failed{why}."


def _ending(state: RunState, end: End) -> str:
    took = f"It took {say_duration(end.at - state.started_at)} and ended {date(end.at)}."
    if end.status is RunStatus.CANCELLED and state.cancel is not None:
        return f"Stopped by {named(state.cancel.by)}{because(end.reason)}. {took}"
    if end.status is RunStatus.FAILED:
        return f"{end.step}: {one_line(end.reason)}. {took}"
    return took


def _next(state: RunState) -> list[str]:
    """What happens by itself, and when; then what comes after."""
    if state.end is not None:
        return []
    if state.stopping:
        running = [step for step, _ in state.opened(StepStatus.RUNNING)]
        return [f"Next: the run ends once {', '.join(running[:SHOWN_STEPS])} has stopped."] if running else []
    told = [if_nobody_decides(step.gate) for _, step in state.opened(StepStatus.WAITING) if step.gate]
    told += [_latest(state, step_id, step) for step_id, step in state.opened(StepStatus.RUNNING)]
    return [*told[:SHOWN_STEPS], _then(state)]


def if_nobody_decides(gate: Gate) -> str:
    """The rest of the ladder, and the end of the wait, each with its instant."""
    rungs = [f"{one_line(rung.to)} is asked too {date(rung.at)}" for rung in gate.request.escalate[gate.escalated :]]
    expiry = f"{EXPIRY[gate.request.on_expiry]} {date(gate.request.expires_at)}"
    return f"If nobody decides: {', then '.join([*rungs, expiry])}."


def _latest(state: RunState, step_id: str, step: StepState) -> str:
    planned = state.plan.steps[step_id].step
    until = step.started_at + planned.timeout
    again = "tried again" if step.attempt < planned.retry.attempts else "given up"
    at = moment(until) if planned.timeout < SOON else date(until)
    return f"If {step_id} has not ended by {at}, it is {again}."


def _then(state: RunState) -> str:
    pending = [step_id for step_id in state.plan.steps if step_id not in state.steps]
    if not pending:
        return "Then: the run is done."
    more = f" and {len(pending) - SHOWN_STEPS} more" if len(pending) > SHOWN_STEPS else ""
    return f"Then: {', '.join(_kind(state, step_id) for step_id in pending[:SHOWN_STEPS])}{more}."


def _kind(state: RunState, step_id: str) -> str:
    approval = state.plan.steps[step_id].step.approval
    return step_id if approval is None else f"{step_id} (a decision by {either(approval.approvers)})"


def decision_words(gate: Gate) -> str:
    """How a decided gate was decided: by whom, by what right, when and why. Empty while it is open."""
    made = gate.decision
    if made is None:
        return ""
    if made.by is None:
        sign = "✓" if made.policy == "approve" else "✗"
        return f"{sign} Expired {date(made.at)}: nobody decided in time, so {EXPIRED[made.policy]}."
    word = "✓ Approved" if made.verdict == "granted" else "✗ Denied"
    right = f" ({one_line(made.authority)})" if made.authority else ""
    return f"{word} by {named(made.by)}{right} {date(made.at)}{because(made.reason)}"


def told_here_since(channel: str, error: str) -> str:
    """Why a run that was started in ``channel`` (its id) is told elsewhere. ``error`` is Slack's name for it."""
    reason = {
        "not_in_channel": "I am not in that channel; invite me there with /invite, and later runs are told there",
        "channel_not_found": "I cannot see that channel; invite me there with /invite, and later runs are told there",
        "is_archived": "that channel is archived",
    }.get(error, f"Slack did not let me post there ({escape(error)})")
    return f"This run was started in <#{channel}> and is told here: {reason}."
