"""One round of a fleet: servers, workers and people are brought up, faults befall them, and what is left is judged.

The one rule: nothing is judged before everything is at rest, and the judge is not the engine. ``vb verify`` is asked
besides, but where a bug is planted: it is the judge who has to find that.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.fleet import checker
from tests.fleet.checker import Finding
from tests.fleet.counts import count, too_little
from tests.fleet.crew import Crew
from tests.fleet.evidence import Evidence, gather
from tests.fleet.faults import EVERYTHING, Fault, Kind, Mix, script
from tests.fleet.orders import CHAIN_KEY, Orders, opened
from tests.fleet.recorder import Recorder, recording
from tests.fleet.servers import DatabaseKind, Postgres, Redis, own_postgres, own_redis
from tests.fleet.sql import rows_or_none
from tests.fleet.steps import Me, registry
from tests.fleet.teller import tell

SAY_EVERY = 5.0
LOOK_EVERY = 1.0
UP_WITHIN = 60.0
LONG = 120.0
"""A round of so many seconds must have tried everything."""

UNFORESEEN = re.compile(r"nobody foresaw|Traceback|was never retrieved|cannot be looked at")

Say = Callable[[str], None]
Look = Callable[[], Awaitable[tuple[Evidence, list[Finding]]]]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a round is: ``seconds`` of faults, ``gap`` apart on average, then ``patience`` to come to rest (s).

    With ``signs``, the round is over as soon as something is found that says one of them.
    """

    database: DatabaseKind
    seed: int
    seconds: float
    gap: float = 0.75
    mix: Mix = field(default_factory=lambda: EVERYTHING)
    workers: int = 3
    older: int = 0
    in_flight: int = 40
    bug: str | None = None
    patience: float = 180.0
    signs: tuple[str, ...] = ()


@dataclass(kw_only=True)
class Result:
    """``findings`` of the independent checker, ``others`` of ``vb verify`` and of the processes themselves."""

    plan: Plan
    counts: Counter[str]
    findings: list[Finding]
    others: list[str]

    @property
    def ok(self) -> bool:
        return not self.findings and not self.others

    def line(self) -> str:
        """The counts, in one line."""
        counts = ", ".join(f"{count:,} {what}" for what, count in self.counts.items())
        found = len(self.findings) + len(self.others)
        older = f", {self.plan.older} of {self.plan.workers} workers older" if self.plan.older else ""
        return f"{self.plan.database}{older}: {counts}; {found or 'no'} findings; seed {self.plan.seed}"


@dataclass(kw_only=True)
class Servers:
    database_url: str
    redis: Redis
    postgres: Postgres | None


def play(plan: Plan, folder: Path, say: Say) -> Result:
    """Play the round in ``folder``, which is empty and afterwards holds every log and journal."""
    with _servers(plan, folder) as servers, recording(folder / "payments.jsonl") as recorder:
        orders = Orders(
            name="judge",
            folder=folder,
            database_url=servers.database_url,
            redis_url=servers.redis.url,
            pay_url=recorder.url,
            seed=plan.seed,
            in_flight=plan.in_flight,
            bug=plan.bug,
        )
        return asyncio.run(_play(plan, orders, servers, recorder, say))


async def _play(plan: Plan, orders: Orders, servers: Servers, recorder: Recorder, say: Say) -> Result:
    async with opened(orders, registry(Me(recorder.url))):
        pass  # the tables are made before anybody comes
    began = time.monotonic()

    async def look() -> tuple[Evidence, list[Finding]]:
        evidence = await gather(servers.database_url, recorder.payments, orders.folder)
        return evidence, checker.check(evidence, lambda number: tell(plan.seed, number))

    crew = Crew(orders, plan.workers, plan.older)
    try:
        suffered = await _befall_until_found(plan, crew, servers, say, look)
        if plan.patience:
            say("no more faults; waiting for the last runs")
            await crew.send_home(plan.patience)
    finally:
        crew.leave_nobody()
    evidence, findings = await look()
    suffered["workers killed by a step"] = crew.poisoned
    counts = count(evidence, suffered, round(time.monotonic() - began))
    others = [*crew.wrong, *_unforeseen(orders.folder)]
    if plan.bug is None:
        others += await asyncio.to_thread(_verify, orders)
    if plan.seconds >= LONG:
        others += too_little(counts)
    _keep(evidence, findings, orders.folder)
    return Result(plan=plan, counts=counts, findings=findings, others=others)


@contextmanager
def _servers(plan: Plan, folder: Path) -> Generator[Servers]:
    with own_redis(folder / "redis") as redis:
        if plan.database == "sqlite":
            yield Servers(database_url=f"sqlite:///{folder / 'fleet.db'}", redis=redis, postgres=None)
        else:
            with own_postgres() as postgres:
                yield Servers(database_url=postgres.url, redis=redis, postgres=postgres)


async def _befall_until_found(plan: Plan, crew: Crew, servers: Servers, say: Say, look: Look) -> Counter[str]:
    """Let the faults of the plan happen; where a sign is looked for, only until it is seen."""
    suffered: Counter[str] = Counter({kind.value: 0 for kind in plan.mix})
    befalling = asyncio.create_task(_befall(plan, crew, servers, suffered, say))
    seen = False
    while not befalling.done() and not seen:
        await asyncio.wait([befalling], timeout=LOOK_EVERY)
        if plan.signs:
            seen = any(sign in str(finding) for finding in (await look())[1] for sign in plan.signs)
    befalling.cancel()
    for outcome in await asyncio.gather(befalling, return_exceptions=True):
        if isinstance(outcome, Exception):
            raise outcome
    return suffered


async def _befall(plan: Plan, crew: Crew, servers: Servers, suffered: Counter[str], say: Say) -> None:
    """Let the faults of the plan happen once the fleet is at work, each at its time, and count what was suffered."""
    await _at_work(servers.database_url)
    began = time.monotonic()
    saying = asyncio.create_task(_keep_saying(servers.database_url, suffered, began, say))
    try:
        for fault in script(plan.seed, plan.seconds, plan.gap, plan.database, plan.mix):
            await asyncio.sleep(max(0.0, began + fault.at - time.monotonic()))
            crew.see_all()
            await _suffer(fault, crew, servers)
            suffered[fault.kind.value] += 1
        await asyncio.sleep(max(0.0, began + plan.seconds - time.monotonic()))
    finally:
        saying.cancel()
        await asyncio.gather(saying, return_exceptions=True)


async def _at_work(url: str) -> None:
    """Until a run has ended, that is all have come up; a machine that is busy otherwise may take its time."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(UP_WITHIN):
            while (await rows_or_none(url, "SELECT count(ended_at) FROM runs") or [(0,)])[0][0] == 0:
                await asyncio.sleep(0.1)


async def _suffer(fault: Fault, crew: Crew, servers: Servers) -> None:
    match fault.kind:
        case Kind.KILL:
            await crew.kill(fault.place)
        case Kind.STOP:
            crew.stop(fault.place, fault.lasts)
        case Kind.FLUSH:
            await servers.redis.flush()
        case Kind.RESTART_REDIS:
            await servers.redis.restart(fault.lasts)
        case Kind.RESTART_POSTGRES:
            if servers.postgres is not None:
                await servers.postgres.restart("immediate" if fault.place < 0.5 else "fast")
        case Kind.KILL_BACKEND:
            if servers.postgres is not None:
                await servers.postgres.kill_backend(fault.place)


async def _keep_saying(url: str, suffered: Counter[str], began: float, say: Say) -> None:
    while True:
        await asyncio.sleep(SAY_EVERY)
        found = await rows_or_none(url, "SELECT count(*), count(ended_at) FROM runs")
        runs = f"{found[0][1]} of {found[0][0]} runs ended" if found else "the database is away"
        faults = ", ".join(f"{count} {kind}" for kind, count in suffered.items() if count)
        say(f"{time.monotonic() - began:4.0f} s: {runs}; {faults}")


def _keep(evidence: Evidence, findings: list[Finding], folder: Path) -> None:
    """Write the histories of the runs of which something was found, to be looked at when the servers are gone.

    With those of their families: why a run was stopped is in its parent's.
    """
    strange = evidence.families({finding.run for finding in findings})
    with (folder / "histories.jsonl").open("w") as file:
        for run in evidence.runs:
            for event in run.events if run.id in strange else ():
                file.write(json.dumps([run.id, *event])[:2_000] + "\n")


def _unforeseen(folder: Path) -> list[str]:
    """What processes logged that nobody may ever read."""
    return [
        f"{path.name}: {line}"
        for path in sorted(folder.glob("*.log"))
        for line in path.read_text(errors="replace").splitlines()
        if UNFORESEEN.search(line)
    ]


def _verify(orders: Orders) -> list[str]:
    """What ``vb verify`` says against the history; nothing if it is whole."""
    key = orders.folder / "chain.key"
    key.touch(mode=0o600)
    key.write_bytes(CHAIN_KEY)
    environment = {
        **os.environ,
        "VB_DATABASE_URL": orders.database_url,
        "VB_REDIS_URL": orders.redis_url,
        "VB_CHAIN_KEY_FILE": str(key),
        "VB_DIR": str(orders.folder),
    }
    command = [str(Path(sys.executable).parent / "vb"), "verify"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)
    return [] if done.returncode == 0 else [f"vb verify: {line}" for line in (done.stdout + done.stderr).splitlines()]
