"""What people do at gates, and who decides for whom for a while.

The one rule: each is one command to the one writer, as with ``engine.operations``. Whether a person counts under a name
that a gate asks is for the caller to establish, at that moment (``commands.Seat``); what the run or the workspace
itself knows is not taken from the caller but looked at here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.audit import audit
from engine.clock import Clock
from engine.core import commands as c
from engine.core import delegations as dg
from engine.core import events as e
from engine.core import workspace_events as w
from engine.core.errors import EngineError
from engine.core.gate_history import Asking, askings
from engine.core.state import Recorded
from engine.core.words import listed
from engine.own_runs import OwnRuns
from engine.records import recorded
from engine.store import Log, Report, from_text
from engine.workspace import Workspace


class UnknownGate(EngineError, LookupError):
    """The run never asked for a decision at a gate of that name."""

    def __init__(self, run: str, gate: str, asked: Sequence[str]) -> None:
        there = f"it has asked at {listed(asked)}" if asked else "it has not asked for any decision yet"
        super().__init__(f"{run} has asked nobody at {gate}; {there}.")


@dataclass(frozen=True, slots=True)
class PeriodDelegation:
    """A delegation for a period by which somebody decided, and the hash of its event in the workspace's stream."""

    at: int
    event: w.DelegationStarted
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GateReport:
    """Who was asked at a gate, what they saw, who did what, and the proof: each event's hash in the run's chain.

    ``head`` is the seq and hash of the run's last event, ``checked`` what was found when its stream was verified.
    """

    run: str
    gate: str
    started: Recorded
    askings: tuple[Asking, ...]
    delegations: Mapping[int, PeriodDelegation]
    hashes: Mapping[int, str]
    head: tuple[int, str]
    checked: Report


@dataclass(frozen=True, slots=True)
class Gates:
    """The gates of one workspace's runs. Every method returns when what it did is durable.

    What is done at a gate raises ``UnknownRun``, and the store's errors; then it may be done again.
    """

    store: Log
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

    async def report(self, run: str, gate: str) -> GateReport:
        """Everything on record about the gate ``gate`` of ``run``, with the proof that the record is unchanged.

        Raises ``UnknownRun``, and ``UnknownGate`` for what was never asked there.
        """
        await self.runs.check(run)
        stored, head = await self.store.load(run)
        log = [recorded(one) for one in stored]
        found = askings(log, gate)
        if not found:
            asked = dict.fromkeys(one.event.step for one in log if isinstance(one.event, e.ApprovalRequested))
            raise UnknownGate(run, gate, list(asked))
        hashes = {one.seq: one.hash for one in stored}
        return GateReport(
            run=run,
            gate=gate,
            started=log[0],
            askings=tuple(found),
            delegations=await self._delegations(found),
            hashes=hashes,
            head=(head.seq, hashes[head.seq]),
            checked=await audit(self.store, run),
        )

    async def _delegations(self, found: Sequence[Asking]) -> dict[int, PeriodDelegation]:
        """The delegations for a period by which somebody decided, by their places in the workspace's stream."""
        decided = (e.ApprovalVoted, e.ApprovalGranted, e.ApprovalDenied)
        wanted = {
            fact.event.delegation for asking in found for fact in asking.facts if isinstance(fact.event, decided)
        } - {None}
        if not wanted:
            return {}
        history = await self.workspace.history()
        return {
            stored.seq: PeriodDelegation(from_text(stored.at), event, stored.hash)
            for stored, event in history
            if stored.seq in wanted and isinstance(event, w.DelegationStarted)
        }

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
