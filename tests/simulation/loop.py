"""An event loop on virtual time, in a seeded order: what ran on it once runs again in exactly the same way.

The one rule: nothing outside is ever waited for. When nothing is ready, time jumps to the next timer.

Callbacks belong to lanes, one for each simulated process: a task made in a lane's context stays in that lane, with all
that it starts. Within a lane callbacks run in the order in which they were called for, as asyncio promises; which lane
is next is drawn. A lane can be frozen, as a stopped or killed process is: nothing in it runs, no clean-up either.
"""

from __future__ import annotations

import asyncio
import heapq
import inspect
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from inspect import CORO_CREATED
from random import Random
from typing import Any, TypeVar, TypeVarTuple, Unpack, cast

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

MOST_STEPS = 300_000
"""A simulation that takes more of them goes round in a circle."""


class Stuck(Exception):
    """Nothing can happen any more, or what happens does not end."""


class Lane:
    """What one simulated process does. ``watch`` is told of each task of it that took a step."""

    def __init__(self, number: int, name: str) -> None:
        self.number = number
        self.name = name
        self.frozen = False
        self.ready: deque[_Call] = deque()
        self.tasks: list[asyncio.Task[Any]] = []
        self.watch: Callable[[asyncio.Task[Any]], None] | None = None
        self._context = copy_context()
        self._context.run(_LANE.set, self)

    def context(self) -> Context:
        """A new one, for a task that belongs here."""
        return self._context.copy()

    def give(self, variable: ContextVar[T], value: T) -> None:
        """Let the contexts that are made from now on hold this."""
        self._context.run(variable.set, value)

    def living(self) -> list[asyncio.Task[Any]]:
        """Its tasks that are not done, in the order of their making."""
        self.tasks = [task for task in self.tasks if not task.done()]
        return self.tasks


_LANE: ContextVar[Lane] = ContextVar("lane")


def current_lane() -> Lane:
    """The lane of the code that asks."""
    return _LANE.get()


class _Call:
    """A callback that is to be run: what asyncio calls a handle. ``task``: the one whose step it is, if it is one."""

    __slots__ = ("_args", "_callback", "_context", "_when", "dropped", "lane")

    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...], context: Context, when: float) -> None:
        self._callback = callback
        self._args = args
        self._context = context
        self._when = when
        self.lane: Lane = context[_LANE]
        self.dropped = False

    @property
    def task(self) -> asyncio.Task[Any] | None:
        task = getattr(self._callback, "__self__", None)
        return cast("asyncio.Task[Any]", task) if isinstance(task, asyncio.Task) else None

    def run(self) -> None:
        self._context.run(self._callback, *self._args)

    def when(self) -> float:
        return self._when

    def cancel(self) -> None:
        """It is passed over when its turn comes."""
        self.dropped = True
        self._callback, self._args = _nothing, ()

    def cancelled(self) -> bool:
        return self.dropped


def _nothing() -> None:
    """What is left of a callback that was cancelled."""


class VirtualLoop(asyncio.AbstractEventLoop):
    """``faults`` are the exceptions that nobody took. ``steps`` counts, ``path`` records which lane made each step."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._time = 0.0
        self._timers: list[tuple[float, int, _Call]] = []
        self._timers_made = 0
        self._lanes: list[Lane] = []
        self._busy: list[Lane] = []
        self._closed = False
        self.steps = 0
        self.path = bytearray()
        self.faults: list[str] = []
        self.world = self.lane("world")

    # Lanes

    def lane(self, name: str) -> Lane:
        """A new lane."""
        lane = Lane(len(self._lanes), name)
        self._lanes.append(lane)
        return lane

    def freeze(self, lane: Lane) -> None:
        """Nothing of the lane runs until it is thawed."""
        lane.frozen = True
        if lane in self._busy:
            self._busy.remove(lane)

    def thaw(self, lane: Lane) -> None:
        """What became due meanwhile runs now."""
        lane.frozen = False
        if lane.ready and lane not in self._busy:
            self._busy.append(lane)

    def bury(self, lanes: list[Lane]) -> None:
        """End the tasks of lanes that were frozen for good, so that none is left when the loop is gone."""
        for lane in lanes:
            self.thaw(lane)
        while left := [task for lane in lanes for task in lane.living()]:
            for task in left:
                # One that has never run would leave behind what it was made of; it ends at its first await.
                if inspect.getcoroutinestate(cast("Coroutine[Any, Any, Any]", task.get_coro())) != CORO_CREATED:
                    task.cancel()
            self.run(_some_done(left))

    # Running

    def _until_done(self, task: asyncio.Task[T]) -> T:
        self.steps = 0
        asyncio._set_running_loop(self)  # pyright: ignore[reportPrivateUsage] - documented for makers of loops
        try:
            while not task.done():
                self._step()
        finally:
            asyncio._set_running_loop(None)  # pyright: ignore[reportPrivateUsage]
        return task.result()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run it in the lane of the world. Raises ``Stuck`` if it never comes to its end."""
        return self._until_done(self.create_task(coroutine, context=self.world.context()))

    def _step(self) -> None:
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise Stuck(f"there is no end after {self.steps} steps")
        while not self._busy:
            self._jump()
        busy = self._busy
        lane = busy[0] if len(busy) == 1 else busy[int(self._random.random() * len(busy))]
        call = lane.ready.popleft()
        if not lane.ready:
            busy.remove(lane)
        if call.dropped:
            return
        self.path.append(lane.number & 0xFF)
        try:
            call.run()
        except Exception as error:  # noqa: BLE001 - as asyncio does: a callback's fault is told, and work goes on
            self.call_exception_handler({"message": "a callback failed", "exception": error})
        if lane.watch is not None and (task := call.task) is not None:
            lane.watch(task)

    def _jump(self) -> None:
        """To the next timer, and to all that are due with it."""
        if not self._timers:
            raise Stuck("nothing is ready, and no timer is set")
        self._time = max(self._time, self._timers[0][0])
        while self._timers and self._timers[0][0] <= self._time:
            timer = heapq.heappop(self._timers)[2]
            if not timer.dropped:
                self._enqueue(timer)

    def _enqueue(self, call: _Call) -> None:
        lane = call.lane
        if not lane.ready and not lane.frozen:
            self._busy.append(lane)
        lane.ready.append(call)

    # What asyncio asks of a loop

    def time(self) -> float:
        return self._time

    def call_soon(
        self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        call = _Call(callback, args, context or copy_context(), self._time)
        self._enqueue(call)
        return cast("asyncio.Handle", call)

    def call_later(
        self, delay: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._time + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        call = _Call(callback, args, context or copy_context(), when)
        self._timers_made += 1
        heapq.heappush(self._timers, (when, self._timers_made, call))
        return cast("asyncio.TimerHandle", call)

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: str | None = None, context: Context | None = None) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self, name=name, context=context)
        (_LANE.get() if context is None else context[_LANE]).tasks.append(task)
        return task

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return not self._closed

    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        self._closed = True

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.faults.append(f"{context.get('message')}: {error!r}")


async def _some_done(tasks: list[asyncio.Task[Any]]) -> None:
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
