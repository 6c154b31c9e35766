"""What people do at gates, and who decides for whom for a while.

The one rule: each is one command to the one writer, as with ``engine.operations``. Whether a person counts under a name
that a gate asks is for the caller to establish, at that moment (``commands.Seat``); what the run or the workspace
itself knows is not taken from the caller but looked at here.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.clock import Clock
from engine.core import commands as c
from engine.core import delegations as dg
from engine.core import events as e
from engine.own_runs import OwnRuns
from engine.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Gates:
    """The gates of one workspace's runs. Every method returns when what it did is durable.

    What is done at a gate raises ``UnknownRun``, and the store's errors; then it may be done again.
    """

    runs: OwnRuns
    workspace: Workspace
    clock: Clock

    async def act(self, run: str, act: c.AtGate) -> c.Reply:
        """Vote, edit, ask for changes, delegate or snooze. Who decides by a delegation does so only while it holds."""
        seat = act.seat
        if seat.delegation is not None and seat.on_behalf_of is not None:
            known = (await self.workspace.state()).delegations
            if not dg.confirms(known, seat.delegation, seat.on_behalf_of, act.by, self.clock.now()):
                return c.NotAllowed(f"{act.by.name} does not decide for {seat.on_behalf_of.name} any more")
        return (await self.runs.submit(run, act)).reply

    async def delegate(self, to: e.Actor, until: int, *, by: e.Actor, reason: str = "") -> dg.Delegation:
        """Let ``to`` decide for ``by`` until then, at all gates that do not forbid it; an earlier delegation ends.

        Raises ``WorkspaceRefused``.
        """
        return await self.workspace.delegate(dg.StartDelegation(by, to, until, reason))

    async def end_delegation(self, *, by: e.Actor, reason: str = "") -> bool:
        """End what ``by`` has delegated for a period; whether there was anything."""
        return await self.workspace.end_delegation(dg.EndDelegation(by, reason))

    async def delegated_by(self, person: e.Actor) -> dg.Delegation | None:
        """What ``person`` has delegated now."""
        return dg.held_by((await self.workspace.state()).delegations, person, self.clock.now())

    async def delegated_to(self, person: e.Actor) -> tuple[dg.Delegation, ...]:
        """By what ``person`` may decide for others now."""
        return tuple(dg.given_to((await self.workspace.state()).delegations, person, self.clock.now()))

    async def delegations(self) -> tuple[dg.Delegation, ...]:
        """All that hold now, the oldest first."""
        known = (await self.workspace.state()).delegations
        return tuple(one for _, one in sorted(known.items()) if one.holds(self.clock.now()))
