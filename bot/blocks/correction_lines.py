"""Attempts that a model tries to mend, in words: what failed, what was seen, what was changed and why, what is asked.

The one rule: the model's words are shown as what the model said, and a person is told every way to go on.
"""

from __future__ import annotations

from typing import assert_never

from bot.blocks import loops
from bot.blocks.words import listed, one_line, went_wrong
from engine.core import events as e
from engine.core.state import RunState


def correction_line(before: RunState, event: e.CorrectionEvent) -> str | None:
    """The line of one event; None for one inside of a loop that is summed up, unless a person is asked."""
    path = event.step
    if isinstance(event, e.StepGivenUp):
        return f"? {given_up_words(path, event.summary)}"
    if loops.in_crowd(before, path):
        return None
    match event:
        case e.StepCorrecting():
            why = went_wrong(before.step(path).failure)
            rules = before.plan.node(path).step.correct
            model = rules.model if rules is not None else "a model"
            return f"↻ {path} failed ({why}); {one_line(model)} is asked what to change, {event.number} of {event.of}"
        case e.StepCorrected():
            seen, why = one_line(event.seen, 200) or "nothing said", one_line(event.why, 200) or "nothing said"
            return (
                f"✎ {path} is tried with a change, {event.number} of {event.of}. Seen: {seen}. "
                f"Changed: {listed(event.changed)}. Why: {why}"
            )
        case _:
            assert_never(event)


def given_up_words(path: str, summary: str) -> str:
    """Why no further correction is tried, and that somebody has to say how to go on."""
    return f"{path} waits for a person to say how it goes on. {one_line(summary, 320)}"
