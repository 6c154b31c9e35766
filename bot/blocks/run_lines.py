"""The lines of a thread about a run as a whole: in line, held, stopped, undone, moved, ended.

The one rule: where somebody did it, they are named; where it is the run's turn to act, the line says what it does.
"""

from __future__ import annotations

from typing import assert_never

from bot.blocks.words import because, codes_words, listed, named, one_line, slash
from engine.core import events as e
from engine.core import paths
from engine.core.durations import say_duration
from engine.core.state import RunState

WAITED = 2_000
"""A run that was in line for less than this many ms is not worth a word about it."""

_ENDS = {"failure": "Failed", "denied": "Denied", "expired": "Expired", "timeout": "Timed out"}

_Steered = e.RunPaused | e.RunResumed | e.RunCancelRequested | e.RunReopened | e.RunMoved | e.RunLabelled
_Ended = e.RunCompleted | e.RunFailed | e.RunCancelled
_ByItself = e.RunAdmitted | e.RunTimedOut | e.RunUndoing | e.RunFailureHandling


def run_line(event: _Steered | _Ended | _ByItself, after: RunState) -> str | None:
    """The line for ``event``, which led to ``after``."""
    if isinstance(event, _Ended):
        return _ended(event, say_duration(after.at - after.started_at))
    return _steered(event, after) if isinstance(event, _Steered) else _by_itself(event, after)


def _ended(event: _Ended, took: str) -> str:
    match event:
        case e.RunCompleted():
            return f"✓ Completed in {took}"
        case e.RunCancelled():
            return f"■ Cancelled by {named(event.by)} after {took}"
        case e.RunFailed():
            where = f" at {event.step}" if event.step else f": {one_line(event.reason)}"
            return f"✗ {_ENDS[event.kind]}{where}, the run ended after {took}"
        case _:
            assert_never(event)


def _by_itself(event: _ByItself, after: RunState) -> str | None:
    match event:
        case e.RunAdmitted():
            waited = after.at - after.started_at
            if waited < WAITED:
                return None
            return f"→ After {say_duration(waited)} in line for {one_line(event.key, 80)} it is the run's turn"
        case e.RunTimedOut():
            limit = after.plan.workflow.timeout
            spent = "" if limit is None else f" ({say_duration(limit)})"
            return f"✗ The time that the run may take{spent} is over; nothing more starts"
        case e.RunUndoing():
            return f"↶ What was done is undone, one after the other: {listed(event.steps)}"
        case e.RunFailureHandling():
            return f"→ The steps for a failed run begin: {listed(after.plan.groups[paths.ON_FAILURE].steps)}"
        case _:
            assert_never(event)


def _steered(event: _Steered, after: RunState) -> str:
    who = named(event.by)
    match event:
        case e.RunPaused():
            on = slash("resume", after.run)
            return f"‖ {who} paused the run{because(event.reason)}; nothing new starts until somebody resumes it: {on}"
        case e.RunResumed():
            return f"→ {who} resumed the run{because(event.reason)}"
        case e.RunCancelRequested():
            return f"■ {who} asked to stop the run{because(event.reason)}"
        case e.RunReopened():
            return f"→ {who} opened the run again{because(event.reason)}; it goes on"
        case e.RunMoved():
            why = because(event.reason)
            if event.codes:
                return f"→ {who} let the run use other code ({codes_words(event.codes)}){why}"
            names = (f"{old} is now {new}" for old, new in sorted(event.renamed.items()))
            told = listed([event.definition[:12], *names])
            return f"→ {who} moved the run to another version of {after.started.workflow} ({told}){why}"
        case e.RunLabelled():
            kept = [f"{name}={value}" for name, value in sorted(event.labels.items()) if value is not None]
            gone = [f"without {name}" for name, value in sorted(event.labels.items()) if value is None]
            return f"· {who} labelled the run: {listed([*kept, *gone])}"
        case _:
            assert_never(event)
