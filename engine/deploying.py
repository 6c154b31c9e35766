"""Deploying: definitions become what their names mean, after they were checked, pinned, stored and compared.

The one rule: everything of one deployment is taken, or nothing; and who may change who decides is a permission of its
own, asked for in the same decision.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from engine.core import workspace as ws
from engine.core import workspace_events as w
from engine.core.changes import changes
from engine.core.checks.calls import Callees, calls_of
from engine.core.definition import Workflow
from engine.core.draft import Draft
from engine.core.errors import InvalidDefinition
from engine.core.events.base import Actor
from engine.core.instants import say_instant
from engine.core.loader import check, data_of
from engine.core.pinning import pin
from engine.core.stepspec import Catalog as StepCatalog
from engine.definitions import Definitions
from engine.plans import Plans
from engine.store import from_text
from engine.workspace import Workspace

ALL = frozenset({ws.DEPLOY, ws.DEPLOY_GATES})
"""The permissions of whoever may change everything about definitions."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """One entry of the history of a workflow's definition: a deployment, or (``retired``) its end."""

    workflow: str
    definition: str
    previous: str | None
    at: int
    by: Actor
    reason: str
    source: str
    changes: tuple[str, ...]
    gates: tuple[str, ...]
    retired: bool = False

    def __str__(self) -> str:
        what = "retired" if self.retired else f"deployed {self.definition[:12]}"
        words = f": {'; '.join(self.changes)}" if self.changes else ""
        return f"{say_instant(self.at)} {self.by.name} {what}{words}" + (f" ({self.reason})" if self.reason else "")


@dataclass(frozen=True, slots=True)
class Deployer:
    """Deploys into one workspace. ``steps`` are those that definitions are checked and pinned against."""

    workspace: Workspace
    definitions: Definitions
    plans: Plans
    steps: StepCatalog

    async def deploy(
        self,
        workflows: Iterable[Workflow],
        *,
        by: Actor,
        reason: str = "",
        may: frozenset[str] = frozenset(),
        source: str = "api",
        if_new: bool = False,
    ) -> list[w.WorkflowDeployed]:
        """Make these what their names mean; those that were changed by it, with what is new in each.

        What they call is among them or deployed already. Raises ``InvalidDefinition`` with all problems, and
        ``WorkspaceRefused`` if ``may`` lacks ``deploy``, or ``deploy.gates`` where a gate changes, or if a freeze holds
        for such a change; then nothing was deployed. With ``if_new`` those are left out that came from the same source
        before: somebody may have deployed others by hand since.
        """
        state = await self.definitions.refresh()
        pinned = prepared(list(workflows), self.steps, dict(self.definitions.workflows))
        for each in pinned.values():
            called = {one.hash: one for one in pinned.values()} | dict(self._called(each))
            await self.plans.pin(each, called)
        previous = {name: await self._previous(state, name) for name in pinned}

        def make(now: ws.WorkspaceState) -> ws.Command:
            compared = tuple(_change(each, previous[name]) for name, each in pinned.items())
            return ws.Deploy(compared, by, reason, source, may, if_new)

        events = await self.workspace.submit(make)
        await self.definitions.refresh()
        return [one for one in events if isinstance(one, w.WorkflowDeployed)]

    async def compare(self, workflows: Iterable[Workflow]) -> list[ws.Change]:
        """What a deployment of these would change, for people to see before they ask for it; nothing is stored."""
        state = await self.definitions.refresh()
        pinned = prepared(list(workflows), self.steps, dict(self.definitions.workflows))
        found = [_change(each, await self._previous(state, name)) for name, each in pinned.items()]
        return [one for one in found if one.definition != one.previous or state.current(one.workflow) is None]

    async def retire(self, workflow: str, *, by: Actor, reason: str = "", may: frozenset[str] = frozenset()) -> bool:
        """Take the name away: it cannot be started, its schedules are off; whether it was there.

        Raises ``WorkspaceRefused`` without the permission ``deploy``.
        """
        events = await self.workspace.submit(lambda _: ws.Retire(workflow, by, reason, may))
        await self.definitions.refresh()
        return bool(events)

    async def history(self, workflow: str) -> list[Deployment]:
        """Every deployment of the workflow, the oldest first; empty if it never was."""
        found: list[Deployment] = []
        for stored, event in await self.workspace.history():
            at = from_text(stored.at)
            match event:
                case w.WorkflowDeployed() if event.workflow == workflow:
                    found.append(Deployment(**event.model_dump(exclude={"by"}), by=event.by, at=at))
                case w.WorkflowRetired() if event.workflow == workflow:
                    found.append(
                        Deployment(
                            workflow, event.definition, event.definition, at, event.by, event.reason, "", (), (), True
                        )
                    )
                case _:
                    pass
        return found

    def _called(self, workflow: Workflow) -> Mapping[str, Workflow]:
        """What the definitions that are deployed already bring along."""
        found: dict[str, Workflow] = {}
        for each in self.definitions.workflows.values():
            found |= {each.hash: each, **self.definitions.children(each)}
        return found

    async def _previous(self, state: ws.WorkspaceState, name: str) -> Workflow | None:
        """What the name meant last, also if it was retired: a gate does not go with the name."""
        known = state.workflows.get(name)
        return None if known is None else (await self.plans.of(known.definition)).workflow


def prepared(workflows: list[Workflow], steps: StepCatalog, there: Mapping[str, Workflow]) -> dict[str, Workflow]:
    """The workflows, checked and pinned, by name, callees first. ``there`` are those that they may call besides.

    Raises ``InvalidDefinition`` with the problems of all of them.
    """
    names = [each.name for each in workflows]
    problems = [f"{name} is given twice" for name in dict.fromkeys(names) if names.count(name) > 1]
    pinned: dict[str, Workflow] = {}
    known = {**there, **{each.name: each for each in workflows}}
    drafts = {name: Draft.of(data_of(each)) for name, each in known.items()}
    for each in _callees_first(workflows, drafts):
        around = {**there, **pinned}
        hashes = {name: one.hash for name, one in around.items()}
        found = check(each, steps, Callees(drafts, frozenset(), hashes))
        problems += [f"{each.name}: {problem}" for problem in found]
        if not found and all(name in around for name in calls_of(drafts[each.name])):
            pinned[each.name] = pin(each, steps, around)
    if problems:
        raise InvalidDefinition(problems)
    return pinned


def _callees_first(workflows: list[Workflow], drafts: Mapping[str, Draft]) -> list[Workflow]:
    """In this order each can be pinned to what it calls; a circle, which is a problem anyhow, is cut somewhere."""
    by_name = {each.name: each for each in workflows}
    order: dict[str, None] = {}
    begun: set[str] = set()

    def visit(name: str) -> None:
        if name in begun or name not in by_name:
            return
        begun.add(name)
        for called in calls_of(drafts[name]):
            visit(called)
        order[name] = None

    for name in by_name:
        visit(name)
    return [by_name[name] for name in order]


def _change(workflow: Workflow, previous: Workflow | None) -> ws.Change:
    words, gates = changes(previous, workflow)
    return ws.Change(workflow.name, workflow.hash, None if previous is None else previous.hash, words, gates)
