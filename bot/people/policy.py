"""Who may do what. Pure: a person, and those who have roles or are asked, go in; a verdict comes out.

The one rule: only a full member of the workspace may do anything; guests, bots, people of other workspaces and
deactivated people never count, whatever role, group or channel they are in. What Slack did not say counts for nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bot.blocks.words import either, one_line
from bot.people.directory import Person, Target
from engine.core.roles import INCLUDES, Role
from engine.core.state import RunState


class Act(StrEnum):
    """What a person does besides deciding at gates, as it reads after *to*."""

    LOOK = "see runs and workflows"
    START = "start runs"
    PAUSE = "pause a run of somebody else"
    RESUME = "resume a run that somebody else has started or paused"
    CANCEL = "cancel a run of somebody else"
    REDRIVE = "redrive a run of somebody else"
    RETRY = "do steps anew"
    FORK = "fork a run"
    MAP = "say which code a run uses"
    SCHEDULE = "change schedules"
    SETTLE = "say how a step of somebody else's run goes on"
    VOUCH = "say whether a step happened"
    ACCEPT = "accept what a step gave although it does not fit"
    STOP = "stop what is under way, or let it go on"
    STOP_ALL = "stop everything, or let it go on"
    ROLES = "grant and revoke roles"
    BUDGET = "set budgets"
    KEYS = "see and change keys"


NEEDS: Mapping[Act, Role] = {
    Act.LOOK: Role.VIEWER,
    Act.START: Role.RUNNER,
    Act.PAUSE: Role.OPERATOR,
    Act.RESUME: Role.OPERATOR,
    Act.CANCEL: Role.OPERATOR,
    Act.REDRIVE: Role.OPERATOR,
    Act.RETRY: Role.OPERATOR,
    Act.FORK: Role.OPERATOR,
    Act.MAP: Role.OPERATOR,
    Act.SCHEDULE: Role.OPERATOR,
    Act.SETTLE: Role.OPERATOR,
    Act.VOUCH: Role.OPERATOR,
    Act.ACCEPT: Role.OPERATOR,
    Act.STOP: Role.OPERATOR,
    Act.STOP_ALL: Role.ADMIN,
    Act.ROLES: Role.ADMIN,
    Act.BUDGET: Role.OPERATOR,
    Act.KEYS: Role.ADMIN,
}
"""The role that an act takes. Steps done anew repeat their effects, and a fork takes over decisions made before."""

OF_THE_STARTER = frozenset({Act.PAUSE, Act.RESUME, Act.CANCEL, Act.REDRIVE, Act.SETTLE})
"""What whoever started a run may do to it without a role: nothing there is done twice, and no decision is left out."""


def is_own(act: Act, user: str, run: RunState) -> bool:
    """Whether ``act`` is to a run that the Slack user has started. A pause by somebody else is not theirs to end."""
    by = run.started.by
    held_by = None if run.paused is None else run.paused.by
    others_hold = act is Act.RESUME and held_by is not None and (held_by.via, held_by.id) != ("slack", user)
    return (by.via, by.id) == ("slack", user) and not others_hold


@dataclass(frozen=True, slots=True)
class Holder:
    """Somebody who has ``role``; without a ``target``, every full member."""

    role: Role
    target: Target | None = None

    def counts(self, person: Person) -> bool:
        return self.target is None or person.id in self.target.members

    @property
    def who(self) -> str:
        return "every full member" if self.target is None else self.target.asked.who


@dataclass(frozen=True, slots=True)
class Allowed:
    """``person`` may. ``authority`` says by what right, for the record (not escaped): ``in @release-managers``.

    ``counts``: the names asked under which they count. ``behalf``: for whom they decide, if not for themselves.
    """

    person: Person
    authority: str = ""
    counts: tuple[str, ...] = ()
    behalf: Person | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """``sentence`` (mrkdwn) tells the person why, and what to do."""

    sentence: str


Verdict = Allowed | Refused

_STANDING = {
    "guest": "Guests of this workspace cannot do this",
    "deactivated": "This account is deactivated",
    "bot": "Bots cannot do this",
    "outsider": "You are from another workspace",
}
_ASK = "nothing was changed. Ask a full member of this workspace."


def may(act: Act, person: Person | None, holders: Sequence[Holder], *, is_starter: bool = False) -> Verdict:
    """Whether ``person`` may do ``act``. ``holders``: those who have roles, for the run's workflow or the workspace.

    ``is_starter``: it is about a run of their own (``is_own``).
    """
    member = _member(person)
    if isinstance(member, Refused):
        return member
    if is_starter and act in OF_THE_STARTER:
        return Allowed(member.person, "started it")
    role = NEEDS[act]
    having = [holder for holder in holders if role in INCLUDES[holder.role]]
    for holder in having:
        if holder.counts(member.person):
            return Allowed(member.person, f"{holder.role} as {holder.who}")
    unread = [holder.who for holder in having if holder.target is not None and holder.target.asked.kind == "unread"]
    if unread:
        return unknown(unread, f"whether you may {act}")
    return Refused(f"To {act} takes the role {role}, {_who_has(role, having)} Nothing was changed.")


def may_start(person: Person | None, holders: Sequence[Holder], workflow: str, only: Sequence[Target] = ()) -> Verdict:
    """Whether ``person`` may start ``workflow``. ``only``: those whom its definition names, in place of the role."""
    if not only:
        return may(Act.START, person, holders)
    member = _member(person)
    if isinstance(member, Refused):
        return member
    for target in only:
        if member.person.id in target.members:
            return Allowed(member.person, _authority(target))
    unread = [target.asked.who for target in only if target.asked.kind == "unread"]
    if unread:
        return unknown(unread, f"whether you may start {one_line(workflow)}")
    whom = either([target.asked.who for target in only])
    return Refused(f"Only {whom} can start {one_line(workflow)}, as its definition says. Nothing was started.")


def may_decide(person: Person | None, asked: Sequence[Target], givers: Sequence[Person] = ()) -> Verdict:
    """Whether ``person`` may decide for one of ``asked``; by what right, where several give it, the first one's.

    ``givers`` have delegated their decisions to the person. What they were themselves given is not passed on: a giver
    counts only where they belong to those asked, so that whoever delegates knows who decides. One's own right goes
    before a given one.
    """
    member = _member(person)
    if isinstance(member, Refused):
        return member
    for holder in (member.person, *givers):
        found = [target for target in asked if holder.id in target.members]
        if not found or holder.standing != "member":
            continue
        counts = tuple(target.asked.who for target in found)
        if holder is member.person:
            return Allowed(member.person, _authority(found[0]), counts)
        return Allowed(member.person, f"for {holder.name}, {_authority(found[0])}", counts, holder)
    unread = [target.asked.who for target in asked if target.asked.kind == "unread"]
    if unread:
        return unknown(unread, "whether you may decide")
    whom = either([target.asked.who for target in asked])
    return Refused(f"Only {whom} can decide this, and you do not belong there. Nothing was changed.")


def may_hand_over(person: Person | None) -> Verdict:
    """Whether ``person`` may let somebody else decide in their place, for what they may decide themselves."""
    return _member(person)


def _member(person: Person | None) -> Verdict:
    if person is None:
        return Refused(f"Slack does not know you in this workspace; {_ASK}")
    if person.standing == "member":
        return Allowed(person)
    return Refused(f"{_STANDING[person.standing]}; {_ASK}")


def unknown(whom: Sequence[str], what: str) -> Refused:
    """``what`` cannot be said, since Slack did not say who belongs to ``whom``."""
    return Refused(
        f"Slack did not say who belongs to {either(whom)}, so it is not known {what}. Nothing was changed; try again "
        "in a minute."
    )


def _who_has(role: Role, having: Sequence[Holder]) -> str:
    """The end of a sentence about ``role``: who has it, or how somebody comes to have it."""
    if having:
        return f"which {either([holder.who for holder in having])} has: ask there."
    if role is Role.ADMIN:
        return "and nobody has it yet: whoever runs the bot names somebody with VB_ADMINS, or with `vb roles grant`."
    return f"and nobody has it yet: an admin gives it with `/vb roles grant {role} @you`."


def _authority(target: Target) -> str:
    who = target.asked.who
    return f"asked as {who}" if target.asked.kind == "person" else f"in {who}"
