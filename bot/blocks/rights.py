"""Lists of roles, of schedules and of linked accounts, and what was changed in them; only who asked sees them.

The one rule: a role is told with whom it is to, for what, and by whom it was given; nobody is pinged.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from bot.blocks.kit import Message
from bot.blocks.replies import mistake, paragraphs, said
from bot.blocks.words import because, date, one_line
from engine.core import workspace_events as w
from engine.core.durations import say_duration
from engine.core.events import Actor
from engine.core.identities import Link
from engine.core.kinds import Schedule
from engine.core.roles import EVERYONE, Grant, Role
from engine.core.workspace import Paused

SHOWN = 25
"""Grants of one role that are told."""

IN_FULL = 8
"""So many are told with who gave them and why; more only by name."""


class ScheduleLine(Protocol):
    """What a list shows of a schedule."""

    @property
    def workflow(self) -> str: ...
    @property
    def number(self) -> int: ...
    @property
    def schedule(self) -> Schedule: ...
    @property
    def next_at(self) -> int | None: ...
    @property
    def last_at(self) -> int | None: ...
    @property
    def paused(self) -> Paused | None: ...


def roles(command: str, grants: Sequence[Grant], own: Sequence[Grant], nobody: Collection[str] = ()) -> Message:
    """Who has which role, the most powerful first, and by which of them the asker has one.

    ``nobody``: names of the settings that are nobody's.
    """
    lines: list[str] = []
    for role in reversed(Role):
        of_role = [grant for grant in grants if grant.role is role]
        held = [_holder(grant, nobody, in_full=len(of_role) <= IN_FULL) for grant in of_role[:SHOWN]]
        cut = f", and {len(of_role) - SHOWN} more" if len(of_role) > SHOWN else ""
        lines.append(f"*{role}*: {', '.join(held) + cut if held else 'nobody yet'}")
    yours = ", ".join(dict.fromkeys(_own(grant) for grant in own))
    lines.append(f"You: {yours or 'none of them'}.")
    return paragraphs([*lines, f"`{command} help roles` says how to change them."])


def granted(grant: Grant, *, new: bool) -> Message:
    what = f"*{grant.role}*{_where(grant)}"
    return said(f"{_who(grant)} {'is now' if new else 'was'} {what}{'.' if new else ' already; nothing was changed.'}")


def revoked(grant: Grant, *, there: bool) -> Message:
    what = f"*{grant.role}*{_where(grant)}"
    if there:
        return said(f"{_who(grant)} is no longer {what} by that grant.")
    return mistake(f"{_who(grant)} was not given {what}; nothing was changed. A role may also come from a group")


def _holder(grant: Grant, nobody: Collection[str], *, in_full: bool) -> str:
    told = f"{_who(grant)}{_where(grant)}"
    if grant.by is None:
        missing = "; nobody here is called that, see VB_ADMINS" if grant.to in nobody else ""
        return f"{told} (from the settings{missing})" if grant.role is Role.ADMIN else told
    return f"{told} (by {one_line(grant.by.name, 80)} {date(grant.at)}{because(grant.reason)})" if in_full else told


def _own(grant: Grant) -> str:
    return f"{grant.role}{_where(grant)} as {_who(grant)}"


def _who(grant: Grant) -> str:
    return "every full member" if grant.to == EVERYONE else one_line(grant.name, 80)


def _where(grant: Grant) -> str:
    return f" for {one_line(grant.workflow, 80)}" if grant.workflow else ""


def schedules(command: str, found: Sequence[ScheduleLine]) -> Message:
    """What starts by the clock, and when next."""
    if not found:
        return said("Nothing starts by the clock. A definition says so with `schedule`.")
    return paragraphs([*map(schedule_line, found), f"`{command} help schedule` says how to pause them."])


def schedule_line(one: ScheduleLine) -> str:
    """One of them: when it starts what, and who holds it."""
    if one.paused is not None:
        event = one.paused.event
        following = f"‖ paused by {one_line(event.by.name, 80)}{because(event.reason)}"
    else:
        following = "never again" if one.next_at is None else f"next {date(one.next_at)}"
    last = "" if one.last_at is None else f", last {date(one.last_at)}"
    return f"*{one.workflow}* {one.number}: `{one.schedule.cron}` ({one_line(one.schedule.timezone)}) {following}{last}"


# Accounts of machines


def link_offered(code: str, good_for: int, links: Sequence[Link]) -> Message:
    """The code, what it does, and the accounts that are theirs already."""
    lines = [
        f"Type this at your terminal within {say_duration(good_for)}: `vb link {code}`",
        "It is good once. Whoever types it acts at that terminal as you, so tell it to nobody.",
    ]
    if links:
        lines.append(f"Yours already: {_accounts([link.event for link in links])}. `/vb unlink` ends that.")
    return paragraphs(lines)


def linked(command: str, event: w.AccountLinked, at: int) -> Message:
    """What the person is told whose an account has become."""
    account = f"{one_line(event.account.name, 80)} ({one_line(event.account.key, 80)}) on {one_line(event.machine, 80)}"
    return paragraphs(
        [
            f"{account} is yours since {date(at)}: what is done there as that account counts as done by you.",
            f"If that was not you, end it now: `{command} unlink`, and tell an admin.",
        ]
    )


def unlinked(ended: Sequence[w.AccountUnlinked], whose: Actor | None = None) -> Message:
    """``whose``: those of somebody else than the asker."""
    if not ended:
        who = "you" if whose is None else one_line(whose.name, 80)
        return said(f"No account is linked to {who}; nothing was changed.")
    theirs = "yours" if whose is None else f"{one_line(whose.name, 80)}'s"
    return said(f"No longer {theirs}: {_accounts(ended)}. A code that was not used yet is good no more.")


def _accounts(events: Sequence[w.AccountLinked | w.AccountUnlinked]) -> str:
    shown = [f"{one_line(one.account.name, 80)} on {one_line(one.machine, 80)}" for one in events[:SHOWN]]
    more = f", and {len(events) - SHOWN} more" if len(events) > SHOWN else ""
    return ", ".join(shown) + more
