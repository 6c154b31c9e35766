"""W4: what a run's length costs. A step of a long chain against one of a short chain, and the load of a long history.

The long history is a loop whose passes give values that a state holds by their place; it is made by the core alone and
written in large appends, since what is measured is how it is read.
"""

from __future__ import annotations

import statistics
import time

from engine.catalog import Catalog
from engine.core import checkpoint
from engine.core import commands as c
from engine.core import events as e
from engine.core.commands import Claim
from engine.core.decide import Decision, decide, start
from engine.core.definition import Workflow
from engine.core.graph import Plan
from engine.core.state import RunState, StepStatus
from engine.core.values import Values
from engine.engine import Engine, EngineSettings
from engine.ids import run_id
from engine.records import append_of
from engine.store import Appended, Head, Log
from tests.bench.machine import emit, spread
from tests.bench.workloads import BENCH, Bench, Marks, stamping

EVENTS = (100, 100_000)
AT_ONCE = 500
LONG_VALUE = "x" * 600
LOOP = Workflow.model_validate(
    {
        "name": "loop",
        "steps": [
            {
                "id": "poll",
                "repeat": {"until": "false", "max": 100_000},
                "steps": [
                    {"id": "ask", "uses": "bench.noop@1", "with": {"i": 1}},
                    {"id": "look", "uses": "bench.noop@1", "with": {"i": "${{ iteration }}"}},
                ],
            }
        ],
    }
)


async def lengths(bench: Bench) -> None:
    """ms per step of a chain of 10,000 steps, and of one of 100."""
    for length in (100, 10_000):
        began = time.perf_counter()
        await bench.run(f"chain{length}")
        emit(bench.peer, f"W4-chain{length}", (time.perf_counter() - began) * 1_000 / length, "ms/step")


async def loads(peer: str, settings: EngineSettings) -> None:
    """ms to load a run of so many events, in an engine that has never seen it."""
    store = await Log.open(settings.database_url, settings.chain_key)  # no worker must take the runs on
    first = await write_loop(store, EVENTS[0])
    runs = {events: await write_loop(store, events) for events in EVENTS}
    await store.close()
    for events, run in runs.items():
        figures: list[float] = []
        for _ in range(7):
            registry = stamping(Marks())
            async with Engine.open(settings, catalog=Catalog(registry.catalog()), registry=registry) as engine:
                await engine.state(first)  # what the first load of any run costs is not asked
                began = time.perf_counter()
                await engine.state(run)
                figures.append((time.perf_counter() - began) * 1_000)
        emit(peer, f"W4-load{events}", statistics.median(figures), "ms", **spread(figures))


async def write_loop(store: Log, events: int) -> str:
    """A run with about so many events, as a worker would have left it, with its last checkpoint."""
    await store.put_definition(LOOP.hash, LOOP.name, LOOP.snapshot)
    run, now = run_id(), await store.now()
    event = e.RunStarted(workspace="ws_local", workflow="loop", definition=LOOP.hash, input={}, by=BENCH)
    decision = start(run, Plan.of(LOOP), event, now)
    head, waiting = Head.EMPTY, [decision]
    values = {one.seq: e.value_of(one.event) for one in decision.events}
    state, saved = decision.state, 0
    while state.seq < events:
        decision = step(state, values, now)
        values = {one.seq: e.value_of(one.event) for one in decision.events} | values
        state = decision.state
        waiting.append(decision)
        if sum(len(one.events) for one in waiting) >= AT_ONCE or state.seq >= events:
            outcome = await store.append(append_of(run, head, waiting))
            if not isinstance(outcome, Appended):
                raise RuntimeError(f"the history of {run} could not be written: {outcome}")
            head, waiting, values = outcome.head, [], dict(list(values.items())[:8])
            if state.seq - saved >= 200 and state.seq < events:
                saved = state.seq
                text = checkpoint.to_text(state)
                await store.put_checkpoint(run, state.seq, checkpoint.VERSION, text, head_hash=head.hash)
    return run


def step(state: RunState, values: Values, now: int) -> Decision:
    claim = Claim("wrk_bench", frozenset({"bench.noop@1"}), 1, now, now + 15_000)
    for path, one in state.opened(StepStatus.RUNNING):
        return decide(state, c.Succeed(path, one.token, one.worker, LONG_VALUE, claim), now, values)
    return decide(state, c.Look(claim), now, values)
