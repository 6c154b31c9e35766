"""Facts about attempts that a model tries to mend."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, JsonValue

from engine.core.events.base import EventModel


class StepCorrecting(EventModel):
    """A model is asked what to change, for the time ``number`` of at most ``of``.

    ``attempt`` is the digest of the arguments that failed; ``output`` is what the attempt gave, where its check failed.
    """

    type: ClassVar[str] = "STEP_CORRECTING"
    step: str
    number: int
    of: int
    attempt: str
    output: JsonValue = None


class StepCorrected(EventModel):
    """The step is tried again with other arguments: ``changes`` has all of them that are not the definition's.

    ``seen`` and ``why`` are the model's words; ``changed`` names what is new, and ``cost`` is in millionths of a US
    dollar.
    """

    type: ClassVar[str] = "STEP_CORRECTED"
    step: str
    number: int
    of: int
    changes: dict[str, JsonValue]
    changed: tuple[str, ...]
    seen: str
    why: str
    cost: int = 0


class StepGivenUp(EventModel):
    """No further correction is tried, and a person is asked; ``summary`` says what was tried and why it stopped.

    ``attempt`` and ``output`` are those of the last attempt, as in STEP_CORRECTING, where no model was asked after it.
    """

    type: ClassVar[str] = "STEP_GIVEN_UP"
    step: str
    summary: str
    may_change: tuple[str, ...] = Field(default=())
    attempt: str = ""
    output: JsonValue = None


CorrectionEvent = StepCorrecting | StepCorrected | StepGivenUp
