"""What goes wrong by chance: the same from the same seed, and only what Slack could do."""

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.simulator.calls import Fault
from bot.simulator.chaos import CALM, STORMY, Chaos
from bot.simulator.demo import BEN, demo_workspace
from bot.simulator.model import Json
from bot.simulator.simulator import Options, Simulator

from .conftest import Connect, StillClock, on, refusal, web_client


def test_one_seed_makes_one_course_of_things() -> None:
    def course(seed: int) -> list[object]:
        chaos = Chaos(seed)
        calls: list[object] = [chaos.fault("chat.postMessage") for _ in range(500)]
        return calls + [(chaos.delay_ms(), chaos.again_after_ms(), chaos.incident(4)) for _ in range(50)]

    assert course(1) == course(1)
    assert course(1) != course(2)


def test_each_thing_happens_about_as_often_as_the_weather_says() -> None:
    chaos = Chaos(7)
    faults = Counter(chaos.fault("chat.update") != Fault() for _ in range(10_000))
    told = STORMY.limited + STORMY.broken + STORMY.cut + STORMY.lost + STORMY.hanging + STORMY.slow
    assert faults[True] / 10_000 == pytest.approx(told, rel=0.15)
    assert set(chaos.happened) == {f"calls {what}" for what in ("limited", "broken", "cut", "lost", "hanging", "slow")}
    calm = Chaos(7, CALM)
    assert {calm.fault("chat.update") for _ in range(1_000)} == {Fault()}
    assert (calm.delay_ms(), calm.again_after_ms()) == (0, None)


@pytest.mark.parametrize(("what", "done"), [("lost", 1), ("cut", 0)])
async def test_a_call_that_is_lost_is_done_and_one_that_is_cut_is_not(
    simulator: Simulator, what: str, done: int
) -> None:
    # The library's own retries would post a second time.
    client: Any = AsyncWebClient(token=simulator.bot_token, base_url=simulator.api_url, retry_handlers=[])
    simulator.unleash(Chaos(1, replace(CALM, **{what: 1.0})))
    with pytest.raises(aiohttp.ClientError):
        await client.chat_postMessage(channel="#releases", text="x")
    assert len(simulator.channel_messages("#releases")) == done


async def test_an_answer_that_hangs_comes_after_the_work(simulator: Simulator, client: Any) -> None:
    simulator.unleash(Chaos(1, replace(CALM, hanging=1.0, hang_ms=3_600_000)))
    posting = asyncio.create_task(client.chat_postMessage(channel="#releases", text="x"))
    await simulator.wait_for(lambda: simulator.channel_messages("#releases"))
    assert not posting.done()
    posting.cancel()
    await asyncio.gather(posting, return_exceptions=True)


async def test_a_limited_method_is_closed_for_as_long_as_it_says() -> None:
    async with Simulator(demo_workspace(StillClock()), options=Options(strict_rates=True)).serve() as simulator:
        client: Any = web_client(simulator)
        simulator.unleash(Chaos(1, replace(CALM, limited=1.0, retry_after_s=30)))
        assert (await refusal(client.auth_test()))["error"] == "ratelimited"
        await simulator.calm()
        assert (await refusal(client.auth_test()))["error"] == "ratelimited"
        assert (await client.users_info(user=BEN))["ok"], "no other method is"
        assert simulator.violations.total == 0, "that call may have been on its way already"


async def test_payloads_come_twice_and_late_and_none_is_lost(
    simulator: Simulator, app: AsyncApp, connect: Connect
) -> None:
    heard: Counter[str] = Counter()

    @on(app, "command", "/vb")
    async def _(ack: AsyncAck, body: Json) -> None:
        heard[body["text"]] += 1
        await ack()

    await connect(app)
    chaos = Chaos(3, replace(CALM, duplicated=0.3, delayed=0.5, delay_ms=20))
    simulator.unleash(chaos)
    await asyncio.gather(*(simulator.type_command("ben", "#releases", f"/vb {n}") for n in range(40)))
    twice = chaos.happened["payloads duplicated"]
    await simulator.wait_for(lambda: heard.total() == 40 + twice)
    assert (len(heard), set(heard.values())) == (40, {1, 2})
    assert list(heard) != [str(n) for n in range(40)], "some came before others"


async def test_connections_end_and_come_back(simulator: Simulator, app: AsyncApp, connect: Connect) -> None:
    await connect(app)
    chaos = Chaos(5, replace(CALM, incident_ms=30))
    simulator.unleash(chaos)
    await simulator.wait_for(lambda: len(chaos.happened) == 3)
    await simulator.calm()
    await simulator.wait_connected()
    assert {"connections: cut", "connections: refresh", "connections: warning"} == set(chaos.happened)
