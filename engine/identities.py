"""Accounts of machines and the people whose they are, as the workspace has them on record.

The one rule: a code is told once, to whoever asked for it, and kept nowhere; what is on record is its digest.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.clock import Clock
from engine.core import identities as idn
from engine.core import workspace_events as w
from engine.core.events.base import Actor
from engine.ids import link_code
from engine.workspace import Workspace

GOOD_FOR = 600_000
"""Milliseconds in which a code can be used."""


@dataclass(frozen=True, slots=True)
class Identities:
    """What is on record in one workspace. Every change is durable when its method returns."""

    workspace: Workspace
    clock: Clock

    async def offer(self, by: Actor) -> str:
        """A code by which an account becomes ``by``'s. It is good once, and ``GOOD_FOR`` long; the one before ends."""
        code = link_code()
        until = self.clock.now() + GOOD_FOR
        await self.workspace.submit(lambda _: idn.OfferLink(by, idn.digest_of(code), until))
        return code

    async def take(self, code: str, account: Actor, machine: str) -> Actor:
        """Whose the account is from now on. Raises ``WorkspaceRefused`` for what is no code any more."""
        command = idn.TakeLink(idn.digest_of(code), account, machine)
        done = await self.workspace.submit(lambda _: command)
        return next(event.person for event in done if isinstance(event, w.AccountLinked))

    async def end(
        self, whose: Actor, *, by: Actor, machine: str = "", reason: str = ""
    ) -> tuple[w.AccountUnlinked, ...]:
        """End the links of a person, or that of an account on ``machine``; those that there were."""
        done = await self.workspace.submit(lambda _: idn.EndLinks(whose, by, machine, reason))
        return tuple(event for event in done if isinstance(event, w.AccountUnlinked))

    async def person_of(self, account: Actor, machine: str) -> Actor | None:
        """Whose the account is now; None, if nobody has said."""
        return (await self.workspace.state()).identities.person_of(account, machine)

    async def of(self, person: Actor) -> tuple[idn.Link, ...]:
        """The accounts that are the person's now."""
        return (await self.workspace.state()).identities.of(person)
