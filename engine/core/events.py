"""Every fact that a stream can hold: a closed union of frozen models, each with a name and a payload version.

The one rule: an event says what happened, in the past tense, once. State is a fold of events (``engine.core.state``);
nothing else is remembered. Adding an event: write its class, add it to ``Event``, and pyright leads to the rest.

Instants are epoch milliseconds, durations milliseconds.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, ClassVar, Literal, get_args

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from engine.core.errors import UnknownEvent
from engine.core.failures import Failure, FailureClass


class Actor(BaseModel):
    """Who did something: ``via`` the surface that vouches for them, their ``id`` there, and a ``name`` to show."""

    model_config = ConfigDict(frozen=True)

    via: Literal["slack", "cli", "api", "engine"]
    id: str
    name: str


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    type: ClassVar[str]
    version: ClassVar[int] = 1


class RunStarted(_Event):
    """The first event of every run.

    ``origin`` is the asking surface's own note (such as where to report), opaque here. Two starts with one
    ``dedupe_key`` in one workspace are one run.
    """

    type: ClassVar[str] = "RUN_STARTED"
    workspace: str
    workflow: str
    definition: str
    input: dict[str, JsonValue]
    by: Actor
    origin: dict[str, JsonValue] = {}
    dedupe_key: str | None = None


class RunCancelRequested(_Event):
    type: ClassVar[str] = "RUN_CANCEL_REQUESTED"
    by: Actor
    reason: str = ""


class RunCompleted(_Event):
    type: ClassVar[str] = "RUN_COMPLETED"


class RunFailed(_Event):
    """Ends a run that could not go on. ``kind`` tells a denial or an expiry from a fault."""

    type: ClassVar[str] = "RUN_FAILED"
    step: str
    kind: Literal["failure", "denied", "expired"]
    reason: str


class RunCancelled(_Event):
    type: ClassVar[str] = "RUN_CANCELLED"
    by: Actor
    reason: str = ""


class StepStarted(_Event):
    """An attempt was claimed by ``worker``.

    The claim holds until ``lease_until``, longer if the worker's lease is renewed, and never past ``lease_cap``; both
    are instants of the database's clock.
    """

    type: ClassVar[str] = "STEP_STARTED"
    step: str
    attempt: int
    worker: str
    lease_until: int
    lease_cap: int


class StepCompleted(_Event):
    type: ClassVar[str] = "STEP_COMPLETED"
    step: str
    attempt: int
    output: JsonValue = None


class StepFailed(_Event):
    type: ClassVar[str] = "STEP_FAILED"
    step: str
    attempt: int
    failure: Failure


class StepRetried(_Event):
    """Attempt ``attempt`` of ``of`` will start at ``at``."""

    type: ClassVar[str] = "STEP_RETRIED"
    step: str
    attempt: int
    of: int
    at: int


class StepHandedBack(_Event):
    """A stopping worker gave an attempt back unfinished; it costs the step none of its attempts."""

    type: ClassVar[str] = "STEP_HANDED_BACK"
    step: str
    attempt: int
    worker: str


class StepSkipped(_Event):
    type: ClassVar[str] = "STEP_SKIPPED"
    step: str
    reason: str


class StepAwaitedWorker(_Event):
    """A worker looked at a ready step whose code (``uses``) it does not have, and left it to others."""

    type: ClassVar[str] = "STEP_AWAITED_WORKER"
    step: str
    uses: str


class StepLogged(_Event):
    type: ClassVar[str] = "STEP_LOGGED"
    step: str
    attempt: int
    text: str


class EffectStarted(_Event):
    """``key`` is about to be handed to the outside; whether it arrived is unknown until EFFECT_RECORDED."""

    type: ClassVar[str] = "EFFECT_STARTED"
    step: str
    effect: str
    key: str


class EffectRecorded(_Event):
    type: ClassVar[str] = "EFFECT_RECORDED"
    step: str
    effect: str
    result: JsonValue = None


class LateResultRefused(_Event):
    """An attempt that no longer counted reported its result; nothing was changed by it."""

    type: ClassVar[str] = "LATE_RESULT_REFUSED"
    step: str
    attempt: int
    worker: str
    outcome: Literal["completed", "failed"]


class AskedLater(BaseModel):
    """A rung of the ladder, with its instant fixed when the gate opened."""

    model_config = ConfigDict(frozen=True)

    at: int
    to: str


class ApprovalRequested(_Event):
    """A gate opened. ``title`` and ``show`` are rendered: exactly what the people asked are to see."""

    type: ClassVar[str] = "APPROVAL_REQUESTED"
    step: str
    title: str
    show: dict[str, JsonValue]
    approvers: tuple[str, ...]
    allow_self: bool
    expires_at: int
    on_expiry: Literal["deny", "approve", "fail"]
    remind_every: int | None
    escalate: tuple[AskedLater, ...]


class ApprovalPresented(_Event):
    """The request was shown at ``where``; ``digest`` is the sha256 of exactly what was shown there."""

    type: ClassVar[str] = "APPROVAL_PRESENTED"
    step: str
    where: str
    digest: str


class ApprovalReminded(_Event):
    type: ClassVar[str] = "APPROVAL_REMINDED"
    step: str
    count: int


class ApprovalEscalated(_Event):
    type: ClassVar[str] = "APPROVAL_ESCALATED"
    step: str
    rung: int
    to: str


class ApprovalGranted(_Event):
    """``authority`` says by what right, as read at the decision, such as ``in @release-managers``."""

    type: ClassVar[str] = "APPROVAL_GRANTED"
    step: str
    by: Actor
    authority: str = ""
    reason: str = ""


class ApprovalDenied(_Event):
    type: ClassVar[str] = "APPROVAL_DENIED"
    step: str
    by: Actor
    authority: str = ""
    reason: str = ""


class ApprovalExpired(_Event):
    type: ClassVar[str] = "APPROVAL_EXPIRED"
    step: str
    policy: Literal["deny", "approve", "fail"]


Event = (
    RunStarted
    | RunCancelRequested
    | RunCompleted
    | RunFailed
    | RunCancelled
    | StepStarted
    | StepCompleted
    | StepFailed
    | StepRetried
    | StepHandedBack
    | StepSkipped
    | StepAwaitedWorker
    | StepLogged
    | EffectStarted
    | EffectRecorded
    | LateResultRefused
    | ApprovalRequested
    | ApprovalPresented
    | ApprovalReminded
    | ApprovalEscalated
    | ApprovalGranted
    | ApprovalDenied
    | ApprovalExpired
)

EVENTS: dict[str, type[Event]] = {cls.type: cls for cls in get_args(Event)}

UPCASTERS: dict[tuple[str, int], Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""(type, version) -> a function that lifts a payload of that version to the next one."""


def encode(event: Event) -> str:
    """The payload's JSON text, as it is stored and hashed."""
    return event.model_dump_json()


def decode(type_: str, version: int, payload: str) -> Event:
    """The event that was stored under ``type_`` and ``version``.

    Raises ``UnknownEvent`` for a type or version that this release does not know: the stream is then left to others.
    """
    cls = EVENTS.get(type_)
    if cls is None or version > cls.version:
        raise UnknownEvent(type_, version)
    try:
        if version == cls.version:
            return cls.model_validate_json(payload)
        data: dict[str, Any] = json.loads(payload)
        for old in range(version, cls.version):
            data = UPCASTERS[type_, old](data)
        return cls.model_validate(data)
    except (ValidationError, KeyError, json.JSONDecodeError) as error:
        raise UnknownEvent(type_, version) from error


__all__ = ["EVENTS", "UPCASTERS", "Actor", "AskedLater", "Event", "FailureClass", "decode", "encode"]
