"""Who may start, stop and decide. Pure: what is known of a person and of those asked goes in, a verdict comes out.

The one rule: only a full member of the workspace may do anything; guests, bots, people of other workspaces and
deactivated people never count, whatever group or channel they are in. What Slack did not say counts for nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.blocks.words import either
from bot.directory import Person, Target


@dataclass(frozen=True, slots=True)
class Allowed:
    """``person`` may. ``authority`` says by what right, for the record (not escaped): ``in @release-managers``."""

    person: Person
    authority: str = ""


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


def may_start(person: Person | None) -> Verdict:
    """Whether ``person`` may start runs."""
    return _member(person)


def may_stop(person: Person | None) -> Verdict:
    """Whether ``person`` may stop a run. Any member may: stopping is the safe direction, and recorded by name."""
    return _member(person)


def may_decide(person: Person | None, asked: Sequence[Target]) -> Verdict:
    """Whether ``person`` may decide for one of ``asked``; by what right, where several give it, the first one's."""
    member = _member(person)
    if isinstance(member, Refused):
        return member
    for target in asked:
        if member.person.id in target.members:
            return Allowed(member.person, _authority(target))
    unread = [target.asked.who for target in asked if target.asked.kind == "unread"]
    if unread:
        return Refused(
            f"Slack did not say who belongs to {either(unread)}, so it is not known whether you may decide. "
            "Nothing was decided; click again in a minute."
        )
    whom = either([target.asked.who for target in asked])
    return Refused(f"Only {whom} can decide this, and you do not belong there. Nothing was changed.")


def _member(person: Person | None) -> Verdict:
    if person is None:
        return Refused(f"Slack does not know you in this workspace; {_ASK}")
    if person.standing == "member":
        return Allowed(person)
    return Refused(f"{_STANDING[person.standing]}; {_ASK}")


def _authority(target: Target) -> str:
    who = target.asked.who
    return f"asked as {who}" if target.asked.kind == "person" else f"in {who}"
