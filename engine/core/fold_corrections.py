"""The arms of the fold for attempts that a model tries to mend.

The one rule: what was tried is kept until the step has ended, so that nothing is tried twice.
"""

from __future__ import annotations

from typing import assert_never

from immutables import Map

from engine.core import events as e
from engine.core import paths
from engine.core.corrections import Correction
from engine.core.state import READY, RunState, StepState, StepStatus
from engine.core.transitions import begin, drop_correction, put
from engine.core.values import held


def evolve_correction(state: RunState, event: e.CorrectionEvent) -> RunState:
    path, step = event.step, state.step(event.step)
    known = step.correction or Correction()
    match event:
        case e.StepCorrecting():
            tried = known._replace(tried=(*known.tried, event.attempt), output=held(event.output, state.seq))
            asking = step._replace(status=StepStatus.CORRECTING, ended_at=0, correction=tried)
            state = put(state, path, asking)
            return begin(state, paths.correction(path), READY._replace(generation=event.number))
        case e.StepCorrected():
            words = f"saw: {event.seen}; changed: {', '.join(event.changed)}; why: {event.why}"
            changed = known._replace(
                number=event.number,
                changes=held(event.changes, state.seq),
                told=(*known.told, words),
            )
            return again(drop_correction(state, path), path, changed)
        case e.StepGivenUp():
            asking = known._replace(summary=event.summary, asked=state.seq)
            if event.attempt:
                asking = asking._replace(tried=(*known.tried, event.attempt))
            if event.output is not None:
                asking = asking._replace(output=held(event.output, state.seq))
            given_up = step._replace(status=StepStatus.GIVEN_UP, ended_at=0, correction=asking)
            return put(drop_correction(state, path), path, given_up)
        case _:
            assert_never(event)


def again(state: RunState, path: str, correction: Correction) -> RunState:
    """The step is ready with other arguments: what it recorded with the old ones does not count any more."""
    step = state.step(path)
    fresh = StepState(
        status=StepStatus.READY,
        generation=step.generation + 1,
        keyed_as=step.keyed_as,
        since=step.since,
        effects=Map(),
        correction=correction,
    )
    return put(state, path, fresh)
