"""What a gate is made of: who is asked, how many must agree, what they see and may change, and what the clock does.

The one rule: each model says all that it means by itself; what depends on the rest of a definition is checked in
``engine.core.checks.gates``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, JsonValue, StringConstraints, model_validator

from engine.core.durations import Duration
from engine.core.kinds import WHO, Model, Name, TypedField

Asked = Annotated[str, StringConstraints(pattern=rf"^({WHO}|[\s\S]*\$\{{\{{[\s\S]*)$")]
"""Somebody by name, or an expression that gives a name or a list of names."""
Clock = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$")]
"""``09:00``, of a day that ends at ``24:00``."""
Day = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]

MOST_WORKING_TIME = 90 * 86_400_000
"""So long a gate may stay open whose clock runs in business hours only; they are counted day by day."""
LEAST_A_DAY = 60
"""Minutes that a business day has at least, for the same reason."""


OF_APPROVERS = "approver"
"""In place of a zone: that of the people asked."""
UNTIL_KNOWN = "UTC"
"""The zone of people of whom nobody has said where they are."""


class Weekday(StrEnum):
    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


class Hours(Model):
    """Business hours: a gate's reminders, rungs and expiry count the time within them alone."""

    zone: str = "UTC"
    """Whose clock it is, as an IANA name; or ``approver``: time counts while one of the people asked is at work,
    each in their own zone."""
    from_: Clock = Field(default="09:00", alias="from")
    """When a working day begins."""
    to: Clock = "17:00"
    """When it ends."""
    days: tuple[Weekday, ...] = Field(default=tuple(Weekday)[:5], min_length=1)
    """The working days of a week."""
    holidays: tuple[Day, ...] = ()
    """Dates on which nobody works."""

    @model_validator(mode="after")
    def _consistent(self) -> Hours:
        if minutes(self.to) - minutes(self.from_) < LEAST_A_DAY:
            raise ValueError(
                f"from {self.from_} to {self.to} is no working day; to must be at least an hour after from"
            )
        for day in self.holidays:
            try:
                date.fromisoformat(day)
            except ValueError:
                raise ValueError(f"{day} is no date; write holidays such as 2030-12-25") from None
        return self


def minutes(clock: str) -> int:
    """Since the day began."""
    hour, minute = clock.split(":")
    return int(hour) * 60 + int(minute)


class Rung(Model):
    """One rung of an escalation ladder: ``after`` this long since the request, ``to`` is asked too."""

    after: Duration = Field(gt=0)
    """How long after the request."""
    to: Asked
    """A group or person (``"@oncall"``), a channel (``"#leads"``), a role, or an expression that gives such names."""


class OnExpiry(StrEnum):
    DENY = "deny"
    APPROVE = "approve"
    FAIL = "fail"
    WAIT = "wait"


class WhenReason(StrEnum):
    ON_DENY = "on_deny"
    ALWAYS = "always"
    NEVER = "never"


class Allowing(StrEnum):
    ALLOWED = "allowed"
    FORBIDDEN = "forbidden"


Quorum = Annotated[int, Field(ge=1, le=100)] | Literal["any", "all"]


class Stage(Model):
    """One stage of a gate. The next one opens when this one has its quorum.

    Each person counts once in the whole gate, so that two stages are two people.
    """

    name: Name
    """What people call it."""
    approvers: tuple[Asked, ...] = Field(min_length=1)
    """Who may decide in it, as for ``approvers`` of a gate without stages."""
    quorum: Quorum = "any"
    """How many of them must approve."""


class EditField(TypedField):
    """A value that whoever may approve can change before that; votes from before a change no longer count."""

    value: JsonValue
    """What it is unless somebody changes it, by expression."""


class Approval(Model):
    """A gate: the run waits until those who are asked decide, or it expires. One denial ends it."""

    title: str = Field(min_length=1, max_length=200)
    """The question, with expressions if need be."""
    show: dict[str, JsonValue] = Field(default={})
    """What people need to know to decide, by label."""
    approvers: tuple[Asked, ...] = ()
    """Who may decide: groups or people (``"@oncall"``), channels (``"#leads"``), roles (``"role:approver"``), or an
    expression over earlier steps that gives such names."""
    quorum: Quorum = "any"
    """How many of them must approve: a number of different people, ``any`` for one, or ``all``."""
    stages: tuple[Stage, ...] = Field(default=(), max_length=10)
    """Groups that are asked one after the other, instead of ``approvers`` and ``quorum``."""
    allow_self: bool = False
    """Whether the person who started the run may decide."""
    reason: WhenReason = WhenReason.ON_DENY
    """When a decision needs a reason."""
    edit: dict[Name, EditField] = Field(default={})
    """Values that may be changed before approving; the output has them as ``fields``."""
    covers: tuple[Name, ...] = ()
    """Later steps whose exact arguments are a part of what is approved: they run with those or not at all."""
    request_changes: Name | None = None
    """The earlier step from which the run is done anew when somebody asks for changes; it sees ``changes.comment``."""
    delegation: Allowing = Allowing.ALLOWED
    """Whether those who are asked may let somebody else decide for them."""
    expires_in: Duration = Field(default=86_400_000, gt=0)
    """How long it stays open."""
    on_expiry: OnExpiry = OnExpiry.DENY
    """What happens if nobody has decided by then; ``wait`` says so, and goes on waiting."""
    remind_every: Duration | None = None
    """How often those who may decide are asked again, at least 10 s."""
    escalate: tuple[Rung, ...] = ()
    """Who else is asked, and after how long, in the order of time."""
    hours: Hours | None = None
    """The business hours in which its clock runs; without them it always does."""
    direct_messages: bool = False
    """Whether those who are asked get a copy as a direct message."""

    @property
    def asking(self) -> tuple[tuple[str, Sequence[str], Quorum], ...]:
        """Its stages in their order, by name, approvers and quorum; one without a name if it has none."""
        if not self.stages:
            return (("", self.approvers, self.quorum),)
        return tuple((stage.name, stage.approvers, stage.quorum) for stage in self.stages)

    @property
    def names(self) -> tuple[str, ...]:
        """Everybody whom it may ask, as far as the definition names them: expressions are left out."""
        asked = [*(who for _, approvers, _ in self.asking for who in approvers), *(rung.to for rung in self.escalate)]
        return tuple(who for who in dict.fromkeys(asked) if is_name(who))

    @model_validator(mode="after")
    def _asks_somebody(self) -> Approval:
        if bool(self.approvers) == bool(self.stages):
            raise ValueError("give approvers, or stages that have approvers each")
        if self.stages and self.quorum != "any":
            raise ValueError("quorum belongs to the stages; give it to each of them")
        names = [stage.name for stage in self.stages]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two stages are called {name}; give each a name of its own")
        return self

    @model_validator(mode="after")
    def _clock_fits(self) -> Approval:
        late = [rung for rung in self.escalate if rung.after >= self.expires_in]
        if late:
            raise ValueError(f"the rung to {late[0].to} comes after the gate expires; raise expires_in or lower after")
        if list(self.escalate) != sorted(self.escalate, key=lambda rung: rung.after):
            raise ValueError("escalate must be in order of time, the earliest rung first")
        if self.remind_every is not None and self.remind_every < 10_000:
            raise ValueError("remind_every must be at least 10s")
        if self.hours is not None and self.expires_in > MOST_WORKING_TIME:
            raise ValueError("with hours, expires_in counts working time alone and may be 90d at most")
        return self


def is_name(text: str) -> bool:
    """Whether ``text`` names somebody who can be asked."""
    return re.fullmatch(WHO, text) is not None
