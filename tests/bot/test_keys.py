"""`/vb keys`: a key goes from Slack's form into the vault and into no message, by admins alone."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest

from bot.blocks import keys as blocks
from bot.blocks.words import date
from bot.simulator.model import View
from bot.simulator.simulator import Simulator
from engine.core.events import Actor
from engine.core.key_events import KeyChecked
from engine.core.keys import KEYS, Key
from engine.keycheck import Endpoint
from engine.store import Sealer
from tests.bot.conftest import ACTOR, Setup
from tests.bot.front import HTTP, SOCKET, Front, serving
from tests.providers.echoing import provider

KEY, OTHER = "sk-canary-4711-first-ABCD", "sk-canary-4711-second-EFGH"
TOKEN = "canary_a1B2c3D4e5F6g7H8"
"""What a secret could be called, and nobody would call one."""


@pytest.fixture
def sealing(setup: Setup) -> Setup:
    setup.settings = replace(setup.settings, sealer=Sealer(b"m" * 32))
    return setup


@pytest.fixture(params=[SOCKET, HTTP])
async def front(request: pytest.FixtureRequest, sealing: Setup, simulator: Simulator) -> AsyncGenerator[Front]:
    async with serving(sealing, simulator, transport=request.param) as front:
        yield front


def sent_to_slack(front: Front) -> str:
    return json.dumps([[one.method, one.args] for one in front.simulator.calls()], default=str)


async def typed(front: Front, who: str, text: str, form: str) -> View:
    """The form that the command opens; what was open before may still be there when it is answered."""
    assert await front.type(who, text) == ""

    def opened() -> list[View]:
        return [one for one in front.simulator.views(who)[-1:] if one.body.get("callback_id") == form]

    return (await front.simulator.wait_for(opened))[0]


async def filled(front: Front, **inputs: str) -> str:
    """What the form says once it was sent."""
    await front.fill("dana", **inputs)
    return json.dumps((await front.form("dana")).body, ensure_ascii=False)


async def test_a_key_is_added_replaced_listed_and_revoked_by_an_admin(
    front: Front, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assert (await front.type("dana", "keys")).startswith("No key is kept here yet.")
    form = await typed(front, "dana", "keys add openai batch", "keys_add")
    assert "see that nobody looks at your screen" in json.dumps(form.body)
    wrong = await front.fill("dana", key=f" {KEY}")
    assert "begins or ends with a space" in wrong.errors["input_key"]
    assert KEY not in wrong.errors["input_key"]
    assert "is kept, and ends in `ABCD`" in await filled(front, key=KEY)

    await typed(front, "dana", "keys rotate openai batch", "keys_rotate")
    assert "is kept, and ends in `EFGH`" in await filled(front, key=OTHER)
    told = await front.type("dana", "keys")
    assert "*openai* batch …`EFGH`, by Dana Levy" in told
    assert "never used" in told

    await typed(front, "dana", "keys revoke openai batch", "keys_revoke")
    assert "no worker can open it any more" in await filled(front, reason="left")
    assert (await front.type("dana", "keys")).startswith("No key is kept here yet.")
    audit = await front.engine.keyring.audit()
    assert (audit.is_whole, len(audit.lapsed)) == (True, 2)
    for key in (KEY, OTHER):
        assert key not in sent_to_slack(front)
        assert key not in caplog.text


def test_a_key_is_listed_with_when_it_was_given_and_when_it_was_used_last() -> None:
    given, used = 1_893_456_000_000, 1_893_542_400_000
    key = Key("openai", "batch", "key_1", "ABCD", "f", given, Actor(via="slack", id="U1", name="Dana Levy"))
    told = blocks.listed("/vb", [(key, used)]).text
    assert f"*openai* batch …`ABCD`, by Dana Levy {date(given)}, last used {date(used)}" in told


async def test_nobody_but_an_admin_sees_or_changes_keys(front: Front) -> None:
    for text in ("keys", "keys add openai"):
        assert (await front.type("ben", text)).startswith("To see and change keys takes the role admin")
    await front.type("dana", "roles grant admin @ben")
    await typed(front, "ben", "keys add openai", "keys_add")
    await front.type("dana", "roles revoke admin @ben")
    await front.fill("ben", key=KEY)
    assert "takes the role admin" in json.dumps((await front.form("ben")).body), "it is asked again when the form comes"
    assert await front.engine.keyring.list() == []


async def test_a_key_that_is_typed_after_the_command_is_refused_and_not_repeated(
    front: Front, caplog: pytest.LogCaptureFixture
) -> None:
    for text in (f"keys add openai {KEY}", f"keys add openai batch {KEY}", f"keys add {KEY}", f"keys {KEY}"):
        refused = await front.type("dana", text)
        assert refused.startswith("This looks like the value itself")
        assert "have it replaced by whoever has issued it" in refused
        assert KEY not in refused
    assert "cannot name a key" in await front.type("dana", "keys add openai ÄÖ")
    assert await front.engine.keyring.list() == []
    assert KEY not in sent_to_slack(front)
    assert KEY not in caplog.text


async def test_a_provider_is_asked_about_a_key_and_only_who_asked_sees_its_answer(
    sealing: Setup, simulator: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with provider(200) as takes, provider(401) as refuses:
        endpoints = {"openai": Endpoint.of("openai", takes), "anthropic": Endpoint.of("anthropic", refuses)}
        sealing.settings = replace(sealing.settings, endpoints=endpoints)
        async with serving(sealing, simulator) as front:
            for name in (*endpoints, "other"):
                await front.engine.keyring.add(name, "", KEY, by=ACTOR, may=frozenset({KEYS}))
            for count, (name, said) in enumerate(
                {
                    "openai": "✓ The key of *openai*: openai takes it.",
                    "anthropic": "✗ The key of *anthropic*: anthropic does not take it (status 401).",
                    "other": "How to ask other is not known here; there is: anthropic, openai.",
                }.items(),
                1,
            ):
                await front.type("dana", f"keys check {name}")
                assert (await front.told("dana", count)).startswith(said)
            assert front.whispers("ben") == []
            assert "there is no key of mistral" in await front.type("dana", "keys check mistral")
            checked = [event for _, event in await front.engine.workspace.history() if isinstance(event, KeyChecked)]
            assert [(one.provider, one.accepted, one.by.name) for one in checked] == [
                ("openai", True, "Dana Levy"),
                ("anthropic", False, "Dana Levy"),
            ]
            assert KEY not in sent_to_slack(front)
            assert KEY not in caplog.text


async def test_without_a_master_key_no_form_is_opened(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as front:
        assert (await front.type("dana", "keys add openai")).startswith("There is no master key to seal by.")
        assert "there is no key of openai" in await front.type("dana", "keys revoke openai")


async def test_a_secret_of_steps_is_added_replaced_listed_and_revoked_by_an_admin(
    sealing: Setup, simulator: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(sealing, simulator) as front:
        assert (await front.type("ben", "secrets add TOKEN")).startswith("To see and change keys takes the role admin")
        assert (await front.type("dana", "secrets")).startswith("No secret is kept here yet.")
        for text in (f"secrets add TOKEN {KEY}", f"secrets add {KEY}", f"secrets {KEY}"):
            assert KEY not in await front.type("dana", text)
        for verb in ("add", "rotate", "revoke"):
            refused = await front.type("dana", f"secrets {verb} {TOKEN}")
            assert "have it replaced by whoever has issued it" in refused
            assert TOKEN not in refused
        form = await typed(front, "dana", "secrets add TOKEN", "keys_add")
        assert "`${{ secrets.TOKEN }}` stands for" in json.dumps(form.body)
        assert "The secret `TOKEN` is kept, and ends in `ABCD`" in await filled(front, key=KEY)
        await typed(front, "dana", "secrets add TOKEN", "keys_add")
        assert "The secret TOKEN is there already" in await filled(front, key=OTHER)
        await typed(front, "dana", "secrets rotate TOKEN", "keys_rotate")
        assert "ends in `EFGH`" in await filled(front, key=OTHER)
        assert "TOKEN …`EFGH`, by Dana Levy" in await front.type("dana", "secrets")
        assert (await front.type("dana", "keys")).startswith("No key is kept here yet."), "of providers"
        await typed(front, "dana", "secrets revoke TOKEN", "keys_revoke")
        assert "no worker can open it any more" in await filled(front, reason="left")
        assert [one.key.name for one in await front.engine.keyring.list()] == []
        for key in (KEY, OTHER, TOKEN):
            assert key not in sent_to_slack(front)
            assert key not in caplog.text
