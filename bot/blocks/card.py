"""A run's root message: what is happening, what happens next and when, who is waited for, how far it is.

The one rule: it is a function of the run's state alone, so that the same state always shows the same card, and a card
that shows the last state is right for ever. Nobody is pinged by it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from bot.blocks.gate_words import if_nobody_decides
from bot.blocks.kit import TEXT_LIMIT, Block, Message, clip_markup, context, escape, section, title
from bot.blocks.loops import in_crowd
from bot.blocks.newer import TaskStatus, plan, task
from bot.blocks.questions import open_questions, question_buttons
from bot.blocks.standing import report, standing, standing_steps
from bot.blocks.steering import buttons
from bot.blocks.words import (
    attempt,
    because,
    counted,
    date,
    either,
    listed,
    moment,
    named,
    one_line,
    run_title,
    short_id,
    slash,
)
from engine.core import paths
from engine.core.approval import is_name
from engine.core.durations import say_duration
from engine.core.estimate import cost_words
from engine.core.state import AT_WORK, End, Phase, RunState, RunStatus, StepState, StepStatus

SHOWN_STEPS = 6
"""Open steps named one by one; the others are counted."""

SHOWN_TASKS = 10

BAR_CELLS = 10

SOON = 3_600_000

_DONE = (StepStatus.COMPLETED, StepStatus.SKIPPED)
_SIGNS = {
    RunStatus.QUEUED: "… In line",
    RunStatus.RUNNING: "→ Running",
    RunStatus.WAITING: "… Waiting",
    RunStatus.PAUSED: "‖ Paused",
    RunStatus.CANCELLING: "■ Stopping",
    RunStatus.UNDOING: "↶ Undoing",
    RunStatus.COMPLETED: "✓ Completed",
    RunStatus.CANCELLED: "■ Cancelled",
}
_WAITS = {
    StepStatus.HELD: "■ Held",
    StepStatus.UNCERTAIN: "? Waiting for an answer",
    StepStatus.GIVEN_UP: "? Waiting for an answer",
    StepStatus.WAITING: "… Waiting for a decision",
    StepStatus.LISTENING: "… Waiting for a signal",
    StepStatus.SLEEPING: "… Sleeping",
}
_FOR_PEOPLE = (StepStatus.UNCERTAIN, StepStatus.GIVEN_UP, StepStatus.HELD)
_TO_COME = (StepStatus.PENDING, StepStatus.READY)
_TRIED = (StepStatus.RUNNING, StepStatus.RETRYING)
_AT_WORK = (RunStatus.RUNNING, RunStatus.UNDOING, RunStatus.CANCELLING)
_FAILED = {"failure": "✗ Failed", "denied": "✗ Denied", "expired": "✗ Expired", "timeout": "✗ Timed out"}


def card(state: RunState, note: str = "") -> Message:
    """The card of a run. ``note`` (mrkdwn) says why it is shown here rather than where it was started."""
    name = run_title(state)
    head = f"{status_words(state)} · {progress(state)}"
    body = "\n".join(_now(state))
    after = "\n".join(_next(state))
    begun = f"Started by {named(state.started.by)} {date(state.started_at)}"
    foot = f"{begun} · `{short_id(state.run)}`{_part_of(state)}{_spent(state)}"
    lead = f"*{head}* {_bar(state)}".rstrip()
    rest = [section(after)] if after else []
    rest += [context(part) for part in (note, foot) if part]
    rest += [block for path, _ in open_questions(state)[:1] for block in question_buttons(state, path)]
    rest.append(buttons(state))
    plain = (title(name), section(f"{lead}\n{body}" if body else lead), *rest)
    parts = [f"{escape(name)}: {head}", body, after, note, foot.replace("`", "")]
    text = clip_markup("\n".join(part for part in parts if part), TEXT_LIMIT)
    tasks = list(_tasks(state, text))
    if not tasks:
        return Message(text, plain)
    told = [section(body)] if body else []
    return Message(text, (title(name), plan(head, tasks), *told, *rest), plain)


def _tasks(state: RunState, text: str) -> Iterator[Block]:
    """The steps that are at work, failed or come next, in the order of the plan, as far as ``text`` names them."""
    going = state.end is None and not state.stopping and state.phase is Phase.FORWARD
    open_ = [step_id for step_id in state.plan.steps if state.step(step_id).status not in _DONE and step_id in text]
    left = [step_id for step_id in open_ if going or state.step(step_id).status not in _TO_COME]
    for number, step_id in enumerate(left[:SHOWN_TASKS], 1):
        step = state.step(step_id)
        note = _task_note(state, step_id, step)
        yield task(number, step_id, _task_status(state, step), note if escape(note) in text else "")


def _task_note(state: RunState, step_id: str, step: StepState) -> str:
    """What it says that it is doing, what it waits for, or which attempt it is; not escaped."""
    if step.status is StepStatus.RUNNING and step.report:
        return report(step)
    if step.status in _TRIED:
        return attempt(step.attempt, state.plan.node(step_id).step.retry.attempts)
    inside = step.status is StepStatus.OPEN and state.status is RunStatus.WAITING
    return (status_words(state) if inside else _WAITS.get(step.status, ""))[2:]


def _task_status(state: RunState, step: StepState) -> TaskStatus:
    """Nothing is in progress where all that is open waits for something."""
    if step.status is StepStatus.FAILED:
        return TaskStatus.ERROR
    at_work = state.status in _AT_WORK and step.status not in _TO_COME and step.status not in _WAITS
    return TaskStatus.IN_PROGRESS if at_work else TaskStatus.PENDING


def _spent(state: RunState) -> str:
    """What it has cost so far, and was estimated to; nothing for a run that costs nothing."""
    words = cost_words(state)
    return f" · {words}" if words else ""


def _part_of(state: RunState) -> str:
    parent, fork = state.started.parent, state.started.forked_from
    if parent is not None:
        return f", which is {parent.step} of `{short_id(parent.run)}`"
    return f", which goes on from `{short_id(fork.run)}`" if fork is not None else ""


def meaning(state: RunState) -> Hashable:
    """Equal for two states whose cards differ only in how far the run is: where it stands and whom it waits for are the
    same. A card that means something else is worth showing at once.
    """
    needed = (
        (path, step.gate.version, step.gate.escalated, step.gate.votes, step.gate.changes, step.gate.decision)
        if step.gate
        else (path, step.status, step.missing, step.dead)
        for path, step in state.steps.items()
        if step.gate or step.status in _FOR_PEOPLE or step.missing or step.dead
    )
    return status_words(state), frozenset(needed)


def status_words(state: RunState) -> str:
    """A word and a sign for where the run is."""
    if state.end is not None and state.end.status is RunStatus.FAILED:
        return _FAILED.get(state.end.kind, "✗ Failed")
    status = state.status
    if state.end is None and state.cancel is None and status is not RunStatus.UNDOING:
        if state.failed_step is not None:
            return "✗ Failing"
        if state.timed_out:
            return "✗ Timing out"
    if status is RunStatus.RUNNING and _only_misses_code(state):
        return "… Waiting for code"
    if status is RunStatus.WAITING:
        return next((words for one, words in _WAITS.items() if any(True for _ in state.opened(one))), _SIGNS[status])
    return _SIGNS[status]


def _only_misses_code(state: RunState) -> bool:
    missing = any(step.missing for _, step in state.opened(StepStatus.READY, StepStatus.RETRYING))
    return missing and not any(not step.missing for _, step in state.opened(StepStatus.RETRYING, *AT_WORK))


def progress(state: RunState) -> str:
    """How far it is."""
    return f"{_done(state)} of {counted(len(state.plan.steps), 'step')} done"


def _done(state: RunState) -> int:
    return sum(state.step(step_id).status in _DONE for step_id in state.plan.steps)


def _bar(state: RunState) -> str:
    """The same at a glance, for eyes alone: it is not in the text."""
    steps = len(state.plan.steps)
    cells = min(steps, BAR_CELLS)
    filled = _done(state) * cells // steps
    return f"{'▰' * filled}{'▱' * (cells - filled)}" if state.end is None and steps > 1 else ""


def _now(state: RunState) -> list[str]:
    """What is happening, or how it ended."""
    if state.end is not None:
        return [_ending(state, state.end)]
    told = [*_held(state)]
    steps = list(standing_steps(state))
    told += [standing(state, path, step) for path, step in steps[:SHOWN_STEPS]]
    if len(steps) > SHOWN_STEPS:
        told.append(f"and {len(steps) - SHOWN_STEPS} more steps.")
    return told


def _held(state: RunState) -> Iterator[str]:
    """Why the run is not simply going on."""
    line, limit = state.started.concurrency, state.plan.workflow.timeout
    if state.cancel is not None:
        yield f"{named(state.cancel.by)} asked to stop it{because(state.cancel.reason)}."
    elif state.failed_step is not None:
        yield _failing(state, state.failed_step)
    elif state.timed_out:
        yield f"It took longer than it may{'' if limit is None else f' ({say_duration(limit)})'}."
    if state.paused is not None:
        on = slash("resume", state.run)
        by, why = named(state.paused.by), because(state.paused.reason)
        yield f"{by} paused it{why}. Nothing new starts until somebody resumes it: {on}."
    if state.queued and line is not None:
        most = f"at most {counted(line.limit, 'run')} at a time"
        yield f"It is in line for {one_line(line.key, 80)} ({most}) since {date(state.started_at)}."
    if state.undoing:
        yield f"Still to be undone: {listed(state.undoing)}."


def _failing(state: RunState, path: str) -> str:
    step = state.step(path)
    if step.dead:
        return f"{path} failed. {one_line(step.dead)}"
    why = f": {one_line(step.failure.message)}" if step.failure else ""
    return f"{path} failed{why}."


def _ending(state: RunState, end: End) -> str:
    took = f"It took {say_duration(end.at - state.started_at)} and ended {date(end.at)}."
    if end.status is RunStatus.CANCELLED and state.cancel is not None:
        return f"Stopped by {named(state.cancel.by)}{because(end.reason)}. {took}"
    if end.status is RunStatus.FAILED:
        where = f"{end.step}: " if end.step else ""
        return f"{where}{one_line(end.reason)}. {took}{_afterwards(state)}"
    return took


def _afterwards(state: RunState) -> str:
    """What was tried, and what can be done about a run that failed."""
    if state.undone:
        left = [done for path, step in state.steps.items() if step.dead and (done := paths.undone_by(path))]
        return f" What it had done was undone{f', except for {listed(left)}' if left else ''}."
    dead = [path for path, step in state.steps.items() if step.dead]
    if not dead:
        return ""
    told = f"\n{one_line(state.steps[dead[0]].dead, 400)}" if len(dead) == 1 else f"\nFailed for good: {listed(dead)}."
    return f"{told} To try again: {slash('redrive', state.run)}."


def _next(state: RunState) -> list[str]:
    """What happens by itself, and when; then what comes after."""
    if state.end is not None:
        return []
    if state.stopping:
        busy = [path for path, _ in state.opened(*AT_WORK)]
        return [f"Next: the run ends once {listed(busy[:SHOWN_STEPS])} has stopped."] if busy else []
    told = [if_nobody_decides(step.gate) for _, step in state.opened(StepStatus.WAITING) if step.gate]
    told += [_latest(state, path, step) for path, step in state.opened(StepStatus.RUNNING) if not in_crowd(state, path)]
    return [*told[:SHOWN_STEPS], *_then(state)]


def _latest(state: RunState, path: str, step: StepState) -> str:
    planned = state.plan.node(path).step
    what = f"the undoing of {undone}" if (undone := paths.undone_by(path)) else path
    until = step.started_at + planned.timeout
    again = "tried again" if step.attempt < planned.retry.attempts else "given up"
    at = moment(until) if planned.timeout < SOON else date(until)
    return f"If {what} has not ended by {at}, it is {again}."


def _then(state: RunState) -> Iterator[str]:
    if state.phase is not Phase.FORWARD:
        return
    pending = [step_id for step_id in state.plan.steps if state.step(step_id).status is StepStatus.PENDING]
    more = f" and {len(pending) - SHOWN_STEPS} more" if len(pending) > SHOWN_STEPS else ""
    then = f"{', '.join(_kind(state, step_id) for step_id in pending[:SHOWN_STEPS])}{more}"
    yield f"Then: {then or 'the run is done'}."


def _kind(state: RunState, step_id: str) -> str:
    approval = state.plan.steps[step_id].step.approval
    if approval is None:
        return step_id
    asked = [who for _, approvers, _ in approval.asking for who in approvers if is_name(who)]
    return f"{step_id} (a decision{f' by {either(asked)}' if asked else ''})"


def told_here_since(channel: str, error: str) -> str:
    """Why a run that was started in ``channel`` (its id) is told elsewhere. ``error`` is Slack's name for it."""
    reason = {
        "not_in_channel": "I am not in that channel; invite me there with /invite, and later runs are told there",
        "channel_not_found": "I cannot see that channel; invite me there with /invite, and later runs are told there",
        "is_archived": "that channel is archived",
        "is_inactive": "that channel is archived",
    }.get(error, f"Slack did not let me post there ({escape(error)})")
    return f"This run was started in <#{channel}> and is told here: {reason}."


def told_anew() -> str:
    """Why there is another message about the run in the same channel."""
    return "The message about this run was deleted. It goes on here."
