"""The stream of activations on Redis.

The one rule: every command may be repeated without harm, and Redis may lose everything between any two of them.

The protocol, in commands of Redis 6.2 (NS is the namespace, a lane is written `priority:workspace`):

    NS:activations:LANE  stream of one lane, an entry per activation: `run` = the run's id; `deliveries`, if it was
                         passed on: how often it was delivered before
    NS:lanes             set of the lanes that may have something
    NS:activations       stream, the door: an entry says that a lane is new, so that one who waits hears of it
    NS:turn              the workspace that was served last
    NS:dead              stream of the newest thousand or so that were given up: `run`, `deliveries`, `reason`
    workers              the one consumer group of the door and of every lane. A consumer is a worker process, named
                         by its id; it appears with its first read, and is deleted when it has long been silent and
                         nothing is pending for it

    add          whoever has committed an append after which the run has something to do: XADD, then SADD of the lane;
                 if that was new, XADD at the door
    read         a worker with free slots: the script TAKE, which shares the reading out among the workspaces; if there
                 is nothing, XREADGROUP ... BLOCK on the door and all lanes
    keep_alive   the worker that holds it, before it counts as idle: XCLAIM ... JUSTID
    pass on      a worker that cannot use it: XADD, XACK and XDEL in one MULTI, then as with add. Redis gives it to the
                 reader that waits longest, which is not the one that has just read it
    acknowledge  the worker, once its claim is committed in the database: XACK and XDEL in one MULTI
    reclaim      any worker, entries whose holder fell silent: XAUTOCLAIM, then XCLAIM, which counts the delivery
    tidy up      the script TIDY takes empty lanes away; XADD comes before SADD, so that none is taken with an entry

A lane's group is made by whoever finds it missing, at 0. The door's group is missing exactly when Redis has lost
everything or never had it: whoever meets that makes it, and gets GroupLost.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from operator import attrgetter
from typing import Final, Self

from redis.exceptions import ResponseError

from engine.streams.connection import TIMEOUT_S, Command, Connection, Reply, Server, SharedConnection
from engine.streams.contract import COMMON, Activation, ActivationStream, DeadLetter, Depth, GroupLost, Lane
from engine.streams.replies import activations as activations_of
from engine.streams.replies import dead_letter as dead_letter_of
from engine.streams.replies import is_group_lost, lane_name, lane_named, refusals, text
from engine.streams.scripts import LOOK, TAKE, TIDY

MINIMUM_VERSION = (6, 2)

_GROUP: Final = "workers"
_DEAD_LETTERS_KEPT: Final = 1000
_RINGS_KEPT: Final = 1000


class Streams(ActivationStream):
    """The activations of one namespace. One object serves a whole process.

    Calls made at the same time share a round trip; when the server is back, the next call works, with nothing to
    restart.
    """

    def __init__(self, url: str, namespace: str) -> None:
        """Without contact to the server; `open` is the way to get one that was seen to work."""
        self._server = Server(url)
        self._commands = SharedConnection(self._server)
        self._readers: dict[str, Connection] = {}
        self._surplus: dict[str, list[Activation]] = {}
        self._door = f"{namespace}:activations"
        self._prefix = f"{self._door}:"
        self._lanes = f"{namespace}:lanes"
        self._turn = f"{namespace}:turn"
        self._dead = f"{namespace}:dead"
        self._reclaims = 0

    @classmethod
    async def open(cls, url: str, namespace: str = "vb") -> Self:
        """Connect to `redis://`, `rediss://` or `unix:///path.sock`. Raises StreamsUnavailable, also for a bad URL."""
        streams = cls(url, namespace)
        try:
            await streams._check_version()
        except BaseException:
            await streams.close()
            raise
        return streams

    async def close(self) -> None:
        self._server.closed = True
        await self._commands.close()
        for reader in self._readers.values():
            await reader.disconnect()

    async def add(self, runs: Iterable[str], lane: Lane = COMMON) -> None:
        if adding := [("XADD", self._stream(lane), "*", "run", run) for run in runs]:
            await self._put(adding, lane)

    async def read(self, consumer: str, count: int, block_ms: int) -> list[Activation]:
        """Concurrent reads of one consumer take turns."""
        reader = self._readers.get(consumer) or self._readers.setdefault(consumer, Connection(self._server))
        waiting = self._surplus.setdefault(consumer, [])
        clock = asyncio.get_running_loop().time
        until = clock() + block_ms / 1000
        while not waiting:
            taken, lanes = await self._take(reader, consumer, count)
            left_ms = int((until - clock()) * 1000)
            # To Redis, BLOCK 0 means for ever.
            if taken or left_ms <= 0:
                return taken
            # One from each lane: it may be more than was asked for, and the rest waits for the next read.
            waiting += await self._wait(reader, consumer, lanes, left_ms)
        taken = waiting[:count]
        del waiting[:count]
        return taken

    async def acknowledge(self, activations: Iterable[Activation]) -> None:
        if removal := self._removal(list(activations)):
            await self._ask(*removal)

    async def pass_on(self, activation: Activation) -> None:
        entry = ("run", activation.run, "deliveries", activation.deliveries)
        begin, *removal = self._removal([activation])
        await self._put([begin, ("XADD", self._stream(activation.lane), "*", *entry), *removal], activation.lane)

    async def keep_alive(self, consumer: str, activations: Iterable[Activation]) -> None:
        held = self._ids_by_stream(list(activations))
        await self._ask_lanes(
            *(("XCLAIM", stream, _GROUP, consumer, 0, *ids, "JUSTID") for stream, ids in held.items())
        )

    async def reclaim(self, consumer: str, min_idle_ms: int, count: int) -> list[Activation]:
        """Entries that somebody deleted while they were pending are forgotten."""
        [found] = await self._ask_lanes(self._look())
        held = sorted(lane_named(name) for name, _, pending in found if pending)
        # Each time another lane comes first, so that none has to wait for ever.
        self._reclaims += 1
        first = self._reclaims % len(held) if held else 0
        taken: list[Activation] = []
        for lane in (*held[first:], *held[:first]):
            if len(taken) < count:
                taken += await self._reclaim(consumer, lane, min_idle_ms, count - len(taken))
        return taken

    async def dead_letter(self, activation: Activation, reason: str) -> None:
        letter = ("run", activation.run, "deliveries", activation.deliveries, "reason", reason)
        add = ("XADD", self._dead, "MAXLEN", "~", _DEAD_LETTERS_KEPT, "*", *letter)
        begin, *removal = self._removal([activation])
        await self._ask(begin, add, *removal)

    async def dead_letters(self, limit: int) -> list[DeadLetter]:
        [reply] = await self._ask(("XREVRANGE", self._dead, "+", "-", "COUNT", limit))
        return [dead_letter_of(entry) for entry in reply]

    async def forget_idle_consumers(self, idle_ms: int) -> list[str]:
        """Takes empty lanes away as well; they come again when they are needed."""
        [names] = await self._ask(("EVAL", TIDY, 2, self._door, self._lanes, _GROUP, self._prefix, idle_ms))
        return [text(name) for name in names]

    async def depth(self) -> Depth:
        # A status changes nothing: that the group is lost is left to a reader to find out.
        lanes, dead = await self._ask(self._look(), ("XLEN", self._dead))
        return Depth(
            activations=sum(length for _, length, _ in lanes), pending=sum(held for _, _, held in lanes), dead=dead
        )

    async def backlog(self) -> Mapping[str, int]:
        [lanes] = await self._ask(self._look())
        found: dict[str, int] = {}
        for name, length, _ in lanes:
            workspace = lane_named(name).workspace
            found[workspace] = found.get(workspace, 0) + length
        return found

    async def _put(self, commands: Sequence[Command], lane: Lane) -> None:
        """Do what adds to the lane; those who wait for something to read hear of it, if it is new."""
        name = lane_name(lane)
        *_, is_new = await self._ask(*commands, ("SADD", self._lanes, name))
        if is_new:
            await self._ask(("XADD", self._door, "MAXLEN", "~", _RINGS_KEPT, "*", "lane", name))

    async def _take(self, reader: Connection, consumer: str, count: int) -> tuple[list[Activation], list[str]]:
        """What there is for the consumer, fairly shared, and the lanes there are."""
        script = ("EVAL", TAKE, 3, self._door, self._lanes, self._turn, _GROUP, consumer, count, self._prefix)
        [(lanes, entries)] = await self._checked(await reader.exchange([script], TIMEOUT_S))
        found = [each for name, *entry in entries for each in activations_of(lane_named(name), [entry])]
        return found, [text(name) for name in lanes]

    async def _wait(self, reader: Connection, consumer: str, lanes: Sequence[str], left_ms: int) -> list[Activation]:
        """The first that comes in one of the lanes. Also returns, with none, when somebody rings at the door."""
        streams = (self._door, *(self._prefix + lane for lane in lanes))
        everywhere = ("STREAMS", *streams, *(">" for _ in streams))
        command = ("XREADGROUP", "GROUP", _GROUP, consumer, "COUNT", 1, "BLOCK", left_ms, *everywhere)
        [reply] = await reader.exchange([command], TIMEOUT_S + left_ms / 1000)
        if is_group_lost(reply):
            # A lane was taken away, or everything was lost: the next look will tell.
            return []
        [streams_read] = await self._checked([reply])
        found: list[Activation] = []
        for name, entries in streams_read or ():
            stream = text(name)
            if stream == self._door:
                await self._ask(*_removal_of(stream, [text(entry[0]) for entry in entries]))
            else:
                found += activations_of(lane_named(stream.removeprefix(self._prefix)), entries)
        return found

    async def _reclaim(self, consumer: str, lane: Lane, min_idle_ms: int, count: int) -> list[Activation]:
        cursor, stream = "0-0", self._stream(lane)
        while True:
            [reply] = await self._ask_lanes(
                ("XAUTOCLAIM", stream, _GROUP, consumer, min_idle_ms, cursor, "COUNT", count, "JUSTID")
            )
            if reply is None:
                return []
            # One call looks at a part of the pending list only. Redis 7 adds a third element, of deleted entries.
            cursor, ids = text(reply[0]), [text(each) for each in reply[1]]
            if ids and (taken := await self._deliver_again(consumer, lane, ids)):
                return taken
            if cursor == "0-0":
                return []

    async def _deliver_again(self, consumer: str, lane: Lane, ids: Sequence[str]) -> list[Activation]:
        """Count a delivery of what is the consumer's already, and return it; remove what has no content."""
        stream = self._stream(lane)
        claimed, *pending = await self._ask_lanes(
            ("XCLAIM", stream, _GROUP, consumer, 0, *ids),
            *(("XPENDING", stream, _GROUP, each, each, 1) for each in ids),
        )
        deliveries = {text(entry[0]): int(entry[3]) for entries in pending for entry in entries or ()}
        # Redis 6.2 has nil in place of a deleted entry, and keeps it pending for ever.
        found = activations_of(lane, (entry for entry in claimed or () if entry))
        empty = sorted(set(ids) - {activation.id for activation in found})
        if empty:
            await self._ask(*_removal_of(stream, empty))
        return [replace(each, deliveries=each.deliveries - 1 + deliveries.get(each.id, 1)) for each in found]

    async def _ask(self, *commands: Command) -> list[Reply]:
        return await self._checked(await self._commands.call(*commands))

    async def _ask_lanes(self, *commands: Command) -> list[Reply]:
        """For commands on lanes: None for one whose lane is not there. Raises GroupLost if everything was lost."""
        at_door, *replies = await self._commands.call(("XPENDING", self._door, _GROUP), *commands)
        await self._checked([at_door])
        return await self._checked([None if is_group_lost(reply) else reply for reply in replies])

    async def _checked(self, replies: list[Reply]) -> list[Reply]:
        """The replies, if none is an error, nor in a transaction's list. Mends the door, and raises GroupLost."""
        for refusal in refusals(replies):
            if not is_group_lost(refusal):
                raise self._server.unavailable(f"refuses a command ({refusal})")
            [reply] = await self._commands.call(("XGROUP", "CREATE", self._door, _GROUP, "0", "MKSTREAM"))
            # Another one may have been quicker, and is told as well; to make work due twice costs nothing.
            if isinstance(reply, ResponseError) and not str(reply).startswith("BUSYGROUP"):
                raise self._server.unavailable(f"refuses a command ({reply})")
            raise GroupLost
        return replies

    async def _check_version(self) -> None:
        [reply] = await self._commands.call(("INFO", "server"))
        # An account may be barred from INFO and still do all that we need.
        said = "" if isinstance(reply, ResponseError) else text(reply)
        found = re.search(r"redis_version:(\d+)\.(\d+)", said)
        if found and (int(found[1]), int(found[2])) < MINIMUM_VERSION:
            wanted = ".".join(map(str, MINIMUM_VERSION))
            raise self._server.unavailable(f"is version {found[1]}.{found[2]}; {wanted} or newer is needed")

    def _look(self) -> Command:
        return ("EVAL", LOOK, 1, self._lanes, _GROUP, self._prefix)

    def _stream(self, lane: Lane) -> str:
        return self._prefix + lane_name(lane)

    def _ids_by_stream(self, activations: list[Activation]) -> dict[str, list[str]]:
        in_order = sorted(activations, key=attrgetter("lane"))
        lanes = groupby(in_order, key=attrgetter("lane"))
        return {self._stream(lane): [each.id for each in of_lane] for lane, of_lane in lanes}

    def _removal(self, activations: list[Activation]) -> list[Command]:
        removals = [_removal_of(stream, ids) for stream, ids in self._ids_by_stream(activations).items()]
        return [("MULTI",), *(command for each in removals for command in each), ("EXEC",)] if removals else []


def _removal_of(stream: str, ids: Sequence[str]) -> list[Command]:
    return [("XACK", stream, _GROUP, *ids), ("XDEL", stream, *ids)]
