"""A model of the stream of activations, in memory: what ``engine.streams.contract`` promises, without Redis.

The one rule: it keeps the contract of the real one, which the same suite of tests holds it to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from engine.streams import (
    COMMON,
    Activation,
    ActivationStream,
    DeadLetter,
    Depth,
    GroupLost,
    Lane,
    StreamsUnavailable,
)
from tests.simulation.edges import Wire

DEAD_LETTERS_KEPT = 1000


@dataclass(slots=True)
class Held:
    """An activation that a consumer has."""

    consumer: str
    touched: int
    deliveries: int = 1


@dataclass(slots=True)
class Queue:
    """A lane: its entries (id to run), those that nobody has been given yet, and those that somebody holds.

    ``before``: how often those that were passed on had been delivered until then.
    """

    entries: dict[str, str] = field(default_factory=dict[str, str])
    before: dict[str, int] = field(default_factory=dict[str, int])
    waiting: dict[str, None] = field(default_factory=dict[str, None])
    held: dict[str, Held] = field(default_factory=dict[str, Held])

    def remove(self, entry: str) -> None:
        self.entries.pop(entry, None)
        self.before.pop(entry, None)
        self.waiting.pop(entry, None)
        self.held.pop(entry, None)


class StreamServer:
    """The stream of one namespace, as all processes share it. ``now``: its clock in ms."""

    def __init__(self, now: Callable[[], int]) -> None:
        self.now = now
        self.lanes: dict[Lane, Queue] = {}
        self.dead: list[DeadLetter] = []
        self.seen: dict[str, int] = {}
        self._group_exists = False
        self._served_last = ""
        self._reclaims = 0
        self._made = 0
        self._readers: list[asyncio.Future[None]] = []

    # What happens to it without being asked for

    def lose_everything(self, *, told: bool = True) -> None:
        """As a flush does. Redis 7 tells those who wait for something to read; others learn it when they ask again."""
        self.lanes.clear()
        self.dead.clear()
        self.seen.clear()
        self._group_exists = False
        if told:
            self._wake()

    def lose_one(self, number: int) -> None:
        """An entry vanishes, as when a replica without it takes over. Nothing happens if there is none."""
        everything = [(queue, entry) for queue in self.lanes.values() for entry in queue.entries]
        if everything:
            queue, entry = everything[number % len(everything)]
            del queue.entries[entry]
            queue.waiting.pop(entry, None)

    # What it is asked for

    def check_group(self) -> None:
        """Raises ``GroupLost`` if the group is missing, and makes it."""
        if not self._group_exists:
            self._group_exists = True
            raise GroupLost

    def add(self, run: str, lane: Lane, deliveries: int = 0) -> None:
        queue, entry = self.lanes.setdefault(lane, Queue()), self.new_id()
        queue.entries[entry], queue.before[entry] = run, deliveries
        queue.waiting[entry] = None
        self._wake()

    def new_id(self) -> str:
        self._made += 1
        return f"{self.now()}-{self._made}"

    def remove(self, activations: Iterable[Activation]) -> None:
        for activation in activations:
            if activation.lane in self.lanes:
                self.lanes[activation.lane].remove(activation.id)

    def deliver(self, consumer: str, count: int) -> list[Activation]:
        """New ones, shared out among the workspaces in turn, each time from the one after the last that was served."""
        self.check_group()
        self.seen[consumer] = self.now()
        hungry, taken = self._in_turn(), list[Activation]()
        while hungry and len(taken) < count:
            share = max(1, (count - len(taken)) // len(hungry))
            still: list[str] = []
            for workspace in hungry:
                wanted = min(share, count - len(taken))
                given = [self._give(consumer, lane) for lane in self._next_of(workspace, wanted)]
                taken += given
                if given:
                    self._served_last = workspace
                if len(given) == wanted:
                    still.append(workspace)
            hungry = still
        return taken

    def deliver_again(self, consumer: str, min_idle_ms: int, count: int) -> list[Activation]:
        """What is held and was not touched for so long, each time from another lane on."""
        self.check_group()
        now = self.seen[consumer] = self.now()
        lanes = sorted(lane for lane, queue in self.lanes.items() if queue.held)
        self._reclaims += 1
        first = self._reclaims % len(lanes) if lanes else 0
        taken: list[Activation] = []
        for lane in (*lanes[first:], *lanes[:first]):
            queue = self.lanes[lane]
            for entry in [entry for entry in queue.held if entry not in queue.entries]:
                del queue.held[entry]
            idle = [entry for entry, held in queue.held.items() if now - held.touched >= min_idle_ms]
            for entry in idle[: count - len(taken)]:
                deliveries = queue.held[entry].deliveries + 1
                queue.held[entry] = Held(consumer, now, deliveries)
                taken.append(Activation(entry, queue.entries[entry], deliveries, lane))
        return taken

    def tidy_up(self, idle_ms: int) -> list[str]:
        """Forget empty lanes, and idle consumers that hold nothing: their names."""
        self.check_group()
        self.lanes = {lane: queue for lane, queue in self.lanes.items() if queue.entries}
        holding = {held.consumer for queue in self.lanes.values() for held in queue.held.values()}
        now = self.now()
        gone = sorted(name for name, seen in self.seen.items() if name not in holding and now - seen >= idle_ms)
        for name in gone:
            del self.seen[name]
        return gone

    async def something_to_read(self, within_ms: int) -> None:
        """Wait until something may have come, or the time is over."""
        reader: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._readers.append(reader)
        try:
            async with asyncio.timeout(within_ms / 1000):
                await reader
        except TimeoutError:
            return
        finally:
            if reader in self._readers:
                self._readers.remove(reader)

    def _in_turn(self) -> list[str]:
        workspaces = sorted({lane.workspace for lane, queue in self.lanes.items() if queue.waiting})
        last = self._served_last
        return [*(each for each in workspaces if each > last), *(each for each in workspaces if each <= last)]

    def _next_of(self, workspace: str, wanted: int) -> Iterator[Lane]:
        """The lane of each of the next ``wanted`` activations of the workspace, the most urgent first."""
        for lane in sorted((lane for lane in self.lanes if lane.workspace == workspace), reverse=True):
            for _ in range(min(wanted, len(self.lanes[lane].waiting))):
                wanted -= 1
                yield lane

    def _give(self, consumer: str, lane: Lane) -> Activation:
        queue = self.lanes[lane]
        entry = next(iter(queue.waiting))
        del queue.waiting[entry]
        held = queue.held[entry] = Held(consumer, self.now(), queue.before[entry] + 1)
        return Activation(entry, queue.entries[entry], held.deliveries, lane)

    def _wake(self) -> None:
        for reader in self._readers:
            if not reader.done():
                reader.set_result(None)
        self._readers.clear()


class ModelStreams(ActivationStream):
    """A process's way to the stream."""

    def __init__(self, server: StreamServer, wire: Wire) -> None:
        self._server = server
        self._wire = wire
        self._closed = False

    async def close(self) -> None:
        self._closed = True

    async def add(self, runs: Iterable[str], lane: Lane = COMMON) -> None:
        wanted = list(runs)
        await self._before("add")
        for run in wanted:
            for _ in range(self._wire.copies()):
                self._server.add(run, lane)
        await self._wire.after("add")

    async def read(self, consumer: str, count: int, block_ms: int) -> list[Activation]:
        await self._before("read stream")
        until = self._server.now() + block_ms
        given = self._server.deliver(consumer, count)
        while not given and (left := until - self._server.now()) > 0:
            await self._server.something_to_read(left)
            given = self._server.deliver(consumer, count)
        await self._wire.after("read stream")
        return given

    async def acknowledge(self, activations: Iterable[Activation]) -> None:
        done = list(activations)
        await self._before("acknowledge")
        self._server.remove(done)
        await self._wire.after("acknowledge")

    async def pass_on(self, activation: Activation) -> None:
        await self._before("pass on")
        self._server.remove([activation])
        self._server.add(activation.run, activation.lane, activation.deliveries)
        await self._wire.after("pass on")

    async def keep_alive(self, consumer: str, activations: Iterable[Activation]) -> None:
        kept = list(activations)
        await self._before("keep alive")
        if kept:
            self._server.check_group()
        for activation in kept:
            held = self._server.lanes.get(activation.lane, Queue()).held.get(activation.id)
            if held is not None:
                held.consumer, held.touched = consumer, self._server.now()
        await self._wire.after("keep alive")

    async def reclaim(self, consumer: str, min_idle_ms: int, count: int) -> list[Activation]:
        await self._before("reclaim")
        taken = self._server.deliver_again(consumer, min_idle_ms, count)
        await self._wire.after("reclaim")
        return taken

    async def dead_letter(self, activation: Activation, reason: str) -> None:
        await self._before("dead letter")
        server = self._server
        dead = DeadLetter(server.new_id(), activation.run, activation.deliveries, reason, server.now())
        server.dead = [*server.dead, dead][-DEAD_LETTERS_KEPT:]
        server.remove([activation])
        await self._wire.after("dead letter")

    async def dead_letters(self, limit: int) -> list[DeadLetter]:
        await self._before("dead letters")
        return self._server.dead[::-1][:limit]

    async def forget_idle_consumers(self, idle_ms: int) -> list[str]:
        await self._before("forget consumers")
        return self._server.tidy_up(idle_ms)

    async def depth(self) -> Depth:
        await self._before("depth")
        queues = self._server.lanes.values()
        entries, held = sum(len(each.entries) for each in queues), sum(len(each.held) for each in queues)
        return Depth(entries, held, len(self._server.dead))

    async def backlog(self) -> Mapping[str, int]:
        await self._before("backlog")
        found: dict[str, int] = {}
        for lane, queue in self._server.lanes.items():
            found[lane.workspace] = found.get(lane.workspace, 0) + len(queue.entries)
        return found

    async def _before(self, call: str) -> None:
        await self._wire.before(call)
        if self._closed:
            raise StreamsUnavailable("the simulation", "is not used any more: the stream was closed")
