"""``make bench``: one JSON line per figure, for SQLite and PostgreSQL with full durability.

make bench                              everything
make bench ARGS="sqlite W1 W2"          one database, some workloads
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import uvloop

from engine.engine import EngineSettings
from tests.bench.long import lengths, loads
from tests.bench.machine import emit
from tests.bench.workloads import Bench
from tests.services import running_postgres, running_redis
from tests.waiting import until

DATABASES = ("sqlite", "postgresql")
WORKLOADS = ("W1", "W2", "W3", "W4", "W5")
FSYNCS_OF = 100
"""Steps of the short pass that is traced for its fsyncs."""


async def measure(peer: str, workload: str, settings: EngineSettings) -> None:
    if workload == "W4":
        await loads(peer, settings)
    async with Bench.open(peer, settings) as bench:
        match workload:
            case "W1":
                await bench.w1()
            case "W2":
                await bench.w2()
                async with second_worker(bench, settings):
                    await bench.w2(processes=2)
            case "W3":
                await bench.w3_single()
                await bench.w3()
            case "W4":
                await lengths(bench)
            case "W5":
                await bench.w5()
            case _:
                await bench.run("chain100")
    if workload != "trace":
        await verify(peer, workload, settings)


@asynccontextmanager
async def second_worker(bench: Bench, settings: EngineSettings) -> AsyncGenerator[None]:
    """Another process that works beside this one, until the block is left."""
    where = [settings.database_url, settings.redis_url, settings.namespace]
    other = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.bench", "--worker", *where)

    async def both_work() -> bool:
        return len(await bench.engine.store.workers()) == 2

    try:
        await until(both_work)
        yield
    finally:
        other.terminate()
        await other.wait()


async def work(settings: EngineSettings) -> None:
    """Work until told to stop."""
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    async with Bench.open("second", settings):
        await told.wait()


async def verify(peer: str, workload: str, settings: EngineSettings) -> None:
    """Check what the workload has written, as ``vb verify`` does."""
    async with Bench.open(peer, settings) as bench:
        report = await bench.engine.verify()
        emit(
            peer,
            f"{workload}-verify",
            report.events / max(report.seconds, 1e-9),
            "events/s",
            findings=len(report.findings),
        )
        if report.findings:
            raise SystemExit(f"verify found: {report.findings[0]}")


def fsyncs(peer: str, database_url: str, redis_url: str) -> None:
    """Count the fsyncs of a chain of steps in a traced process of its own; the tracer is not always there."""
    tracer = shutil.which("strace")
    if tracer is None or not database_url.startswith("sqlite"):
        return
    with tempfile.NamedTemporaryFile("r") as counts:
        traced = [tracer, "-f", "-c", "-o", counts.name, "-e", "trace=fsync,fdatasync"]
        child = [sys.executable, "-m", "tests.bench", "--child", database_url, redis_url]
        if subprocess.run([*traced, *child], check=False, capture_output=True).returncode == 0:
            calls = sum(int(line.split()[3]) for line in counts if line.rstrip().endswith("sync"))
            emit(
                peer,
                "W1-fsyncs",
                calls / FSYNCS_OF,
                "fsyncs/step",
                steps=FSYNCS_OF,
                how="strace, start and end included",
            )


@contextmanager
def database(kind: str, directory: Path) -> Generator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{directory / (secrets.token_hex(4) + '.db')}"
        return
    with running_postgres(waits_for_disk=True) as server, server.database() as url:
        yield url


def settings_for(database_url: str, redis_url: str) -> EngineSettings:
    return EngineSettings(database_url, redis_url, chain_key=b"bench" * 8, namespace=secrets.token_hex(4))


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description="Measure the engine, one JSON line per figure.")
    parser.add_argument("what", nargs="*", help=f"of {', '.join((*DATABASES, *WORKLOADS))}; all if none is given")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        url, redis, namespace = given.worker
        uvloop.run(work(replace(settings_for(url, redis), namespace=namespace)))
        return
    if given.child:
        uvloop.run(measure("traced", "trace", settings_for(*given.child)))
        return
    unknown = set(given.what) - {*DATABASES, *WORKLOADS}
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    databases = [kind for kind in DATABASES if kind in given.what] or DATABASES
    workloads = [name for name in WORKLOADS if name in given.what] or WORKLOADS
    directory = Path(tempfile.mkdtemp(prefix="vectorbea-bench-"))
    try:
        with running_redis(directory / "redis") as redis:
            for kind in databases:
                for name in workloads:
                    with database(kind, directory) as url:
                        uvloop.run(measure(f"vectorbea-{kind}", name, settings_for(url, redis.url)))
                        if name == "W1":
                            fsyncs(f"vectorbea-{kind}", url, redis.url)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
