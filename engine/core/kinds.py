"""What steps and workflows are made of: inputs, retries, loops, waits, calls, schedules. Gates are in ``approval``.

The one rule: each model says all that it means by itself; what depends on the rest of a definition is checked in
``engine.core.checks``.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator

from engine.core.durations import Duration
from engine.core.failures import FailureClass
from engine.core.money import DEFAULT_ALERTS, Money, Share

NAME = r"[a-z][a-z0-9_-]{0,62}"
Name = Annotated[str, StringConstraints(pattern=f"^{NAME}$")]
Uses = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*(@[1-9][0-9]*)?$")]
Expression = Annotated[str, StringConstraints(pattern=r"\$\{\{")]
"""A text that holds ``${{ … }}``."""
CHANNEL = r"#[^\s#@<>&,|]{1,80}"
WHO = rf"[@#][^\s@#]{{1,80}}|role:{NAME}"
"""A person or group (``@oncall``), a channel (``#leads``), or a role (``role:approver``)."""
Who = Annotated[str, StringConstraints(pattern=rf"^({WHO})$")]

Channel = Annotated[str, StringConstraints(pattern=rf"^{CHANNEL}$")]


class Model(BaseModel):
    """What all parts of a definition have in common. The reference quotes the docstrings of their fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, use_attribute_docstrings=True)


class InputType(StrEnum):
    STRING = "string"
    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    DATE = "date"
    TIME = "time"
    USER = "user"
    CHANNEL = "channel"
    EMAIL = "email"
    URL = "url"


class TypedField(Model):
    """A value that a person gives: its type, and what it may be."""

    type: InputType = InputType.STRING
    """What the value is: ``string`` is one line, ``text`` may have many, ``choice`` is one of ``choices``.

    Others are texts of one form: ``date`` (``2030-01-31``), ``time`` (``09:30``), ``user`` (``@ana``), ``channel``
    (``#ops``), ``email`` and ``url``. People choose them from a calendar, a clock or a list.
    """
    description: str = ""
    """What it is for; people see it in the form."""
    pattern: str | None = None
    """A regular expression that a text must match; write ``^`` and ``$`` for the whole of it."""
    choices: tuple[str, ...] = ()
    """The texts to choose from, with ``type: choice``."""
    min: float | None = None
    """The least number that is taken."""
    max: float | None = None
    """The greatest number that is taken."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.pattern is not None:
            try:
                re.compile(self.pattern)
            except re.error as error:
                raise ValueError(f"pattern is not a regular expression: {error}") from None
        if (self.type is InputType.CHOICE) != bool(self.choices):
            raise ValueError("choices and type: choice go together; give both or neither")
        return self


class InputField(TypedField):
    """One input of a workflow. Without a ``default`` it is required, unless ``required: false``."""

    default: JsonValue = None
    """The value where none is given."""
    required: bool | None = None
    """Whether it must be given; an optional input without a default is null."""

    @property
    def is_required(self) -> bool:
        return self.default is None if self.required is None else self.required


class RetryRule(Model):
    """How often in all, where a failure is of one class; what is not said here is as the step's ``retry`` says."""

    attempts: int | None = Field(default=None, ge=1, le=100)
    """How often in all."""
    initial: Duration | None = None
    """The longest first pause."""
    max: Duration | None = None
    """The longest pause of all."""
    factor: float | None = Field(default=None, ge=1.0, le=10.0)
    """By how much pauses grow."""
    within: Duration | None = Field(default=None, gt=0)
    """From the start of the first attempt: after a failure of this class no attempt starts later than this."""


class Retry(Model):
    """How often a step is tried in all, and how the pauses between the tries grow (exponentially, with full jitter)."""

    attempts: int = Field(default=1, ge=1, le=100)
    """How often in all; failures that would only repeat themselves are not tried again."""
    initial: Duration = 1_000
    """The longest first pause: each is drawn by chance between nothing and its limit."""
    max: Duration = 30_000
    """The longest pause of all."""
    factor: float = Field(default=2.0, ge=1.0, le=10.0)
    """By how much the limit of the pause grows from one to the next."""
    within: Duration | None = Field(default=None, gt=0)
    """From the start of the first attempt: no attempt starts later than this."""
    classes: dict[FailureClass, RetryRule] = {}
    """Other rules for classes of failure, also for one that is not tried again otherwise."""

    def of(self, cls: FailureClass) -> Retry | None:
        """The rule for a failure of ``cls``; None where the definition says nothing of that class."""
        rule = self.classes.get(cls)
        if rule is None:
            return None
        return self.model_copy(update={name: value for name, value in rule if value is not None})


class Sleep(Model):
    """A durable pause: ``for`` a time (``3d``), or ``until`` an instant (ISO 8601 with its offset).

    Short: ``sleep: 3d``. Both may be expressions. An instant that has passed is no pause.
    """

    for_: Duration | Expression | None = Field(default=None, alias="for")
    """How long."""
    until: Annotated[str, StringConstraints(min_length=1)] | None = None
    """Until when: date, time and offset."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: object) -> object:
        return {"for": value} if isinstance(value, str | int) and not isinstance(value, bool) else value

    @model_validator(mode="after")
    def _one_of(self) -> Sleep:
        if (self.for_ is None) == (self.until is None):
            raise ValueError("give either for (such as 3d) or until (such as 2030-01-31T09:00:00+01:00)")
        return self


class OnTimeout(StrEnum):
    FAIL = "fail"
    CONTINUE = "continue"


class WaitFor(Model):
    """Waits for a named signal. One that came before the wait was kept, and is taken then.

    With ``correlation`` the signal may be sent without knowing the run: it reaches the run whose value is the same. The
    step's output is the payload; after a timeout with ``on_timeout: continue`` it is null.
    """

    signal: Name
    """Its name."""
    correlation: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = None
    """What sender and run both know, such as an order's number."""
    payload: dict[Name, InputField] = {}
    """What the signal must bring, as for ``input``; without it, anything is taken."""
    timeout: Duration | None = Field(default=None, gt=0)
    """How long it waits; without it, for as long as the run may take."""
    on_timeout: OnTimeout = OnTimeout.FAIL
    """Whether the step fails then, or the run goes on."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: object) -> object:
        return {"signal": value} if isinstance(value, str) else value


class Call(Model):
    """A child run of another workflow, cancelled with its parent. The output is what the child gives."""

    name: Name
    """The workflow's name."""
    input: dict[Name, JsonValue] = {}
    """What it is given."""
    definition: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None
    """The hash of its definition: filled in when the caller is loaded, so that a run calls what it was started with."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: object) -> object:
        return {"name": value} if isinstance(value, str) else value


class OnItemFailure(StrEnum):
    FAIL = "fail"
    CONTINUE = "continue"


class ForEach(Model):
    """Runs the step once for each of ``items``; inside, ``item`` and ``index`` (from 0) are the item and its place.

    The output is a list with one ``{"index", "status", "output", "error"}`` for each item, in the order of the items.
    More than ``max_items`` fail the step before any of them has begun.
    """

    items: list[JsonValue] | Expression
    """A list, or an expression that gives one."""
    max_items: int = Field(ge=1, le=100_000)
    """How many there may be; above 50 they run in child runs."""
    max_parallel: int = Field(default=10, ge=1, le=1_000)
    """How many run at a time."""
    on_item_failure: OnItemFailure = OnItemFailure.FAIL
    """Whether a failed item fails the step, or the others go on and the result says which have failed."""


class OnMax(StrEnum):
    FAIL = "fail"
    CONTINUE = "continue"


class Repeat(Model):
    """Runs the group of steps ``until`` the condition holds after a pass, at most ``max`` times.

    Inside, ``iteration`` counts from 1, and ``previous`` holds the outputs of the pass before, by step (null in the
    first). The output is ``{"iterations", "met", "outputs"}`` of the last pass.
    """

    until: Annotated[str, StringConstraints(min_length=1)]
    """The condition that ends it; it sees the steps of the group."""
    max: int = Field(ge=1, le=100_000)
    """How many passes there may be."""
    every: Duration = Field(default=0, ge=0)
    """The pause between the end of a pass and the next one."""
    on_max: OnMax = OnMax.FAIL
    """Whether the step fails after the last pass, or the run goes on."""


class Undo(Model):
    """How a completed step is compensated: a step of its own, with its own retries."""

    uses: Uses
    """The step's code, as for any step."""
    with_: dict[str, JsonValue] = Field(default={}, alias="with")
    """Its arguments; they see the output of the step that is undone, and ``failure``."""
    retry: Retry = Retry(attempts=5)
    """How often it is tried."""
    timeout: Duration = Field(default=600_000, gt=0)
    """How long one attempt may take."""


class OnLimit(StrEnum):
    QUEUE = "queue"
    SKIP = "skip"
    CANCEL_RUNNING = "cancel_running"


class Concurrency(Model):
    """At most ``limit`` runs with the same ``key`` (rendered from the input) at a time, in the whole workspace.

    One more waits in line, by priority and then age; or is skipped; or cancels those that run, and waits for their end.
    """

    key: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    """Which runs are counted together."""
    limit: int = Field(default=1, ge=1, le=10_000)
    """How many of them may run at a time."""
    on_limit: OnLimit = OnLimit.QUEUE
    """What happens to one more."""


class Budget(Model):
    """What one run may spend, with the runs that it calls. Before it would spend more, it waits for a person.

    The budgets of the workspace, of the workflow and of people are set by ``vb budget set``, and hold besides.
    """

    limit: Money = Field(gt=0)
    """The most that it may spend, in US dollars."""
    alert_at: tuple[Share, ...] = DEFAULT_ALERTS
    """At which shares of the limit people are told."""
    channel: Channel | None = None
    """Where they are told as well as in the run's thread."""


class Priority(StrEnum):
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"

    @property
    def rank(self) -> int:
        """0 for low to 2 for high."""
        return (Priority.LOW, Priority.NORMAL, Priority.HIGH).index(self)


class Overlap(StrEnum):
    SKIP = "skip"
    QUEUE = "queue"
    CANCEL_RUNNING = "cancel_running"


class Schedule(Model):
    """Starts the workflow by the clock: ``cron`` of five fields, in ``timezone`` (an IANA name).

    ``overlap`` says what happens if the run before has not ended. After a time without any scheduler, at most
    ``catch_up`` of the missed instants are started, the latest of them.
    """

    cron: Annotated[str, StringConstraints(pattern=r"^\s*\S+(\s+\S+){4}\s*$")]
    """Minute, hour, day of the month, month, day of the week."""
    timezone: str = "UTC"
    """Whose clock it is, as an IANA name."""
    overlap: Overlap = Overlap.SKIP
    """What happens if the run before has not ended."""
    catch_up: int = Field(default=1, ge=0, le=1_000)
    """How many missed starts are made up for."""
    input: dict[Name, JsonValue] = {}
    """What each run is started with."""
