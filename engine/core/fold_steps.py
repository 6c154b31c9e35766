"""The arms of the fold for steps: their attempts, their effects, and what operators decided about them."""

from __future__ import annotations

from typing import assert_never

from immutables import Map

from engine.core import events as e
from engine.core.corrections import Correction
from engine.core.failures import Failure, FailureClass
from engine.core.fold_corrections import again
from engine.core.state import ENDED_STEP, Effect, Hold, RunState, StepState, StepStatus
from engine.core.transitions import begin, forget, holders, may_begin, put, reopen, settle, unsettle
from engine.core.values import held

_ENDED_STATUS = {
    "completed": StepStatus.COMPLETED,
    "skipped": StepStatus.SKIPPED,
    "failed": StepStatus.FAILED,
}

_AttemptEvent = (
    e.StepStarted
    | e.StepCompleted
    | e.StepFailed
    | e.StepRetried
    | e.StepHandedBack
    | e.StepPostponed
    | e.StepHeld
    | e.StepReleased
    | e.StepSkipped
    | e.StepUncertain
)
_NoteEvent = (
    e.StepAwaitedWorker
    | e.StepMissing
    | e.StepLogged
    | e.StepProgressed
    | e.StepReported
    | e.StepDeadLettered
    | e.EffectStarted
    | e.EffectRecorded
    | e.KeyUsed
    | e.LateResultRefused
)


def evolve_step(state: RunState, event: e.StepEvent) -> RunState:
    match event:
        case e.StepSettled():
            return _settled(state, event)
        case e.StepRedriven():
            return _redriven(state, event.step)
        case e.StepsReset():
            return _reset(state, event.steps)
        case e.StepReused():
            status = _ENDED_STATUS[event.status]
            value = StepState(status=status, output=held(event.output, state.seq), ended_at=state.at)
            # What another run did is not this one's to undo.
            return settle(state, event.step, value)._replace(undoable=state.undoable)
        case e.StepOutputSet():
            return settle(state, event.step, _completed(state, event.step, event.output))
        case (
            e.StepStarted()
            | e.StepCompleted()
            | e.StepFailed()
            | e.StepRetried()
            | e.StepHandedBack()
            | e.StepPostponed()
            | e.StepHeld()
            | e.StepReleased()
            | e.StepSkipped()
            | e.StepUncertain()
        ):
            return _evolve_attempt(state, event, state.step(event.step))
        case _:
            return _noted(state, event, state.step(event.step))


def _evolve_attempt(state: RunState, event: _AttemptEvent, step: StepState) -> RunState:
    path = event.step
    match event:
        case e.StepStarted():
            return put(state, path, _started(step, event, state))
        case e.StepCompleted():
            return settle(_charged(state, step, event), path, _completed(state, path, event.output))
        case e.StepFailed():
            state = _charged(state, step, event)
            losses = step.losses + 1 if event.failure.cls is FailureClass.WORKER_LOST else 0
            failed = step._replace(failure=event.failure, ended_at=state.at, losses=losses, worker="")
            if event.again:
                return put(state, path, failed._replace(status=StepStatus.RETRYING))
            return settle(state, path, failed._replace(status=StepStatus.FAILED))
        case e.StepRetried():
            again = step._replace(status=StepStatus.RETRYING, retry_at=event.at, attempt=event.attempt, ended_at=0)
            return _back(state, path, again)
        case e.StepUncertain():
            return _back(state, path, step._replace(status=StepStatus.UNCERTAIN, ended_at=0))
        case e.StepHandedBack():
            return put(state, path, step._replace(status=StepStatus.READY, worker="", losses=0))
        case e.StepPostponed():
            later = {"retry_at": event.until, "postponed": event.words, "worker": "", "losses": 0}
            return put(state, path, step._replace(status=StepStatus.RETRYING, **later))
        case e.StepHeld():
            why = (event.cause, event.keys, event.words, event.epoch, state.at, event.until, event.amount, event.asks)
            return put(state, path, step._replace(status=StepStatus.HELD, hold=Hold(*why), worker="", postponed=""))
        case e.StepReleased():
            return put(state, path, step._replace(status=StepStatus.READY, hold=None))
        case e.StepSkipped():
            skipped = step._replace(status=StepStatus.SKIPPED, ended_at=state.at, failure=None, dead="", hold=None)
            return settle(state, path, skipped)
        case _:
            assert_never(event)


def _noted(state: RunState, event: _NoteEvent, step: StepState) -> RunState:
    path = event.step
    match event:
        case e.StepAwaitedWorker():
            return put(state, path, step._replace(awaited=True, awaited_at=state.at))
        case e.StepMissing():
            return put(state, path, step._replace(missing=state.seq))
        case e.StepLogged():
            return put(state, path, step._replace(log=(*step.log, event.text)))
        case e.StepProgressed():
            return put(state, path, step._replace(cursor=held(event.cursor, state.seq)))
        case e.StepReported():
            return put(state, path, step._replace(report=event.text, reported_at=state.at))
        case e.StepDeadLettered():
            return put(state, path, step._replace(dead=event.summary))
        case e.EffectStarted():
            begun = Effect(
                event.key, False, None, event.reserved, event.model, event.provider, event.accounts, event.under
            )
            state = state._replace(reserved=state.reserved + event.reserved)
            return put(state, path, step._replace(effects=step.effects.set(event.effect, begun)))
        case e.EffectRecorded():
            made = step.effects[event.effect]._replace(recorded=True, result=held(event.result, state.seq))
            return put(state, path, step._replace(effects=step.effects.set(event.effect, made)))
        case e.KeyUsed() | e.LateResultRefused():
            return state
        case _:
            assert_never(event)


def _started(step: StepState, event: e.StepStarted, state: RunState) -> StepState:
    return step._replace(
        status=StepStatus.RUNNING,
        attempt=event.attempt,
        token=state.seq,
        worker=event.worker,
        lease_until=event.lease_until,
        lease_cap=event.lease_cap,
        since=step.since or state.at,
        started_at=state.at,
        retry_at=0,
        postponed="",
        awaited=False,
        missing=0,
        report="",
        reported_at=0,
    )


def _charged(state: RunState, step: StepState, event: e.StepCompleted | e.StepFailed) -> RunState:
    """A run that did the step may do so again: it tells what it has spent from its beginning."""
    if not event.child_spent:
        return state
    return state._replace(children_spent=state.children_spent.set(step.child, event.child_spent))


def _completed(state: RunState, path: str, output: object) -> StepState:
    return state.step(path)._replace(
        status=StepStatus.COMPLETED,
        output=held(output, state.seq),  # pyright: ignore[reportArgumentType]
        ended_at=state.at,
        effects=Map(),
        failure=None,
        dead="",
        cursor=None,
        awaits=None,
        wake_at=0,
        hold=None,
    )


def _back(state: RunState, path: str, value: StepState) -> RunState:
    """A step that failed goes on. (Histories of earlier releases count it as ended in between.)"""
    if state.step(path).status in ENDED_STEP:
        state = unsettle(state, path)
    return begin(state, path, value)


def _settled(state: RunState, event: e.StepSettled) -> RunState:
    step = state.steps[event.step]
    if event.answer in ("happened", "accept"):
        return settle(state, event.step, _completed(state, event.step, event.result))
    if event.answer == "did_not_happen":
        known = Map({name: effect for name, effect in step.effects.items() if effect.recorded})
        ready = step._replace(status=StepStatus.READY, generation=step.generation + 1, effects=known, losses=0)
        return put(state, event.step, ready)
    if event.answer == "retry":
        correction = (step.correction or Correction())._replace(
            changes=held(event.result, state.seq), summary="", asked=0
        )
        return again(state, event.step, correction)
    words = f"{event.by.name} said that it failed" + (f": {event.reason}" if event.reason else "")
    failed = Failure(cls=FailureClass.PERMANENT, message=words, known=True)
    return settle(state, event.step, step._replace(status=StepStatus.FAILED, failure=failed, ended_at=state.at))


def _redriven(state: RunState, path: str) -> RunState:
    """The step is tried again, with all its attempts; the loops around it, which failed with it, go on."""
    for one in (path, *holders(path)):
        step = state.steps[one]
        if step.status not in ENDED_STEP:
            continue
        state = unsettle(state, one)
        step = state.steps[one]
        again = _afresh(state, step) if one == path else step._replace(status=StepStatus.OPEN)
        state = put(state, one, again._replace(failure=None, dead="", ended_at=0))
    return reopen(state)


def _afresh(state: RunState, step: StepState) -> StepState:
    """A repeat goes on with another pass, a child run is itself redriven, and anything else is ready.

    A child that was cancelled cannot go on: another one is asked for.
    """
    again = step._replace(attempt=0, losses=0, since=0, retry_at=0)
    if step.loop is not None:
        loop = step.loop._replace(base=step.loop.launched, rested=True)
        return again._replace(status=StepStatus.OPEN, loop=loop, wake_at=0)
    if step.child and step.failure is not None and step.failure.cls is FailureClass.CANCELLED:
        return again._replace(status=StepStatus.READY, child="", generation=step.generation + 1)
    if step.child:
        return again._replace(status=StepStatus.CALLING, attempt=1, since=state.at, started_at=state.at)
    return again._replace(status=StepStatus.READY)


def _reset(state: RunState, ids: tuple[str, ...]) -> RunState:
    """The steps, all of the workflow itself, have not run; those that wait for nothing else are ready."""
    for id_ in ids:
        generation = state.step(id_).generation + 1
        if state.step(id_).status in ENDED_STEP:
            state = unsettle(state, id_)
        state = put(forget(state, id_), id_, StepState(generation=generation))
    for id_ in ids:
        if may_begin(state, "", id_):
            state = put(state, id_, state.steps[id_]._replace(status=StepStatus.READY))
    return reopen(state)
