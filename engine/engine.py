"""The facade: everything that the bot, the command line and an embedding program ask of the engine.

The one rule: nothing is implemented here. Each method finds the run, submits one command or one query, and translates
the answer into what callers know.
"""

from __future__ import annotations

import copy
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from pydantic import JsonValue

from engine.audit import audit
from engine.budgets import Budgets
from engine.bulk import Bulk
from engine.catalog import Catalog
from engine.clock import Clock, SystemClock
from engine.core import commands as c
from engine.core import events as e
from engine.core.definition import Workflow
from engine.core.errors import AmbiguousRun, UnknownRun
from engine.core.freezes import Freeze
from engine.core.key_events import KeyChecked
from engine.core.state import Recorded, RunState
from engine.core.workspace_events import WorkflowDeployed
from engine.definitions import Definitions
from engine.deploying import Deployer, Deployment
from engine.folder import Folder
from engine.forecasts import Forecasts
from engine.gates import Gates
from engine.handle import Begun, Observer
from engine.identities import Identities
from engine.ids import Ids
from engine.keepalive import KeepAlive
from engine.keycheck import Endpoint, check_key, endpoint_of
from engine.keyring import Keyring
from engine.operations import Operations
from engine.own_runs import OwnRuns
from engine.prices import Prices
from engine.records import cache_of
from engine.runtime import Runtime
from engine.scheduler import SchedulerSettings
from engine.schedules import ScheduleInfo, Timetable
from engine.starting import Starter
from engine.steps.registry import Registry
from engine.store import (
    DEFAULT_WORKSPACE,
    Log,
    Report,
    RunFilter,
    RunInfo,
    Sealer,
    WorkerInfo,
    at_work,
)
from engine.streams import ActivationStream, Streams
from engine.switching import Switchboard
from engine.tariffs import PriceBook
from engine.worker import Worker, WorkerSettings
from engine.workspace import Workspace


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Where the engine keeps its truth and its stream. ``chain_key`` signs the history; it is never shown.

    ``prices`` are what estimates are made from. With a ``sealer``, what people's runs hold is sealed by its master key.
    ``endpoints``: where providers, by name, are asked whether they take a key.
    """

    database_url: str
    redis_url: str
    chain_key: bytes = field(repr=False)
    workspace: str = DEFAULT_WORKSPACE
    namespace: str = "vb"
    worker: WorkerSettings = field(default_factory=WorkerSettings)
    scheduler: SchedulerSettings = field(default_factory=SchedulerSettings)
    sealer: Sealer | None = None
    prices: Prices = field(default_factory=Prices)
    endpoints: Mapping[str, Endpoint] = field(default_factory=dict[str, Endpoint])


class Engine:
    """An open engine. Use ``async with Engine.open(…)``; call ``work`` to run steps in this process too.

    It is about the runs and definitions of one workspace; ``within`` gives the same engine as another one sees it.
    """

    def __init__(
        self,
        settings: EngineSettings,
        store: Log,
        streams: ActivationStream,
        catalog: Catalog,
        registry: Registry,
        clock: Clock,
        *,
        ids: Ids | None = None,
        keep_alive: Callable[[str], KeepAlive] | None = None,
    ) -> None:
        """``keep_alive`` gives what will keep the lease of a worker, by its id; otherwise threads do."""
        self.settings = settings
        self.store = store
        self.catalog = catalog
        self.registry = registry
        self.clock = clock
        self._runtime = Runtime(store, streams, registry, clock, ids or Ids())
        self._staff = self._runtime.employ(settings.database_url, settings.worker, keep_alive)
        self._home = settings.workspace
        self._facades = {settings.workspace: self}
        self._settle_in(settings.workspace)

    def _settle_in(self, workspace: str) -> None:
        """Make what is one workspace's own; the runtime is shared by the facades of all workspaces."""
        self.settings = replace(self.settings, workspace=workspace)
        shared = self._runtime
        self._own = OwnRuns(shared.handle, workspace)
        self.workspace = Workspace(self.store, self.clock, workspace)
        self.definitions = Definitions(self.workspace, self.catalog, shared.plans)
        self.prices = PriceBook(self.workspace, self.settings.prices)
        self.forecasts = Forecasts(self.store, self.definitions, self.prices, workspace)
        self.budgets = Budgets(self.store, self.workspace, self.clock)
        self.keyring = Keyring(self.store, self.workspace)
        self.identities = Identities(self.workspace, self.clock)
        self.deployer = Deployer(self.workspace, self.definitions, shared.plans, self.registry.catalog())
        self._starter = Starter(
            definitions=self.definitions,
            forecasts=self.forecasts,
            runs=self._own,
            plans=shared.plans,
            clock=self.clock,
            ids=shared.ids,
            workspace=workspace,
        )
        self.timetable = Timetable(self.store, self.workspace, self.definitions, self._starter, self.clock)
        self.operations = self._operate()
        self.bulk = Bulk(self.store, self._own, workspace)
        self.gates = Gates(self.store, self._own, self.workspace, self.clock)
        self.switches = Switchboard(self.store, self.clock, self._runtime.handle, self.workspace, self._home)

    @property
    def home(self) -> str:
        """The workspace in which everything can be stopped, in all workspaces at once."""
        return self._home

    def within(self, workspace: str) -> Engine:
        """This engine as ``workspace`` sees it, always the same one. What others deployed it knows after a refresh."""
        known = self._facades.get(workspace)
        if known is None:
            known = self._facades[workspace] = copy.copy(self)
            Engine._settle_in(known, workspace)
        return known

    @classmethod
    @asynccontextmanager
    async def open(
        cls, settings: EngineSettings, *, catalog: Catalog, registry: Registry, clock: Clock | None = None
    ) -> AsyncGenerator[Self]:
        """Connect, migrating a fresh database. Redis need not be there: work then waits for it.

        Raises ``StoreUnavailable``, in one sentence, if the database cannot be reached.
        """
        store = await Log.open(
            settings.database_url, settings.chain_key, sealer=settings.sealer, lease_ms=settings.worker.lease
        )
        streams = Streams(settings.redis_url, settings.namespace)
        engine = cls(settings, store, streams, catalog, registry, clock or SystemClock())
        try:
            await engine.definitions.refresh()
            yield engine
        finally:
            await engine.close()

    async def close(self) -> None:
        """Send and settle what was handed in, then hang up. For whoever made the engine without ``open``.

        A database that is away is not waited for any more: what is not settled goes on from the log.
        """
        await self._runtime.close()

    @asynccontextmanager
    async def work(self) -> AsyncGenerator[Worker]:
        """Run a worker and a scheduler in this process until the block is left; then stop them gracefully.

        Both are for the runs of all workspaces.

        Raises ``StoreUnavailable`` if the database is away when the block is entered; later on it is waited for.
        """
        async with self._runtime.work(self._staff, self.settings.scheduler, self._timetables) as worker:
            yield worker

    # Starting

    async def start(
        self,
        workflow: str,
        given: Mapping[str, object],
        *,
        by: e.Actor,
        origin: Mapping[str, JsonValue] | None = None,
        dedupe_key: str | None = None,
        text: bool = False,
    ) -> Begun:
        """Start a run of the workflow of that name, as it is deployed now. Durable on return.

        ``text``: the inputs are words from a command line. Raises ``UnknownWorkflow``, ``InvalidInput`` and ``Frozen``.
        """
        return await self._starter.start(workflow, given, by=by, origin=origin, dedupe_key=dedupe_key, text=text)

    def workflow(self, name: str) -> Workflow:
        """What the name means now, as far as this process knows. Raises ``UnknownWorkflow``, with the nearest name."""
        return self.definitions.get(name)

    @property
    def workflows(self) -> Mapping[str, Workflow]:
        """All that can be started, as far as this process knows, by name."""
        return self.definitions.workflows

    async def check_key(self, provider: str, name: str, *, by: e.Actor) -> KeyChecked:
        """What the provider says of the key, which is on record then. Raises ``NotAsked``, and ``StepError`` where
        there is no such key.
        """
        endpoint = endpoint_of(provider, self.settings.endpoints)
        return await check_key(self.store, self.workspace, provider, name, endpoint, by=by)

    # What is deployed, scheduled and frozen

    async def deploy(
        self, workflows: Iterable[Workflow], *, by: e.Actor, reason: str = "", may: frozenset[str], source: str = "api"
    ) -> list[WorkflowDeployed]:
        """Make these what their names mean; those that were changed by it (``engine.deploying``)."""
        return await self.deployer.deploy(workflows, by=by, reason=reason, may=may, source=source)

    async def deployments(self, workflow: str) -> list[Deployment]:
        """Every deployment of the workflow, the oldest first."""
        return await self.deployer.history(workflow)

    def folder(self, paths: Sequence[Path]) -> Folder:
        """These files and folders, for a ``Watch`` that keeps them deployed."""
        return Folder(self.deployer, paths)

    async def schedules(self) -> list[ScheduleInfo]:
        """Every schedule; what can be done with them is in ``timetable``."""
        return await self.timetable.all()

    async def freeze(
        self, *, by: e.Actor, reason: str, workflows: Sequence[str] = (), until: int | None = None
    ) -> Freeze:
        """Let no run of these workflows (none named: of any) start, and no gate of theirs change, until it is lifted.

        Runs in progress go on. Raises ``WorkspaceRefused`` without a reason, or if ``until`` is over.
        """
        return await self.workspace.freeze(tuple(workflows), until, by=by, reason=reason)

    async def lift(self, freeze: int | None = None, *, by: e.Actor, reason: str = "") -> int:
        """Lift the freeze of that id, or all; how many. Raises ``WorkspaceRefused`` if it does not hold."""
        return await self.workspace.lift(freeze, by=by, reason=reason)

    async def freezes(self) -> list[Freeze]:
        """The freezes that hold now, the oldest first."""
        return list((await self.workspace.state()).holding(self.clock.now()))

    # Acting on a run

    async def vote(self, run: str, vote: c.Vote) -> c.Reply:
        """Record a person's decision on a gate. The caller has established that they may decide.

        What else people do there is in ``gates``.
        """
        return await self.gates.act(run, vote)

    async def cancel(self, run: str, *, by: e.Actor, reason: str = "") -> c.Reply:
        """Stop the run: nothing more starts, running steps are told to stop, then it ends as cancelled."""
        return await self.operations.cancel(run, by=by, reason=reason)

    async def present(self, run: str, step: str, copies: Mapping[str, str], zones: Sequence[str] = ()) -> c.Reply:
        """Record that a gate's request was shown: where, and the sha256 of exactly what was shown there.

        ``zones``: where the people asked are, for a gate whose business hours are theirs (``Gate.wants_zones``).
        """
        return (await self._own.submit(run, c.Present(step, copies, zones))).reply

    # Asking

    async def state(self, run: str) -> RunState:
        """The run as the log has it now. Raises ``UnknownRun``."""
        return await self._own.state(run)

    async def history(self, run: str, after: int = 0) -> list[Recorded]:
        """The run's events with a seq above ``after``, in order. Raises ``UnknownRun`` if the run has none at all."""
        await self._own.check(run)
        return await self._runtime.following.history(run, after)

    async def follow(self, run: str, after: int = 0, *, beyond_end: bool = False) -> AsyncIterator[Recorded]:
        """The run's events with a seq above ``after``, and then each as it is recorded, by whichever process.

        It ends with the run; ``beyond_end``: never by itself, as a run that failed may go on. Raises ``UnknownRun``.
        """
        await self._own.check(run)
        async for one in self._runtime.following.follow(run, after, beyond_end=beyond_end):
            yield one

    async def export(self, run: str) -> AsyncIterator[str]:
        """The run's whole history as JSON lines, each event with its hash. Raises ``UnknownRun``."""
        await self._own.check(run)
        async for line in self._runtime.following.export(run):
            yield line

    async def runs(
        self,
        where: RunFilter | None = None,
        *,
        workflow: str | None = None,
        statuses: Sequence[str] | None = None,
        limit: int = 20,
        before: str | None = None,
    ) -> list[RunInfo]:
        """The newest runs that fit ``where``, or ``workflow`` and ``statuses``; ``before``: older than this one."""
        wanted = where or RunFilter(workflow=workflow, statuses=statuses)
        return await self.store.runs(workspace=self.settings.workspace, where=wanted, limit=limit, before=before)

    async def workers(self) -> list[WorkerInfo]:
        """The workers that are alive, the longest first, with what each said of itself a moment ago."""
        return await self.store.workers()

    async def find(self, ref: str) -> str:
        """The id of the one run that ``ref`` is an id or a prefix of, with or without ``run_``.

        Raises ``UnknownRun`` and ``AmbiguousRun``.
        """
        found = await self.store.find_runs(self.settings.workspace, ref.strip().lower(), 4)
        if not found:
            raise UnknownRun(ref)
        if len(found) > 1:
            raise AmbiguousRun(ref, found)
        return found[0]

    async def wait(self, run: str) -> RunState:
        """The run's state once it has ended, wherever it was run. Raises ``UnknownRun``."""
        await self._own.check(run)
        return await self._runtime.endings.wait(run)

    async def verify(self, run: str | None = None) -> Report:
        """Check one run, or everything: hashes, heads, anchors, definitions, and that the caches equal the fold."""
        return await audit(self.store, run)

    def observe(self, observer: Observer) -> Callable[[], None]:
        """Be told of every append that this process makes to runs of the workspace, until what it returns is called.

        Others' appends are found through cursors of the store.
        """

        def own(state: RunState, events: Sequence[Recorded]) -> None:
            if state.started.workspace == self.settings.workspace:
                observer(state, events)

        return self._runtime.handle.observe(own)

    # Inside

    def _operate(self) -> Operations:
        return Operations(
            store=self.store,
            runs=self._own,
            plans=self._runtime.plans,
            definitions=self.definitions,
            registry=self.registry,
            clock=self.clock,
            ids=self._runtime.ids,
            workspace=self.settings.workspace,
            announce=self._runtime.announcer.announce,
            limits=self.settings.worker.step_limits,
        )

    async def _timetables(self) -> list[Timetable]:
        """Those of the workspaces in which something was said since the last look, or a schedule's time has come."""
        found = await at_work(self.store, self.clock.now())
        tables = ((self.within(one.workspace).timetable, one) for one in found)
        return [table for table, one in tables if table.has_work(one.head, due=one.due)]


__all__ = ["Engine", "EngineSettings", "cache_of"]
