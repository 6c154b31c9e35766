"""Facts about gates."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from engine.core.events.base import Actor, EventModel


class AskedLater(BaseModel):
    """A rung of the ladder, with its instant fixed when the gate opened."""

    model_config = ConfigDict(frozen=True)

    at: int
    to: str


class ApprovalRequested(EventModel):
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


class ApprovalPresented(EventModel):
    """The request was shown at ``where``; ``digest`` is the sha256 of exactly what was shown there."""

    type: ClassVar[str] = "APPROVAL_PRESENTED"
    step: str
    where: str
    digest: str


class ApprovalReminded(EventModel):
    type: ClassVar[str] = "APPROVAL_REMINDED"
    step: str
    count: int


class ApprovalEscalated(EventModel):
    type: ClassVar[str] = "APPROVAL_ESCALATED"
    step: str
    rung: int
    to: str


class ApprovalGranted(EventModel):
    """``authority`` says by what right, as read at the decision, such as ``in @release-managers``."""

    type: ClassVar[str] = "APPROVAL_GRANTED"
    step: str
    by: Actor
    authority: str = ""
    reason: str = ""


class ApprovalDenied(EventModel):
    type: ClassVar[str] = "APPROVAL_DENIED"
    step: str
    by: Actor
    authority: str = ""
    reason: str = ""


class ApprovalExpired(EventModel):
    type: ClassVar[str] = "APPROVAL_EXPIRED"
    step: str
    policy: Literal["deny", "approve", "fail"]
