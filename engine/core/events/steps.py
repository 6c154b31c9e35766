"""Facts about steps: their attempts, their effects, and what operators decided about them."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import JsonValue

from engine.core.events.base import Actor, EventModel
from engine.core.events.spending import PricedAt
from engine.core.failures import Failure


class StepStarted(EventModel):
    """An attempt was claimed by ``worker``.

    The claim holds until ``lease_until``, longer if the worker's lease is renewed, and never past ``lease_cap``; both
    are instants of the database's clock. ``epoch`` is that of the switches at the time (``engine.core.switches``).
    """

    type: ClassVar[str] = "STEP_STARTED"
    version: ClassVar[int] = 2
    step: str
    attempt: int
    worker: str
    lease_until: int
    lease_cap: int
    epoch: int = 0


class StepCompleted(EventModel):
    """``child_spent`` is what the run that did the step has spent by then, with those that it called."""

    type: ClassVar[str] = "STEP_COMPLETED"
    step: str
    attempt: int
    output: JsonValue = None
    child_spent: int = 0


class StepFailed(EventModel):
    """``again``: the step goes on all the same, as the next event says (STEP_RETRIED or STEP_UNCERTAIN).

    ``child_spent`` is what the run that did the step has spent by then, with those that it called.
    """

    type: ClassVar[str] = "STEP_FAILED"
    version: ClassVar[int] = 2
    step: str
    attempt: int
    failure: Failure
    again: bool = False
    child_spent: int = 0


class StepRetried(EventModel):
    """Attempt ``attempt`` of ``of`` will start at ``at``."""

    type: ClassVar[str] = "STEP_RETRIED"
    step: str
    attempt: int
    of: int
    at: int


class StepHandedBack(EventModel):
    """A stopping worker gave an attempt back unfinished; it costs the step none of its attempts."""

    type: ClassVar[str] = "STEP_HANDED_BACK"
    step: str
    attempt: int
    worker: str


class StepPostponed(EventModel):
    """The attempt may not go on before ``until``; it starts again then, and this costs the step none of its attempts.

    ``words`` name what it waits for.
    """

    type: ClassVar[str] = "STEP_POSTPONED"
    step: str
    attempt: int
    until: int
    words: str


class StepSkipped(EventModel):
    """``by`` is there if an operator skipped it."""

    type: ClassVar[str] = "STEP_SKIPPED"
    step: str
    reason: str
    by: Actor | None = None


class StepAwaitedWorker(EventModel):
    """A worker looked at a ready step whose code (``uses``) it does not have, and left it to others."""

    type: ClassVar[str] = "STEP_AWAITED_WORKER"
    step: str
    uses: str


class StepLogged(EventModel):
    type: ClassVar[str] = "STEP_LOGGED"
    step: str
    attempt: int
    text: str


class EffectStarted(EventModel):
    """``key`` is about to be handed to the outside; whether it arrived is unknown until EFFECT_RECORDED.

    Where it may cost something, ``reserved`` is the most that it can cost, in millionths of a dollar, and ``accounts``
    are charged with it until COST_RECORDED or EFFECT_UNSENT. ``price`` is that of the ``model`` at the time, from which
    what it has cost is reckoned. ``under`` are the switches that stop it, beside those of its step, such as
    ``provider:openai``; ``epoch`` is that of the switches at the time.
    """

    type: ClassVar[str] = "EFFECT_STARTED"
    version: ClassVar[int] = 2
    step: str
    effect: str
    key: str
    reserved: int = 0
    model: str = ""
    provider: str = ""
    accounts: tuple[str, ...] = ()
    under: tuple[str, ...] = ()
    epoch: int = 0
    price: PricedAt | None = None


class EffectRecorded(EventModel):
    type: ClassVar[str] = "EFFECT_RECORDED"
    step: str
    effect: str
    result: JsonValue = None


class LateResultRefused(EventModel):
    """An attempt that no longer counted reported its result; nothing was changed by it."""

    type: ClassVar[str] = "LATE_RESULT_REFUSED"
    step: str
    attempt: int
    worker: str
    outcome: Literal["completed", "failed"]


class StepMissing(EventModel):
    """No worker had the step's code (``uses``) for so long that a person is asked what to do. It may still turn up."""

    type: ClassVar[str] = "STEP_MISSING"
    step: str
    uses: str


class StepProgressed(EventModel):
    """A long step noted how far it has come; its next attempt gets the newest ``cursor`` back."""

    type: ClassVar[str] = "STEP_PROGRESSED"
    step: str
    attempt: int
    cursor: JsonValue


class StepReported(EventModel):
    """What the attempt says that it is doing now, in words, which hold until the next such words or its end."""

    type: ClassVar[str] = "STEP_REPORTED"
    step: str
    attempt: int
    text: str


class KeyUsed(EventModel):
    """The attempt was given a key of ``provider``, or (``secrets``) one of the workspace's secrets.

    ``key`` is the id of that value (``engine.core.key_events``).
    """

    type: ClassVar[str] = "KEY_USED"
    step: str
    attempt: int
    provider: str
    name: str
    key: str
    last_four: str = ""
    fingerprint: str


class StepDeadLettered(EventModel):
    """The step will not be tried again by itself; ``summary`` says what was tried and why it stopped."""

    type: ClassVar[str] = "STEP_DEAD_LETTERED"
    step: str
    attempts: int
    summary: str


class StepUncertain(EventModel):
    """Whether the attempt's effect happened is unknown, and it must not happen twice: a person has to say.

    ``effects`` were begun and not recorded.
    """

    type: ClassVar[str] = "STEP_UNCERTAIN"
    step: str
    attempt: int
    effects: tuple[str, ...] = ()


SettledAs = Literal["happened", "did_not_happen", "fail", "retry", "accept"]
"""What a person says: the first two of an uncertain attempt, the last two where corrections were given up."""


class StepSettled(EventModel):
    """A person said what became of an uncertain attempt, or what is to be done where corrections were given up.

    ``result`` is the step's output if it happened or is accepted, and the changed arguments if it is tried again.
    """

    type: ClassVar[str] = "STEP_SETTLED"
    step: str
    answer: SettledAs
    result: JsonValue = None
    by: Actor
    reason: str = ""


class StepRedriven(EventModel):
    """A step that had failed for good is tried again, with all its attempts; effects on record are not repeated.

    A repeat goes on with as many passes again, and a child run is itself redriven.
    """

    type: ClassVar[str] = "STEP_REDRIVEN"
    step: str
    by: Actor
    reason: str = ""


class StepsReset(EventModel):
    """These steps of the workflow, with all inside them, are as if they had never run; their effects get new keys."""

    type: ClassVar[str] = "STEPS_RESET"
    steps: tuple[str, ...]
    by: Actor
    reason: str = ""


class StepReused(EventModel):
    """A fork took the step's result over from the run that it was forked from."""

    type: ClassVar[str] = "STEP_REUSED"
    step: str
    status: Literal["completed", "skipped", "failed"]
    output: JsonValue = None


class StepOutputSet(EventModel):
    """An operator gave the step's output; it counts as completed."""

    type: ClassVar[str] = "STEP_OUTPUT_SET"
    step: str
    output: JsonValue
    by: Actor
    reason: str = ""
