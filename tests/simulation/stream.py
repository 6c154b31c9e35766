"""A model of the stream of activations, in memory: what ``engine.streams`` promises, without Redis.

The one rule: it keeps the contract of the real one, which the same suite of tests holds it to; what may go wrong
between a process and Redis goes wrong at the process's edge, before or after each call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from engine.streams import Activation, DeadLetter, Depth, GroupLost, StreamsUnavailable
from tests.simulation.disk import Edge

DEAD_LETTERS_KEPT = 1000


class Wire(Edge, Protocol):
    """Between a process and the stream."""

    def copies(self) -> int:
        """How often an activation arrives that is added once: 1, as far as Redis goes."""
        ...


@dataclass(slots=True)
class _Pending:
    consumer: str
    touched: int
    deliveries: int = 1


@dataclass(slots=True)
class _Group:
    """The one consumer group: what it has not delivered yet, what is held, and when each consumer last spoke."""

    waiting: dict[str, None]
    pending: dict[str, _Pending] = field(default_factory=dict[str, _Pending])
    seen: dict[str, int] = field(default_factory=dict[str, int])


class StreamServer:
    """The stream of one namespace, as all processes share it. ``now``: its clock in ms."""

    def __init__(self, now: Callable[[], int]) -> None:
        self.now = now
        self.entries: dict[str, str] = {}
        self.dead: list[DeadLetter] = []
        self.group: _Group | None = None
        self._made = 0
        self._readers: list[asyncio.Future[None]] = []

    # What happens to it without being asked for

    def lose_everything(self, *, told: bool = True) -> None:
        """As a flush does. Redis 7 tells those who wait for something to read; others learn it when they ask again."""
        self.entries.clear()
        self.dead.clear()
        self.group = None
        if told:
            self._wake()

    def lose_one(self, number: int) -> None:
        """An entry vanishes, as when a replica without it takes over. Nothing happens in an empty stream."""
        if self.entries:
            entry = list(self.entries)[number % len(self.entries)]
            del self.entries[entry]
            if self.group is not None:
                self.group.waiting.pop(entry, None)

    def age(self, entry: str, consumer: str, idle_ms: int) -> None:
        """Make it look as if the consumer had last touched the entry that long ago."""
        self.held()[entry].touched = self.now() - idle_ms
        self.held()[entry].consumer = consumer

    # What it is asked for

    def held(self) -> dict[str, _Pending]:
        """What is pending."""
        return self.the_group().pending

    def the_group(self) -> _Group:
        """The group; if it is missing it is made, and ``GroupLost`` raised."""
        if self.group is None:
            self.group = _Group(dict.fromkeys(self.entries))
            raise GroupLost
        return self.group

    def add(self, run: str) -> None:
        entry = self.entry_id()
        self.entries[entry] = run
        if self.group is not None:
            self.group.waiting[entry] = None
        self._wake()

    def entry_id(self) -> str:
        self._made += 1
        return f"{self.now()}-{self._made}"

    def remove(self, entries: Iterable[str]) -> None:
        for entry in entries:
            self.entries.pop(entry, None)
            if self.group is not None:
                self.group.pending.pop(entry, None)
                self.group.waiting.pop(entry, None)

    def deliver(self, consumer: str, count: int) -> list[Activation]:
        group = self.the_group()
        group.seen[consumer] = self.now()
        given = list(group.waiting)[:count]
        for entry in given:
            del group.waiting[entry]
            group.pending[entry] = _Pending(consumer, self.now())
        return [Activation(entry, self.entries[entry]) for entry in given]

    def deliver_again(self, consumer: str, min_idle_ms: int, count: int) -> list[Activation]:
        group, now = self.the_group(), self.now()
        group.seen[consumer] = now
        gone = [entry for entry in group.pending if entry not in self.entries]
        self.remove(gone)
        idle = [entry for entry, held in group.pending.items() if now - held.touched >= min_idle_ms]
        for entry in idle[:count]:
            held = group.pending[entry]
            group.pending[entry] = _Pending(consumer, now, held.deliveries + 1)
        return [Activation(entry, self.entries[entry], group.pending[entry].deliveries) for entry in idle[:count]]

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

    def _wake(self) -> None:
        for reader in self._readers:
            if not reader.done():
                reader.set_result(None)
        self._readers.clear()


class ModelStreams:
    """A process's way to the stream, with the methods of ``engine.streams.Streams``."""

    def __init__(self, server: StreamServer, edge: Wire) -> None:
        self._server = server
        self._edge = edge
        self._closed = False

    async def close(self) -> None:
        """Nothing may be called afterwards."""
        self._closed = True

    async def add(self, runs: Iterable[str]) -> None:
        wanted = list(runs)
        await self._before("add")
        for run in wanted:
            for _ in range(self._edge.copies()):
                self._server.add(run)
        await self._edge.after("add")

    async def read(self, consumer: str, count: int, block_ms: int) -> list[Activation]:
        await self._before("read stream")
        until = self._server.now() + block_ms
        given = self._server.deliver(consumer, count)
        while not given and (left := until - self._server.now()) > 0:
            await self._server.something_to_read(left)
            given = self._server.deliver(consumer, count)
        await self._edge.after("read stream")
        return given

    async def acknowledge(self, activations: Iterable[Activation]) -> None:
        done = [activation.id for activation in activations]
        await self._before("acknowledge")
        self._server.remove(done)
        await self._edge.after("acknowledge")

    async def keep_alive(self, consumer: str, activations: Iterable[Activation]) -> None:
        await self._before("keep alive")
        held = self._server.held()
        for activation in activations:
            if activation.id in held:
                held[activation.id].consumer, held[activation.id].touched = consumer, self._server.now()
        await self._edge.after("keep alive")

    async def reclaim(self, consumer: str, min_idle_ms: int, count: int) -> list[Activation]:
        await self._before("reclaim")
        taken = self._server.deliver_again(consumer, min_idle_ms, count)
        await self._edge.after("reclaim")
        return taken

    async def dead_letter(self, activation: Activation, reason: str) -> None:
        await self._before("dead letter")
        letter = self._server.entry_id()
        dead = DeadLetter(letter, activation.run, activation.deliveries, reason, self._server.now())
        self._server.dead = [*self._server.dead, dead][-DEAD_LETTERS_KEPT:]
        self._server.remove([activation.id])
        await self._edge.after("dead letter")

    async def dead_letters(self, limit: int) -> list[DeadLetter]:
        await self._before("dead letters")
        return self._server.dead[::-1][:limit]

    async def forget_idle_consumers(self, idle_ms: int) -> list[str]:
        await self._before("forget consumers")
        group, now = self._server.the_group(), self._server.now()
        holding = {held.consumer for held in group.pending.values()}
        gone = [name for name, seen in group.seen.items() if name not in holding and now - seen >= idle_ms]
        for name in gone:
            del group.seen[name]
        return gone

    async def depth(self) -> Depth:
        await self._before("depth")
        group = self._server.group
        return Depth(len(self._server.entries), len(group.pending) if group else 0, len(self._server.dead))

    async def _before(self, call: str) -> None:
        await self._edge.before(call)
        if self._closed:
            raise StreamsUnavailable("the simulation", "is not used any more: the stream was closed")
