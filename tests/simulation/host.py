"""A simulated process: a whole engine with its worker and scheduler, which can die, stand still and be told to stop.

The one rule: a dead process does nothing any more. Its tasks are never woken, so that no clean-up runs, and its ways to
the database and to the stream are cut.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from inspect import currentframe
from typing import Any, Protocol, TypeVar

from engine.clock import Clock, DatabaseClock
from engine.engine import Engine, EngineSettings
from engine.ids import Ids
from engine.store import Log, StoreError, StoreUnavailable
from tests.simulation.disk import SimulatedDatabase, disk
from tests.simulation.loop import Lane, VirtualLoop
from tests.simulation.points import called_through, suspended_at
from tests.simulation.programs import catalog
from tests.simulation.steps import OUTSIDE, Outside, registry
from tests.simulation.stream import ModelStreams, StreamServer
from tests.simulation.weather import Weather

T = TypeVar("T")

KEY = b"simulated" * 4


class Died(Exception):
    """The process that was asked is dead; what it did before is not known."""


class World(Outside, Protocol):
    """What processes live in."""

    loop: VirtualLoop
    weather: Weather
    server: StreamServer
    settings: EngineSettings
    ids: Ids

    def ms(self) -> int:
        """Since the beginning."""
        ...

    def died(self, host: Host, places: Counter[str]) -> None:
        """The process has died while it was at these places."""
        ...


class Host:
    """One incarnation of a process. ``up`` is set once its engine works; ``over`` when it has ended, or died."""

    def __init__(self, world: World, name: str, clock: Clock, *, ignorant: bool = False) -> None:
        """``ignorant``: it lacks the code of a step, as a process of an older release may."""
        self._world = world
        self.ignorant = ignorant
        self._clock = clock
        self.lane: Lane = world.loop.lane(name)
        self.lane.give(OUTSIDE, world)
        if world.weather.watches():
            self.lane.watch = self._step_taken
        self.alive = True
        self.paused = False
        self.engine: Engine | None = None
        self._inside: Counter[str] = Counter()
        self._asked: list[asyncio.Future[Any]] = []
        self._told = world.loop.create_future()
        self.over: asyncio.Future[None] = world.loop.create_future()
        life = world.loop.create_task(self._live(), context=self.lane.context())
        life.add_done_callback(self._ended)

    # Its life

    async def _live(self) -> None:
        world = self._world
        store = Log(SimulatedDatabase(disk(), DatabaseEdge(self)), KEY, most_waiting=world.weather.most_waiting)
        streams = ModelStreams(world.server, StreamEdge(self))
        engine = Engine(
            world.settings,
            store,
            streams,
            catalog(),
            registry(self.ignorant),
            self._clock,
            ids=world.ids,
            keep_alive=lambda worker: TaskKeepAlive(store, worker, world.settings.worker.lease, world.loop.time),
        )
        while True:
            try:
                async with engine.work():
                    self.engine = engine
                    await self._told
                break
            except StoreUnavailable:
                await asyncio.sleep(0.5)  # as whoever supervises processes starts them again
        self.engine = None
        await engine.close()

    def _ended(self, life: asyncio.Task[None]) -> None:
        if self.alive:
            self.alive = False
            self._part()
            if (error := life.exception()) is not None:
                self._world.loop.faults.append(f"the process {self.lane.name} ended by {error!r}")

    def _part(self) -> None:
        for answer in self._asked:
            if not answer.done():
                answer.set_exception(Died())
        if not self.over.done():
            self.over.set_result(None)

    # What happens to it

    def die(self) -> None:
        """As by SIGKILL, or by a machine's loss of power."""
        if not self.alive:
            return
        # Of the task that is on its way through an edge just now, the chain of awaits is the stack itself.
        places = +self._inside + Counter(called_through(currentframe()))
        for task in self.lane.living():
            places.update(suspended_at(task))
        self.alive = False
        self._world.loop.freeze(self.lane)
        self._world.died(self, places)
        self._part()

    def pause(self) -> None:
        """As by SIGSTOP."""
        if self.alive:
            self.paused = True
            self._world.loop.freeze(self.lane)

    def resume(self) -> None:
        """As by SIGCONT; it does not know that it stood still."""
        if self.alive:
            self.paused = False
            self._world.loop.thaw(self.lane)

    def stop(self) -> None:
        """As by SIGTERM."""
        if self.alive and not self._told.done():
            self._told.set_result(None)

    def ask(self, question: Callable[[Engine], Awaitable[T]]) -> asyncio.Future[T]:
        """Ask the engine in this process something; ``Died`` if it dies before it has answered."""
        answer: asyncio.Future[T] = self._world.loop.create_future()
        engine = self.engine
        if engine is None or not self.alive:
            answer.set_exception(Died())
            return answer

        async def put() -> T:
            return await question(engine)

        def answered(task: asyncio.Task[T]) -> None:
            error = Died() if task.cancelled() else task.exception()
            if answer.done():
                return  # nobody waits for it any more
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(task.result())

        self._asked.append(answer)
        self._world.loop.create_task(put(), context=self.lane.context()).add_done_callback(answered)
        return answer

    # Its edges

    async def at(self, place: str) -> None:
        """Time passes here, and here it may die."""
        world = self._world
        self._inside[place] += 1
        try:
            if self.alive and world.weather.meets_order(place):
                self.die()
            await asyncio.sleep(world.weather.delay(place))
        finally:
            self._inside[place] -= 1
        if not self.alive:
            raise asyncio.CancelledError

    @property
    def world(self) -> World:
        return self._world

    def _step_taken(self, task: asyncio.Task[Any]) -> None:
        """Die if the task has just come to rest at a place where this was ordered."""
        weather = self._world.weather
        if not weather.watches():
            self.lane.watch = None
        elif not task.done():
            for place in suspended_at(task):
                if weather.meets_order(place):
                    self.die()
                    return


class DatabaseEdge:
    """Between a process and the database."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def before(self, call: str) -> None:
        await self._host.at(f"{call}: before")
        world = self._host.world
        if fault := world.weather.database_fault(world.ms(), done=False, reading=call == "read"):
            raise fault

    async def after(self, call: str) -> None:
        await self._host.at(f"{call}: after")
        world = self._host.world
        if fault := world.weather.database_fault(world.ms(), done=True):
            raise fault

    def rejects(self, appends: int) -> bool:
        return appends > 1 and self._host.world.weather.rejects(self._host.world.ms())


class StreamEdge:
    """Between a process and Redis."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def before(self, call: str) -> None:
        await self._pass(f"{call}: before")

    async def after(self, call: str) -> None:
        await self._pass(f"{call}: after")

    def copies(self) -> int:
        return self._host.world.weather.copies(self._host.world.ms())

    async def _pass(self, place: str) -> None:
        await self._host.at(place)
        world = self._host.world
        if world.weather.loses(world.ms(), place):
            world.server.lose_everything(told=False)
        if fault := world.weather.stream_fault(world.ms()):
            raise fault


class TaskKeepAlive:
    """Keeps a worker's lease by a task of the process: what a thread does where there are threads."""

    def __init__(self, store: Log, worker: str, lease: int, monotonic: Callable[[], float]) -> None:
        self._store = store
        self._worker = worker
        self._lease = lease
        self._task: asyncio.Task[None] | None = None
        self.clock = DatabaseClock(monotonic)

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        while True:
            try:
                until = await self._store.renew(self._worker, self._lease)
                self.clock.set(until - self._lease)
            except StoreError:
                pass
            await asyncio.sleep(self._lease / 3_000)
