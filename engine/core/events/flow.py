"""Facts about loops, timers, signals and child runs."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, JsonValue

from engine.core.events.base import Actor, EventModel
from engine.core.events.runs import Part


class ForEachStarted(EventModel):
    """The items, so many, are fixed from here on; ``first`` is the index of the first of them."""

    type: ClassVar[str] = "FOR_EACH_STARTED"
    step: str
    count: int
    items: JsonValue
    first: int = 0


class IterationStarted(EventModel):
    """Pass ``iteration`` (from 1) of a repeat has begun."""

    type: ClassVar[str] = "ITERATION_STARTED"
    step: str
    iteration: int


class TimerSet(EventModel):
    type: ClassVar[str] = "TIMER_SET"
    step: str
    at: int


class TimerFired(EventModel):
    """The step's time has come: its pause is over, or its wait for a signal has timed out."""

    type: ClassVar[str] = "TIMER_FIRED"
    step: str


class SignalAwaited(EventModel):
    type: ClassVar[str] = "SIGNAL_AWAITED"
    step: str
    signal: str
    correlation: str | None = None
    expires_at: int | None = None


class SignalReceived(EventModel):
    """A signal reached the run; it is kept until a step takes it. ``id`` tells a repetition from a second one."""

    type: ClassVar[str] = "SIGNAL_RECEIVED"
    id: str
    signal: str
    correlation: str | None = None
    payload: JsonValue = None
    by: Actor


class SignalMatched(EventModel):
    """The step took the signal that was received at ``seq``: its payload is the step's output."""

    type: ClassVar[str] = "SIGNAL_MATCHED"
    step: str
    seq: int


class ChildStarted(EventModel):
    """The step is done by the run ``run``, which starts now; with ``part``, it does these items of a for_each.

    ``outer`` is what the part's expressions may see of this run.
    """

    type: ClassVar[str] = "CHILD_STARTED"
    step: str
    attempt: int
    run: str
    workflow: str
    definition: str
    input: dict[str, JsonValue]
    part: Part | None = None
    outer: dict[str, JsonValue] = Field(default={})
