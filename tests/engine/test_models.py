"""Questions to models in whole runs: keys from the vault, costs on record, and limits that all keep together."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from engine.core import events as e
from engine.core.failures import FailureClass
from engine.core.keys import KEYS
from engine.core.prices import Price
from engine.core.state import RunStatus, StepStatus
from engine.embedded import EmbeddedRedis
from engine.engine import Engine
from engine.pace import SharedPace
from engine.steps.agent import Answer, Left, Question, agent_turn
from engine.steps.context import StepContext
from engine.steps.models.asking import asker
from engine.steps.models.config import Asker, Limit, Models, Wait
from engine.steps.models.llm import llm_step
from engine.store import Sealer
from engine.streams import Buckets
from tests.engine.conftest import ANA, BEN, Setup, ended, until, workflow
from tests.engine.flows import begin, finish, reaches, step_is, told
from tests.providers.script import Hang, Refuse, Say
from tests.providers.server import KEY, Providers, providers

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
ASK = {"model": "openai:gpt-5-mini", "prompt": "How many?", "max_tokens": 100}
COUNT = workflow(
    {"id": "ask", "llm": {**ASK, "output": SCHEMA}, "retry": {"classes": {"invalid_output": {"attempts": 2}}}},
    name="count",
    output={"n": "${{ steps.ask.output.value.n }}"},
)
TELL = workflow({"id": "ask", "llm": ASK}, name="tell")
OTHER = workflow({"id": "ask", "llm": {**ASK, "key": "other"}}, name="other")
NAMED = workflow({"id": "ask", "llm": {**ASK, "key": "default"}}, name="named")
LOOK = {"uses": "t.echo", "name": "look", "description": "Looks."}
AGENTS = [
    workflow(
        {"id": "a", "agent": {**ASK, "model": model, "max_turns": 3, "tools": [LOOK], "output": SCHEMA}},
        name=model.partition(":")[0],
        output={"answer": "${{ steps.a.output }}"},
    )
    for model in ("openai:gpt-5-mini", "anthropic:claude-haiku-4-5")
]


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What models are asked is the same on both databases; what those do is tried with keys and budgets."""
    return sqlite_url


@pytest.fixture
async def server() -> AsyncGenerator[Providers]:
    async with providers() as found:
        yield found


@pytest.fixture
async def pace(redis_server: EmbeddedRedis, redis_namespace: str) -> AsyncGenerator[SharedPace]:
    made = SharedPace(Buckets(redis_server.url, redis_namespace), Models())
    yield made
    await made.close()


@pytest.fixture
async def engine(setup: Setup, server: Providers, pace: SharedPace) -> AsyncGenerator[Engine]:
    models = Models.of(server.entries)
    ask = asker(models, pace)
    setup.settings = replace(setup.settings, sealer=Sealer(b"m" * 32))
    setup.more = (llm_step(ask, models), agent_turn(ask))
    async with setup.working(COUNT, TELL, NAMED, OTHER, *AGENTS) as engine:
        for provider in ("openai", "anthropic"):
            await engine.keyring.add(provider, "", KEY, by=ANA, may=frozenset({KEYS}))
        yield engine


def said(n: str) -> Say:
    return Say(calls=(("final_answer", f'{{"n": {n}}}'),), usage=(1_000, 100))


async def test_a_model_is_asked_with_the_workspaces_key_and_what_it_cost_is_on_record(
    engine: Engine, server: Providers
) -> None:
    server.next = [said("3")]
    state = await finish(engine, "count")
    assert (state.status, state.end and state.end.output) == (RunStatus.COMPLETED, {"n": 3})
    events = [one.event for one in await engine.history(state.run)]
    [used] = [one for one in events if isinstance(one, e.KeyUsed)]
    [cost] = [one for one in events if isinstance(one, e.CostRecorded)]
    assert (used.provider, cost.cost, cost.assumed) == ("openai", 450, False)
    assert KEY not in str(events)


async def test_an_answer_that_does_not_fit_is_asked_for_anew_where_the_definition_says_so(
    engine: Engine, server: Providers
) -> None:
    server.next = [said('"three"'), said("3")]
    state = await finish(engine, "count")
    assert state.status is RunStatus.COMPLETED
    events = [one.event for one in await engine.history(state.run)]
    [failed] = [one for one in events if isinstance(one, e.StepFailed)]
    assert failed.failure.cls is FailureClass.INVALID_OUTPUT
    assert "n: 'three' is not of type 'integer'" in failed.failure.message
    assert len([one for one in events if isinstance(one, e.CostRecorded)]) == 2


async def test_a_providers_limit_puts_off_everybody_with_that_key_and_costs_no_attempt(
    setup: Setup, engine: Engine, server: Providers, redis_server: EmbeddedRedis, redis_namespace: str
) -> None:
    server.next = [Refuse(429, "slow down", retry_after="3600")]
    other = f"{KEY}-other"
    server.keys.add(other)
    await engine.keyring.add("openai", "other", other, by=ANA, may=frozenset({KEYS}))
    runs: list[str] = []
    waits: list[str] = []
    for name in ("tell", "tell", "other"):
        runs.append(await begin(engine, name))
        state = await reaches(
            engine, runs[-1], lambda state: state.end is not None or state.step("ask").postponed != ""
        )
        waits.append(state.step("ask").postponed)
    assert waits == ["openai's limit", "openai's limit", ""]
    assert len(server.seen) == 2, "who came while that key was held did not ask"
    await forget_buckets(redis_server, redis_namespace)
    setup.clock.advance(3_700_000)
    await engine.store.make_all_due(setup.clock.now())
    for run in runs:
        assert (await ended(engine, run)).status is RunStatus.COMPLETED
        events = [one.event for one in await engine.history(run)]
        assert {one.attempt for one in events if isinstance(one, e.StepStarted)} == {1}
        assert [one.assumed for one in events if isinstance(one, e.CostRecorded)] == [False]
    assert len(server.seen) == 4


async def forget_buckets(server: EmbeddedRedis, namespace: str) -> None:
    """As if the time were over for which they are closed."""
    async with Redis.from_url(server.url) as redis:  # pyright: ignore[reportUnknownMemberType]
        names = await redis.keys(f"{namespace}:bucket:*")  # pyright: ignore[reportUnknownMemberType]
        await redis.delete(*names)


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
async def test_an_agent_asks_calls_and_answers_over_the_wire(engine: Engine, server: Providers, provider: str) -> None:
    server.next = [Say.calling("look", "I look.", text="three birds"), said("3")]
    state = await finish(engine, provider)
    assert state.end is not None
    answer = cast("dict[str, Any]", state.end.output)["answer"]
    assert (state.status, answer["value"], answer["turns"]) == (RunStatus.COMPLETED, {"n": 3}, 2)
    assert server.refused == []
    assert [one.sent_as.split("/", 1)[1] for one in server.seen] == ["a#1/turn/request/1", "a#2/turn/request/1"]
    assert "three birds" in json.dumps(server.seen[1].body["messages"][-1])


async def test_requests_and_tokens_of_a_minute_are_kept_by_all_processes(
    redis_server: EmbeddedRedis, redis_namespace: str
) -> None:
    models = Models(limits={"openai": Limit(12, 10_000), "openai:free": Limit(6_000)})
    first, second = (SharedPace(Buckets(redis_server.url, redis_namespace), models) for _ in range(2))
    before = asyncio.get_running_loop().time()
    asks, others = Asker("ws_1", "openai", "key_1"), Asker("ws_2", "openai", "key_2")
    waits = [await pace.admit(asks, "gpt-5", 10) for pace in (first, second, first, second)]
    assert waits[:2] == [None, None]
    words = "the limit for openai:gpt-5"
    assert [wait and wait.words for wait in waits[2:]] == [words, words]
    assert all(wait is not None and 5_000 <= wait.ms <= 7_000 for wait in waits[2:])
    again = await first.admit(asks, "gpt-5", 10)
    assert again is not None
    assert waits[2] is not None
    passed = (asyncio.get_running_loop().time() - before) * 1_000
    assert passed + again.ms >= waits[2].ms + 6_000, "those of one process are told to come one after another, in time"
    assert await first.admit(others, "gpt-5", 4_000) is None, "each workspace has its own"
    assert await first.admit(others, "gpt-5", 4_000) is not None, "that was most of what the minute has"
    assert await first.admit(asks, "free", 1_000_000) is None
    await second.hold(asks, 30_000)
    held = await first.admit(asks, "free", 1)
    assert isinstance(held, Wait)
    assert held.words == "openai's limit"
    assert 28_000 < held.ms <= 31_000
    for pace in (first, second):
        await pace.close()


async def test_without_redis_models_are_asked_all_the_same() -> None:
    pace = SharedPace(Buckets("redis://127.0.0.1:1/0", "nobody"), Models(limits={"openai": Limit(1)}))
    asks = Asker("ws_1", "openai")
    assert await pace.admit(asks, "gpt-5", 10) is None
    await pace.hold(asks, 1_000)
    await pace.close()


async def test_an_answer_on_record_is_used_although_nobody_may_ask_any_more(
    setup: Setup, server: Providers, pace: SharedPace
) -> None:
    models = Models.of(server.entries)
    over, gone = asyncio.Event(), list[str]()

    async def ask(ctx: StepContext, question: Question, left: Left) -> Answer:
        answer = await asker(models, pace)(ctx, question, left)
        if ctx.run not in gone:
            gone.append(ctx.run)
            await over.wait()
            raise ConnectionResetError("the attempt ends with its answer on record")
        return answer

    setup.settings = replace(setup.settings, sealer=Sealer(b"m" * 32))
    setup.more = (llm_step(ask, models), agent_turn(ask))
    again = {"attempts": 2, "initial": "1ms", "max": "1ms"}
    tell = workflow({"id": "ask", "llm": ASK, "retry": again}, name="tell")
    look = workflow({"id": "a", "agent": {**ASK, "max_turns": 1, "cost": "0.0007 USD"}, "retry": again}, name="look")
    server.next = [Say("three", usage=(1_000, 100)), Say("four", usage=(1_000, 100))]
    async with setup.working(tell, look) as engine:
        await engine.keyring.add("openai", "", KEY, by=ANA, may=frozenset({KEYS}))
        runs = [await begin(engine, name) for name in ("tell", "look")]
        await until(lambda: len(gone) == 2)
        await engine.prices.set("openai:gpt-5-mini", Price(10**9, 10**9), by=ANA)
        await engine.budgets.set("workspace/month", 1, by=ANA)
        await engine.keyring.revoke("openai", "default", by=ANA, may=frozenset({KEYS}))
        await pace.hold(Asker("ws_local", "openai"), 3_600_000)
        over.set()
        for run in runs:
            assert (await ended(engine, run)).status is RunStatus.COMPLETED
            assert (await told(engine, run))["EFFECT_STARTED"] == 1
    assert len(server.seen) == 2


async def test_a_switch_for_a_key_stops_the_call_that_has_it_and_holds_whoever_would_open_it(
    engine: Engine, server: Providers
) -> None:
    server.next = [Hang()]
    first = (await engine.start("tell", {}, by=ANA)).run
    await reaches(engine, first, lambda _: bool(server.seen))
    await engine.switches.throw("key:openai/default", by=BEN, reason="it was seen in a log")
    await step_is(engine, first, "ask", StepStatus.HELD)
    later = [(await engine.start(name, {}, by=ANA)).run for name in ("tell", "named")]
    for run in later:
        hold = (await step_is(engine, run, "ask", StepStatus.HELD)).step("ask").hold
        assert hold is not None
        assert hold.keys == ("key:openai/default",)
        assert (await told(engine, run)).keys().isdisjoint({"EFFECT_STARTED", "KEY_USED"})
    assert len(server.seen) == 1, "nobody asked once the switch was acknowledged"
    await engine.switches.lift("key:openai/default", by=BEN)
    for run in (first, *later):
        assert (await ended(engine, run)).status is RunStatus.COMPLETED
    assert len(server.seen) == 4


@pytest.mark.parametrize("stop", ["provider:openai", "model:openai:gpt-5-mini"])
async def test_a_switch_for_a_provider_or_a_model_stops_its_calls_and_no_others(
    engine: Engine, server: Providers, stop: str
) -> None:
    server.next = [Hang(), said("3")]
    runs = [await begin(engine, "tell")]
    await reaches(engine, runs[0], lambda _: bool(server.seen))
    await engine.switches.throw(stop, by=BEN, reason="it makes things up")
    runs.insert(0, await begin(engine, "tell"))
    for run in runs:
        state = await reaches(engine, run, lambda state: state.step("ask").hold is not None or state.end is not None)
        hold = state.step("ask").hold
        assert hold is not None
        assert hold.keys == (stop,)
    assert (await finish(engine, "anthropic")).status is RunStatus.COMPLETED
    assert len(server.seen) == 2, "nobody was asked under the switch once it was acknowledged"
    await engine.switches.lift(stop, by=BEN)
    for run in runs:
        assert (await ended(engine, run)).status is RunStatus.COMPLETED
    assert len(server.seen) == 4
