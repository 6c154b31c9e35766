"""Where each open step of a run stands, in words: what it does or waits for, and what a person can do about it.

The one rule: what is inside of a loop of many is summed up in the loop's own line, unless a person is needed there; of
what is held there for one reason, one is told.
"""

from __future__ import annotations

from collections.abc import Iterator

from bot.blocks import loops
from bot.blocks.agent_lines import asked_words
from bot.blocks.correction_lines import given_up_words
from bot.blocks.flow_lines import awaits_words
from bot.blocks.gate_words import progress
from bot.blocks.kit import escape, fit
from bot.blocks.step_lines import held_words, missing_words, uncertain_words
from bot.blocks.words import attempt, date, either, moment, one_line, short_id, went_wrong
from engine.core import paths
from engine.core.state import RunState, StepState, StepStatus

_ORDER = (
    StepStatus.HELD,
    StepStatus.UNCERTAIN,
    StepStatus.GIVEN_UP,
    StepStatus.WAITING,
    StepStatus.RETRYING,
    StepStatus.CORRECTING,
    StepStatus.OPEN,
    StepStatus.RUNNING,
    StepStatus.CALLING,
    StepStatus.LISTENING,
    StepStatus.SLEEPING,
    StepStatus.READY,
)
_STOPPING = (StepStatus.RUNNING, StepStatus.CALLING)
_ANSWERS = "The question in the thread has the answers."
_REPORT = 200
_FOR_PEOPLE = (StepStatus.UNCERTAIN, StepStatus.GIVEN_UP, StepStatus.WAITING)


def standing_steps(state: RunState) -> Iterator[tuple[str, StepState]]:
    """The steps to tell of, those that a person is needed for first. Where the run stops, only what still runs."""
    missing = [(path, step) for path, step in state.opened(StepStatus.READY, StepStatus.RETRYING) if step.missing]
    yield from missing[:1]
    for status in _STOPPING if state.stopping else _ORDER:
        for path, step in state.opened(status):
            if (path, step) not in missing and _is_told(state, path, step):
                yield path, step


def standing(state: RunState, path: str, step: StepState) -> str:
    """One sentence about an open step."""
    node = state.plan.node(path)
    attempts = node.step.retry.attempts
    match step.status:
        case StepStatus.READY | StepStatus.RETRYING if step.missing:
            return f"{missing_words(path, node.step.uses or '')}. {_ANSWERS}"
        case StepStatus.UNCERTAIN:
            begun = tuple(sorted(name for name, effect in step.effects.items() if not effect.recorded))
            return f"{uncertain_words(path, begun)}. {_ANSWERS}"
        case StepStatus.GIVEN_UP if step.correction is not None:
            return f"{given_up_words(path, step.correction.summary)} {_ANSWERS}"
        case StepStatus.WAITING if step.gate is not None:
            question = one_line(step.gate.request.title, 200)
            so_far = "".join(f" {each}" for each in progress(step.gate))
            return f"{path} waits for {either(step.gate.asked)} to decide: {question}{so_far}"
        case StepStatus.RETRYING if step.postponed:
            return f"{path} waits for {one_line(step.postponed)}, and goes on at {moment(step.retry_at)}."
        case StepStatus.RETRYING:
            why = went_wrong(step.failure)
            return f"{path} failed ({why}), retrying at {moment(step.retry_at)}, {attempt(step.attempt, attempts)}."
        case StepStatus.RUNNING:
            which = f", {attempt(step.attempt, attempts)}" if step.attempt > 1 else ""
            undone = paths.undone_by(path)
            what = path if undone is None else f"The undoing of {undone}"
            said = f" At {moment(step.reported_at)}: {escape(report(step))}." if step.report else ""
            if node.step.llm is not None:
                asks = asked_words(node.step.llm.model, None)
                return f"{what} asks {asks} since {moment(step.started_at)}{which}.{said}"
            return f"{what} is running since {moment(step.started_at)}{which}.{said}"
        case StepStatus.CALLING:
            call = node.step.workflow
            name = f"{call.name} " if call is not None else ""
            return f"{path} is done by {name}`{short_id(step.child)}` since {moment(step.started_at)}."
        case _:
            return _waiting(state, path, step)


def report(step: StepState) -> str:
    """What the step says that it is doing, on one line and without a full stop; not escaped."""
    return fit(" ".join(step.report.split()).rstrip("."), _REPORT)


def _waiting(state: RunState, path: str, step: StepState) -> str:
    uses = state.plan.node(path).step.uses or ""
    match step.status:
        case StepStatus.CORRECTING:
            return f"{path} failed ({went_wrong(step.failure)}); a model is asked what to change."
        case StepStatus.OPEN:
            pause = f"; the next one begins at {moment(step.wake_at)}" if step.wake_at else ""
            return f"{path}: {loops.how_far(state, path)}{pause}."
        case StepStatus.LISTENING if step.awaits is not None:
            return f"{path} waits for {awaits_words(state, step.awaits)}."
        case StepStatus.HELD if step.hold is not None:
            return f"{held_words(path, step.hold)}."
        case StepStatus.SLEEPING:
            return f"{path} sleeps until {date(step.wake_at)}."
        case _ if step.awaited:
            return f"{path} waits for a worker that has {one_line(uses)}; start one, and it goes on."
        case _ if state.queued:
            return f"{path} starts once it is the run's turn."
        case _ if state.paused is not None:
            return f"{path} starts once the run is resumed."
        case _:
            return f"{path} starts as soon as a worker is free."


def _is_told(state: RunState, path: str, step: StepState) -> bool:
    if step.status is StepStatus.OPEN:
        return step.loop is not None and not loops.in_crowd(state, path)
    if step.status is StepStatus.HELD and loops.in_crowd(state, path):
        return path == next(one for one, _ in state.opened(StepStatus.HELD) if _are_alike(one, path))
    return step.status in _FOR_PEOPLE or not loops.in_crowd(state, path)


def _are_alike(one: str, other: str) -> bool:
    return paths.template_of(one) == paths.template_of(other)
