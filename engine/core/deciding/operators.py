"""What operators may do to a run: hold it, stop it, try again, skip, set, settle, move, label.

The one rule: each is an event with its person and reason, or a refusal that says what can be done instead. Where the
run is so already there is no event, and the answer is ``Nothing``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from engine.core import commands as c
from engine.core import events as e
from engine.core import paths
from engine.core.commands import NotAllowed, Reply
from engine.core.deciding import correcting
from engine.core.deciding.draft import Draft
from engine.core.deciding.places import at_work_inside, closed
from engine.core.moving import misfits
from engine.core.questions import asked
from engine.core.starting import downstream
from engine.core.state import AT_WORK, Phase, RunState, RunStatus, StepStatus
from engine.core.words import listed

MOST_LABELS = 20


def steer(draft: Draft, command: c.Steering) -> Reply:
    """Do it to a run that has not ended."""
    state = draft.state
    match command:
        case c.Cancel():
            return _cancel(draft, command)
        case c.Pause() | c.Resume():
            return _hold(draft, command)
        case c.Label():
            return _label(draft, command)
        case c.Settle():
            return _settle(draft, command)
        case c.Move():
            return _move(draft, command)
        case c.Redrive() | c.RetryFrom() | c.SkipStep() | c.SetOutput():
            if state.phase is not Phase.FORWARD:
                return NotAllowed("the run is undoing what it did; wait for its end, then fork it or start it again")
            return _again(draft, command)
        case _:
            assert_never(command)


def steer_ended(draft: Draft, command: c.Steering, status: RunStatus) -> Reply:
    """Do it to a run that has ended: labels always, and trying again if it failed."""
    if isinstance(command, c.Label):
        return _label(draft, command)
    if not isinstance(command, c.Redrive | c.RetryFrom | c.SkipStep | c.SetOutput):
        return c.Ended(status)
    if status is not RunStatus.FAILED:
        return NotAllowed(f"the run has {_ended_words(status)}; fork it to do a part of it again")
    if draft.state.undone:
        return NotAllowed("what the run did was undone; start it again, or fork it from its beginning")
    return _again(draft, command)


def dead_steps(state: RunState) -> Iterator[str]:
    """The steps in the dead letters, by path.

    Those under ``on_failure`` run anew if the run fails again; those in a loop that was skipped or set need no more.
    """
    handling = f"{paths.ON_FAILURE}/"
    dead = (path for path, step in state.steps.items() if step.dead and not path.startswith(handling))
    return iter(sorted(path for path in dead if closed(state, path) is None))


def _cancel(draft: Draft, command: c.Cancel) -> Reply:
    if draft.state.cancel is not None:
        return c.Nothing()
    if draft.state.phase is not Phase.FORWARD:
        return NotAllowed("the run has failed, and ends by itself once it has undone what it did and told of it")
    draft.record(e.RunCancelRequested(by=command.by, reason=command.reason, order=command.order))
    return c.Accepted()


def _hold(draft: Draft, command: c.Pause | c.Resume) -> Reply:
    state = draft.state
    if command.order is not None:
        return _hold_with_parent(draft, command, command.order)
    if isinstance(command, c.Resume):
        if state.own_pause is None and state.parent_pause is not None:
            return NotAllowed("the run that it is a part of is paused; resume that one")
        if state.own_pause is None:
            return c.Nothing()
        draft.record(e.RunResumed(by=command.by, reason=command.reason))
        return c.Accepted()
    if state.stopping or state.phase is not Phase.FORWARD:
        return NotAllowed("the run is stopping already; it cannot be paused")
    if state.own_pause is not None:
        return c.Nothing()
    draft.record(e.RunPaused(by=command.by, reason=command.reason))
    return c.Accepted()


def _hold_with_parent(draft: Draft, command: c.Pause | c.Resume, order: int) -> Reply:
    """Words of the parent may overtake each other: only a newer one than the last counts."""
    pauses = isinstance(command, c.Pause)
    if order <= draft.state.parent_order or pauses == (draft.state.parent_pause is not None):
        return c.Nothing()
    held = e.RunPaused if pauses else e.RunResumed
    draft.record(held(by=command.by, reason=command.reason, order=order))
    return c.Accepted()


def _again(draft: Draft, command: c.Redrive | c.RetryFrom | c.SkipStep | c.SetOutput) -> Reply:
    match command:
        case c.Redrive():
            return _redrive(draft, command)
        case c.RetryFrom():
            return retry_from(draft, command)
        case c.SkipStep() | c.SetOutput():
            return _override(draft, command)


def _redrive(draft: Draft, command: c.Redrive) -> Reply:
    state = draft.state
    dead = list(dead_steps(state))
    wanted = list(command.steps) or dead
    strange = [path for path in wanted if path not in dead]
    if strange:
        return NotAllowed(f"{strange[0]} is not in the dead letters; there are: {listed(dead) if dead else 'none'}")
    if not wanted and not (state.end is not None and state.end.kind == "timeout"):
        return NotAllowed("nothing of this run is in the dead letters; retry it from a step instead")
    _reopen(draft, command.by, command.reason)
    for path in wanted:
        draft.record(e.StepRedriven(step=path, by=command.by, reason=command.reason))
    return c.Accepted()


def _reopen(draft: Draft, by: e.Actor, reason: str) -> None:
    if draft.state.end is not None:
        draft.record(e.RunReopened(by=by, reason=reason))


def retry_from(draft: Draft, command: c.RetryFrom, *, before: e.ApprovalChangesRequested | None = None) -> Reply:
    """Do a step and all that follows from it anew. ``before``: a fact that is recorded first, if it can be done."""
    state = draft.state
    if command.step not in state.plan.steps:
        return NotAllowed(
            f"{command.step} is no step of the workflow itself; there are: {listed(list(state.plan.steps))}"
        )
    again = downstream(state.plan, command.step)
    busy = [path for path in again if state.step(path).status in AT_WORK or at_work_inside(state, path)]
    if busy:
        return NotAllowed(f"{busy[0]} is at work; wait for it, or cancel the run")
    if state.step(command.step).status is StepStatus.PENDING:
        return NotAllowed(f"{command.step} has not run yet")
    _reopen(draft, command.by, command.reason)
    if before is not None:
        draft.record(before)
    draft.record(e.StepsReset(steps=tuple(again), by=command.by, reason=command.reason))
    return c.Accepted()


def _override(draft: Draft, command: c.SkipStep | c.SetOutput) -> Reply:
    state, path = draft.state, command.step
    try:
        state.plan.node(path)
    except KeyError:
        return NotAllowed(f"there is no step {path}; there are: {listed(list(state.plan.steps))}")
    if paths.is_aside(path):
        return NotAllowed(f"{path} runs after a failure; it can be neither skipped nor set")
    step = state.step(path)
    if step.status in AT_WORK or step.status is StepStatus.OPEN:
        return NotAllowed(f"{path} is at work; wait for it, or cancel the run")
    if (over := closed(state, path)) is not None:
        return NotAllowed(f"{over} is {state.step(over).status.value} already")
    if step.status is StepStatus.PENDING and path not in state.plan.steps:
        return NotAllowed(f"{path} has not begun; only steps of the workflow itself can be set before they begin")
    _reopen(draft, command.by, command.reason)
    if step.status is StepStatus.FAILED:
        draft.record(e.StepRedriven(step=path, by=command.by, reason=command.reason))
    if isinstance(command, c.SkipStep):
        words = f"skipped by {command.by.name}" + (f": {command.reason}" if command.reason else "")
        draft.record(e.StepSkipped(step=path, reason=words, by=command.by))
    else:
        draft.record(e.StepOutputSet(step=path, output=command.output, by=command.by, reason=command.reason))
    return c.Accepted()


def _settle(draft: Draft, command: c.Settle) -> Reply:
    if draft.state.step(command.step).status is StepStatus.GIVEN_UP:
        return correcting.settle(draft, command)
    if draft.state.step(command.step).status is not StepStatus.UNCERTAIN:
        return NotAllowed(f"{command.step} is not uncertain; nothing is to be settled")
    if command.asked not in (0, asked(draft.state.step(command.step))):
        return NotAllowed(f"{command.step} was run again since, and asks anew")
    if command.answer in ("retry", "accept"):
        return NotAllowed(f"whether {command.step} happened is not known; say that it did, that it did not, or fail it")
    settled = e.StepSettled(
        step=command.step, answer=command.answer, result=command.result, by=command.by, reason=command.reason
    )
    draft.record(settled)
    return c.Accepted()


def _move(draft: Draft, command: c.Move) -> Reply:
    if draft.state.started.part is not None:
        return NotAllowed("the run does some items of another run's step; move that one")
    if draft.state.stopping or draft.state.phase is not Phase.FORWARD:
        return NotAllowed("the run is stopping; fork it to the other definition instead")
    stuck = list(misfits(draft.state, command.plan, command.renamed))
    if stuck:
        return NotAllowed(stuck[0])
    plans = {command.definition: command.plan}
    event = e.RunMoved(
        definition=command.definition,
        renamed=dict(command.renamed),
        codes=dict(command.codes),
        by=command.by,
        reason=command.reason,
    )
    draft.record(event, plans)
    return c.Accepted()


def _label(draft: Draft, command: c.Label) -> Reply:
    had = draft.state.labels
    kept = {**had, **{name: value for name, value in command.labels.items() if value is not None}}
    if len(kept) > MOST_LABELS:
        return NotAllowed(f"a run has at most {MOST_LABELS} labels")
    if all(had.get(name) == value for name, value in command.labels.items()):
        return c.Nothing()
    draft.record(e.RunLabelled(labels=dict(command.labels), by=command.by))
    return c.Accepted()


def _ended_words(status: RunStatus) -> str:
    return "been cancelled" if status is RunStatus.CANCELLED else status.value
