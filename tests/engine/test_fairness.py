"""One workspace's long chains do not keep another's run waiting, although they leave no slot free by themselves."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from engine.others import Others
from engine.steps.registry import step
from engine.worker import WorkerSettings
from tests.engine.conftest import ANA, Setup, World, ended, workflow
from tests.engine.flows import reaches

SLOTS, LENGTH = 4, 60


def test_a_workspace_has_as_many_turns_as_it_has_waiting_and_never_its_own() -> None:
    others = Others(slots=10)
    assert not others.turn("ws_a")
    others.see({"ws_a": 500, "ws_b": 2})
    assert [others.turn("ws_a") for _ in range(3)] == [True, True, False]
    assert [others.turn("ws_b") for _ in range(6)] == [True] * 5 + [False], "no more than its share of the slots"
    others.see({"ws_b": 1})
    others.forget()
    assert not others.turn("ws_a")


async def test_a_run_of_another_workspace_does_not_wait_for_the_end_of_long_chains(setup: Setup, world: World) -> None:
    other_is_there = asyncio.Event()

    @step("t.nap")
    async def nap() -> None:
        await other_is_there.wait()
        await asyncio.sleep(0.05)

    setup.more = (nap,)
    chain = workflow(*({"id": f"s{number}", "uses": "t.nap"} for number in range(LENGTH)), name="chain")
    single = workflow({"id": "z", "uses": "t.echo", "with": {"text": "z"}})
    setup.settings = replace(setup.settings, worker=WorkerSettings(slots=SLOTS, lease=60_000, grace=2.0))
    async with setup.working(chain, single) as busy:
        chains = [(await busy.start("chain", {}, by=ANA)).run for _ in range(SLOTS)]
        for run in chains:
            await reaches(busy, run, lambda state: state.seq >= 2)
        setup.settings = replace(setup.settings, workspace="ws_other")
        async with setup.engine(single) as quiet:
            single_run = (await quiet.start("wf", {}, by=ANA)).run
            other_is_there.set()
            await ended(quiet, single_run)
        for run in chains:
            assert (await busy.state(run)).end is None
        for run in chains:
            await busy.cancel(run, by=ANA)
            await ended(busy, run)
        assert (await busy.verify()).ok
