"""The definitions that names mean now: what is deployed, else what this process has loaded.

The one rule: what was deployed comes before any file; a name that was retired means nothing until it is deployed again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from engine.catalog import Catalog
from engine.core.definition import Workflow
from engine.core.errors import EngineError, UnknownWorkflow, UnloadedWorkflow
from engine.core.freezes import Freeze, frozen
from engine.core.graph import Plan
from engine.core.problems import Problem
from engine.core.words import nearest
from engine.core.workspace import WorkspaceState
from engine.plans import Plans, called_by, read
from engine.workspace import Workspace


class Frozen(EngineError):
    """A change freeze keeps runs of the workflow from starting; the text says whose, why and until when."""

    def __init__(self, workflow: str, freeze: Freeze) -> None:
        self.workflow = workflow
        self.freeze = freeze
        super().__init__(f"{frozen(freeze, workflow)}.")


class RetiredWorkflow(UnknownWorkflow):
    """The workflow was there, and was taken away."""

    def __init__(self, name: str, by: str, reason: str) -> None:
        super().__init__(name, [])
        said = f": {reason}" if reason else ""
        self.args = (f"{name} was retired by {by}{said}; deploy it again to start it.",)


class _Deployed(NamedTuple):
    workflow: Workflow
    called: Mapping[str, Workflow]


class Definitions:
    """The definitions of one workspace. ``refresh`` reads what others have deployed; the rest answers at once."""

    def __init__(self, workspace: Workspace, catalog: Catalog, plans: Plans) -> None:
        self._workspace = workspace
        self._catalog = catalog
        self._plans = plans
        self._seq = 0
        self._deployed: Mapping[str, _Deployed] = {}
        self._broken: Mapping[str, Sequence[Problem]] | None = None

    async def refresh(self) -> WorkspaceState:
        """The workspace as it is now; from here on the others answer by it. Raises ``BrokenDefinition``."""
        state = await self._workspace.state()
        if state.seq <= self._seq:
            return state
        deployed: dict[str, _Deployed] = {}
        for name in state.workflows:
            if (current := state.current(name)) is not None:
                plan = await self._plans.of(current.definition)
                deployed[name] = _Deployed(plan.workflow, called_by(plan))
        if state.seq > self._seq:  # else somebody has read on meanwhile
            self._seq, self._deployed = state.seq, deployed
        return state

    async def allowed(self, workflow: str, now: int) -> None:
        """Raises ``Frozen`` if no run of the workflow may start at ``now``, by what is known once others were read."""
        freeze = (await self.refresh()).freeze(workflow, now)
        if freeze is not None:
            raise Frozen(workflow, freeze)

    @property
    def timezone(self) -> str:
        """The zone in which the workspace counts days, as it was read last."""
        return self._workspace.known.timezone

    def note_broken(self, broken: Mapping[str, Sequence[Problem]]) -> None:
        """These names have files now that cannot be loaded; whoever asks for one of them is told why."""
        self._broken = dict(broken)

    @property
    def workflows(self) -> Mapping[str, Workflow]:
        """All that can be started, by name, in the order of the names."""
        retired = {name for name, known in self._workspace.known.workflows.items() if known.retired is not None}
        loaded = {name: found for name, found in self._catalog.workflows.items() if name not in retired}
        found = {**loaded, **{name: known.workflow for name, known in self._deployed.items()}}
        return {name: found[name] for name in sorted(found)}

    def get(self, name: str) -> Workflow:
        """The workflow called ``name``. Raises ``UnknownWorkflow``: with the nearest name, or its file's problem."""
        if (found := self._deployed.get(name)) is not None:
            return found.workflow
        known = self._workspace.known.workflows.get(name)
        if known is not None and known.retired is not None:
            raise RetiredWorkflow(name, known.retired.by.name, known.retired.reason)
        workflows = self.workflows
        if name not in workflows:
            broken = self._catalog.broken if self._broken is None else self._broken
            if (problems := broken.get(name)) is not None:
                raise UnloadedWorkflow(name, problems)
            raise UnknownWorkflow(name, list(workflows), nearest(name, workflows))
        return workflows[name]

    def workflow(self, definition: str) -> Workflow | None:
        """The pinned workflow whose hash is ``definition``, if it is one of these."""
        found = self._of(definition)
        return self._catalog.workflow(definition) if found is None else found.workflow

    def children(self, workflow: Workflow) -> Mapping[str, Workflow]:
        """Every pinned workflow that ``workflow`` calls, and that these call in turn, by its hash."""
        found = self._of(workflow.hash)
        return self._catalog.children(workflow) if found is None else found.called

    def plan(self, workflow: Workflow) -> Plan:
        """Its plan, with those of all that it calls; made anew only for one that was neither deployed nor run yet."""
        known = self._plans.known.get(workflow.hash)
        return read(workflow, self.children(workflow)) if known is None else known

    def _of(self, definition: str) -> _Deployed | None:
        return next((known for known in self._deployed.values() if known.workflow.hash == definition), None)
