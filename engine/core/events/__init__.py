"""Every fact that a stream can hold: a closed union of frozen models, each with a name and a payload version.

The one rule: an event says what happened, in the past tense, once. State is a fold of events (``engine.core.state``);
nothing else is remembered. Adding an event: write its class, add it to ``Event``, and pyright leads to the rest.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, get_args

from pydantic import JsonValue, ValidationError

from engine.core.errors import UnknownEvent
from engine.core.events.approvals import (
    ApprovalChangesRequested,
    ApprovalDelegated,
    ApprovalDenied,
    ApprovalEdited,
    ApprovalEscalated,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalPresented,
    ApprovalReminded,
    ApprovalRequested,
    ApprovalSnoozed,
    ApprovalStageOpened,
    ApprovalVoted,
    AskedClock,
    AskedHours,
    AskedLater,
    AskedStage,
    Copy,
    Inputs,
)
from engine.core.events.base import Actor
from engine.core.events.correcting import CorrectionEvent, StepCorrected, StepCorrecting, StepGivenUp
from engine.core.events.flow import (
    ChildStarted,
    ForEachStarted,
    IterationStarted,
    SignalAwaited,
    SignalMatched,
    SignalReceived,
    TimerFired,
    TimerSet,
)
from engine.core.events.holding import StepHeld as StepHeld
from engine.core.events.holding import StepReleased as StepReleased
from engine.core.events.runs import (
    Estimated,
    Fork,
    InLine,
    Parent,
    Part,
    RunAdmitted,
    RunCancelled,
    RunCancelRequested,
    RunCompleted,
    RunFailed,
    RunFailureHandling,
    RunLabelled,
    RunMoved,
    RunPaused,
    RunReopened,
    RunResumed,
    RunStarted,
    RunTimedOut,
    RunUndoing,
)
from engine.core.events.spending import BudgetAlerted, BudgetExceeded, CostRecorded, EffectUnsent, PricedAt, Standing
from engine.core.events.steps import (
    EffectRecorded,
    EffectStarted,
    KeyUsed,
    LateResultRefused,
    SettledAs,
    StepAwaitedWorker,
    StepCompleted,
    StepDeadLettered,
    StepFailed,
    StepHandedBack,
    StepLogged,
    StepMissing,
    StepOutputSet,
    StepPostponed,
    StepProgressed,
    StepRedriven,
    StepReported,
    StepRetried,
    StepReused,
    StepSettled,
    StepSkipped,
    StepsReset,
    StepStarted,
    StepUncertain,
)

RunEvent = (
    RunStarted
    | RunAdmitted
    | RunPaused
    | RunResumed
    | RunCancelRequested
    | RunTimedOut
    | RunUndoing
    | RunFailureHandling
    | RunReopened
    | RunMoved
    | RunLabelled
    | RunCompleted
    | RunFailed
    | RunCancelled
)
StepEvent = (
    StepStarted
    | StepCompleted
    | StepFailed
    | StepRetried
    | StepHandedBack
    | StepPostponed
    | StepHeld
    | StepReleased
    | StepSkipped
    | StepAwaitedWorker
    | StepLogged
    | EffectStarted
    | EffectRecorded
    | KeyUsed
    | LateResultRefused
    | StepMissing
    | StepProgressed
    | StepReported
    | StepDeadLettered
    | StepUncertain
    | StepSettled
    | StepRedriven
    | StepsReset
    | StepReused
    | StepOutputSet
)
FlowEvent = (
    ForEachStarted
    | IterationStarted
    | TimerSet
    | TimerFired
    | SignalAwaited
    | SignalReceived
    | SignalMatched
    | ChildStarted
)
ApprovalEvent = (
    ApprovalRequested
    | ApprovalPresented
    | ApprovalReminded
    | ApprovalEscalated
    | ApprovalVoted
    | ApprovalStageOpened
    | ApprovalEdited
    | ApprovalChangesRequested
    | ApprovalDelegated
    | ApprovalSnoozed
    | ApprovalGranted
    | ApprovalDenied
    | ApprovalExpired
)
SpendingEvent = CostRecorded | EffectUnsent | BudgetAlerted | BudgetExceeded
Event = RunEvent | StepEvent | FlowEvent | ApprovalEvent | SpendingEvent | CorrectionEvent

EVENTS: dict[str, type[Event]] = {cls.type: cls for cls in get_args(Event)}

UPCASTERS: dict[tuple[str, int], Callable[[dict[str, Any]], dict[str, Any]]] = {
    # Version 2 of each has more fields, with defaults that say what version 1 meant.
    ("RUN_STARTED", 1): dict[str, Any],
    ("STEP_STARTED", 1): dict[str, Any],
    ("STEP_FAILED", 1): dict[str, Any],
    ("EFFECT_STARTED", 1): dict[str, Any],
    ("APPROVAL_REQUESTED", 1): dict[str, Any],
    ("APPROVAL_PRESENTED", 1): dict[str, Any],
    ("APPROVAL_GRANTED", 1): dict[str, Any],
    ("APPROVAL_DENIED", 1): dict[str, Any],
}
"""(type, version) -> a function that lifts a payload of that version to the next one."""


def value_of(event: Event) -> JsonValue:
    """The value that a state may hold by the place of this event; None for events that have none."""
    match event:
        case StepCompleted() | StepReused() | StepOutputSet() | RunCompleted():
            return event.output
        case StepSettled() | EffectRecorded():
            return event.result
        case SignalReceived():
            return event.payload
        case ForEachStarted():
            return event.items
        case StepProgressed():
            return event.cursor
        case StepCorrecting() | StepGivenUp():
            return event.output
        case StepCorrected():
            return event.changes
        case _:
            return None


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


__all__ = [
    "EVENTS",
    "UPCASTERS",
    "Actor",
    "ApprovalChangesRequested",
    "ApprovalDelegated",
    "ApprovalDenied",
    "ApprovalEdited",
    "ApprovalEscalated",
    "ApprovalEvent",
    "ApprovalExpired",
    "ApprovalGranted",
    "ApprovalPresented",
    "ApprovalReminded",
    "ApprovalRequested",
    "ApprovalSnoozed",
    "ApprovalStageOpened",
    "ApprovalVoted",
    "AskedClock",
    "AskedHours",
    "AskedLater",
    "AskedStage",
    "BudgetAlerted",
    "BudgetExceeded",
    "ChildStarted",
    "Copy",
    "CorrectionEvent",
    "CostRecorded",
    "EffectRecorded",
    "EffectStarted",
    "EffectUnsent",
    "Estimated",
    "Event",
    "FlowEvent",
    "ForEachStarted",
    "Fork",
    "InLine",
    "Inputs",
    "IterationStarted",
    "KeyUsed",
    "LateResultRefused",
    "Parent",
    "Part",
    "PricedAt",
    "RunAdmitted",
    "RunCancelRequested",
    "RunCancelled",
    "RunCompleted",
    "RunEvent",
    "RunFailed",
    "RunFailureHandling",
    "RunLabelled",
    "RunMoved",
    "RunPaused",
    "RunReopened",
    "RunResumed",
    "RunStarted",
    "RunTimedOut",
    "RunUndoing",
    "SettledAs",
    "SignalAwaited",
    "SignalMatched",
    "SignalReceived",
    "SpendingEvent",
    "Standing",
    "StepAwaitedWorker",
    "StepCompleted",
    "StepCorrected",
    "StepCorrecting",
    "StepDeadLettered",
    "StepEvent",
    "StepFailed",
    "StepGivenUp",
    "StepHandedBack",
    "StepHeld",
    "StepLogged",
    "StepMissing",
    "StepOutputSet",
    "StepPostponed",
    "StepProgressed",
    "StepRedriven",
    "StepReleased",
    "StepReported",
    "StepRetried",
    "StepReused",
    "StepSettled",
    "StepSkipped",
    "StepStarted",
    "StepUncertain",
    "StepsReset",
    "TimerFired",
    "TimerSet",
    "decode",
    "encode",
    "value_of",
]
