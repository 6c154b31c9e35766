"""``roles``: who may do what, and changing that.

The one rule: a grant is recorded to an id that Slack gives, never to a name that somebody else may take.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.blocks import guide, replies, rights
from bot.blocks.kit import Message, escape
from bot.blocks.vocabulary import WORDS
from bot.blocks.words import Asked, one_line
from bot.listeners.commands.typed import Answer, Typed
from bot.listeners.desk import Desk, actor
from bot.listeners.mentioned import unescape
from bot.people.directory import Unreadable
from bot.people.policy import Act, Refused
from bot.people.roles import identified
from engine.core.events import Actor
from engine.core.roles import EVERYONE, Grant, Role, role_named
from engine.core.words import did_you_mean
from engine.core.workspace import ROLES

GRANT, REVOKE, FOR = "grant", "revoke", "for"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A change of roles as it was typed. ``who`` is a name, ``id_`` the id in its place where Slack gave one."""

    verb: str
    role: Role
    who: str
    id_: str
    workflow: str | None
    reason: str

    @classmethod
    def of(cls, typed: Typed) -> Wanted:
        """Raises ``ValueError``, which says what is missing or wrong."""
        names, ids = typed.rest.split(), typed.ids.split()
        if names[0] not in (GRANT, REVOKE):
            raise ValueError(f"there is no roles {names[0]}; {did_you_mean(names[0], (GRANT, REVOKE))}")
        if len(names) < 3:
            raise ValueError("whom is it about, and which role is it?")
        role = role_named(names[1])
        rest = names[3:]
        workflow = rest[1] if len(rest) > 1 and rest[0] == FOR else None
        reason = " ".join(rest if workflow is None else rest[2:])
        return cls(names[0], role, names[2], ids[2], workflow, unescape(reason))


async def roles(desk: Desk, typed: Typed) -> Answer:
    """List the roles, give one, or take one away."""
    if not typed.rest:
        grants = await desk.roles.grants()
        own = await desk.from_slack(desk.roles.of(typed.user))
        return rights.roles(typed.command, grants, own, await desk.from_slack(desk.roles.nobody()))
    try:
        wanted = Wanted.of(typed)
    except ValueError as problem:
        said = str(problem)
        return guide.incomplete(typed.command, WORDS[typed.word], escape(f"{said[0].upper()}{said[1:]}"))
    workflow = None if wanted.workflow is None else desk.engine.workflow(wanted.workflow).name
    verdict = await desk.from_slack(desk.roles.may(Act.ROLES, typed.user, workflow))
    if isinstance(verdict, Refused):
        return replies.said(verdict.sentence)
    to = await desk.from_slack(_whom(desk, wanted))
    if isinstance(to, Message):
        return to
    grant, by = Grant(wanted.role, *to, workflow, reason=wanted.reason), actor(verdict.person)
    return await (_grant(desk, grant, by) if wanted.verb == GRANT else _revoke(desk, grant, by))


async def _grant(desk: Desk, grant: Grant, by: Actor) -> Answer:
    new = await desk.engine.workspace.grant(
        grant.role, grant.to, grant.name, grant.workflow, by=by, may=_MAY, reason=grant.reason
    )
    return rights.granted(grant, new=new)


async def _revoke(desk: Desk, grant: Grant, by: Actor) -> Answer:
    """Take away what was granted to the id, and what was granted to the name where ids are not known (the terminal)."""
    there = False
    for to in dict.fromkeys((grant.to, grant.name)):
        there |= await desk.engine.workspace.revoke(
            grant.role, to, grant.workflow, by=by, may=_MAY, reason=grant.reason,
            admins_besides=bool(desk.roles.admins),
        )  # fmt: skip
    return rights.revoked(grant, there=there)


_MAY = frozenset({ROLES})
"""Asked for before, by role."""


async def _whom(desk: Desk, wanted: Wanted) -> tuple[str, str] | Message:
    """To whom, by id and by name; or that there is nobody like that. Raises ``Unreadable``."""
    if wanted.who.lower().lstrip("@") == EVERYONE:
        return EVERYONE, EVERYONE
    if not wanted.who.startswith(("@", "#")):
        return replies.mistake(f"{one_line(wanted.who)} is nobody: write a person or group with @, a channel with #.")
    asked = identified(wanted.id_, wanted.who) or await desk.directory.asked(wanted.who)
    if asked.kind == "unread":
        raise Unreadable(f"who {wanted.who} is")
    if asked.kind == "missing" or not await _is_there(desk, asked):
        return replies.mistake(f"There is no {one_line(wanted.who)} here who could have a role; nothing was changed.")
    sign = "#" if asked.kind == "channel" else "@"
    return f"{sign}{asked.id}", wanted.who


async def _is_there(desk: Desk, asked: Asked) -> bool:
    """Whether a person is a full member; groups and channels are what Slack says they are, whenever that is asked."""
    if asked.kind != "person":
        return True
    person = await desk.directory.person(asked.id)
    return person is not None and person.standing == "member"
