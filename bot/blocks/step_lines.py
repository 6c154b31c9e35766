"""The lines of a thread about steps: their attempts, what became of them, and what operators decided about them.

The one rule: where somebody has to act, the line says what they can do, with the command that does it.
"""

from __future__ import annotations

from typing import assert_never

from bot.blocks import loops
from bot.blocks.agent_lines import asked_words, took_words
from bot.blocks.words import attempt, because, date, listed, named, one_line, short_id, slash, went_wrong
from engine.core import events as e
from engine.core import paths
from engine.core.durations import say_duration
from engine.core.graph import CONTAINERS, Kind
from engine.core.outlook import MISSING_AFTER
from engine.core.state import Hold, Phase, RunState, StepState
from engine.core.switches import EVERYTHING

_Attempt = (
    e.StepCompleted
    | e.StepFailed
    | e.StepRetried
    | e.StepHandedBack
    | e.StepPostponed
    | e.StepHeld
    | e.StepReleased
    | e.StepSkipped
    | e.StepAwaitedWorker
    | e.StepLogged
    | e.LateResultRefused
)
_Asking = e.StepDeadLettered | e.StepUncertain | e.StepMissing
_Decided = e.StepSettled | e.StepRedriven | e.StepsReset | e.StepOutputSet


def attempt_line(before: RunState, at: int, event: _Attempt) -> str | None:
    """The line about an attempt; None for one inside of a loop that is summed up."""
    path, step = event.step, before.step(event.step)
    if paths.corrected_by(path) is not None and not isinstance(event, e.StepRetried):
        return None  # what came of it is said by the next event
    if loops.in_crowd(before, path) and not _stands_out(before, event):
        return None
    match event:
        case e.StepCompleted():
            return _completed(before, at, event, step)
        case e.StepFailed():
            return _failed(before, event)
        case e.StepRetried():
            why = went_wrong(step.failure)
            when = f"in {say_duration(event.at - at)}" if event.at > at else "now"
            return f"↻ {path} failed ({why}), retrying {when}, {attempt(event.attempt, event.of)}"
        case e.StepHandedBack() | e.StepPostponed() | e.StepHeld() | e.StepReleased():
            return _put_off(at, event)
        case e.StepSkipped():
            said = event.by is not None  # then the reason itself says that it was skipped, and by whom
            return f"– {path} {'' if said else 'skipped: '}{one_line(event.reason)}"
        case e.StepAwaitedWorker():
            return f"… {path} waits for a worker that has {one_line(event.uses)}"
        case e.StepLogged():
            return f"· {path}: {one_line(event.text)}"
        case e.LateResultRefused():
            how = "result" if event.outcome == "completed" else "failure"
            return f"· {path}: a late {how} of a lost attempt was refused; it changed nothing"
        case _:
            assert_never(event)


def _put_off(at: int, event: e.StepHandedBack | e.StepPostponed | e.StepHeld | e.StepReleased) -> str:
    """The line about an attempt that ends, or does not begin, without having failed."""
    path = event.step
    match event:
        case e.StepHandedBack():
            return f"↻ {path} was handed back by a worker that is stopping; another one starts it again"
        case e.StepPostponed():
            return f"… {path} is waiting {say_duration(event.until - at)} for {one_line(event.words)}"
        case e.StepHeld():
            hold = Hold(event.cause, event.keys, event.words, event.epoch, at, event.until, event.amount, event.asks)
            return f"■ {held_words(path, hold)}"
        case e.StepReleased():
            return f"→ nothing holds {path} any more; it goes on"
        case _:
            assert_never(event)


def asking_line(before: RunState, event: _Asking) -> str | None:
    """The line where a step does not go on by itself: what it met, and what can be done."""
    path = event.step
    match event:
        case e.StepDeadLettered():
            undone = paths.undone_by(path)
            head = f"{path} failed for good" if undone is None else f"{undone} could not be undone"
            return f"✗ {head}. {one_line(event.summary, 320)} {_after_dead(before)}".rstrip()
        case e.StepUncertain():
            return uncertain_words(path, event.effects)
        case e.StepMissing():
            if loops.in_crowd(before, path) and not loops.first_of_its_kind(before, path, "missing"):
                return None
            return f"! {missing_words(path, event.uses)}"
        case _:
            assert_never(event)


def decided_line(before: RunState, event: _Decided) -> str:
    """The line about what an operator decided."""
    who, why = named(event.by), because(event.reason)
    match event:
        case e.StepSettled():
            path = event.step
            return {
                "happened": f"✓ {who} says that {path} happened{why}; the run goes on with that",
                "did_not_happen": f"↻ {who} says that {path} did not happen{why}; it is run again",
                "fail": f"✗ {who} let {path} fail{why}",
                "retry": f"✎ {who} lets {path} be tried with a change of their own{why}",
                "accept": f"✓ {who} accepted {path} as it is{why}; the run goes on with that",
            }[event.answer]
        case e.StepRedriven():
            return f"↻ {who} lets {event.step} be tried again{why}, with all its attempts"
        case e.StepsReset():
            return f"↻ {who} lets these run anew{why}: {listed(event.steps)}"
        case e.StepOutputSet():
            return f"✓ {who} gave the output of {event.step}{why}; it counts as done"
        case _:
            assert_never(event)


def missing_words(path: str, uses: str) -> str:
    """Which code is nowhere, for how long, and what lets the step go on by itself; without a full stop."""
    long = say_duration(MISSING_AFTER)
    return (
        f"{path} waits for {one_line(uses, 80)}, which no worker has had for {long}. Start a worker that has it, and "
        "it goes on by itself"
    )


def uncertain_words(path: str, effects: tuple[str, ...]) -> str:
    """What nobody knows, and why somebody has to say it."""
    what = f" ({listed(effects)} begun, and not confirmed)" if effects else ""
    return (
        f"? Did {path} happen{what}? Its attempt was lost, and it must not happen twice, so the run waits for a "
        "person to say"
    )


def held_words(path: str, hold: Hold) -> str:
    """Why the step does not go on, since when, and what lets it; without a full stop."""
    if not hold.asks:
        return f"{path} waits since {date(hold.at)}: {one_line(hold.words, 320)}; then it goes on by itself"
    if hold.cause == "switch":
        lifts = " and ".join(_lift(key) for key in hold.keys)
        ways = f"{lifts} lets it go on"
    else:
        ways = "whoever raises it (`/vb budget set`) lets it go on"
    until = f"it goes on by itself {date(hold.until)}" if hold.until is not None else ""
    lets = " or ".join(part for part in (ways, until) if part)
    return f"{path} is held since {date(hold.at)}: {one_line(hold.words, 320)}; {lets}"


def _lift(key: str) -> str:
    """What to type. Only whoever runs the engine lets everything go on, and the run may be of any workspace."""
    return f"`vb lift {key}` where Vectorbea runs" if key == EVERYTHING else f"`/vb lift {one_line(key, 120)}`"


def _after_dead(state: RunState) -> str:
    if state.phase is not Phase.FORWARD or state.undoable:
        return ""
    return f"To try it again: {slash('redrive', state.run)}"


def _stands_out(before: RunState, event: _Attempt) -> bool:
    """Whether the event is told although it is inside of a loop of many."""
    match event:
        case e.StepFailed():
            is_unit = paths.loop_of(event.step) is not None
            counted = not is_unit or loops.is_counted_failure(before, event.step)
            return not counted and loops.goes_on_after_failures(before, paths.loop_of(event.step) or "")
        case e.StepSkipped():
            return event.by is not None
        case e.StepAwaitedWorker():
            return loops.first_of_its_kind(before, event.step, "awaited")
        case e.StepHeld():
            return loops.first_of_its_kind(before, event.step, "hold")
        case _:
            return False


def _completed(before: RunState, at: int, event: e.StepCompleted, step: StepState) -> str | None:
    path, node = event.step, before.plan.node(event.step)
    took = f" in {say_duration(at - step.started_at)}" if step.started_at else ""
    if undone := paths.undone_by(path):
        return f"↶ {undone} is undone{took}"
    match node.kind:
        case Kind.GROUP:
            return None  # its steps have their own lines
        case Kind.EACH if step.loop is not None:
            return f"✓ {path} done{took}: {loops.items_words(step.loop)}"
        case Kind.REPEAT if node.step.agent is not None:
            words = took_words(event.output)
            return f"✓ {path} done{took}{f': {words}' if words else ''}"
        case Kind.REPEAT if step.loop is not None:
            passes = "1 pass" if step.loop.launched == 1 else f"{step.loop.launched:,} passes"
            return f"✓ {path} done{took}: {passes}"
        case Kind.SIGNAL:
            return f"– {path}: no signal came in time; the run goes on without one"
        case Kind.CALL:
            return f"✓ {path} done{took}: {_child(before, path)} completed"
        case _:
            again = f", at {attempt(event.attempt, node.step.retry.attempts)}" if event.attempt > 1 else ""
            asked = f": {asked_words(node.step.llm.model, event.output)}" if node.step.llm is not None else ""
            return f"✓ {path} done{took}{again}{asked}"


def _failed(before: RunState, event: e.StepFailed) -> str | None:
    path, kind = event.step, before.plan.node(event.step).kind
    why = went_wrong(event.failure)
    if undone := paths.undone_by(path):
        return f"✗ {undone} could not be undone ({why})"
    if kind in CONTAINERS and not loops.in_crowd(before, path):
        far = loops.how_far(before, path)
        return f"✗ {path} failed: {far}" if far else None
    after = f", after {event.attempt} attempts" if event.attempt > 1 else ""
    return f"✗ {path} failed ({why}){after}"


def _child(state: RunState, path: str) -> str:
    call, run = state.plan.node(path).step.workflow, state.step(path).child
    return f"{call.name if call is not None else 'its run'} `{short_id(run)}`"
