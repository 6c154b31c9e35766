"""Several processes under one budget: the real Redis, a Slack that counts every call over its limits."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sending.allowance import Alone, Sharers, Together, Wish, sharing
from bot.sending.outbox import FAIR_EVERY, Outbox, PacedClient, Priority
from bot.simulator.calls import Fault
from bot.simulator.demo import demo_workspace
from bot.simulator.simulator import Simulator
from engine.embedded import EmbeddedRedis
from engine.streams import Buckets
from tests.bot.conftest import Setup
from tests.bot.front import SIMPLE, serving
from tests.patience import PATIENT_SLACK
from tests.services import frozen, running_redis
from tests.waiting import until

POST, UPDATE = "chat.postMessage", "chat.update"
TEAM = "T0ACMEDEMO"


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    """A Slack that refuses whatever is over its limits."""
    async with Simulator(demo_workspace(), options=replace(PATIENT_SLACK, strict_rates=True)).serve() as serving:
        yield serving


def client_of(simulator: Simulator) -> AsyncWebClient:
    return AsyncWebClient(token=simulator.bot_token, base_url=simulator.api_url)


def paced_client(simulator: Simulator, outbox: Outbox, within_s: float = 60) -> Any:
    """What answers people, whose methods' types are unknown in part."""
    return PacedClient(client_of(simulator), outbox, within_s=within_s)


async def post(outbox: Outbox, count: int, channel: str = "C0RELEASES") -> None:
    arguments = {"channel": channel, "text": "hello"}
    await asyncio.gather(
        *(outbox.call(POST, arguments, Priority.CARD, channel=channel, repeatable=False) for _ in range(count))
    )


def check_no_limit_was_exceeded(simulator: Simulator) -> None:
    assert simulator.rates.violations == 0
    assert [call.method for call in simulator.calls() if call.status == 429] == []


async def test_two_processes_together_keep_to_the_limit_of_a_channel(setup: Setup, simulator: Simulator) -> None:
    async with setup.engine() as one, setup.engine() as other, sharing(one) as first, sharing(other) as second:
        outboxes = [Outbox(client_of(simulator), allowance=allowance(TEAM)) for allowance in (first, second)]
        async with asyncio.timeout(180):
            await asyncio.gather(*(post(outbox, 3) for outbox in outboxes))
    assert len(simulator.channel_messages("releases")) == 6
    check_no_limit_was_exceeded(simulator)


async def test_two_bots_tell_runs_side_by_side_within_slacks_limits(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator, [SIMPLE]) as front, serving(setup, simulator, [SIMPLE]) as other:
        for number in range(4):
            assert await (front, other)[number % 2].type("ben", "run simple") == ""

        def told() -> bool:
            texts = [message.text for message in simulator.channel_messages("#releases")]
            return sum("✓ Completed in" in text for text in texts) == 4

        await simulator.wait_for(told)
    check_no_limit_was_exceeded(simulator)


async def test_a_pause_that_slack_asks_one_process_for_is_kept_by_all(setup: Setup, simulator: Simulator) -> None:
    async with setup.engine() as engine, sharing(engine) as allowance_of:
        allowance = allowance_of(TEAM)
        one, other = (Outbox(client_of(simulator), allowance=each) for each in (allowance, allowance_of(TEAM)))
        simulator.fail_next(POST, Fault(retry_after_s=1))
        asked = asyncio.create_task(post(one, 1))

        async def is_closed() -> bool:
            return await allowance.take([Wish(POST, "C0NOBODY", 4)]) != [0]

        await until(is_closed)
        async with asyncio.timeout(180):
            await asyncio.gather(post(other, 1, "C0OPSXXXXX"), asked)
    refused, *later = simulator.calls(POST)
    assert refused.status == 429
    assert len(later) == 2
    assert all(call.at - refused.at >= 1_000 for call in later)


# Without Redis


@pytest.fixture
async def lone_redis(tmp_path: Path) -> AsyncIterator[EmbeddedRedis]:
    with running_redis(tmp_path / "redis") as redis:
        yield redis


async def test_without_redis_each_process_keeps_to_its_share(
    lone_redis: EmbeddedRedis, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock of their own budgets moves only where the test says so."""
    monkeypatch.setattr("engine.streams.buckets.PATIENCE_S", 60.0)
    now = 1_000.0
    shared = [Buckets(lone_redis.url, "vb") for _ in range(2)]
    one, other = (Together(each, TEAM, Alone(sharers=lambda: 2, monotonic=lambda: now)) for each in shared)
    post, update = Wish(POST, "C1", 1), Wish(UPDATE, None, 1)
    assert [await each.take([post]) for each in (one, one, other, one)] == [[0]] * 4
    await lone_redis.close()
    with caplog.at_level(logging.INFO, "bot.sending.allowance"):
        granted = 0
        for second in range(61):
            now = 1_000.0 + second
            for each in (one, other):
                granted += (await each.take([post])) == [0]
        assert 58 <= granted <= 61, "one a second, and nothing of the burst that was used"
        await one.close(UPDATE, 3_600)
        await lone_redis.ensure()
        await until(lambda: len([each for each in caplog.records if each.levelname == "INFO"]) == 2)
        [wait] = await other.take([update])
        assert wait > 3_000, "what Slack asked one of them for meanwhile holds for both"
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING", "INFO", "INFO"]
    for each in (one, other):
        await each.end()
    for each in shared:
        await each.close()


async def test_redis_is_lost_in_the_midst_of_posting(
    setup: Setup, simulator: Simulator, lone_redis: EmbeddedRedis
) -> None:
    own = replace(setup, settings=replace(setup.settings, redis_url=lone_redis.url))
    async with own.engine() as one, own.engine() as other, sharing(one) as first, sharing(other) as second:
        outboxes = [Outbox(client_of(simulator), allowance=allowance(TEAM)) for allowance in (first, second)]
        async with asyncio.timeout(180):
            await asyncio.gather(*(post(outbox, 2) for outbox in outboxes))
            await lone_redis.close()
            await asyncio.gather(*(post(outbox, 1) for outbox in outboxes))
            await lone_redis.ensure()
            await asyncio.gather(*(post(outbox, 1) for outbox in outboxes))
    assert len(simulator.channel_messages("releases")) == 8
    check_no_limit_was_exceeded(simulator)


async def test_those_who_share_are_counted_by_their_leases(setup: Setup) -> None:
    async with setup.engine() as engine:
        one, other = Sharers(engine.store), Sharers(engine.store)
        running = [asyncio.create_task(each.run()) for each in (one, other)]
        async with asyncio.timeout(180):
            while one.count != 2:
                await one.look()
        running[1].cancel()
        await asyncio.gather(running[1], return_exceptions=True)
        await one.look()
        assert one.count == 1, "a process that ends in peace is not counted any more"
        assert await engine.store.workers() == []
        running[0].cancel()
        await asyncio.gather(running[0], return_exceptions=True)


async def test_neither_what_is_held_up_nor_a_redis_that_hangs_holds_up_an_answer(
    setup: Setup, lone_redis: EmbeddedRedis
) -> None:
    """Whoever types has an answer, though nothing can be posted for an hour, and Redis never answers."""
    own = replace(setup, settings=replace(setup.settings, redis_url=lone_redis.url))
    async with Simulator(demo_workspace(), options=PATIENT_SLACK).serve() as slack, serving(own, slack) as front:
        slack.fail_next(POST, Fault(retry_after_s=3_600))
        await front.type("ben", "run simple")
        await slack.wait_for(lambda: slack.calls(POST))
        for _ in range(3):
            await front.type("ben", "run simple")
        async with frozen(lone_redis):
            await front.type("ana", "run simple")
            await front.type("ana", "run release")
            await front.form("ana")
        assert len(await front.runs()) == 5
        assert [call.status for call in slack.calls(POST)] == [429]


# Turns


async def test_lines_go_on_slowly_under_a_load_of_approvals(simulator: Simulator) -> None:
    """There is always a request that came later and is more important."""
    outbox = Outbox(client_of(simulator), allowance=Alone(speed=200))
    order: list[str] = []

    async def stand(name: str, priority: Priority) -> None:
        await outbox.turn(POST, priority, "C1")
        order.append(name)
        if name == "request" and len(order) < 60:
            waiting.append(asyncio.create_task(stand("request", Priority.APPROVAL)))

    waiting = [asyncio.create_task(stand("request", Priority.APPROVAL)) for _ in range(10)]
    waiting += [asyncio.create_task(stand("line", Priority.TIMELINE)) for _ in range(3)]
    await until(lambda: order.count("line") >= 3)
    places = [place for place, name in enumerate(order) if name == "line"]
    assert places[0] <= 10 + FAIR_EVERY + 4
    assert all(FAIR_EVERY - 1 <= later - earlier <= FAIR_EVERY + 4 for earlier, later in pairwise(places))
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


# Those who answer people


async def test_answers_to_people_are_counted_with_everything_else(simulator: Simulator) -> None:
    outbox = Outbox(client_of(simulator), allowance=Alone(monotonic=lambda: 0.0))  # what is used does not grow again
    paced, hasty = (paced_client(simulator, outbox, within_s) for within_s in (60, 0.1))
    async with asyncio.timeout(180):
        for _ in range(20):
            await paced.users_info(user="U0BENXXXXX")
        with pytest.raises(TimeoutError):
            await asyncio.gather(*(hasty.users_info(user="U0BENXXXXX") for _ in range(20)))
    await until(lambda: outbox.waiting == 0)  # whoever gives up does not stay in line
    check_no_limit_was_exceeded(simulator)


async def test_a_limit_that_an_answer_meets_closes_the_method_for_all(simulator: Simulator) -> None:
    outbox = Outbox(client_of(simulator), allowance=Alone())
    paced, hasty = (paced_client(simulator, outbox, within_s) for within_s in (60, 0.1))
    simulator.fail_next("users.info", Fault(retry_after_s=3_600))
    with pytest.raises(SlackApiError):
        await paced.users_info(user="U0BENXXXXX")
    with pytest.raises(TimeoutError):
        await hasty.users_info(user="U0BENXXXXX")
    assert len(simulator.calls("users.info")) == 1
    assert (await paced.auth_test())["ok"]


async def test_a_token_that_was_renewed_is_used(simulator: Simulator) -> None:
    async with aiohttp.ClientSession() as session:
        given = AsyncWebClient(token="xoxb-old", base_url=simulator.api_url, session=session)
        outbox = Outbox(given)
        paced: Any = PacedClient(given, outbox)
        given.token = simulator.bot_token
        await post(outbox, 1)
        assert (await paced.users_info(user="U0BENXXXXX"))["ok"]
