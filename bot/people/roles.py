"""Who has which role in the workspace at this moment: the grants on record, the admins of the settings, Slack's groups.

The one rule: it is asked anew for every act. A grant that was revoked, and a group that somebody has left, count no
more; what is remembered of Slack's answers is as old as the directory allows.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence

from bot.blocks.words import Asked
from bot.people.directory import PERSON_ID, Directory, Person, Target
from bot.people.policy import NEEDS, Act, Allowed, Holder, Verdict, is_own, may, may_start
from engine.core.definition import Workflow
from engine.core.roles import EVERYONE, Grant, Role, giving, people_with_role
from engine.core.state import RunState
from engine.engine import Engine

_IDS = re.compile(rf"@(?P<person>{PERSON_ID.pattern})|@(?P<group>S[A-Z0-9]{{3,}})|#(?P<channel>[CG][A-Z0-9]{{3,}})")


def grants_of(admins: Sequence[str]) -> tuple[Grant, ...]:
    """What the setting VB_ADMINS comes to."""
    return tuple(Grant(Role.ADMIN, who, who) for who in admins)


def asked_by_role(engine: Engine, admins: Sequence[str] = ()) -> Callable[[str, str], Awaitable[Sequence[str]]]:
    """For the directory: whom ``role:NAME`` means in a definition, as names and ids.

    A role that every full member has stands for nobody by that alone: a gate asks people who were chosen.
    """

    async def people(role: str, workflow: str) -> Sequence[str]:
        if role not in set(Role):
            return ()
        grants = (*grants_of(admins), *await engine.workspace.grants())
        return [to for to in people_with_role(grants, Role(role), workflow) if to != EVERYONE]

    return people


class Roles:
    """``admins``: those whom the settings name, besides the grants on record."""

    def __init__(self, engine: Engine, directory: Directory, admins: Sequence[str] = ()) -> None:
        self._engine = engine
        self._directory = directory
        self.admins = grants_of(admins)

    async def grants(self) -> tuple[Grant, ...]:
        """Everybody's roles, those of the settings first."""
        return (*self.admins, *await self._engine.workspace.grants())

    async def holders(self, role: Role, workflow: str | None = None) -> tuple[Holder, ...]:
        """Those who have ``role``, or one that includes it, for the workflow; with their members as they are now.

        Slack is not asked where every full member has it.
        """
        return await self._holders(await self.grants(), role, workflow)

    async def _holders(self, grants: Sequence[Grant], role: Role, workflow: str | None) -> tuple[Holder, ...]:
        given = giving(grants, role, workflow)
        everyone = next((grant for grant in given if grant.to == EVERYONE), None)
        if everyone is not None:
            return (Holder(everyone.role),)
        targets = await asyncio.gather(*(self._target(grant) for grant in given))
        return tuple(Holder(grant.role, target) for grant, target in zip(given, targets, strict=True))

    async def nobody(self) -> frozenset[str]:
        """Those whom the settings name by a name that is nobody's in Slack. Raises ``Unreadable``."""
        targets = await asyncio.gather(*(self._target(grant) for grant in self.admins))
        return frozenset(target.asked.who for target in targets if target.asked.kind == "missing")

    async def of(self, user: str) -> tuple[Grant, ...]:
        """The grants by which the user has roles; none for who is no full member. Raises ``Unreadable``."""
        person = await self._directory.person(user)
        if person is None or person.standing != "member":
            return ()
        grants = [grant for grant in await self.grants() if grant.to != EVERYONE]
        targets = await asyncio.gather(*(self._target(grant) for grant in grants))
        found = [grant for grant, target in zip(grants, targets, strict=True) if user in target.members]
        return (*found, *(grant for grant in await self.grants() if grant.to == EVERYONE))

    async def may(self, act: Act, user: str, workflow: str | None = None) -> Verdict:
        """Whether the Slack user may do it, with runs of ``workflow`` or in the whole workspace.

        Raises ``Unreadable`` if Slack does not say who they are, and the store's errors.
        """
        return await self._may(act, user, workflow, is_starter=False)

    async def may_with(self, act: Act, user: str, run: RunState) -> Verdict:
        """Whether they may do it to that run, which may be their own. Raises as ``may``."""
        return await self._may(act, user, run.started.workflow, is_starter=is_own(act, user, run))

    async def may_start(self, user: str, workflow: Workflow) -> Verdict:
        """Whether they may start the workflow: by its definition, else by their role. Raises as ``may``."""
        (verdict,) = await self._starts(user, [workflow])
        return verdict

    async def startable(self, user: str, workflows: Iterable[Workflow]) -> list[Workflow]:
        """Those of them that they may start. Raises as ``may``."""
        known = list(workflows)
        verdicts = await self._starts(user, known)
        return [one for one, verdict in zip(known, verdicts, strict=True) if isinstance(verdict, Allowed)]

    async def _starts(self, user: str, workflows: Sequence[Workflow]) -> list[Verdict]:
        person, grants = await asyncio.gather(self._directory.person(user), self.grants())

        async def verdict(workflow: Workflow) -> Verdict:
            holders, only = await asyncio.gather(
                self._holders(grants, Role.RUNNER, workflow.name),
                self._directory.targets(workflow.who_can_run or (), workflow.name),
            )
            return may_start(person, holders, workflow.name, only)

        return await asyncio.gather(*map(verdict, workflows))

    async def _may(self, act: Act, user: str, workflow: str | None, *, is_starter: bool) -> Verdict:
        person, holders = await asyncio.gather(self._directory.person(user), self.holders(NEEDS[act], workflow))
        return may(act, person, holders, is_starter=is_starter)

    async def _target(self, grant: Grant) -> Target:
        """An id needs no looking up; a name, as the settings and the command line have it, does."""
        asked = identified(grant.to, grant.name) or await self._directory.asked(grant.to)
        return await self._directory.target(asked)


def identified(who: str, name: str = "") -> Asked | None:
    """Whom an id in the place of a name (``@U0ABC``, ``@S0ABC``, ``#C0ABC``) stands for; None for what is a name."""
    found = _IDS.fullmatch(who)
    if found is None:
        return None
    kind = "person" if found["person"] else "group" if found["group"] else "channel"
    return Asked(name or who, kind, who[1:])


async def person_named(directory: Directory, name: str, id_: str = "") -> Person | None:
    """Whom a name, or the id in its place, stands for; by an id also who has left. Raises ``Unreadable``."""
    asked = identified(id_ or name) or (await directory.asked(name) if name.startswith("@") else None)
    if asked is None or asked.kind != "person":
        return None
    return await directory.person(asked.id)
