"""The only writer of a workspace's own facts: what is deployed, paused and frozen, and who has which
role. Load, decide, append.

The one rule: the append holds only if the stream's head is the one that was decided on; whoever loses reads on and
decides again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from engine.charges import limits_of
from engine.clock import Clock
from engine.core import budgets as bg
from engine.core import delegations as dg
from engine.core import freezes as fz
from engine.core import switches as sw
from engine.core import workspace as ws
from engine.core import workspace_events as w
from engine.core.errors import EngineError
from engine.core.events.base import Actor
from engine.core.roles import Grant, Role
from engine.store import Append, Appended, Head, KeyChange, Log, NewEpoch, NewEvent, StoredEvent, from_text
from engine.store.notes import RUNS_PRUNED, SUBJECT_ERASED

TRIES = 50
"""Appends of one command that may lose against others; anchors are such others, too."""

_STORES_OWN = frozenset({RUNS_PRUNED, SUBJECT_ERASED})


class WorkspaceRefused(EngineError):
    """What was asked of the workspace was not done; the text says why."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"{reason[0].upper()}{reason[1:]}.")


class Workspace:
    """The facts of one workspace, as this process knows them. ``name`` is its stream."""

    def __init__(self, store: Log, clock: Clock, name: str) -> None:
        self.name = name
        self._store = store
        self._clock = clock
        self._state = ws.EMPTY
        self._head = Head.EMPTY
        self._reading: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None

    @property
    def known(self) -> ws.WorkspaceState:
        """The workspace as it was read last; others may have written since."""
        return self._state

    async def state(self) -> ws.WorkspaceState:
        """The workspace as its stream has it now. Raises ``UnknownEvent`` for one that a newer release wrote to."""
        if self._next is None:
            self._next = asyncio.create_task(self._read_next())
            self._next.add_done_callback(_heard)
        await asyncio.shield(self._next)
        return self._state

    async def submit(
        self,
        make: Callable[[ws.WorkspaceState], ws.Command],
        keys: Callable[[tuple[w.WorkspaceEvent, ...]], tuple[KeyChange, ...]] = lambda events: (),
    ) -> tuple[w.WorkspaceEvent, ...]:
        """Decide on the command that ``make`` makes of the newest state; the events that are durable on return.

        ``keys`` gives what becomes of sealed keys with these events.

        Raises ``WorkspaceRefused``. ``make`` is called again for each try, so that what it compares is what there is.
        """
        for _ in range(TRIES):
            await self.state()
            state, head = self._state, self._head
            now = self._clock.now()
            command = make(state)
            if isinstance(command, sw.ThrowSwitch | sw.LiftSwitch | bg.SetBudget):
                command = replace(command, epoch=(await self._store.switches())[0])
            verdict = ws.decide(state, command, now)
            if isinstance(verdict, ws.Refused):
                raise WorkspaceRefused(verdict.reason)
            if isinstance(verdict, ws.Stale):
                raise WorkspaceRefused(f"{verdict.workflow} was deployed by somebody else meanwhile; deploy it again")
            if not verdict:
                return ()
            at = max([now, *(from_text(one.at) for one in await self._store.events_at(self.name, [head.seq]))])
            events = tuple(NewEvent(one.type, one.version, at, w.encode(one)) for one in verdict)
            append = Append(
                stream=self.name,
                after=head,
                events=events,
                epoch=_epoch_of(verdict),
                keys=keys(verdict),
                postings=limits_of(self.name, verdict),
            )
            if isinstance(await self._store.append(append), Appended):
                await self.state()
                return verdict
        raise WorkspaceRefused(f"others write to {self.name} all the time; try again")

    async def freeze(self, workflows: tuple[str, ...], until: int | None, *, by: Actor, reason: str) -> fz.Freeze:
        """Begin a change freeze of these workflows, or of all; ``until`` an instant, or until it is lifted."""
        begun = await self.submit(lambda _: fz.StartFreeze(workflows, until, by, reason))
        return next(freeze for _, freeze in sorted(self._state.freezes.items(), reverse=True) if freeze.event in begun)

    async def lift(self, freeze: int | None, *, by: Actor, reason: str = "") -> int:
        """Lift the freeze of that id, or all that hold (None); how many."""
        return len(await self.submit(lambda _: fz.LiftFreeze(freeze, by, reason)))

    async def delegate(self, start: dg.StartDelegation) -> dg.Delegation:
        """Let somebody decide for somebody else for a while. Raises ``WorkspaceRefused``."""
        await self.submit(lambda _: start)
        held = dg.held_by(self._state.delegations, start.by, self._clock.now())
        if held is None:
            raise WorkspaceRefused("the time for which somebody else decides is over already; give a later end")
        return held

    async def end_delegation(self, end: dg.EndDelegation) -> bool:
        """Whether there was one."""
        return bool(await self.submit(lambda _: end))

    async def grants(self) -> tuple[Grant, ...]:
        """Who has which role now."""
        return (await self.state()).grants

    async def grant(
        self, role: Role, to: str, name: str, workflow: str | None = None, *, by: Actor, may: frozenset[str],
        reason: str = "", if_no_admin: bool = False,
    ) -> bool:  # fmt: skip
        """Give ``to`` the role, for one workflow or all; whether that is new. ``may``: the permissions of ``by``.

        ``if_no_admin``: only while nobody is an admin, as for whoever installs the app first. Raises
        ``WorkspaceRefused``.
        """
        made = ws.GrantRole(role, to, name, workflow, by, reason, may, if_no_admin)
        return bool(await self.submit(lambda _: made))

    async def revoke(
        self, role: Role, to: str, workflow: str | None = None, *, by: Actor, may: frozenset[str],
        reason: str = "", admins_besides: bool = False,
    ) -> bool:  # fmt: skip
        """Take the role away; whether there was such a grant. Raises ``WorkspaceRefused``, also for the last admin's.

        ``admins_besides``: there are admins of whom no grant tells.
        """
        made = ws.RevokeRole(role, to, workflow, by, reason, may, admins_besides)
        return bool(await self.submit(lambda _: made))

    async def history(self, after: int = 0) -> list[tuple[StoredEvent, w.WorkspaceEvent]]:
        """All facts with a seq above ``after``, the oldest first, of the kinds that this release knows."""
        said = await said_in(self._store, self.name, after)
        return [(one, w.decode(one.type, one.version, one.payload)) for one in said if one.type in w.WORKSPACE_EVENTS]

    async def _read_next(self) -> None:
        """One read for all who asked before it began: those who ask while one is under way share the one after it."""
        if self._reading is not None:
            await asyncio.wait([self._reading])
        self._reading, self._next = self._next, None
        await self._read_on()

    async def _read_on(self) -> None:
        said, head = await self._store.load_said(self.name, self._head.seq)
        state = self._state
        for one in said:
            if one.type not in _STORES_OWN:
                state = ws.evolve(state, one.seq, from_text(one.at), w.decode(one.type, one.version, one.payload))
        self._state, self._head = state, head


async def said_in(store: Log, workspace: str, after: int) -> list[StoredEvent]:
    """All facts of a workspace with a seq above ``after``, the oldest first; also those of a newer release."""
    said, _ = await store.load_said(workspace, after)
    return [one for one in said if one.type not in _STORES_OWN]


def _epoch_of(events: tuple[w.WorkspaceEvent, ...]) -> NewEpoch | None:
    """How these events change what holds steps, if they do."""
    for one in events:
        match one:
            case w.SwitchThrown(key=key, epoch=epoch):
                return NewEpoch(epoch, throws=key)
            case w.SwitchLifted(key=key, epoch=epoch):
                return NewEpoch(epoch, lifts=key, frees=True, everywhere=key == sw.EVERYTHING)
            case w.BudgetSet(epoch=epoch):
                return NewEpoch(epoch, frees=True)
            case _:
                pass
    return None


def _heard(task: asyncio.Task[None]) -> None:
    """Whoever waited may be gone; the fault is met again by the next one who asks."""
    if not task.cancelled():
        task.exception()
