"""One simulation: a few processes, a few runs, a few people and some weather, all drawn from one seed.

The one rule: whatever happens follows from the seed and the code, and from nothing else: not from time, hashing, ids of
objects, or what was simulated before.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import Counter
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from ulid import ULID

from engine.audit import audit
from engine.engine import EngineSettings
from engine.ids import Ids
from engine.scheduler import SchedulerSettings
from engine.store import PUSH, Log
from engine.worker import WorkerSettings
from tests.simulation import people
from tests.simulation.disk import Fact, SimulatedDatabase, disk
from tests.simulation.edges import Quiet
from tests.simulation.host import KEY, Host
from tests.simulation.loop import Stuck, VirtualLoop, current_lane
from tests.simulation.people import Order
from tests.simulation.programs import PROGRAMS, WIDE, program
from tests.simulation.stream import StreamServer
from tests.simulation.truth import TERMINAL, violations
from tests.simulation.weather import STORM_MS, Weather

EPOCH_MS = 1_790_000_000_000
AFTER_THE_STORM = 300.0
"""Seconds until all runs must have ended once nothing goes wrong any more."""


@dataclass(frozen=True)
class Result:
    """What came of a simulation. ``trace``: sha256 of every step taken, in order, and of every event in the log."""

    seed: str
    problems: tuple[str, ...]
    trace: str
    crashes: Counter[str]
    deaths: int
    events: int
    steps: int
    virtual_ms: int


def repeat_with(seed: str) -> str:
    """The command that repeats the simulation of this seed exactly."""
    return f"python -m tests.simulation --only {seed}"


def number_of(seed: str) -> int:
    """The number of the schedule in its campaign: what follows the last dot."""
    number = seed.rpartition(".")[2]
    return int(number) if number.isdecimal() else 0


class SkewedClock:
    """A process's own clock: ``skew`` ms off the database's."""

    shift = 0

    def __init__(self, simulation: Simulation, skew: int) -> None:
        self._simulation = simulation
        self._skew = skew

    def now(self) -> int:
        return self._simulation.now() + self._skew


class Simulation:
    """Made from its seed; ``run`` it once."""

    def __init__(self, seed: str) -> None:
        self.seed = seed
        self.random = Random(f"simulation {seed}")
        self.loop = VirtualLoop(self.random)
        self.weather = Weather.drawn(self.random, number_of(seed))
        self.server = StreamServer(self.now)
        self.ids = Ids(self._ulid)
        self.settings = self._settings()
        wanted = self.random.choice((1, 2, 2, 3) if self.weather.crowded else (1, 1, 1, 2, 3))
        self.orders = [self._order(number) for number in range(wanted)]
        self.complaints: list[str] = []
        self.crashes: Counter[str] = Counter()
        self.deaths = 0
        self.payments: Counter[str] = Counter()
        self._hosts: dict[int, Host] = {}
        self._buried: list[Host] = []
        self._people: list[asyncio.Task[None]] = []
        self._errands: list[asyncio.Task[None]] = []
        self._going: set[str] = set()
        self._admitted: set[str] = set()
        self._order_of: dict[str, Order] = {}
        self._wanted = set(range(len(self.orders)))
        self._facts: dict[str, list[Fact]] = {}
        self._executions: list[Fact | None] = []
        self._all_ended = asyncio.Event()

    def run(self) -> Result:
        shared = disk()
        shared.clear()
        shared.now, shared.on_commit = self.now, self._committed
        try:
            with _Listener(self.complaints):
                self.loop.run(self._play())
        except Stuck as error:
            self.complaints.append(f"the simulation is stuck: {error}")
            self._end_everything()
        self.complaints += self.loop.faults
        trace = self._trace()
        shared.on_commit = None
        steps, ms = self.loop.steps, self.ms()
        with _Listener([]):
            self.loop.bury([host.lane for host in self._buried])
        [(events,)] = shared.rows("SELECT count(*) FROM events")
        return Result(
            self.seed, tuple(dict.fromkeys(self.complaints)), trace, self.crashes, self.deaths, events, steps, ms
        )

    # Time and ids

    def ms(self) -> int:
        return round(self.loop.time() * 1000)

    def now(self) -> int:
        """The database's clock, and that of Redis."""
        return EPOCH_MS + self.ms()

    def _ulid(self) -> ULID:
        return ULID.from_bytes(self.now().to_bytes(6, "big") + self.random.randbytes(10))

    # What was drawn

    def _settings(self) -> EngineSettings:
        random = self.random
        return EngineSettings(
            "simulated",
            "simulated",
            chain_key=KEY,
            worker=WorkerSettings(
                slots=random.choice((1, 2, 4)), lease=random.choice((2_000, 2_500, 4_000)), grace=1.0
            ),
            scheduler=SchedulerSettings(
                every=random.choice((1.0, 1.0, 2.0)),
                clock_every=10.0,
                push={kind: ms // 3 for kind, ms in PUSH.items()},
                anchor_every=10.0,
            ),
        )

    def _order(self, number: int) -> Order:
        random = self.random
        drawn = program(random.randrange(WIDE if random.random() < self.weather.width else PROGRAMS))
        order = Order(number, drawn, random.randint(0, 10), 2 * random.random(), random.choice((1, 1, 1, 2)))
        if random.random() < 0.15:
            order.cancelled_at = 3 * random.random()
        if random.random() < 0.1:
            order.paused_at = 3 * random.random()
        return order

    # The play

    async def _play(self) -> None:
        for number in range(3 if self.weather.laden else self.random.choice((2, 2, 2, 3))):
            self._hosts[number] = self._boot(number)
            self._errand(self._keep_alive(number))
        for at in self.weather.kills:
            self._errand(self._at(at, self._kill_somebody))
        for at in self.weather.stops:
            self._errand(self._at(at, self._stop_somebody))
        for at in self.weather.flushes:
            self._errand(self._at(at, self._flush))
        for window in self.weather.pauses:
            self._errand(self._pause_somebody(window.begin, window.end))
        for order in self.orders:
            self._people.append(asyncio.create_task(people.start(self, order)))
            waits = (piece for piece in order.program.pieces if piece.kind == "listen")
            self._people += [asyncio.create_task(people.signal(self, order, piece)) for piece in waits]
        try:
            async with asyncio.timeout(STORM_MS / 1000 + AFTER_THE_STORM):
                await self._all_ended.wait()
                await asyncio.gather(*self._people)
                over = True
        except TimeoutError:
            over = False
        for errand in self._errands:
            errand.cancel()
        self._end_everything()
        await self._look(over)

    def _errand(self, errand: Coroutine[Any, Any, None]) -> None:
        self._errands.append(asyncio.create_task(errand))

    def _end_everything(self) -> None:
        for host in self._hosts.values():
            if host.alive:
                host.alive = False
                self.loop.freeze(host.lane)
                self._buried.append(host)

    async def _look(self, over: bool) -> None:
        if not over:
            self.complaints.append(f"not everything had come to its end {AFTER_THE_STORM:.0f} s after the storm")
        for order in self.orders:
            self.complaints += violations(disk(), order, self.payments)
        report = await audit(Log(SimulatedDatabase(disk(), Quiet()), KEY))
        self.complaints += [f"verify: {finding}" for finding in report.findings]

    # Processes

    def _boot(self, number: int) -> Host:
        skew = self.random.choice((0, 0, 0, -700, 400, 1_500))
        ignorant = self.weather.uneven and number > 0
        return Host(self, f"process {number}", SkewedClock(self, skew), ignorant=ignorant)

    async def _keep_alive(self, number: int) -> None:
        """Start the process anew whenever it is over, after a while."""
        while True:
            await self._hosts[number].over
            await asyncio.sleep(self.random.choice((0.1, 0.5, 2.0, 5.0)))
            self._hosts[number] = self._boot(number)

    def died(self, host: Host, places: Counter[str]) -> None:
        self.deaths += 1
        self.crashes.update(places.keys())
        self._buried.append(host)

    def somebody(self) -> Host | None:
        alive = [host for host in self._hosts.values() if host.alive and host.engine is not None]
        return self.random.choice(alive) if alive else None

    # Faults

    async def _at(self, ms: int, happens: Any) -> None:
        await asyncio.sleep(ms / 1000)
        happens()

    def _kill_somebody(self) -> None:
        if (host := self.somebody()) is not None:
            host.die()

    def _stop_somebody(self) -> None:
        if (host := self.somebody()) is not None:
            host.stop()

    def _flush(self) -> None:
        if self.random.random() < 0.7:
            self.server.lose_everything(told=self.random.random() < 0.5)
        else:
            self.server.lose_one(self.random.randrange(100))

    async def _pause_somebody(self, begin: int, end: int) -> None:
        await asyncio.sleep(begin / 1000)
        if (host := self.somebody()) is not None:
            await self._pause(host, end - begin)

    async def _pause(self, host: Host, ms: int) -> None:
        host.pause()
        try:
            await asyncio.sleep(ms / 1000)
        finally:
            host.resume()

    def _stand_still_perhaps(self) -> None:
        """A process stands still in the middle of a step, for about as long as its lease."""
        if self.ms() > STORM_MS or self.random.random() >= self.weather.still:
            return
        lane, lease = current_lane(), self.settings.worker.lease
        host = next(host for host in self._hosts.values() if host.lane is lane)
        pause = self._pause(host, round(lease * (0.8 + 2 * self.random.random())))
        self._errands.append(self.loop.create_task(pause, context=self.loop.world.context()))

    # What is seen from outside

    def execution(self, run: str, path: str) -> int:
        self._stand_still_perhaps()
        self._executions.append(self._latest_start(run, path))
        return len(self._executions) - 1

    def recorded(self, run: str, path: str, effect: str) -> bool:
        known = (fact.payload for fact in self._facts.get(run, ()) if fact.type == "EFFECT_RECORDED")
        return any((fact["step"], fact["effect"]) == (path, effect) for fact in known)

    async def pay(self, key: str, again: bool) -> str:
        if again:
            self.complaints.append(f"{key} was paid again by an attempt that began after its result was on record")
        receipt = f"{key} #{sum(self.payments.values())}"
        self.payments[receipt] += 1
        return receipt

    def _committed(self, facts: Sequence[Fact]) -> None:
        """What a transaction says, in the moment in which it is durable."""
        for fact in facts:
            self._facts.setdefault(fact.stream, []).append(fact)
            if fact.type == "RUN_STARTED":
                self._note_start(fact)
            elif fact.type == "RUN_ADMITTED":
                self._check_alone(fact.stream)
            elif fact.type in TERMINAL:
                self._admitted.discard(fact.stream)
                self._going.discard(fact.stream)
                if not self._wanted and not self._going:
                    self._all_ended.set()
            elif fact.type == "APPROVAL_REQUESTED":
                self._ask_people(fact.stream, fact.payload["step"])
            elif fact.type == "STEP_COMPLETED":
                self._check_result(fact)
            elif fact.type == "STEP_FAILED" and fact.payload["failure"]["cls"] == "worker_lost":
                self._check_lost(fact)

    def _note_start(self, started: Fact) -> None:
        parent, key = started.payload["parent"], started.payload["dedupe_key"]
        order = self._order_of[parent["run"]] if parent is not None else self.orders[int(key.split()[1])]
        self._order_of[started.stream] = order
        self._going.add(started.stream)
        self._wanted.discard(order.number)

    def _ask_people(self, run: str, step: str) -> None:
        task = self.loop.create_task(
            people.decide(self, self._order_of[run], run, step), context=self.loop.world.context()
        )
        self._people.append(task)

    def _check_alone(self, run: str) -> None:
        if self._admitted:
            self.complaints.append(f"{run} was admitted beside {sorted(self._admitted)}, of which there may be one")
        self._admitted.add(run)

    def _check_lost(self, lost: Fact) -> None:
        """An attempt may be given up only once its worker's lease, or its cap, has passed by the database's clock."""
        step = lost.payload["step"]
        start = self._latest_start(lost.stream, step, lost.seq)
        if start is None:
            return  # a loop or a call, which fails because of a step inside
        worker, cap = start.payload["worker"], start.payload["lease_cap"]
        [(until,)] = disk().rows("SELECT max(until) FROM leases WHERE owner = ?", worker)
        if self.now() <= (until or 0) and self.now() <= cap:
            self.complaints.append(f"{lost.stream}: {step} was taken from {worker}, whose lease held")

    def _check_result(self, completed: Fact) -> None:
        """What completes a step is the attempt that counts, and no earlier one that was given up."""
        step, output = completed.payload["step"], completed.payload["output"]
        if isinstance(output, str) and output.startswith(f"done {step} #"):
            began = self._executions[int(output.partition("#")[2])]
            latest = self._latest_start(completed.stream, step, completed.seq)
            if latest is not None and began != latest:
                self.complaints.append(f"{completed.stream}: {step} was completed by an attempt that no longer counted")

    def _latest_start(self, run: str, path: str, before: int = 1_000_000) -> Fact | None:
        starts = (
            fact for fact in reversed(self._facts.get(run, ())) if fact.type == "STEP_STARTED" and fact.seq < before
        )
        return next((fact for fact in starts if fact.payload["step"] == path), None)

    def _trace(self) -> str:
        digest = hashlib.sha256(bytes(self.loop.path))
        for row in disk().rows("SELECT stream, seq, type, at, payload, hash FROM events ORDER BY stream, seq"):
            digest.update(repr(row).encode())
        digest.update(repr((self.complaints, sorted(self.crashes.items()), self.ms())).encode())
        return digest.hexdigest()


class _Listener(logging.Handler):
    """Errors that the engine logs are faults that nobody foresaw."""

    def __init__(self, complaints: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._complaints = complaints
        self._log = logging.getLogger("engine")

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self._complaints.append(f"{record.name} says: {record.getMessage()}" + (f" ({error!r})" if error else ""))

    def __enter__(self) -> None:
        self._propagated, self._log.propagate = self._log.propagate, False
        self._level = self._log.level
        self._log.setLevel(logging.ERROR)
        self._log.addHandler(self)

    def __exit__(self, *_: object) -> None:
        self._log.removeHandler(self)
        self._log.setLevel(self._level)
        self._log.propagate = self._propagated
