"""Kill switches, as people throw and lift them: what is thrown, and what that stops now.

The one rule: a throw is acknowledged once it is durable, and from then on nothing starts under its key; what runs is
stopped by the workers that have it, within a second. ``everything`` is of the engine's home workspace alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from immutables import Map

from engine.clock import Clock
from engine.core.deciding.holding import stopping
from engine.core.errors import EngineError
from engine.core.events.base import Actor
from engine.core.state import ENDED_RUN, RunState, RunStatus, StepStatus
from engine.core.switches import EVERYTHING, LiftSwitch, Switch, Switches, ThrowSwitch
from engine.handle import Handle
from engine.store import Log, RunFilter
from engine.workspace import Workspace, WorkspaceRefused

LOOKED_AT = 1_000
LOOK_FOR = 1.0
"""Runs that are looked into to say what a switch would stop, and for how many seconds; then there may be more."""

_AT_ONCE = 50
_OPEN = tuple(status.value for status in RunStatus if status not in ENDED_RUN)


class Thrown(NamedTuple):
    """A switch that is thrown in ``workspace``."""

    workspace: str
    switch: Switch


@dataclass(slots=True)
class Reach:
    """What a switch stops: open ``runs``, and ``steps`` that are running now; ``more``: there may be more of both."""

    runs: int = 0
    steps: int = 0
    more: bool = False


class Switchboard:
    """The switches of one workspace. ``home`` is the workspace in which everything can be stopped."""

    def __init__(self, store: Log, clock: Clock, handle: Handle, workspace: Workspace, home: str) -> None:
        self._store = store
        self._clock = clock
        self._handle = handle
        self._workspace = workspace
        self._home = home

    async def throw(self, key: str, *, by: Actor, reason: str, told: str = "") -> Switch:
        """Let nothing start under ``key`` from the return on. Raises ``WorkspaceRefused``, also if it is so already.

        ``told``: the place in which people are to be told of it, and of its end.
        """
        place = await self._place(key)
        events = await place.submit(lambda _: ThrowSwitch(key, by, reason, place=told))
        known = place.known.switches.get(key)
        if known is None or not events:
            raise WorkspaceRefused(f"{key} was thrown, and lifted by others meanwhile")
        return known

    async def lift(self, key: str, *, by: Actor, reason: str = "") -> Switch:
        """Let go on what the switch of ``key`` has stopped; the switch as it was. Raises ``WorkspaceRefused``."""
        place = await self._place(key)
        lifted = (await place.state()).switches.get(key)
        await place.submit(lambda _: LiftSwitch(key, by, reason))
        if lifted is None:
            raise WorkspaceRefused(f"{key} was thrown and lifted by others meanwhile")
        return lifted

    async def thrown(self) -> list[Switch]:
        """All that is thrown and holds in this workspace, the oldest first."""
        known = await self._handle.brakes.refresh()
        here = self._workspace.name
        found = [switch for (where, key), switch in known.thrown.items() if where == here or key == EVERYTHING]
        return sorted(found, key=lambda switch: switch.epoch)

    async def reach(self, key: str, within_s: float = LOOK_FOR) -> Reach:
        """What a switch of this key would stop now, or stops, as far as it was seen in so many seconds."""
        found, until = Reach(), asyncio.get_running_loop().time() + within_s
        async for runs in self._pages(key):
            states = await asyncio.gather(*map(self._state, runs))
            for state in states:
                if state is not None:
                    _count(found, state, key)
            if found.runs >= LOOKED_AT or asyncio.get_running_loop().time() > until:
                found.more = True
                break
        return found

    async def _place(self, key: str) -> Workspace:
        """The workspace whose switch it is. Raises ``WorkspaceRefused`` if it is another's to throw and to lift."""
        if key != EVERYTHING:
            return self._workspace
        if self._workspace.name != self._home:
            raise WorkspaceRefused(
                "only whoever runs the engine stops everything, in all workspaces: vb kill everything"
            )
        known = await self._handle.brakes.refresh()
        where = next((where for where, key in known.thrown if key == EVERYTHING), self._home)
        return self._workspace if where == self._home else Workspace(self._store, self._clock, where)

    async def _pages(self, key: str) -> AsyncIterator[Sequence[str]]:
        """The open runs that may be under the key."""
        workspaces = await self._store.workspaces() if key == EVERYTHING else [self._workspace.name]
        for workspace in workspaces:
            before: str | None = None
            while True:
                where = RunFilter(statuses=_OPEN)
                page = await self._store.runs(workspace=workspace, where=where, limit=_AT_ONCE, before=before)
                if not page:
                    break
                yield [info.id for info in page]
                before = page[-1].id

    async def _state(self, run: str) -> RunState | None:
        try:
            return await self._handle.state(run)
        except EngineError:
            return None  # it cannot be read here, and so not counted


def _count(found: Reach, state: RunState, key: str) -> None:
    only = Switches(1, Map({(state.started.workspace, key): Switch(key, state.started.by, "", 0, 1)}))
    under = [step for path, step in state.opened(StepStatus.RUNNING) if stopping(only, state, path)]
    if under or any(stopping(only, state, path) for path in state.open):
        found.runs += 1
    found.steps += len(under)
