"""Facts about a run as a whole."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from engine.core.events.base import Actor, EventModel


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Parent(_Value):
    """The step of another run that this run is done for, and which of its attempts."""

    run: str
    step: str
    attempt: int


class Part(_Value):
    """Items of the for_each step ``step``; ``first`` is the index of the first of them."""

    step: str
    first: int
    items: list[JsonValue]


class InLine(_Value):
    """At most ``limit`` runs that hold ``key`` go on at a time."""

    key: str
    limit: int
    on_limit: Literal["queue", "skip", "cancel_running"] = "queue"


class Fork(_Value):
    """This run goes on from what ``run`` had at ``seq``, and does ``step`` and what follows anew."""

    run: str
    step: str
    seq: int


class Estimated(_Value):
    """What the run was estimated to cost, with the runs that it calls, in millionths of a US dollar.

    ``unpriced`` are the steps that are not in it, since nobody knows what their model costs.
    """

    low: int
    likely: int
    high: int
    unpriced: tuple[str, ...] = ()


class RunStarted(EventModel):
    """The first event of every run.

    ``origin`` is the asking surface's own note (such as where to report), opaque here. Two starts with one
    ``dedupe_key`` in one workspace are one run. ``priority`` is 0 (low) to 2 (high). ``keys_around`` are the
    concurrency keys of the runs that it is done for, the outermost first, and ``charged_around`` the budgets that those
    are charged to. ``timezone`` is the workspace's, in which its days and months are counted. ``estimate`` is there if
    the run may ask models.
    """

    type: ClassVar[str] = "RUN_STARTED"
    version: ClassVar[int] = 2
    workspace: str
    workflow: str
    definition: str
    input: dict[str, JsonValue]
    by: Actor
    origin: dict[str, JsonValue] = Field(default={})
    dedupe_key: str | None = None
    labels: dict[str, str] = Field(default={})
    priority: int = 1
    concurrency: InLine | None = None
    parent: Parent | None = None
    part: Part | None = None
    outer: dict[str, JsonValue] = Field(default={})
    forked_from: Fork | None = None
    keys_around: tuple[str, ...] = ()
    charged_around: tuple[str, ...] = ()
    timezone: str = "UTC"
    estimate: Estimated | None = None


class RunAdmitted(EventModel):
    """The run was in line for its concurrency key, and goes on."""

    type: ClassVar[str] = "RUN_ADMITTED"
    key: str


class RunPaused(EventModel):
    """Nothing starts until RUN_RESUMED; what runs is finished, decisions are taken, and deadlines stand.

    A run that stops meanwhile is undone, and its failure handled, all the same. ``order`` is there if it was the run's
    parent that was paused: the seq of that event in the parent's stream.
    """

    type: ClassVar[str] = "RUN_PAUSED"
    by: Actor
    reason: str = ""
    order: int | None = None


class RunResumed(EventModel):
    """``order`` is there if it was the run's parent that was resumed, as with RUN_PAUSED."""

    type: ClassVar[str] = "RUN_RESUMED"
    by: Actor
    reason: str = ""
    order: int | None = None


class RunCancelRequested(EventModel):
    """``order`` is there if it was the run's parent that was stopping: the seq in its stream at which it was."""

    type: ClassVar[str] = "RUN_CANCEL_REQUESTED"
    by: Actor
    reason: str = ""
    order: int | None = None


class RunTimedOut(EventModel):
    """The run's own time is over: nothing more starts."""

    type: ClassVar[str] = "RUN_TIMED_OUT"


class RunUndoing(EventModel):
    """What the run did is compensated, one step after the other, in this order."""

    type: ClassVar[str] = "RUN_UNDOING"
    steps: tuple[str, ...]


class RunFailureHandling(EventModel):
    """The steps under ``on_failure`` begin."""

    type: ClassVar[str] = "RUN_FAILURE_HANDLING"


class RunReopened(EventModel):
    """A run that had failed goes on."""

    type: ClassVar[str] = "RUN_REOPENED"
    by: Actor
    reason: str = ""


class RunMoved(EventModel):
    """From here on the run follows the definition ``definition``; ``renamed`` maps old ids of steps to new ones.

    ``codes``: what it uses in place of which ``name@version``, if that alone is what the definition differs in.
    """

    type: ClassVar[str] = "RUN_MOVED"
    definition: str
    renamed: dict[str, str] = Field(default={})
    codes: dict[str, str] = Field(default={})
    by: Actor
    reason: str = ""


class RunLabelled(EventModel):
    """Labels were set, or taken away (null)."""

    type: ClassVar[str] = "RUN_LABELLED"
    labels: dict[str, str | None]
    by: Actor


class RunCompleted(EventModel):
    type: ClassVar[str] = "RUN_COMPLETED"
    output: JsonValue = None


class RunFailed(EventModel):
    """Ends a run that could not go on. ``kind`` tells a denial, an expiry or the run's own timeout from a fault."""

    type: ClassVar[str] = "RUN_FAILED"
    step: str
    kind: Literal["failure", "denied", "expired", "timeout"]
    reason: str


class RunCancelled(EventModel):
    type: ClassVar[str] = "RUN_CANCELLED"
    by: Actor
    reason: str = ""
