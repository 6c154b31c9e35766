"""Everything around the bot goes away for a while, in mid-run; at the front door nothing is lost, nothing doubled."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bot.simulator.calls import Fault
from bot.simulator.errors import PersonError
from bot.simulator.model import Message
from bot.simulator.simulator import Simulator
from engine.core.state import RunStatus
from engine.embedded import EmbeddedRedis
from tests.bot.conftest import Setup, until
from tests.bot.front import HTTP, SOCKET, Front, serving, unanswered
from tests.bot.truth import check_completed_thread, check_no_doubles, has_buttons, is_told, of
from tests.services import running_redis

WRITING = ("chat.postMessage", "chat.update")


def messages(simulator: Simulator) -> list[Message]:
    return simulator.channel_messages("#releases")


async def approve(front: Front, run: str) -> None:
    """Click on the run's Approve, again if nothing came of it for a while, as a person does."""

    async def decided() -> bool:
        for question in of(messages(front.simulator), run, "approval"):
            with contextlib.suppress(PersonError, TimeoutError):
                async with asyncio.timeout(5):
                    await front.simulator.click("ana", "#releases", question.ts, "gate_approve")
        gate = (await front.engine.state(run)).step("publish").gate
        return gate is not None and gate.decision is not None

    await until(decided)


async def all_is_well(front: Front, *runs: str) -> None:
    """Every run has been completed, and told once, in order and in full."""
    for run in runs:
        assert (await front.ended(run)).status is RunStatus.COMPLETED
        await until(lambda run=run: is_told(front.engine, run))
    assert sorted(await front.runs()) == sorted(runs)
    check_no_doubles(messages(front.simulator))
    for run in runs:
        await check_completed_thread(front.engine, run, messages(front.simulator))
    assert (await front.engine.verify()).ok


# Redis


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """A server of the test's own: ``close`` kills it, ``ensure`` starts a new and empty one."""
    with running_redis(tmp_path / "redis") as redis:
        yield redis


@pytest.fixture
def own(setup: Setup, redis: EmbeddedRedis) -> Setup:
    return replace(setup, settings=replace(setup.settings, redis_url=redis.url))


async def test_redis_is_away_when_the_service_starts(own: Setup, simulator: Simulator, redis: EmbeddedRedis) -> None:
    await redis.close()
    async with serving(own, simulator) as front:
        assert await front.type("ben", "run release version=v1.2.3") == ""
        [run] = await front.runs()
        await simulator.wait_for(lambda: of(messages(simulator), run, "card"))
        await redis.ensure()
        await approve(front, run)
        await all_is_well(front, run)


async def test_redis_is_lost_again_and_again(own: Setup, simulator: Simulator, redis: EmbeddedRedis) -> None:
    async with serving(own, simulator) as front:
        runs: list[str] = []
        for version in ("v1.0.0", "v1.0.1", "v1.0.2"):
            await redis.close()
            assert await front.type("ben", f"run release version={version}") == ""
            runs.append((await front.runs())[0])
            for run in runs[:-1]:
                await approve(front, run)
            await redis.ensure()
            await simulator.wait_for(lambda run=runs[-1]: of(messages(simulator), run, "approval"))
        await redis.close()
        await approve(front, runs[-1])
        await redis.ensure()
        await all_is_well(front, *runs)


# Slack


@pytest.mark.parametrize(
    "fault",
    [
        Fault(retry_after_s=1),
        Fault(status=500),
        Fault(status=503),
        Fault(error="internal_error"),
        Fault(drop="before"),
        Fault(drop="after"),
    ],
    ids=["429", "500", "503", "internal_error", "dropped before", "dropped after"],
)
async def test_slack_is_in_trouble_for_a_while(setup: Setup, simulator: Simulator, fault: Fault) -> None:
    async with serving(setup, simulator) as front:
        for method in WRITING:
            simulator.fail_next(method, fault, 2)
        assert await front.type("ben", "run release version=v1.2.3") == ""
        [run] = await front.runs()
        await simulator.wait_for(lambda: of(messages(simulator), run, "approval"))
        for method in (*WRITING, "conversations.history", "conversations.replies"):
            simulator.fail_next(method, fault, 1)
        await approve(front, run)
        await all_is_well(front, run)


async def test_slack_hears_and_answers_too_late(setup: Setup, simulator: Simulator) -> None:
    """The post is made while the bot already looks for it."""
    async with serving(setup, simulator) as front:
        with unanswered(simulator, "chat.postMessage"):
            await front.type("ben", "run release version=v1.2.3")
            [run] = await front.runs()
            await simulator.wait_for(lambda: simulator.calls("conversations.history"))
        await simulator.wait_for(lambda: of(messages(simulator), run, "approval"))
        await approve(front, run)
        await all_is_well(front, run)


async def test_who_people_are_cannot_be_read_for_a_while(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as front:
        run = await front.release()
    async with serving(setup, simulator) as front:
        for method in ("users.info", "usergroups.list", "users.list"):
            simulator.fail_next(method, Fault(status=503), 2)
        await front.click("ana")
        assert "Nothing was decided." in await front.told("ana", 1)
        assert (await front.gate(run)).decision is None
        await approve(front, run)
        await all_is_well(front, run)


# The connection, and the bot itself


@asynccontextmanager
async def refreshed_all_the_time(simulator: Simulator) -> AsyncGenerator[None]:
    """Slack asks for a new connection, over and over."""

    async def refresh() -> None:
        while True:
            await simulator.wait_connected()
            await simulator.socket.refresh(warning_ms=50)

    refreshing = asyncio.create_task(refresh())
    try:
        yield
    finally:
        refreshing.cancel()
        await asyncio.gather(refreshing, return_exceptions=True)


async def test_the_connection_is_refreshed_in_mid_run(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as front:
        async with refreshed_all_the_time(simulator):
            runs = [await front.release(version=f"v1.0.{number}") for number in range(3)]
            for run in runs:
                await simulator.wait_for(lambda run=run: of(messages(simulator), run, "approval"))
                await approve(front, run)
        await all_is_well(front, *runs)


async def test_the_connection_is_cut_in_mid_run(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as front:
        run = await front.release()
        simulator.socket.drop()
        await approve(front, run)
        await all_is_well(front, run)


@pytest.mark.parametrize("transport", [SOCKET, HTTP])
async def test_the_bot_is_restarted_between_request_and_decision(
    setup: Setup, simulator: Simulator, transport: str
) -> None:
    async with serving(setup, simulator, transport=transport) as front:
        run = await front.release()
        question = await front.question()
    assert has_buttons(question)
    async with serving(setup, simulator, transport=transport) as front:
        await simulator.click("ana", "#releases", question.ts, "gate_approve")
        assert (await front.gate(run)).decision is not None
        await all_is_well(front, run)
    assert [message.ts for message in of(messages(simulator), run, "approval")] == [question.ts]


async def test_a_run_goes_on_and_is_told_though_the_bot_was_away(setup: Setup, simulator: Simulator) -> None:
    """Only the service ends; the worker goes on, and an escalation and the end of the run happen without it."""
    async with serving(setup, simulator) as front:
        run = await front.release()
        await front.service.__aexit__(None, None, None)
        simulator.advance_clock(16 * 60_000)

        async def escalated() -> bool:
            return (await front.gate(run)).escalated == 1

        await until(escalated)
    async with serving(setup, simulator) as front:
        await simulator.wait_for(lambda: len(of(messages(simulator), run, "approval")) == 2)
        await front.click("chen")
        assert (await front.ended(run)).status is RunStatus.COMPLETED
        await until(lambda: is_told(front.engine, run))
    check_no_doubles(messages(simulator))
    assert not any(has_buttons(message) for message in messages(simulator))
