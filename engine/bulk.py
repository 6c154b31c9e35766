"""The same operation on many runs, chosen by a filter; and the lists of runs that need a person.

The one rule: each run is asked by itself, as if one after the other had been given by hand. So it may be broken off at
any time and given again, and one run that cannot be helped does not stop the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from engine.core import commands as c
from engine.core import events as e
from engine.core.deciding.operators import dead_steps
from engine.core.errors import EngineError
from engine.core.state import ENDED_RUN, RunStatus
from engine.own_runs import OwnRuns
from engine.store import Log, RunFilter, RunInfo, StoreUnavailable

PAGE = 100
AT_ONCE = 20

Action = Literal["pause", "resume", "cancel", "redrive"]

_OPEN = frozenset(status.value for status in RunStatus if status not in ENDED_RUN)
_FITTING: Mapping[Action, frozenset[str]] = {
    "pause": _OPEN - {"paused"},
    "resume": frozenset({"paused"}),
    "cancel": _OPEN,
    "redrive": frozenset({"failed"}),
}
"""The statuses of runs to which an action can mean anything."""


@dataclass(slots=True)
class Tally:
    """How far an operation on many runs has come: how many were ``done``, and the sentences of those that were not."""

    done: int = 0
    refused: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class DeadStep:
    """A step in the dead letters: how often it was tried, and in plain words what was tried and why it stopped."""

    step: str
    attempts: int
    summary: str


@dataclass(frozen=True, slots=True)
class DeadRun:
    """A run that failed, with those of its steps that will not be tried again by themselves."""

    run: RunInfo
    steps: tuple[DeadStep, ...]


class Bulk:
    """Operations on the runs of one workspace that fit a filter. They raise the store's errors, and may be repeated."""

    def __init__(self, store: Log, runs: OwnRuns, workspace: str) -> None:
        self._store = store
        self._own = runs
        self._workspace = workspace

    async def count(self, action: Action, where: RunFilter) -> int:
        """How many runs ``apply`` would ask now. Nothing is changed."""
        return sum([1 async for _ in self._runs(_fitting(action, where))])

    async def apply(
        self, action: Action, where: RunFilter, *, by: e.Actor, reason: str = "",
        told: Callable[[Tally], None] = lambda tally: None,
    ) -> Tally:  # fmt: skip
        """Do it to every run that fits now; ``told`` hears of the progress after each page of runs."""
        tally = Tally()
        command = _command(action, by, reason)
        page: list[str] = []
        async for run in self._runs(_fitting(action, where)):
            page.append(run.id)
            if len(page) == AT_ONCE:
                await self._ask(page, command, tally)
                told(tally)
                page = []
        await self._ask(page, command, tally)
        told(tally)
        return tally

    async def attention(self, kind: str = RunFilter.ANYTHING, *, limit: int = 50) -> list[RunInfo]:
        """The newest runs that need a person: for an ``approval``, because of an ``uncertain`` outcome, of code that is
        nowhere (``missing_step``), of a ``dead_letter``, or because they are ``paused``.
        """
        return await self._store.runs(workspace=self._workspace, where=RunFilter(attention=kind), limit=limit)

    async def dead_letters(
        self, where: RunFilter = RunFilter.EVERY, *, limit: int = 50, before: str | None = None
    ) -> list[DeadRun]:
        """The newest runs that failed for good. ``before`` is the id of the last one of the page before."""
        found = await self._store.runs(
            workspace=self._workspace, where=replace(where, attention="dead_letter"), limit=limit, before=before
        )
        return [DeadRun(run, await self._dead_steps(run.id)) for run in found]

    async def _dead_steps(self, run: str) -> tuple[DeadStep, ...]:
        state = await self._own.state(run)
        steps = ((path, state.steps[path]) for path in dead_steps(state))
        return tuple(DeadStep(path, max(step.attempt, 1), step.dead) for path, step in steps)

    async def _runs(self, where: RunFilter) -> AsyncIterator[RunInfo]:
        """All that fit, the newest first; what changes meanwhile moves none of the others."""
        before: str | None = None
        while found := await self._store.runs(workspace=self._workspace, where=where, limit=PAGE, before=before):
            for run in found:
                yield run
            before = found[-1].id

    async def _ask(self, runs: list[str], command: c.Command, tally: Tally) -> None:
        refusals = await asyncio.gather(*(self._refusal(run, command) for run in runs))
        for run, refusal in zip(runs, refusals, strict=True):
            if refusal is None:
                tally.done += 1
            else:
                tally.refused[run] = refusal

    async def _refusal(self, run: str, command: c.Command) -> str | None:
        """Why it was not done, if it was not."""
        try:
            reply = (await self._own.submit(run, command)).reply
        except StoreUnavailable:
            raise
        except EngineError as error:
            return str(error)
        match reply:
            case c.NotAllowed(reason):
                return reason
            case c.Ended(status):
                return f"the run is {status.value} already"
            case _:
                return None


def _fitting(action: Action, where: RunFilter) -> RunFilter:
    meant = _FITTING[action]
    asked = where.statuses
    return replace(where, statuses=sorted(meant if asked is None else meant & set(asked)))


def _command(action: Action, by: e.Actor, reason: str) -> c.Command:
    match action:
        case "pause":
            return c.Pause(by, reason)
        case "resume":
            return c.Resume(by, reason)
        case "cancel":
            return c.Cancel(by, reason)
        case "redrive":
            return c.Redrive(by, reason)
