"""Facts about what holds steps: a switch that a person has thrown, or a budget that is used up."""

from __future__ import annotations

from typing import ClassVar, Literal

from engine.core.events.base import EventModel


class StepHeld(EventModel):
    """The step may not start, or go on, until a person lifts what holds it. It costs the step none of its attempts.

    ``keys`` name what holds it, ``words`` say it to people. ``epoch`` is that of the switches and budgets that were
    looked at: the step is not looked at again before it has grown, or ``until`` has come. Of a budget, ``amount`` is
    what the step may spend next; ``asks`` tells whether it takes a person, or others will give back what it waits for.
    """

    type: ClassVar[str] = "STEP_HELD"
    step: str
    attempt: int
    cause: Literal["switch", "budget"]
    keys: tuple[str, ...]
    words: str
    epoch: int
    until: int | None = None
    amount: int = 0
    asks: bool = True


class StepReleased(EventModel):
    """Nothing holds the step any more: it is ready."""

    type: ClassVar[str] = "STEP_RELEASED"
    step: str
