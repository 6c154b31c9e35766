"""A rehearsal: a workflow with stubs for its steps, to be run as often as a test likes, each time from the beginning.

The one rule: the definition is checked and pinned as it would be in earnest; what is invalid is not rehearsed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from engine.core import commands as c
from engine.core import events as e
from engine.core.children import child_start, is_stopped_along
from engine.core.deciding.draft import BY_ENGINE
from engine.core.definition import Workflow
from engine.core.errors import InvalidInput
from engine.core.graph import Plan, family_of
from engine.core.inputs import validate_input
from engine.core.starting import started_of
from engine.core.state import ENDED_RUN, Phase, Recorded, StepStatus
from engine.steps.registry import Registry
from engine.steps.set import set_values
from engine.testing.definitions import load
from engine.testing.people import People
from engine.testing.result import Rehearsed
from engine.testing.script import Decisions, Ordered, Sent, person
from engine.testing.stubs import Stub, Stubs
from engine.testing.workers import Workers
from engine.testing.world import Case, World

STARTS_AT = "2026-01-05T09:00:00+00:00"
"""A Monday."""


class Rehearsal:
    """A workflow and the stubs of its steps. Needs no database, no Redis and no time.

    ``definition`` is a file, or a workflow built in Python. The workflows that it calls are found by their names among
    ``others`` (files, folders, workflows), or beside the file. With a ``registry`` the steps in it are known by their
    contracts, and those named in ``real`` run their own code where they have no stub. Without one, ``set`` is the only
    step known. Raises ``InvalidDefinition``.
    """

    def __init__(
        self,
        definition: str | Path | Workflow,
        stubs: Mapping[str, Stub] | None = None,
        *,
        others: Iterable[str | Path | Workflow] = (),
        registry: Registry | None = None,
        real: Collection[str] = ("set",),
        now: str = STARTS_AT,
    ) -> None:
        """``now`` is the instant at which runs start, ISO 8601 with its offset."""
        self._stubs = dict(stubs or {})
        self._registry = registry or Registry([set_values])
        self._real = real
        self._now = round(datetime.fromisoformat(now).timestamp() * 1_000)
        self._plan = load(definition, others, self._registry)

    @property
    def workflow(self) -> Workflow:
        """The definition as runs are pinned to it."""
        return self._plan.workflow

    def run(
        self,
        given: Mapping[str, object] | None = None,
        /,
        *,
        decide: Mapping[str, Decisions] | None = None,
        signals: Sequence[Sent] = (),
        orders: Sequence[Ordered] = (),
        by: str = "the starter",
        **inputs: object,
    ) -> Rehearsed:
        """Start the workflow with these inputs, and let time pass until nothing happens any more.

        Inputs are keywords, or one mapping. ``decide`` has decisions by the path or id of their gates. Raises
        ``InvalidInput``, and ``RehearsalError`` if a stub is missing.
        """
        values, problems = validate_input(self.workflow, {**(given or {}), **inputs})
        if problems:
            raise InvalidInput(self.workflow.name, problems)
        started = started_of("ws_rehearsal", self.workflow, values, person(by))
        people = People(decide or {}, signals, orders)
        people.check([self._plan, *family_of(self._plan).values()])
        stage = _Stage(self._now, Workers(Stubs(self._stubs), self._registry, self._real), people)
        return stage.perform(self._plan, started)


class _Stage:
    """One run of a rehearsal, with all that it starts."""

    def __init__(self, now: int, workers: Workers, people: People) -> None:
        self._workers = workers
        self._people = people
        self._world = World(now, self._watch)

    def perform(self, plan: Plan, started: e.RunStarted) -> Rehearsed:
        case = self._world.begin("run_00000000000000000000000000", plan, started)
        self._people.begin(self._world, case)
        self._world.play()
        return self._told(case)

    def _told(self, case: Case) -> Rehearsed:
        children = {
            child.state.started.parent.step: self._told(child)
            for child in self._world.cases.values()
            if child.state.started.parent is not None and child.state.started.parent.run == case.run
        }
        runs = {case.run} | {call.run for child in children.values() for call in child.calls}
        calls = [call for call in self._workers.calls if call.run in runs]
        return Rehearsed(case.state, tuple(case.log), calls, children, self._world.began)

    def _watch(self, case: Case, recorded: Recorded) -> None:
        """What follows from an event outside of its run."""
        world, event = self._world, recorded.event
        match event:
            case e.StepStarted():
                world.later(0, lambda: self._workers.begin(world, case, event, recorded.seq))
            case e.ApprovalRequested():
                self._people.asked(world, case, event.step, recorded.seq)
            case e.StepUncertain() | e.StepGivenUp():
                self._people.asked(world, case, event.step, recorded.seq)
            case e.SignalAwaited():
                self._people.awaited(world, case, event)
            case e.ChildStarted():
                world.later(0, lambda: self._start_child(case, event))
            case e.RunPaused(by=by, reason=reason):
                self._to_children(case, c.Pause(by, reason))
            case e.RunResumed(by=by, reason=reason):
                self._to_children(case, c.Resume(by, reason))
            case e.RunCancelRequested() if case.state.phase is Phase.FORWARD:
                self._workers.cancel(world, case)
            case e.RunCompleted() | e.RunFailed() | e.RunCancelled():
                self._ended(case)
            case _:
                pass
        if case.state.stopping and case.state.end is None:
            self._stop_children(case)

    def _start_child(self, parent: Case, event: e.ChildStarted) -> None:
        part = event.part
        plan = parent.plan.children[event.definition] if part is None else parent.plan.part(part.step)
        self._world.begin(event.run, plan, child_start(parent.state, event))
        if parent.state.stopping:
            self._stop_children(parent)

    def _stop_children(self, case: Case) -> None:
        cancel = case.state.cancel
        reason = f"{case.run}, which it was a part of, is stopping" if cancel is None else cancel.reason
        self._to_children(case, c.Cancel(BY_ENGINE if cancel is None else cancel.by, reason, case.state.seq))

    def _to_children(self, case: Case, command: c.Cancel | c.Pause | c.Resume) -> None:
        for _, step in case.state.opened(StepStatus.CALLING):
            child = self._world.cases.get(step.child)
            if child is not None and child.state.end is None and not (child.state.cancel and case.state.stopping):
                self._world.submit(child, command)

    def _ended(self, case: Case) -> None:
        end, parent = case.state.end, case.state.started.parent
        if end is None or parent is None or end.status not in ENDED_RUN:
            return
        caller = self._world.cases[parent.run]
        told = self._told(case)
        along = is_stopped_along(case.state)
        spent = case.state.whole_cost
        command = c.ChildEnded(parent.step, case.run, end.status, told.output, told.reason, along, spent)
        self._world.later(0, partial(self._tell, caller, command))

    def _tell(self, caller: Case, command: c.ChildEnded) -> None:
        self._world.submit(caller, command)
