"""Facts about gates.

A vote that does not decide the gate is APPROVAL_VOTED; the one that does is APPROVAL_GRANTED or APPROVAL_DENIED itself.
``evidence`` is always the digest of what the person had before them (``engine.core.evidence``), ``authority`` says by
what right they acted, as read at that moment, such as ``in @release-managers``.
"""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from engine.core.events.base import Actor, EventModel

Inputs: TypeAlias = dict[str, dict[str, JsonValue]]
"""The exact arguments of the steps that a gate covers, by their ids."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AskedLater(_Part):
    """A rung of the ladder, with its instant fixed when the gate opened."""

    at: int
    to: str


class AskedStage(_Part):
    """A stage, with the names of those who are asked in it as they were when the gate opened."""

    name: str = ""
    approvers: tuple[str, ...]
    quorum: int | Literal["all"] = 1


class AskedHours(_Part):
    """The business hours in which the gate's clock runs; ``begin`` and ``end`` are minutes of the day.

    ``of_approvers``: they are those of the people asked. Where these are is in ``zones`` once it is known, and the
    clock runs while it is working time in one of them; until then, and without, ``zone`` counts.
    """

    zone: str
    begin: int
    end: int
    days: tuple[str, ...]
    holidays: tuple[str, ...] = ()
    of_approvers: bool = False
    zones: tuple[str, ...] = ()


class AskedClock(_Part):
    """What the clock of a gate does in the time zones of the people asked, counted from the request as it always is."""

    zones: tuple[str, ...]
    expires_at: int
    escalate: tuple[AskedLater, ...]


class ApprovalRequested(EventModel):
    """A gate opened. ``title`` and ``show`` are rendered: exactly what the people asked are to see.

    ``approvers`` are those of the first stage. ``stages`` is empty where there is but that one, with one vote to be
    given. ``request_changes`` is the step to which the run goes back if somebody asks for changes.
    """

    type: ClassVar[str] = "APPROVAL_REQUESTED"
    version: ClassVar[int] = 2
    step: str
    title: str
    show: dict[str, JsonValue]
    approvers: tuple[str, ...]
    allow_self: bool
    expires_at: int
    on_expiry: Literal["deny", "approve", "fail", "wait"]
    remind_every: int | None
    escalate: tuple[AskedLater, ...]
    stages: tuple[AskedStage, ...] = ()
    fields: dict[str, JsonValue] = Field(default={})
    inputs: dict[str, dict[str, JsonValue]] = Field(default={})
    evidence: str = ""
    reason: Literal["on_deny", "always", "never"] = "never"
    request_changes: str | None = None
    delegation: Literal["allowed", "forbidden"] = "allowed"
    hours: AskedHours | None = None
    direct_messages: bool = False


class Copy(_Part):
    """Where a request was shown, and the sha256 of exactly what was shown there."""

    where: str
    digest: str


class ApprovalPresented(EventModel):
    """The request was shown at ``where``, and what was shown there has the sha256 ``digest``; ``also``: more copies.

    ``clock``: whose working time counts became known then.
    """

    type: ClassVar[str] = "APPROVAL_PRESENTED"
    version: ClassVar[int] = 2
    step: str
    where: str
    digest: str
    also: tuple[Copy, ...] = ()
    clock: AskedClock | None = None

    @property
    def copies(self) -> tuple[Copy, ...]:
        """All of them."""
        return Copy(where=self.where, digest=self.digest), *self.also


class ApprovalReminded(EventModel):
    type: ClassVar[str] = "APPROVAL_REMINDED"
    step: str
    count: int


class ApprovalEscalated(EventModel):
    type: ClassVar[str] = "APPROVAL_ESCALATED"
    step: str
    rung: int
    to: str


class ApprovalVoted(EventModel):
    """Somebody approved, and more approvals are needed.

    ``on_behalf_of`` is whose vote it is, if another's; ``delegation`` is then the place of the delegation in the
    workspace's stream, if it was for a period. ``everyone`` has the ids of all who had to approve at that moment,
    where the stage needs all of them.
    """

    type: ClassVar[str] = "APPROVAL_VOTED"
    step: str
    stage: int
    by: Actor
    authority: str = ""
    reason: str = ""
    evidence: str
    on_behalf_of: Actor | None = None
    delegation: int | None = None
    everyone: tuple[str, ...] = ()


class ApprovalStageOpened(EventModel):
    """The stage before has its quorum; ``stage`` is the number of this one, from 0."""

    type: ClassVar[str] = "APPROVAL_STAGE_OPENED"
    step: str
    stage: int
    name: str
    approvers: tuple[str, ...]


class ApprovalEdited(EventModel):
    """Somebody changed values before approving: votes from before no longer count, and the first stage asks anew.

    ``old`` and ``new`` have the values that changed, ``fields`` and ``inputs`` all of them as they are now.
    """

    type: ClassVar[str] = "APPROVAL_EDITED"
    step: str
    by: Actor
    authority: str = ""
    reason: str = ""
    old: dict[str, JsonValue]
    new: dict[str, JsonValue]
    fields: dict[str, JsonValue]
    inputs: dict[str, dict[str, JsonValue]] = Field(default={})
    evidence: str


class ApprovalChangesRequested(EventModel):
    """Somebody wants it done differently: the run goes back to the step ``to``, and the gate asks again after that."""

    type: ClassVar[str] = "APPROVAL_CHANGES_REQUESTED"
    step: str
    by: Actor
    authority: str = ""
    comment: str
    to: str
    evidence: str
    on_behalf_of: Actor | None = None


class ApprovalDelegated(EventModel):
    """``to`` may decide here for ``by``, who had the right to. A later one of the same person takes its place."""

    type: ClassVar[str] = "APPROVAL_DELEGATED"
    step: str
    by: Actor
    to: Actor
    authority: str = ""
    reason: str = ""


class ApprovalSnoozed(EventModel):
    """``by`` is not reminded before ``until``. Rungs and expiry are as they were."""

    type: ClassVar[str] = "APPROVAL_SNOOZED"
    step: str
    by: Actor
    until: int


class ApprovalGranted(EventModel):
    """The last approval that was needed. The fields are as with APPROVAL_VOTED."""

    type: ClassVar[str] = "APPROVAL_GRANTED"
    version: ClassVar[int] = 2
    step: str
    by: Actor
    authority: str = ""
    reason: str = ""
    stage: int = 0
    evidence: str = ""
    on_behalf_of: Actor | None = None
    delegation: int | None = None
    everyone: tuple[str, ...] = ()


class ApprovalDenied(EventModel):
    """The fields are as with APPROVAL_VOTED."""

    type: ClassVar[str] = "APPROVAL_DENIED"
    version: ClassVar[int] = 2
    step: str
    by: Actor
    authority: str = ""
    reason: str = ""
    stage: int = 0
    evidence: str = ""
    on_behalf_of: Actor | None = None
    delegation: int | None = None


class ApprovalExpired(EventModel):
    """Nobody decided in time. With the policy ``wait`` the gate is still open."""

    type: ClassVar[str] = "APPROVAL_EXPIRED"
    step: str
    policy: Literal["deny", "approve", "fail", "wait"]
