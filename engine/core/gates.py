"""An open gate at one moment: who is asked, who has approved, what they see, and what the clock will do.

The one rule: plain frozen values, made by ``engine.core.fold_gates`` and read by everybody else. ``version`` is the seq
of the event that fixed what people decide on: the request, or the last edit. A vote for an older one counts for
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from pydantic import JsonValue

from engine.core import events as e
from engine.core.hours import later


class Verdict(StrEnum):
    GRANTED = "granted"
    DENIED = "denied"
    EXPIRED = "expired"


class GateDecision(NamedTuple):
    """How a gate ended. ``by`` is None where nobody decided in time; ``policy`` then says what that meant."""

    verdict: Verdict
    at: int
    by: e.Actor | None = None
    authority: str = ""
    reason: str = ""
    policy: str = ""
    on_behalf_of: e.Actor | None = None

    @property
    def lets_through(self) -> bool:
        """Whether the run goes on because of it."""
        return self.verdict is Verdict.GRANTED or self.policy == "approve"


class Ballot(NamedTuple):
    """An approval that counts. ``on_behalf_of`` is whose it is, if another's."""

    seq: int
    at: int
    by: e.Actor
    stage: int
    authority: str = ""
    reason: str = ""
    on_behalf_of: e.Actor | None = None

    @property
    def seat(self) -> e.Actor:
        """The person whose approval it is."""
        return self.on_behalf_of or self.by


class Edit(NamedTuple):
    """The last change of the gate's fields."""

    seq: int
    at: int
    event: e.ApprovalEdited


class Delegated(NamedTuple):
    """``to`` may decide at this gate for ``by``, whose right was ``authority``."""

    at: int
    by: e.Actor
    to: e.Actor
    authority: str = ""


class Snoozed(NamedTuple):
    by: e.Actor
    until: int


class Gate(NamedTuple):
    """An opened gate. ``asked_seq`` is the place of its request in the stream, and names this asking for ever.

    ``stage`` is the number of the open stage, since ``stage_at``; ``votes`` are the approvals that count, those of the
    stages before included. ``overdue`` tells that its time is over and it waits on. ``changes`` is set from when
    somebody asked for changes until the gate asks anew.
    """

    request: e.ApprovalRequested
    asked_at: int
    asked_seq: int
    escalated: int = 0
    reminded: int = 0
    decision: GateDecision | None = None
    stage: int = 0
    stage_at: int = 0
    votes: tuple[Ballot, ...] = ()
    edited: Edit | None = None
    delegated: tuple[Delegated, ...] = ()
    snoozed: tuple[Snoozed, ...] = ()
    overdue: bool = False
    changes: e.ApprovalChangesRequested | None = None

    # What people decide on

    @property
    def version(self) -> int:
        """The seq of the event that fixed the evidence: a click carries it, and an older one is out of date."""
        return self.asked_seq if self.edited is None else self.edited.seq

    @property
    def evidence(self) -> str:
        """The digest of what people decide on now."""
        return self.request.evidence if self.edited is None else self.edited.event.evidence

    @property
    def fields(self) -> Mapping[str, JsonValue]:
        """The values that may be changed before approving, as they are now."""
        return self.request.fields if self.edited is None else self.edited.event.fields

    @property
    def inputs(self) -> e.Inputs:
        """The exact arguments of the steps that the gate covers, as they are now."""
        return self.request.inputs if self.edited is None else self.edited.event.inputs

    # Who decides

    @property
    def stages(self) -> tuple[e.AskedStage, ...]:
        """All of them, in their order; there is one at least."""
        return self.request.stages or (e.AskedStage(approvers=self.request.approvers),)

    @property
    def current(self) -> e.AskedStage:
        """The stage that is open, or was last."""
        return self.stages[self.stage]

    @property
    def asked(self) -> tuple[str, ...]:
        """Everybody who can decide now: the approvers of the open stage, then the rungs already climbed."""
        return (*self.current.approvers, *(rung.to for rung in self.request.escalate[: self.escalated]))

    @property
    def given(self) -> tuple[Ballot, ...]:
        """The approvals in the open stage."""
        return tuple(ballot for ballot in self.votes if ballot.stage == self.stage)

    @property
    def needed(self) -> int | None:
        """How many approvals the open stage still needs; None where it needs everybody's."""
        quorum = self.current.quorum
        return None if quorum == "all" else max(quorum - len(self.given), 0)

    def ballot_of(self, person: e.Actor) -> Ballot | None:
        """The approval that ``person`` gave, for themselves or for another, or that another gave for them.

        It stands for the whole gate; but where the open stage needs everybody, only what was given in that counts.
        """
        votes = self.given if self.current.quorum == "all" else self.votes
        return next((one for one in votes if same(one.by, person) or same(one.seat, person)), None)

    def delegators(self, person: e.Actor) -> tuple[Delegated, ...]:
        """Those who let ``person`` decide for them at this gate."""
        return tuple(one for one in self.delegated if same(one.to, person))

    # What the clock does

    @property
    def wants_zones(self) -> bool:
        """Whether its clock is that of the people asked, and nobody has said yet where they are."""
        hours = self.request.hours
        return hours is not None and hours.of_approvers and not hours.zones

    @property
    def everybody(self) -> tuple[str, ...]:
        """Everybody whom its stages ask, by name."""
        return tuple(dict.fromkeys(who for stage in self.stages for who in stage.approvers))

    @property
    def next_rung(self) -> e.AskedLater | None:
        ladder = self.request.escalate
        return ladder[self.escalated] if self.escalated < len(ladder) else None

    @property
    def next_reminder(self) -> int | None:
        every = self.request.remind_every
        return None if every is None else later(self.request.hours, self.asked_at, every * (self.reminded + 1))

    def snoozed_until(self, person: e.Actor) -> int | None:
        """Until when ``person`` is not to be reminded, if they have said so."""
        return next((one.until for one in self.snoozed if same(one.by, person)), None)


def same(one: e.Actor, other: e.Actor) -> bool:
    """Whether it is the same person: names change, and say nothing."""
    return (one.via, one.id) == (other.via, other.id)


def unknown_beside(account: e.Actor, people: Iterable[e.Actor]) -> bool:
    """Whether ``account``, if it is a machine's, may be one of ``people``: some are known on another surface."""
    return account.via == "cli" and any(person.via == "slack" for person in people)
