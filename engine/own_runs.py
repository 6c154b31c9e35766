"""The runs of one workspace, as its people may ask for them.

The one rule: a run of another workspace is as unknown as one that never was. Workers, schedulers and errands are no
people, and go to the handle itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.core import events as e
from engine.core.commands import Command
from engine.core.errors import UnknownRun
from engine.core.graph import Plan
from engine.core.state import RunState
from engine.handle import Answer, Begun, Handle
from engine.recall import Recall


class OwnRuns:
    """What a ``Handle`` does, for the runs of ``workspace`` alone. Everything raises ``UnknownRun`` for the others."""

    def __init__(self, handle: Handle, workspace: str) -> None:
        self._handle = handle
        self._workspace = workspace

    @property
    def recall(self) -> Recall:
        """The values of runs that were read here before."""
        return self._handle.recall

    async def start(self, run: str, plan: Plan, event: e.RunStarted, reused: Sequence[e.StepReused] = ()) -> Begun:
        """See ``Handle.start``. ``ValueError`` for a run that would not be this workspace's own."""
        if event.workspace != self._workspace:
            raise ValueError(f"{run} would be of {event.workspace}, not of {self._workspace}")
        return await self._handle.start(run, plan, event, reused)

    async def submit(self, run: str, command: Command) -> Answer:
        """See ``Handle.submit``; nothing is decided on a run of another workspace."""
        await self.check(run)
        return await self._handle.submit(run, command)

    async def state(self, run: str) -> RunState:
        """See ``Handle.state``."""
        return self._own(await self._handle.state(run))

    async def check(self, run: str) -> None:
        """Raises ``UnknownRun`` unless the run is of this workspace, which it is for ever."""
        self._own(self._handle.last_seen(run) or await self._handle.state(run))

    def _own(self, state: RunState) -> RunState:
        if state.started.workspace != self._workspace:
            raise UnknownRun(state.run)
        return state
