"""Keys and secrets: kept sealed, opened for one call, gone at once when they are revoked, and said nowhere."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from dataclasses import replace
from time import perf_counter

import pytest

from engine.core import events as e
from engine.core.failures import FailureClass, StepError
from engine.core.keys import KEYS, SECRETS, Use
from engine.core.state import RunStatus
from engine.engine import Engine
from engine.redaction import Redactor
from engine.steps.context import StepContext
from engine.steps.registry import StepFunction, step
from engine.store import NoSealer, Sealer
from engine.vault import open_key
from engine.workspace import WorkspaceRefused
from tests.engine.conftest import ANA, Setup, workflow
from tests.engine.flows import finish
from tests.store.build import query, tamper

MAY = frozenset({KEYS})
KEY, OTHER = "sk-canary-4711-first-ABCD", "sk-canary-4711-second-EFGH"

log = logging.getLogger(__name__)


class Outside:
    """What steps with keys do and see: the tests' stand-in for a provider."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def steps(self) -> tuple[StepFunction, ...]:
        @step("k.call", opens_keys=True)
        async def call(ctx: StepContext, provider: str, name: str | None = None) -> str:
            async with ctx.key(provider, name) as key:
                self.seen.append(key)
            return "called"

        @step("k.nosy")
        async def nosy(ctx: StepContext) -> str:
            async with ctx.key("openai") as key:
                return key

        @step("k.leaky")
        async def leaky(ctx: StepContext, token: str, how: str) -> object:
            self.seen.append(token)
            await ctx.log(f"using {token}")
            log.warning("the token is %s", token)
            await ctx.progress({"token": [token]})
            await ctx.effect("send", lambda _: _echo(token))
            if how == "raise":
                raise RuntimeError(f"401: {token} is not good")
            return {token: f"Bearer {token}"}

        return call, nosy, leaky


async def _echo(token: str) -> object:
    return {"headers": {"Authorization": token}}


CALL = workflow({"id": "a", "uses": "k.call", "with": {"provider": "openai"}}, name="call")
NOSY = workflow({"id": "a", "uses": "k.nosy"}, name="nosy")
LEAKY = workflow(
    {"id": "a", "uses": "k.leaky", "with": {"token": "${{ secrets.TOKEN }}", "how": "${{ input.how }}"}},
    name="leaky",
    input={"how": {"type": "string"}},
)


@pytest.fixture
def outside() -> Outside:
    return Outside()


@pytest.fixture
async def engine(setup: Setup, outside: Outside) -> AsyncGenerator[Engine]:
    setup.settings = replace(setup.settings, sealer=Sealer(b"m" * 32))
    setup.more = outside.steps()
    async with setup.working(CALL, NOSY, LEAKY) as engine:
        yield engine


async def used(engine: Engine, run: str) -> list[e.KeyUsed]:
    return [one.event for one in await engine.history(run) if isinstance(one.event, e.KeyUsed)]


async def everything(engine: Engine) -> str:
    """All that the tables of facts hold."""
    tables = ("SELECT * FROM events", "SELECT * FROM runs", "SELECT * FROM keyring")
    return str([await query(engine.store, sql) for sql in tables])


async def test_a_step_is_given_the_key_as_it_is_now_and_its_use_is_on_record(engine: Engine, outside: Outside) -> None:
    first = await engine.keyring.add("OpenAI", "", KEY, by=ANA, may=MAY)
    assert (first.provider, first.name, first.last_four, first.by) == ("openai", "default", "ABCD", ANA)
    state = await finish(engine, "call")
    assert state.status is RunStatus.COMPLETED
    await engine.keyring.rotate("openai", "", OTHER, by=ANA, may=MAY)
    again = await finish(engine, "call")
    assert outside.seen == [KEY, OTHER]
    before, after = await used(engine, state.run), await used(engine, again.run)
    assert [(one.step, one.attempt, one.provider, one.name, one.last_four) for one in before + after] == [
        ("a", 1, "openai", "default", "ABCD"),
        ("a", 1, "openai", "default", "EFGH"),
    ]
    assert before[0].key == first.id != after[0].key
    (listed,) = await engine.keyring.list()
    assert listed.used_at is not None
    told = await everything(engine)
    assert KEY not in told
    assert OTHER not in told


async def test_nobody_has_a_key_whose_use_is_not_on_record(engine: Engine, outside: Outside) -> None:
    await engine.keyring.add("openai", "", KEY, by=ANA, may=MAY)
    redactor = Redactor()

    async def late(_: Use) -> None:
        raise StepError("the attempt does not count any more", FailureClass.WORKER_LOST)

    with pytest.raises(StepError, match="does not count any more"):
        async with open_key(engine.store, "ws_local", "openai", None, used=late, redactor=redactor) as key:
            outside.seen.append(key)
    redactor.forget()
    assert outside.seen == []


async def test_a_revoked_key_is_gone_for_every_worker_when_the_revocation_returns(
    setup: Setup, engine: Engine, outside: Outside
) -> None:
    async with setup.engine(CALL) as other:
        await engine.keyring.add("openai", "batch", KEY, by=ANA, may=MAY)
        assert await opened(other, "openai", None) == KEY, "the only key serves where none is named"
        await engine.keyring.revoke("openai", "batch", by=ANA, may=MAY, reason="lost")
        for one in (engine, other):
            with pytest.raises(StepError, match="there is no key of openai; vb keys add openai makes one"):
                await opened(one, "openai", None)
    state = await finish(engine, "call")
    failure = state.step("a").failure
    assert failure is not None
    assert (failure.cls, outside.seen) == (FailureClass.PERMISSION, [])
    audit = await engine.keyring.audit()
    assert audit.is_whole
    assert [(one.provider, one.name, one.there) for one in audit.lapsed] == [("openai", "batch", False)]


async def test_no_opening_that_begins_after_a_revocation_has_returned_succeeds(setup: Setup, engine: Engine) -> None:
    """Two processes' engines open as fast as they can meanwhile; how far apart the instants are is printed."""
    await engine.keyring.add("openai", "", KEY, by=ANA, may=MAY)
    begun: list[float] = []
    refused: list[float] = []
    returned: list[float] = []

    async def hammer(one: Engine) -> None:
        while True:
            at = perf_counter()
            try:
                await opened(one, "openai", None)
            except StepError:
                refused.append(at)
                return
            begun.append(at)
            if returned and at > returned[0]:
                return

    async with setup.engine() as other, asyncio.TaskGroup() as hammering:
        for one in (engine, other):
            hammering.create_task(hammer(one))
        async with asyncio.timeout(180):
            while len(begun) < 20:
                await asyncio.sleep(0)
        asked = perf_counter()
        await engine.keyring.revoke("openai", "", by=ANA, may=MAY)
        returned.append(perf_counter())
    assert max(begun) < returned[0]
    assert len(refused) == 2
    before = (returned[0] - max(begun)) * 1_000
    print(
        f"revoked in {(returned[0] - asked) * 1_000:.0f} ms; the last opening began {before:.0f} ms before it returned"
    )


async def opened(engine: Engine, provider: str, name: str | None) -> str:
    async def note(use: Use) -> None:
        pass

    redactor = Redactor()
    try:
        async with open_key(engine.store, engine.workspace.name, provider, name, used=note, redactor=redactor) as value:
            return value
    finally:
        redactor.forget()


async def test_the_audit_finds_a_key_that_came_back_or_went_without_the_log(engine: Engine) -> None:
    key = await engine.keyring.add("openai", "", KEY, by=ANA, may=MAY)
    ((text,),) = await query(engine.store, "SELECT text FROM keyring")
    await engine.keyring.revoke("openai", "", by=ANA, may=MAY)
    await tamper(
        engine.store,
        "INSERT INTO keyring (workspace, provider, name, id, last_four, fingerprint, text) "
        "VALUES ('ws_local', 'openai', 'default', :id, '', '', :text)",
        id=key.id,
        text=text,
    )
    await engine.keyring.add("anthropic", "", OTHER, by=ANA, may=MAY)
    await tamper(engine.store, "DELETE FROM keyring WHERE provider = 'anthropic'")
    audit = await engine.keyring.audit()
    assert not audit.is_whole
    assert [(one.id, one.there) for one in audit.lapsed] == [(key.id, True)]
    assert [one.provider for one in audit.lost] == ["anthropic"]
    assert audit.unknown == (("openai", "default"),)


async def test_a_sealed_key_is_good_for_its_own_workspace_provider_and_id_alone(engine: Engine) -> None:
    for provider, value in (("openai", KEY), ("anthropic", OTHER)):
        await engine.keyring.add(provider, "", value, by=ANA, may=MAY)
    await engine.within("ws_other").keyring.add("openai", "", OTHER, by=ANA, may=MAY)
    sealed = await query(engine.store, "SELECT text FROM keyring ORDER BY workspace, provider")
    (anthropic,), (own,), (of_other,) = sealed
    for text in (anthropic, of_other, "sk-in-the-clear"):
        await tamper(engine.store, "UPDATE keyring SET text = :text WHERE provider = 'openai'", text=text)
        with pytest.raises(StepError, match="changed, or belongs elsewhere"):
            await opened(engine, "openai", None)
    await tamper(engine.store, "UPDATE keyring SET text = :own, id = 'pk_other' WHERE provider = 'openai'", own=own)
    with pytest.raises(StepError, match="changed, or belongs elsewhere"):
        await opened(engine, "openai", None)


async def test_what_a_step_does_with_a_secret_is_recorded_and_logged_without_it(
    engine: Engine, outside: Outside, caplog: pytest.LogCaptureFixture
) -> None:
    await engine.keyring.set_secret("TOKEN", KEY, by=ANA, may=MAY)
    done = await finish(engine, "leaky", how="return")
    failed = await finish(engine, "leaky", how="raise")
    assert outside.seen == [KEY, KEY], "the step itself has the real one"
    assert done.step("a").output == {"[secret TOKEN]": "Bearer [secret TOKEN]"}
    failure = failed.step("a").failure
    assert failure is not None
    assert failure.message == "runtime: 401: [secret TOKEN] is not good"
    assert [one.provider for one in await used(engine, done.run)] == [SECRETS]
    assert KEY not in await everything(engine)
    assert "[secret TOKEN]" in caplog.text
    assert "RuntimeError: 401: [secret TOKEN]" in caplog.text, "the traceback is there, without the secret"
    assert KEY not in caplog.text


async def test_other_steps_have_no_keys_of_providers(engine: Engine) -> None:
    await engine.keyring.add("openai", "", KEY, by=ANA, may=MAY)
    state = await finish(engine, "nosy")
    failure = state.step("a").failure
    assert failure is not None
    assert "opens_keys=True" in failure.message
    assert await used(engine, state.run) == []


async def test_what_is_refused_leaves_no_row(engine: Engine) -> None:
    await engine.keyring.add("openai", "", KEY, by=ANA, may=MAY)
    with pytest.raises(WorkspaceRefused, match="is there already"):
        await engine.keyring.add("openai", "", OTHER, by=ANA, may=MAY)
    assert [info.key.place for info in await engine.keyring.list()] == [("openai", "default")]
    assert await query(engine.store, "SELECT count(*) FROM keyring") == [(1,)]


async def test_without_a_master_key_there_are_no_keys(setup: Setup) -> None:
    async with setup.engine() as engine:
        with pytest.raises(NoSealer, match="vb keys new makes one"):
            await engine.keyring.add("openai", "", KEY, by=ANA, may=MAY)
        assert await engine.keyring.list() == []
