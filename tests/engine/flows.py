"""Short ways to say what tests of whole runs do: start, wait for a state, read what happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from engine.core.state import RunState, RunStatus, StepStatus
from engine.engine import Engine
from tests.engine.conftest import ANA, ended, until


async def begin(engine: Engine, workflow: str = "wf", **given: object) -> str:
    """The id of a new run."""
    return (await engine.start(workflow, given, by=ANA)).run


async def finish(engine: Engine, workflow: str = "wf", **given: object) -> RunState:
    """A new run at its end."""
    return await ended(engine, await begin(engine, workflow, **given))


async def reaches(engine: Engine, run: str, condition: Callable[[RunState], bool]) -> RunState:
    """The run's state once ``condition`` holds."""

    async def holds() -> bool:
        return condition(await engine.state(run))

    await until(holds)
    return await engine.state(run)


async def step_is(engine: Engine, run: str, step: str, status: StepStatus) -> RunState:
    return await reaches(engine, run, lambda state: state.step(step).status is status)


async def run_is(engine: Engine, run: str, status: RunStatus) -> RunState:
    return await reaches(engine, run, lambda state: state.status is status)


async def told(engine: Engine, run: str) -> Counter[str]:
    """How many events of each type the run has."""
    return Counter(one.event.type for one in await engine.history(run))


async def sound(engine: Engine) -> bool:
    """Whether the log agrees with itself and with its caches."""
    report = await engine.verify()
    assert report.ok, report.findings[:3]
    return True
